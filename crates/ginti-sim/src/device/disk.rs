//! A device's databases: what the page keeps (Dexie), what belongs to no company, and the courier's queue (Workbox).
//!
//! The page's transactions are durable when they are done. The queue's are relaxed: done means handed to the browser, and
//! a device that dies loses the newest ones, from some point on. A worker or tab that dies loses nothing of either.

use std::collections::{BTreeMap, BTreeSet};

use ginti_sync::{
    Moment,
    courier::CourierRecord,
    record::{DeliveryRecord, DeliveryState, DeviceRecord, ItemRecord, ScanRecord, Truth},
};
use ginti_types::{BatchId, ItemSeqId, SessionId, TenantId, UserLoginId};

use crate::chance::Chance;

/// A row's key.
pub type RowId = (SessionId, ItemSeqId);

/// Everything on a device.
#[derive(Clone, Default)]
pub struct Disk {
    /// A database per company.
    pub tenants: BTreeMap<TenantId, TenantData>,
    /// Who signed in last.
    pub profile: Option<Profile>,
    /// The courier's memory.
    pub courier: Option<CourierRecord>,
    /// An identity made for the first sign-in.
    pub newcomer: Option<DeviceRecord>,
    /// What waits to be delivered.
    pub queue: Queue,
}

impl Disk {
    /// For who could not get the lock: the courier's place, unless somebody is at it. Of several that ask only one gets it.
    pub fn take_courier_over(&mut self, now: Moment, ms: i64) -> bool {
        let Some(record) = &mut self.courier else { return true };
        if record.last_attempt_at.is_some_and(|last| (now.0 - last.0).abs() < ms) {
            return false;
        }
        record.last_attempt_at = Some(now);
        true
    }

    /// What waits in the queue. What a worker left behind that was killed between writing an answer down and clearing away
    /// waits for nothing: the next delivery drops it, unsent.
    pub fn unfinished_entries(&self) -> impl Iterator<Item = Queued> + use<'_> {
        self.queue.all().into_iter().filter(|entry| {
            let delivery = self.tenants.get(&entry.realm).and_then(|data| data.deliveries.get(&entry.batch_id));
            delivery.is_none_or(|delivery| is_open(delivery.state))
        })
    }
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub user: UserLoginId,
    /// Of which company.
    pub tenant: TenantId,
}

/// One company's data.
#[derive(Clone, Default)]
pub struct TenantData {
    /// This installation.
    pub device: Option<DeviceRecord>,
    /// Rows.
    pub items: BTreeMap<RowId, ItemRecord>,
    /// The journal.
    pub scans: Vec<ScanRecord>,
    /// Batches.
    pub deliveries: BTreeMap<BatchId, DeliveryRecord>,
    /// Sessions as last listed, and whether they take counts.
    pub sessions: BTreeMap<SessionId, bool>,
    /// How far each session's rows were read.
    pub cursors: BTreeMap<SessionId, u64>,
    /// Rows that are not confirmed: the index that the real database has.
    pub unconfirmed: BTreeSet<RowId>,
    /// Batches that are not done: likewise.
    pub open: BTreeSet<BatchId>,
    /// Journal entries not yet in a row: only a planted bug writes these.
    pub unapplied: Vec<crate::device::counting::Request>,
}

impl TenantData {
    /// Rows that are not confirmed.
    pub fn unconfirmed_rows(&self) -> impl Iterator<Item = &ItemRecord> {
        self.unconfirmed.iter().filter_map(|key| self.items.get(key))
    }

    /// Batches that are not done.
    pub fn open_deliveries(&self) -> impl Iterator<Item = &DeliveryRecord> {
        self.open.iter().filter_map(|batch_id| self.deliveries.get(batch_id)).filter(|delivery| is_open(delivery.state))
    }

    fn note_open(&mut self, delivery: &DeliveryRecord) {
        if is_open(delivery.state) {
            self.open.insert(delivery.batch_id);
        } else {
            self.open.remove(&delivery.batch_id);
        }
    }
}

/// A transaction: reads see the data as they are, writes are noted for whoever watches.
pub struct Txn<'a> {
    data: &'a mut TenantData,
    /// Rows as they were before.
    pub changed: Vec<(Option<ItemRecord>, ItemRecord)>,
    /// Counts in it that a person made, and how many records each took.
    pub counts: Vec<(ItemRecord, usize)>,
    /// Records read and written.
    pub touched: usize,
    /// Whether anything was written.
    pub has_written: bool,
    /// Whether there is no room: then nothing is written, and the whole of it fails in the end.
    is_full: bool,
}

impl<'a> Txn<'a> {
    /// Over that data.
    pub fn new(data: &'a mut TenantData, is_full: bool) -> Self {
        Self { data, changed: Vec::new(), counts: Vec::new(), touched: 0, has_written: false, is_full }
    }

    /// The data, to read.
    pub fn data(&self) -> &TenantData {
        self.data
    }

    /// Writes what nobody watches.
    pub fn edit(&mut self, change: impl FnOnce(&mut TenantData)) {
        self.has_written = true;
        if !self.is_full {
            change(self.data);
        }
    }

    /// This installation.
    pub fn device(&mut self) -> Option<DeviceRecord> {
        self.touched += 1;
        self.data.device.clone()
    }

    /// Puts this installation.
    pub fn put_device(&mut self, device: DeviceRecord) {
        self.touched += 1;
        self.edit(|data| data.device = Some(device));
    }

    /// Puts rows.
    pub fn put_items(&mut self, items: impl IntoIterator<Item = ItemRecord>) {
        for item in items {
            self.touched += 1;
            self.has_written = true;
            if self.is_full {
                continue;
            }
            let key = (item.inventory_count_import_id.clone(), item.import_item_seq_id.clone());
            if item.truth == Truth::Confirmed {
                self.data.unconfirmed.remove(&key);
            } else {
                self.data.unconfirmed.insert(key.clone());
            }
            let before = self.data.items.insert(key, item.clone());
            self.changed.push((before, item));
        }
    }

    /// Puts batches.
    pub fn put_deliveries(&mut self, deliveries: impl IntoIterator<Item = DeliveryRecord>) {
        for delivery in deliveries {
            self.touched += 1;
            self.edit(|data| {
                data.note_open(&delivery);
                data.deliveries.insert(delivery.batch_id, delivery);
            });
        }
    }

    /// Appends to the journal.
    pub fn add_scan(&mut self, scan: ScanRecord) {
        self.touched += 1;
        self.edit(|data| data.scans.push(scan));
    }

    /// Rows of that truth.
    pub fn items_of(&self, truth: Truth) -> Vec<ItemRecord> {
        let rows = self.data.unconfirmed.iter().filter_map(|key| self.data.items.get(key));
        rows.filter(|item| item.truth == truth).cloned().collect()
    }

    /// Batches that are not done.
    pub fn open_deliveries(&self) -> Vec<DeliveryRecord> {
        self.data.open_deliveries().cloned().collect()
    }

    /// The rows a batch names.
    pub fn named_by(&self, delivery: &DeliveryRecord) -> Vec<ItemRecord> {
        let session = &delivery.inventory_count_import_id;
        let rows = delivery.items.iter();
        rows.filter_map(|sent| self.data.items.get(&(session.clone(), sent.import_item_seq_id.clone())).cloned())
            .collect()
    }
}

/// Cut, on its way, or answered and not settled.
pub fn is_open(state: DeliveryState) -> bool {
    matches!(state, DeliveryState::Cut | DeliveryState::Custody | DeliveryState::Answered)
}

/// An entry of the queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its key.
    pub id: u64,
    /// The batch.
    pub batch_id: BatchId,
    /// The company.
    pub realm: TenantId,
    /// The body.
    pub body: String,
    /// When it was queued, by the device's clock.
    pub at_ms: i64,
    /// Headers stored with it: none, unless a planted bug stores them.
    pub headers: String,
}

/// Workbox's queue storage.
#[derive(Clone, Default)]
pub struct Queue {
    flushed: BTreeMap<u64, Queued>,
    /// What was done since, oldest first, and when.
    since: Vec<(i64, Change)>,
    next: u64,
}

#[derive(Clone)]
enum Change {
    Push(Queued),
    Delete(u64),
}

/// How long the browser may keep a relaxed transaction to itself.
const FLUSH_MS: i64 = 15_000;

impl Queue {
    /// Adds an entry.
    pub fn push(&mut self, now_ms: i64, mut entry: Queued) {
        self.flush(now_ms);
        self.next += 1;
        entry.id = self.next;
        self.since.push((now_ms, Change::Push(entry)));
    }

    /// Takes one away.
    pub fn delete(&mut self, now_ms: i64, id: u64) {
        self.flush(now_ms);
        self.since.push((now_ms, Change::Delete(id)));
    }

    /// Everything in it, oldest first.
    pub fn all(&self) -> Vec<Queued> {
        let mut all = self.flushed.clone();
        for (_, change) in &self.since {
            apply(&mut all, change);
        }
        all.into_values().collect()
    }

    /// The device dies: the newest changes are lost, from some point on.
    pub fn lose_unflushed(&mut self, now_ms: i64, chance: &mut Chance) {
        self.flush(now_ms);
        let kept = chance.index(self.since.len() + 1);
        for (_, change) in std::mem::take(&mut self.since).into_iter().take(kept) {
            apply(&mut self.flushed, &change);
        }
    }

    fn flush(&mut self, now_ms: i64) {
        let old = self.since.iter().take_while(|(at_ms, _)| now_ms - at_ms >= FLUSH_MS).count();
        for (_, change) in self.since.drain(..old) {
            apply(&mut self.flushed, &change);
        }
    }
}

fn apply(entries: &mut BTreeMap<u64, Queued>, change: &Change) {
    match change {
        Change::Push(entry) => {
            entries.insert(entry.id, entry.clone());
        }
        Change::Delete(id) => {
            entries.remove(id);
        }
    }
}
