//! Rows fetched from the server, merged into the device by the same rule as everything else.

use ginti_types::{
    DeviceId, ItemContent, ItemSeqId, LocationSeqId, Note, Outcome, ProductId, ProductIdentifier, Quantity, Requested,
    Revision, SessionId, Stamp, Timestamp, UserLoginId, Verdict, merge,
};
use serde::{Deserialize, Serialize};

use super::{Batcher, settle::observe_revision};
use crate::{
    Moment,
    record::{DeviceRecord, ItemRecord, Truth},
};

/// A row of `GET …/{id}/items`. Members this version does not know are passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteItem {
    /// The row.
    pub import_item_seq_id: ItemSeqId,
    /// Its product.
    pub product_id: Option<ProductId>,
    /// The code it was found by.
    pub product_identifier: Option<ProductIdentifier>,
    /// The count that holds.
    pub quantity: Quantity,
    /// Revision that holds.
    pub revision: Revision,
    /// Device of the stamp.
    pub device_id: DeviceId,
    /// When it was counted.
    pub counted_at: Timestamp,
    /// Who counted it.
    pub counted_by_user_login_id: UserLoginId,
    /// Whether the list asked for it.
    pub is_requested: Option<Requested>,
    /// Where.
    pub location_seq_id: Option<LocationSeqId>,
    /// What a person wrote beside the count; an older server says nothing of it.
    #[serde(default)]
    pub note: Option<Note>,
    /// `applied`, or `late`.
    pub outcome: Outcome,
}

/// Input of [`Batcher::absorb`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Absorb {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// The session.
    pub inventory_count_import_id: SessionId,
    /// The server's rows.
    pub remote: Vec<RemoteItem>,
    /// The device's rows of the same ids.
    pub local: Vec<ItemRecord>,
}

/// Output of [`Batcher::absorb`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Absorbed {
    /// To put.
    pub device: DeviceRecord,
    /// To put: only rows that changed.
    pub items: Vec<ItemRecord>,
}

impl Batcher {
    /// Merges the server's rows. What this device has counted and not yet seen confirmed is never overwritten: it must
    /// reach the server's history first, even where a newer count from elsewhere will hold.
    pub fn absorb(&self, input: Absorb) -> Absorbed {
        let Absorb { now: _, mut device, inventory_count_import_id, remote, local } = input;
        let mut items = Vec::new();
        for row in remote {
            observe_revision(&mut device, row.revision);
            let mine = local.iter().find(|item| item.import_item_seq_id == row.import_item_seq_id);
            items.extend(absorb_row(&inventory_count_import_id, row, mine));
        }
        Absorbed { device, items }
    }
}

fn absorb_row(session: &SessionId, row: RemoteItem, mine: Option<&ItemRecord>) -> Option<ItemRecord> {
    let incoming = Stamp { revision: row.revision, device_id: row.device_id.clone() };
    let held = mine.map(ItemRecord::stamp);
    let late = row.outcome == Outcome::Late;
    match merge(held.as_ref(), &incoming, || mine.is_some_and(|mine| mine.content() == content(&row))) {
        // Only this very stamp says anything about a late row: it waits for the manager and does not hold.
        Verdict::Apply if late => None,
        Verdict::Apply => match mine {
            Some(mine) if mine.truth != Truth::Confirmed => None,
            _ => Some(taken_over(session, row, mine)),
        },
        Verdict::Duplicate => {
            // The server has exactly this count: its receipt may have been lost, but here is the proof.
            let mut item = mine?.clone();
            if item.truth == Truth::Confirmed && item.late == late {
                return None;
            }
            item.confirmed = item.confirmed.max(Some(row.revision));
            item.late = late;
            item.refresh_truth();
            Some(item)
        }
        Verdict::Superseded | Verdict::RevisionReused => None,
    }
}

fn content(row: &RemoteItem) -> ItemContent {
    ItemContent {
        product_id: row.product_id.clone(),
        product_identifier: row.product_identifier.clone(),
        quantity: row.quantity,
        counted_at: Some(row.counted_at),
        counted_by_user_login_id: Some(row.counted_by_user_login_id.clone()),
        is_requested: row.is_requested,
        location_seq_id: row.location_seq_id.clone(),
        note: row.note.clone(),
    }
}

fn taken_over(session: &SessionId, row: RemoteItem, mine: Option<&ItemRecord>) -> ItemRecord {
    ItemRecord {
        inventory_count_import_id: session.clone(),
        import_item_seq_id: row.import_item_seq_id,
        product_id: row.product_id,
        product_identifier: row.product_identifier,
        quantity: row.quantity,
        counted_at: row.counted_at,
        counted_by_user_login_id: row.counted_by_user_login_id,
        is_requested: row.is_requested,
        location_seq_id: row.location_seq_id,
        note: row.note,
        revision: row.revision,
        device_id: row.device_id,
        own: mine.is_some_and(|mine| mine.own),
        counted_here: false,
        confirmed: Some(row.revision),
        custody: None,
        problem: None,
        late: false,
        restamps: 0,
        truth: Truth::Confirmed,
    }
}
