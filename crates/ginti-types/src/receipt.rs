//! Receipts: the server's durable answer to a batch, an outcome per item in the batch's order.

use serde::{Deserialize, Serialize};

use crate::{BatchId, DeviceId, Epoch, Revision, Timestamp};

/// What became of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is now the row's count.
    Applied,
    /// It already was: delivered again.
    Duplicate,
    /// A newer count holds; this one is kept in history.
    Superseded,
    /// The session takes no more changes; kept in history and shown to the manager.
    Late,
    /// Refused, with a code and a reason; not stored as a count.
    Rejected,
}

impl Outcome {
    /// Whether the server holds the count durably (in state or history).
    pub fn is_durable(self) -> bool {
        self != Self::Rejected
    }
}

/// The answer to a batch. Items stand in the order of the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The batch answered.
    pub batch_id: BatchId,
    /// The history this receipt belongs to.
    pub epoch: Epoch,
    /// The ledger's length when the batch was committed: grows with every stored count.
    pub ledger_seq: u64,
    /// The server's clock at commit.
    pub server_time: Timestamp,
    /// One entry per item of the batch.
    pub items: Vec<ReceiptItem>,
}

/// What became of one item, and the stamp that now holds in its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptItem {
    /// The row. None only when the item named none that can be read.
    pub import_item_seq_id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Revision that holds in the row now; none when the row has no count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Device of the stamp that holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// Why it was refused: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why it was refused: a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
