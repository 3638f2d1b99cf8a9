//! The records a device keeps: what the machines decide on and what the host's database stores.
//!
//! They cross into JavaScript as JSON; `web/courier/src/machine.ts` mirrors them. A record read from an older app's database
//! may lack members: every one that was added later has a default.

use ginti_types::{
    BatchId, Clock, DeviceId, Epoch, ItemContent, ItemSeqId, LocationSeqId, Note, ProductId, ProductIdentifier,
    Quantity, Requested, Revision, SessionId, Stamp, Timestamp, UserLoginId,
};
use serde::{Deserialize, Serialize};

use crate::Moment;

/// This installation's identity, clock and cadence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceRecord {
    /// Id of this installation.
    pub device_id: DeviceId,
    /// The id it has to take. It is told to the server first (at a refresh), and nothing is cut until it is.
    #[serde(default)]
    pub next_device_id: Option<DeviceId>,
    /// The present id's clock ran ahead: when it is given up, the server is to refuse what it stamped in the future.
    #[serde(default)]
    pub retire: bool,
    /// Last revision made or seen.
    #[serde(default)]
    pub clock: Clock,
    /// Server's clock minus this device's, in milliseconds.
    #[serde(default)]
    pub skew_ms: i64,
    /// The server's history as last seen.
    #[serde(default)]
    pub epoch: Option<Epoch>,
    /// Length of the server's ledger as last seen.
    #[serde(default)]
    pub ledger_seq: u64,
    /// The server's clock when `ledger_seq` was seen.
    #[serde(default)]
    pub server_time: Option<Timestamp>,
    /// Number of the next row this device makes.
    #[serde(default)]
    pub next_item_seq: u64,
    /// When a batch was last cut.
    #[serde(default)]
    pub last_push_at: Option<Moment>,
    /// Items were left uncut because of a limit.
    #[serde(default)]
    pub backlog: bool,
    /// Hand-overs that failed in a row.
    #[serde(default)]
    pub handover_failures: u32,
    /// No hand-over on the cadence before then.
    #[serde(default)]
    pub hold_until: Moment,
    /// Items a batch may have now; shrinks when the server refuses a whole batch, to find the item at fault.
    pub batch_items_max: usize,
    /// When the server last answered.
    #[serde(default)]
    pub last_contact_at: Option<Moment>,
    /// When the server was last asked how it stands, without anything to send.
    #[serde(default)]
    pub asked_at: Option<Moment>,
    /// What last went wrong; cleared by the next good receipt.
    #[serde(default)]
    pub last_error: Option<ErrorNote>,
}

impl DeviceRecord {
    /// The server's clock as far as this device knows it, in milliseconds since 1970.
    pub fn server_ms(&self, now: Moment) -> i64 {
        now.0.saturating_add(self.skew_ms)
    }
}

/// Something that went wrong, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorNote {
    /// Stable code.
    pub code: String,
    /// A sentence.
    pub detail: String,
    /// When.
    pub at: Moment,
}

/// Where a row's current count is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// Durable on this device only.
    Saved,
    /// In the courier's custody.
    Sending,
    /// Durable on the server.
    Confirmed,
    /// Refused: a dead letter that a person must see to.
    Refused,
}

/// One row of a session on this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemRecord {
    /// The session.
    pub inventory_count_import_id: SessionId,
    /// The row.
    pub import_item_seq_id: ItemSeqId,
    /// The product; none while unmatched.
    pub product_id: Option<ProductId>,
    /// What was scanned or typed.
    pub product_identifier: Option<ProductIdentifier>,
    /// The absolute count.
    pub quantity: Quantity,
    /// When it was counted, by the server's clock as far as known.
    pub counted_at: Timestamp,
    /// Who counted it.
    pub counted_by_user_login_id: UserLoginId,
    /// Whether the list asked for it.
    pub is_requested: Option<Requested>,
    /// Where.
    pub location_seq_id: Option<LocationSeqId>,
    /// What a person wrote beside the count.
    #[serde(default)]
    pub note: Option<Note>,
    /// Revision of this content.
    pub revision: Revision,
    /// Device of this content's stamp.
    pub device_id: DeviceId,
    /// Made on this device.
    pub own: bool,
    /// Its present count was made on this device: when the server loses it, this device has to send it again, and nobody
    /// else can.
    #[serde(default)]
    pub counted_here: bool,
    /// Highest revision known durable on the server.
    pub confirmed: Option<Revision>,
    /// Who delivers which revision now; none when nobody does.
    pub custody: Option<Custody>,
    /// Why the server refused it.
    pub problem: Option<ItemProblem>,
    /// The server took it after the session was handed in.
    #[serde(default)]
    pub late: bool,
    /// Times it was stamped anew because of the clock or the device id, since it was last confirmed.
    #[serde(default)]
    pub restamps: u32,
    /// Where the count is; follows from the members above and is kept because databases index it.
    pub truth: Truth,
}

impl ItemRecord {
    /// The stamp of the content.
    pub fn stamp(&self) -> Stamp {
        Stamp { revision: self.revision, device_id: self.device_id.clone() }
    }

    /// The content as it goes on the wire.
    pub fn content(&self) -> ItemContent {
        ItemContent {
            product_id: self.product_id.clone(),
            product_identifier: self.product_identifier.clone(),
            quantity: self.quantity,
            counted_at: Some(self.counted_at),
            counted_by_user_login_id: Some(self.counted_by_user_login_id.clone()),
            is_requested: self.is_requested,
            location_seq_id: self.location_seq_id.clone(),
            note: self.note.clone(),
        }
    }

    /// Brings `truth` in line with the other members. Confirmation is by revision alone.
    pub(crate) fn refresh_truth(&mut self) {
        self.truth = if self.confirmed.is_some_and(|confirmed| confirmed >= self.revision) {
            Truth::Confirmed
        } else if self.problem.as_ref().is_some_and(|problem| problem.revision == self.revision) {
            Truth::Refused
        } else if self.custody.as_ref().is_some_and(|custody| custody.revision == self.revision) {
            Truth::Sending
        } else {
            Truth::Saved
        };
    }

    /// Takes custody back from that batch, if it has it.
    pub(crate) fn release(&mut self, batch: &BatchId) {
        if self.custody.as_ref().is_some_and(|custody| custody.batch_id == *batch) {
            self.custody = None;
        }
        self.refresh_truth();
    }
}

/// A batch that carries a revision of the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Custody {
    /// The batch.
    pub batch_id: BatchId,
    /// The revision in it.
    pub revision: Revision,
}

/// Why the server refused a revision of the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemProblem {
    /// Stable code.
    pub code: String,
    /// The server's sentence.
    pub detail: String,
    /// When it was told.
    pub at: Moment,
    /// The revision refused.
    pub revision: Revision,
}

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScanKind {
    /// Scanned, or added by hand.
    Add,
    /// Taken away by hand.
    Subtract,
    /// Set to a number.
    Set,
    /// Took back an earlier one.
    Undo,
    /// Said which product an unknown code is. Changes no quantity.
    Match,
    /// Wrote a note beside the count, or took it away. Changes no quantity.
    Note,
}

/// One journal entry. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanRecord {
    /// The session.
    pub inventory_count_import_id: SessionId,
    /// The row counted into.
    pub import_item_seq_id: ItemSeqId,
    /// What was done.
    pub kind: ScanKind,
    /// The row's count before.
    pub before: Quantity,
    /// The row's count after.
    pub after: Quantity,
    /// Revision the row got.
    pub revision: Revision,
    /// When.
    pub counted_at: Timestamp,
    /// Who.
    pub counted_by_user_login_id: UserLoginId,
    /// What was scanned.
    pub product_identifier: Option<ProductIdentifier>,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Cut, not handed over yet.
    Cut,
    /// The courier has it.
    Custody,
    /// The server has answered; not settled yet.
    Answered,
    /// Done.
    Settled,
    /// The page took custody back.
    Withdrawn,
}

/// One batch on its way, and its telemetry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRecord {
    /// The batch.
    pub batch_id: BatchId,
    /// The session.
    pub inventory_count_import_id: SessionId,
    /// Device id it was stamped with.
    pub device_id: DeviceId,
    /// Its rows and revisions, in the batch's order.
    pub items: Vec<SentItem>,
    /// Size of the body.
    pub bytes: usize,
    /// How far it is.
    pub state: DeliveryState,
    /// When it was cut.
    pub created_at: Moment,
    /// When the courier took it.
    pub custody_at: Option<Moment>,
    /// Last sign of life of the courier about it.
    pub heard_at: Option<Moment>,
    /// Times it was sent.
    pub attempts: u32,
    /// When it was last sent.
    pub last_attempt_at: Option<Moment>,
    /// Why it has not arrived.
    pub last_error: Option<ErrorNote>,
    /// The server's answer, until it is settled.
    pub answer: Option<Answer>,
    /// When the answer came.
    pub answered_at: Option<Moment>,
    /// When it was settled or withdrawn.
    pub settled_at: Option<Moment>,
}

/// A row and the revision of it that a batch carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentItem {
    /// The row.
    pub import_item_seq_id: ItemSeqId,
    /// The revision.
    pub revision: Revision,
}

/// What the server answered to a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body as it came.
    pub body: String,
    /// The device's clock when it came.
    pub at: Moment,
    /// It repeats an earlier receipt, whose times are of then.
    #[serde(default)]
    pub replayed: bool,
}
