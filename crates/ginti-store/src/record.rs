//! A record of history: a batch that arrived, and what its counts are to a reader.

use ginti_types::{
    BatchId, DeviceId, ItemContent, ItemSeqId, LocationSeqId, Note, Outcome, ProductId, ProductIdentifier, Quantity,
    Requested, Revision, Stamp, Timestamp, UserLoginId,
};

use crate::{Entries, Entry, ItemRow, StoreError, entries, entry::damaged};

/// What a batch's counts have in common, and the counts.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The number of its first count in the ledger.
    pub first_seq: u64,
    /// Whose stamps they are.
    pub device: DeviceId,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Who sent it.
    pub sent_by: UserLoginId,
    /// Its id.
    pub batch: BatchId,
    /// As [`Entry::write`] put them one after the other.
    pub entries: &'a [u8],
}

impl<'a> Record<'a> {
    /// Its counts, with their numbers.
    pub fn numbered(&self) -> std::iter::Zip<std::ops::RangeFrom<u64>, Entries<'a>> {
        (self.first_seq..).zip(entries(self.entries))
    }

    /// The stamp of one of its counts.
    pub fn stamp(&self, entry: &Entry<'_>) -> Result<Stamp, StoreError> {
        let revision = Revision::new(entry.revision).map_err(damaged)?;
        Ok(Stamp { revision, device_id: self.device.clone() })
    }

    /// Whether the count is one that a session's list shows: it holds, or it is late, newer than what holds, and so still
    /// waits.
    pub fn is_listed(&self, entry: &Entry<'_>, held: Option<&Stamp>) -> Result<bool, StoreError> {
        let stamp = self.stamp(entry)?;
        Ok(match entry.outcome()? {
            Outcome::Applied => held == Some(&stamp),
            Outcome::Late => held.is_none_or(|held| stamp > *held),
            _ => false,
        })
    }

    /// The count as a reader gets it. `counted_by` is the name of [`Entry::counted_by`].
    pub fn item_row(
        &self,
        ledger_seq: u64,
        entry: &Entry<'_>,
        counted_by: Option<UserLoginId>,
    ) -> Result<ItemRow, StoreError> {
        Ok(ItemRow {
            import_item_seq_id: ItemSeqId::new(entry.item).map_err(damaged)?,
            stamp: self.stamp(entry)?,
            content: ItemContent {
                product_id: entry.product_id.map(ProductId::new).transpose().map_err(damaged)?,
                product_identifier: entry
                    .product_identifier
                    .map(ProductIdentifier::new)
                    .transpose()
                    .map_err(damaged)?,
                quantity: Quantity::from_micros(entry.quantity).map_err(damaged)?,
                counted_at: Some(entry.counted_at.map_or(self.received_at, Timestamp::from_unix_ms)),
                counted_by_user_login_id: Some(counted_by.unwrap_or_else(|| self.sent_by.clone())),
                is_requested: entry.is_requested.map(|listed| if listed { Requested::Y } else { Requested::N }),
                location_seq_id: entry.location_seq_id.map(LocationSeqId::new).transpose().map_err(damaged)?,
                note: entry.note.map(Note::new).transpose().map_err(damaged)?,
            },
            outcome: entry.outcome()?,
            ledger_seq,
            received_at: self.received_at,
            batch_id: self.batch,
        })
    }
}
