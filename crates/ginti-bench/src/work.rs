//! The work, the same for everybody: clients that count, 50 rows at a time, in rows of their own. Bodies are made once and then
//! only filled in, so that making them costs next to nothing beside what is measured.

use std::{
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

use ginti_store::{Access, Import, ImportItem};
use ginti_types::{
    BatchId, DeviceId, ItemContent, ItemSeqId, ProductId, Quantity, Revision, SessionId, TenantId, Timestamp,
    UserLoginId,
};

/// Counts in a batch.
pub(crate) const BATCH_ITEMS: u64 = 50;
/// Rows a client counts in before it begins again from its first, in pieces of a batch.
pub(crate) const ROWS: u64 = 4 * BATCH_ITEMS;
/// The demo's session that takes any product.
pub(crate) const SESSION: &str = "M101429";
/// The demo's tenant and counter.
pub(crate) const TENANT: &str = "demo";
/// Who counts.
pub(crate) const USER: &str = "counter";

/// What a peer wants a batch to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Ginti's own.
    Ginti,
    /// `_bulk_docs`: documents with new ids each time, so that nothing ever conflicts.
    Pouch,
    /// PocketBase's batch of upserts.
    PocketBase,
}

/// Where a value goes in a body.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Batch,
    Row(u64),
    Revision(u64),
    Quantity,
}

/// A client: its rows, its clock, and its body.
#[derive(Debug)]
pub(crate) struct Client {
    number: u64,
    body: Vec<u8>,
    slots: Vec<(Range<usize>, Slot)>,
    batches: u64,
    revision: u64,
    /// The first of the rows that the filled-in batch names.
    first_row: u64,
    form: Form,
    /// Rows are drawn from all of these instead of the client's own.
    anywhere: Option<u64>,
    draw: u64,
    /// Bodies made so far, if every tenth is to be an old one.
    repeating: Option<u64>,
    /// Each row's revision as last acknowledged, 0 for none.
    acknowledged: Vec<u64>,
}

/// As the spread of digits allows: 0..100,000,000.
pub(crate) fn row_name(row: u64) -> String {
    format!("r{row:08}")
}

pub(crate) fn device_id(client: u64) -> String {
    format!("bench-device-{client:04}")
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Client {
    pub(crate) fn new(number: u64, form: Form) -> Self {
        let mut client = Self {
            number,
            body: Vec::new(),
            slots: Vec::new(),
            batches: 0,
            revision: Revision::from_unix_ms(now_ms()).get(),
            first_row: 0,
            form,
            anywhere: None,
            draw: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            repeating: None,
            acknowledged: vec![0; usize::try_from(ROWS).unwrap_or(0)],
        };
        client.write_body();
        client
    }

    /// Counts in rows drawn from so many, which it shares with all clients.
    pub(crate) fn anywhere(mut self, rows: u64) -> Self {
        self.anywhere = Some(rows);
        self
    }

    /// Every tenth batch brings nothing new: in turn the last one again, and an older one's counts under a new batch id.
    pub(crate) fn repeating(mut self) -> Self {
        self.repeating = Some(0);
        self
    }

    fn write_body(&mut self) {
        match self.form {
            Form::Ginti => {
                self.text("{\"batchId\":\"");
                self.slot(36, Slot::Batch);
                self.text(&format!("\",\"deviceId\":\"{}\",", device_id(self.number)));
                self.text(&format!("\"inventoryCountImportId\":\"{SESSION}\",\"items\":["));
            }
            Form::Pouch => self.text("{\"docs\":["),
            Form::PocketBase => self.text("{\"requests\":["),
        }
        for item in 0..BATCH_ITEMS {
            if item > 0 {
                self.text(",");
            }
            match self.form {
                Form::Ginti => {
                    self.text("{\"importItemSeqId\":\"r");
                    self.slot(8, Slot::Row(item));
                    self.text(&format!("\",\"productId\":\"{}\",\"quantity\":", 10_000 + item));
                    self.slot(3, Slot::Quantity);
                    self.text(",\"revision\":");
                    self.slot(15, Slot::Revision(item));
                    self.text(",\"countedAt\":\"2026-11-22T09:14:03.120Z\",\"countedByUserLoginId\":\"counter\"}");
                }
                Form::Pouch => {
                    self.text("{\"_id\":\"r");
                    self.slot(8, Slot::Row(item));
                    self.text("-");
                    self.slot(15, Slot::Revision(item));
                    self.text(&format!("\",\"productId\":\"{}\",\"quantity\":", 10_000 + item));
                    self.slot(3, Slot::Quantity);
                    self.text(",\"countedAt\":\"2026-11-22T09:14:03.120Z\",\"countedByUserLoginId\":\"counter\"}");
                }
                Form::PocketBase => {
                    self.text(
                        "{\"method\":\"PUT\",\"url\":\"/api/collections/counts/records\",\"body\":{\"id\":\"aaaaaar",
                    );
                    self.slot(8, Slot::Row(item));
                    self.text(&format!("\",\"productId\":\"{}\",\"quantity\":", 10_000 + item));
                    self.slot(3, Slot::Quantity);
                    self.text(",\"revision\":");
                    self.slot(15, Slot::Revision(item));
                    self.text(",\"countedAt\":\"2026-11-22 09:14:03.120Z\",\"countedBy\":\"counter\"}}");
                }
            }
        }
        self.text("]}");
    }

    fn text(&mut self, text: &str) {
        self.body.extend_from_slice(text.as_bytes());
    }

    fn slot(&mut self, width: usize, slot: Slot) {
        let start = self.body.len();
        self.body.resize(start + width, b'0');
        self.slots.push((start..start + width, slot));
    }

    /// The next batch: its next 50 rows, each with a higher revision than ever before.
    pub(crate) fn next(&mut self) -> &[u8] {
        // So many batches lie between two that name the same rows.
        const ROUND: u64 = ROWS / BATCH_ITEMS;
        if let Some(made) = &mut self.repeating {
            *made += 1;
            match *made % 20 {
                10 => return &self.body,
                0 if self.batches > ROUND => return self.fill(ROUND),
                _ => {}
            }
        }
        self.advance();
        self.fill(0)
    }

    /// Fills the body in with what the batch so many before held: the rows are the same after each round.
    fn fill(&mut self, before: u64) -> &[u8] {
        let batch = self.batch_id(before).to_string();
        let (batches, revision) = (self.batches - before, self.revision - before * BATCH_ITEMS);
        let mut slots = std::mem::take(&mut self.slots);
        for (place, slot) in &mut slots {
            let row = if let Slot::Row(item) = slot { self.row(*item) } else { 0 };
            let at = &mut self.body[place.clone()];
            match slot {
                Slot::Batch => at.copy_from_slice(batch.as_bytes()),
                Slot::Row(_) => digits(at, row),
                Slot::Revision(item) => digits(at, revision + *item),
                Slot::Quantity => digits(at, 100 + batches % 900),
            }
        }
        self.slots = slots;
        &self.body
    }

    /// A batch in that row and those after it.
    pub(crate) fn import_from(&mut self, row: u64) -> Import {
        self.advance();
        self.import(|_, item| row + item)
    }

    /// The same batch as a store takes it.
    pub(crate) fn next_import(&mut self) -> Import {
        self.advance();
        self.import(Self::row)
    }

    fn import(&self, row: impl Fn(&Self, u64) -> u64) -> Import {
        let now = now_ms();
        let items = (0..BATCH_ITEMS).map(|item| ImportItem::Count {
            item: ItemSeqId::new(row_name(row(self, item))).expect("an id"),
            revision: Revision::new(self.revision + item).expect("a revision"),
            content: ItemContent {
                product_id: Some(ProductId::new((10_000 + item).to_string()).expect("an id")),
                product_identifier: None,
                quantity: Quantity::from_micros(1_000_000).expect("a quantity"),
                counted_at: Some(Timestamp::from_unix_ms(now)),
                counted_by_user_login_id: Some(UserLoginId::new(USER).expect("an id")),
                is_requested: None,
                location_seq_id: None,
                note: None,
            },
        });
        let items: Vec<_> = items.collect();
        let batch_id = self.batch_id(0);
        Import {
            access: Access {
                tenant: TenantId::new(TENANT).expect("an id"),
                user: UserLoginId::new(USER).expect("an id"),
                facilities: None,
            },
            batch_id,
            digest: *batch_id.as_bytes(),
            device_id: DeviceId::new(device_id(self.number)).expect("an id"),
            session_id: SessionId::new(SESSION).expect("an id"),
            now: Timestamp::from_unix_ms(now),
            items,
        }
    }

    fn advance(&mut self) {
        self.batches += 1;
        self.revision += BATCH_ITEMS;
        self.first_row = (self.first_row + BATCH_ITEMS) % ROWS;
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 7;
        self.draw ^= self.draw << 17;
    }

    fn row(&self, item: u64) -> u64 {
        match self.anywhere {
            // Spread by a number that no power of two has in common with it: 50 different rows all over.
            Some(rows) => (self.draw >> 8).wrapping_add(item.wrapping_mul(2_654_435_761)) % rows,
            None => self.number * ROWS + self.first_row + item,
        }
    }

    fn batch_id(&self, before: u64) -> BatchId {
        let mut entropy = [0; 10];
        entropy[..2].copy_from_slice(&u16::try_from(self.number).unwrap_or(0).to_be_bytes());
        entropy[2..].copy_from_slice(&(self.batches << 4 | before).to_be_bytes());
        BatchId::from_time(u64::try_from(now_ms()).unwrap_or(0), entropy)
    }

    /// The batch was answered: its rows are held to be there from now on.
    pub(crate) fn acknowledge(&mut self) {
        for item in 0..BATCH_ITEMS {
            let at = usize::try_from(self.first_row + item).unwrap_or(0);
            self.acknowledged[at] = self.revision + item;
        }
    }

    /// Counts in all its batches.
    pub(crate) fn counts(&self) -> u64 {
        self.batches * BATCH_ITEMS
    }

    /// Each row that was acknowledged, and its revision.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, u64)> {
        let base = self.number * ROWS;
        (base..).zip(self.acknowledged.iter().copied()).filter(|(_, revision)| *revision > 0)
    }
}

/// Writes the number right-aligned over zeros.
fn digits(at: &mut [u8], mut number: u64) {
    for digit in at.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_a_batch_that_the_server_reads() {
        let mut client = Client::new(3, Form::Ginti);
        let first: ginti_types::Batch = serde_json::from_slice(client.next()).unwrap();
        let second: ginti_types::Batch = serde_json::from_slice(client.next()).unwrap();
        assert_ne!(first.batch_id, second.batch_id);
        assert_eq!(first.items.len(), 50);
        assert_eq!(first.items[7].import_item_seq_id.as_str(), row_name(3 * ROWS + 50 + 7));
        assert!(second.items[0].revision > first.items[49].revision);
    }

    #[test]
    fn what_was_acknowledged_is_remembered_by_row() {
        let mut client = Client::new(0, Form::Ginti);
        client.next();
        client.acknowledge();
        let rows: Vec<_> = client.rows().collect();
        assert_eq!(rows.len(), 50);
        assert_eq!(rows[0].0, 50);
        assert_eq!(rows[1].1, rows[0].1 + 1);
    }

    #[test]
    fn a_tenth_of_the_batches_is_old() {
        let mut client = Client::new(0, Form::Ginti).repeating();
        let bodies: Vec<ginti_types::Batch> = (0..40).map(|_| serde_json::from_slice(client.next()).unwrap()).collect();
        assert_eq!(bodies[9], bodies[8], "a batch again");
        assert_eq!(bodies[19].items, bodies[14].items, "its counts again");
        assert!(bodies[..15].iter().all(|other| other.batch_id != bodies[19].batch_id));
        let revisions: std::collections::BTreeSet<_> = bodies.iter().map(|batch| batch.items[0].revision).collect();
        assert_eq!(revisions.len(), 36);
    }

    #[test]
    fn rows_from_anywhere_are_different_ones() {
        let mut client = Client::new(0, Form::Ginti).anywhere(100_000);
        let import = client.next_import();
        let mut rows: Vec<_> = import
            .items
            .iter()
            .map(|item| if let ImportItem::Count { item, .. } = item { item.to_string() } else { String::new() })
            .collect();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), 50);
    }
}
