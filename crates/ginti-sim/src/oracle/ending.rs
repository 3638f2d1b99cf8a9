//! After the faults have stopped: has everything arrived, and is what arrived what was counted?

use std::collections::{BTreeMap, BTreeSet};

use ginti_sync::record::{ItemRecord, Truth};
use ginti_types::Epoch;

use super::{Content, Invariant, Oracle, content_of};
use crate::{
    device::Device,
    dump::{Dump, Entry, RowKey, StampKey},
    world::World,
};

/// What is still under way on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unconverged {
    /// Which device.
    pub device: usize,
    /// What it waits for, in words.
    pub what: String,
}

impl Oracle {
    /// What has not arrived yet. Empty when the devices are at rest.
    pub fn unconverged(&self, world: &World) -> Vec<Unconverged> {
        let epoch = world.server.epoch();
        world.devices.borrow().iter().filter_map(|device| waits_for(device, epoch.as_ref())).collect()
    }

    /// Compares everything: what people counted, what their devices show, what the server holds.
    pub fn compare(&self, world: &World, dump: &Dump) {
        self.compare_rows(world, dump);
        if self.has_found() {
            return;
        }
        let newest = self.newest.borrow();
        let mut writers: BTreeMap<&RowKey, Vec<usize>> = BTreeMap::new();
        for (row, device) in newest.keys() {
            writers.entry(row).or_default().push(*device);
        }
        let by_row = entries_by_row(dump);
        for ((row, index), told) in newest.iter() {
            let Some(device) = world.device(*index) else { continue };
            let device = &device;
            let Some(item) = item_of(device, row) else {
                self.wrong(device, Invariant::NothingLost, format!("row {} has vanished from the device", row.1));
                return;
            };
            let entries = by_row.get(row).map_or(&[][..], Vec::as_slice);
            let alone = writers[row].len() == 1 && !self.shared.borrow().contains(row);
            self.compare_one(device, row, &told.content, &item, dump, entries, alone);
            if self.has_found() {
                return;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one comparison, and each is a different side of it")]
    fn compare_one(
        &self,
        device: &Device,
        row: &RowKey,
        told: &Content,
        item: &ItemRecord,
        dump: &Dump,
        entries: &[&Entry],
        alone: bool,
    ) {
        let shown = content_of(item);
        if alone && shown != *told {
            let what = format!("row {} shows {} where {} was counted", row.1, units(shown.micros), units(told.micros));
            self.wrong(device, Invariant::NothingLost, what);
            return;
        }
        if item.truth == Truth::Refused {
            // A dead letter that the person sees: the session must be on the list it is shown in.
            return;
        }
        let arrived = entries.iter().filter(|entry| entry.outcome != 3 && content_of_entry(entry) == *told);
        let outcomes: BTreeSet<_> = arrived.map(|entry| entry.outcome).collect();
        // A database that lost its history is sent what holds on the devices, not what another device has replaced since.
        let is_replaced = !alone && device.world.was_server_replaced.get();
        if outcomes.is_empty() && is_replaced {
            return;
        }
        if outcomes.is_empty() {
            let what = format!(
                "{} of row {}, counted by {}, never reached the server",
                units(told.micros),
                row.1,
                told.person
            );
            self.wrong(device, Invariant::NothingLost, what);
            return;
        }
        let held = dump.held.get(row).and_then(|(_, number)| entry_at(dump, *number));
        let is_late = outcomes.iter().all(|outcome| *outcome == 2);
        if alone && !is_late && held.is_none_or(|held| content_of_entry(held) != *told) {
            let held = held.map_or("nothing".to_owned(), |held| units(held.quantity));
            let what =
                format!("row {} holds {held} on the server where {} was counted last", row.1, units(told.micros));
            self.wrong(device, Invariant::NoStaleWin, what);
        }
    }

    /// Each row of the server holds the newest of what was applied, and what that stamp was given to.
    fn compare_rows(&self, world: &World, dump: &Dump) {
        let by_row = entries_by_row(dump);
        let stamps = self.stamps.borrow();
        for (row, (stamp, number)) in &dump.held {
            let entries = by_row.get(row).map_or(&[][..], Vec::as_slice);
            let newest: Option<&StampKey> =
                entries.iter().filter(|entry| entry.outcome <= 1).map(|entry| &entry.stamp).max();
            if newest.is_some_and(|newest| newest > stamp) {
                let what = format!("row {} holds an older revision than it was given", row.1);
                self.violated(&world.kernel, Invariant::NoStaleWin, None, what);
                return;
            }
            let Some(entry) = entry_at(dump, *number) else { continue };
            let given = stamps.get(&(row.clone(), stamp.0, stamp.1.clone()));
            if given.is_some_and(|given| content_of_entry(entry) != *given) {
                let what = format!("row {} holds another count than its revision was given to", row.1);
                self.violated(&world.kernel, Invariant::NothingDoubled, None, what);
                return;
            }
        }
    }

    /// Products' totals: the rows of a session add up to what was counted on its devices.
    pub fn compare_totals(&self, world: &World, dump: &Dump) {
        let mut counted: BTreeMap<(String, Option<String>), i64> = BTreeMap::new();
        let mut held: BTreeMap<(String, Option<String>), i64> = BTreeMap::new();
        let newest = self.newest.borrow();
        let mut writers: BTreeMap<&RowKey, usize> = BTreeMap::new();
        for (row, _) in newest.keys() {
            *writers.entry(row).or_default() += 1;
        }
        for ((row, index), told) in
            newest.iter().filter(|((row, _), _)| writers[row] == 1 && !self.shared.borrow().contains(row))
        {
            let item = world.device(*index).and_then(|device| item_of(&device, row));
            let confirmed = item.is_some_and(|item| item.truth == Truth::Confirmed && !item.late);
            let entry = dump.held.get(row).and_then(|(_, number)| entry_at(dump, *number));
            // Late ones and dead letters add to no total.
            let Some(entry) = entry.filter(|_| confirmed) else { continue };
            let name = (row.0.clone(), told.content.product.clone());
            *counted.entry(name.clone()).or_default() += told.content.micros;
            *held.entry(name).or_default() += entry.quantity;
        }
        if let Some((name, total)) = counted.iter().find(|(name, total)| held.get(name) != Some(total)) {
            let product = name.1.clone().unwrap_or_default();
            let what =
                format!("product {product} adds up to another number than {} in session {}", units(*total), name.0);
            self.violated(&world.kernel, Invariant::NothingDoubled, None, what);
        }
    }
}

fn waits_for(device: &Device, epoch: Option<&Epoch>) -> Option<Unconverged> {
    let disk = device.disk.borrow();
    let unconverged = |what: String| Some(Unconverged { device: device.index, what });
    for (tenant, data) in &disk.tenants {
        let waiting = data.unconfirmed_rows().filter(|item| item.truth != Truth::Refused).count();
        if waiting > 0 {
            return unconverged(format!("{waiting} counts of {tenant} are not confirmed"));
        }
        let knows = data.device.as_ref().and_then(|device| device.epoch.as_ref());
        if data.items.values().any(|item| item.counted_here) && knows != epoch {
            return unconverged(format!(
                "{tenant} has not noticed that the server's history is another one: {knows:?} instead of {epoch:?}"
            ));
        }
        let open = data.open_deliveries().count();
        if open > 0 {
            return unconverged(format!("{open} batches of {tenant} are not settled"));
        }
    }
    match disk.unfinished_entries().count() {
        0 => None,
        entries => unconverged(format!("{entries} entries are in the queue")),
    }
}

fn item_of(device: &Device, row: &RowKey) -> Option<ItemRecord> {
    let disk = device.disk.borrow();
    let mut all = disk.tenants.values().flat_map(|data| data.items.values());
    all.find(|item| item.inventory_count_import_id.as_str() == row.0 && item.import_item_seq_id.as_str() == row.1)
        .cloned()
}

fn entries_by_row(dump: &Dump) -> BTreeMap<&RowKey, Vec<&Entry>> {
    let mut by_row: BTreeMap<&RowKey, Vec<&Entry>> = BTreeMap::new();
    for entry in &dump.ledger {
        by_row.entry(&entry.row).or_default().push(entry);
    }
    by_row
}

fn entry_at(dump: &Dump, number: i64) -> Option<&Entry> {
    dump.numbers.get(&number).and_then(|at| dump.ledger.get(*at))
}

fn content_of_entry(entry: &Entry) -> Content {
    Content {
        micros: entry.quantity,
        person: entry.counted_by.clone(),
        at_ms: entry.counted_at.unwrap_or(0),
        product: entry.product.clone(),
    }
}

fn units(micros: i64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
