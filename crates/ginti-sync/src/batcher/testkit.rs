//! A page's database and a server in memory, small enough to read, for driving the batcher through whole stories.

use std::collections::BTreeMap;

use ginti_types::{
    Batch, BatchId, DeviceId, Epoch, ItemContent, ItemSeqId, Outcome, ProductId, Quantity, Receipt, ReceiptItem,
    Revision, SessionId, Stamp, Timestamp, UserLoginId, Verdict, limits, merge,
};

use super::*;
use crate::{
    Moment,
    record::{Answer, DeliveryRecord, DeliveryState, DeviceRecord, ItemRecord, ScanRecord, Truth},
};

pub(super) const NOON_MS: i64 = 1_795_348_800_000;

/// One device: its records and its clock.
pub(super) struct Page {
    pub(super) machine: Batcher,
    pub(super) now: Moment,
    pub(super) device: DeviceRecord,
    pub(super) items: BTreeMap<ItemSeqId, ItemRecord>,
    pub(super) deliveries: BTreeMap<BatchId, DeliveryRecord>,
    pub(super) scans: Vec<ScanRecord>,
    draws: u64,
}

pub(super) fn session() -> SessionId {
    SessionId::new("M101428").unwrap()
}

pub(super) fn quantity(units: i64) -> Quantity {
    Quantity::from_micros(units * 1_000_000).unwrap()
}

impl Page {
    pub(super) fn new(seed: u64) -> Self {
        let machine = Batcher::default();
        let device = machine.new_device(&NewDeviceIn { entropy: seed.to_le_bytes().to_vec() }).device;
        Self {
            machine,
            now: Moment(NOON_MS),
            device,
            items: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            scans: Vec::new(),
            draws: seed << 32,
        }
    }

    pub(super) fn entropy(&mut self) -> Vec<u8> {
        self.draws += 1;
        let mut stretched = crate::Entropy::new(&self.draws.to_le_bytes());
        stretched.take::<8>();
        stretched.take::<32>().to_vec()
    }

    pub(super) fn row_of(&self, product: &str) -> Option<&ItemRecord> {
        self.items.values().find(|item| item.own && item.product_id.as_ref().is_some_and(|id| id.as_str() == product))
    }

    pub(super) fn truth(&self, product: &str) -> Truth {
        self.row_of(product).expect("counted").truth
    }

    pub(super) fn try_count(&mut self, product: &str, count: Count) -> Result<ItemSeqId, CountError> {
        let counted = self.machine.count(CountIn {
            now: self.now,
            device: self.device.clone(),
            item: self.row_of(product).cloned(),
            row: Some(NewRow {
                inventory_count_import_id: session(),
                product_id: Some(ProductId::new(product).unwrap()),
                product_identifier: None,
                is_requested: None,
                location_seq_id: None,
            }),
            count,
            counted_by_user_login_id: UserLoginId::new("counter").unwrap(),
            product_identifier: None,
        })?;
        let row = counted.item.import_item_seq_id.clone();
        self.device = counted.device;
        self.scans.push(counted.scan);
        self.items.insert(row.clone(), counted.item);
        Ok(row)
    }

    pub(super) fn scan(&mut self, product: &str) -> ItemSeqId {
        self.try_count(product, Count::Add { quantity: Quantity::ONE }).expect("a scan fits")
    }

    pub(super) fn plan(&mut self, trigger: Trigger) -> Plan {
        let entropy = self.entropy();
        let with = |truth| self.items.values().filter(move |item| item.truth == truth).cloned().collect::<Vec<_>>();
        // As a host does: no more rows than a plan can use.
        let mut saved = with(Truth::Saved);
        saved.sort_by_key(|item| item.revision);
        saved.truncate(self.machine.plan_items_max());
        let is_open = |delivery: &&DeliveryRecord| {
            matches!(delivery.state, DeliveryState::Cut | DeliveryState::Custody | DeliveryState::Answered)
        };
        let plan = self.machine.plan(PlanIn {
            now: self.now,
            trigger,
            device: self.device.clone(),
            saved,
            open: self.deliveries.values().filter(is_open).cloned().collect(),
            held_items: with(Truth::Sending),
            entropy,
        });
        self.put(plan.device.clone(), plan.items.clone());
        for delivery in &plan.deliveries {
            self.deliveries.insert(delivery.batch_id, delivery.clone());
        }
        plan
    }

    /// Plans, and the courier takes everything that is cut.
    pub(super) fn push(&mut self, trigger: Trigger) -> Vec<String> {
        let plan = self.plan(trigger);
        for send in &plan.sends {
            self.hand(send.batch_id);
        }
        plan.sends.into_iter().map(|send| send.body).collect()
    }

    pub(super) fn hand(&mut self, batch: BatchId) {
        let delivery = self.deliveries[&batch].clone();
        let handed = self.machine.handed(Handed { now: self.now, device: self.device.clone(), delivery });
        self.device = handed.device;
        self.deliveries.insert(batch, handed.delivery);
    }

    pub(super) fn answer(&mut self, batch: BatchId, status: u16, body: String) {
        let at = self.now;
        if let Some(delivery) = self.deliveries.get_mut(&batch)
            && delivery.state != DeliveryState::Settled
        {
            delivery.answer = Some(Answer { status, body, at, replayed: false });
            delivery.state = DeliveryState::Answered;
        }
    }

    /// The server says what it had said already, to a batch it had received before.
    pub(super) fn answer_again(&mut self, batch: BatchId, status: u16, body: String) {
        self.answer(batch, status, body);
        if let Some(answer) = self.deliveries.get_mut(&batch).and_then(|delivery| delivery.answer.as_mut()) {
            answer.replayed = true;
        }
    }

    /// Settles everything answered.
    pub(super) fn settle(&mut self) -> Vec<Settled> {
        let answered: Vec<_> =
            self.deliveries.values().filter(|d| d.state == DeliveryState::Answered).cloned().collect();
        let mut all = Vec::new();
        for delivery in answered {
            let entropy = self.entropy();
            let items =
                delivery.items.iter().filter_map(|sent| self.items.get(&sent.import_item_seq_id).cloned()).collect();
            let settled =
                self.machine.settle(Settle { now: self.now, device: self.device.clone(), delivery, items, entropy });
            self.put(settled.device.clone(), settled.items.clone());
            self.deliveries.insert(settled.delivery.batch_id, settled.delivery.clone());
            if settled.epoch_changed {
                self.unconfirm();
            }
            all.push(settled);
        }
        all
    }

    pub(super) fn unconfirm(&mut self) {
        let counted = self.items.values().filter(|item| item.counted_here).cloned().collect();
        let items = self.machine.unconfirm(Unconfirm { items: counted }).items;
        self.put(self.device.clone(), items);
    }

    /// Cuts, delivers and settles against a healthy server until nothing more happens; returns the requests it took.
    pub(super) fn flush(&mut self, server: &mut Server) -> usize {
        let mut requests = 0;
        let mut trigger = Trigger::Manual;
        for _ in 0..100 {
            server.hear_of(self);
            let bodies = self.push(trigger);
            requests += bodies.len();
            for body in &bodies {
                let (batch, status, answer) = server.receive(body, self.now);
                self.answer(batch, status, answer);
            }
            let again = self.settle().iter().any(|settled| settled.plan_now);
            if bodies.is_empty() && !again {
                break;
            }
            trigger = Trigger::Settled;
            self.now = self.now.plus_ms(self.machine.config().cadence_ms);
        }
        requests
    }

    pub(super) fn put(&mut self, device: DeviceRecord, items: Vec<ItemRecord>) {
        self.device = device;
        for item in items {
            self.items.insert(item.import_item_seq_id.clone(), item);
        }
    }
}

/// The merge rule over a map: what a server does, without one.
pub(super) struct Server {
    pub(super) epoch: Epoch,
    pub(super) rows: BTreeMap<ItemSeqId, (Stamp, ItemContent)>,
    pub(super) ledger_seq: u64,
    /// The server's clock minus the device's.
    pub(super) ahead_ms: i64,
    /// Ids that are not used any more, and the last revision that is believed of them.
    retired: BTreeMap<DeviceId, Revision>,
    /// Rows refused whatever they hold.
    pub(super) poison: Vec<ItemSeqId>,
}

impl Server {
    pub(super) fn new(epoch: &str) -> Self {
        Self {
            epoch: Epoch::new(epoch).unwrap(),
            rows: BTreeMap::new(),
            ledger_seq: 0,
            ahead_ms: 0,
            retired: BTreeMap::new(),
            poison: Vec::new(),
        }
    }

    pub(super) fn time(&self, device_now: Moment) -> Timestamp {
        Timestamp::from_unix_ms(device_now.0 + self.ahead_ms)
    }

    /// What a refresh tells the server of a device that took a new id.
    pub(super) fn hear_of(&mut self, page: &mut Page) {
        if page.device.next_device_id.is_some() {
            let server_time = self.time(page.now);
            if page.device.retire {
                let bound_ms = i64::try_from(limits::CLOCK_AHEAD_MS_MAX).unwrap();
                let above = Revision::last_of_unix_ms(server_time.unix_ms() + bound_ms);
                let bound = self.retired.entry(page.device.device_id.clone()).or_insert(above);
                *bound = above.min(*bound);
            }
            page.device = page.machine.announced(Announced { device: page.device.clone(), server_time }).device;
            // The way there and back takes time.
            page.now = page.now.plus_ms(2);
        }
    }

    pub(super) fn receive(&mut self, body: &str, device_now: Moment) -> (BatchId, u16, String) {
        let batch: Batch = serde_json::from_str(body).expect("the machine cuts well-formed batches");
        assert!(!batch.items.is_empty() && batch.items.len() <= limits::BATCH_ITEMS_MAX);
        assert!(body.len() <= limits::BATCH_BYTES_MAX);
        let server_time = self.time(device_now);
        let items: Vec<_> = batch.items.iter().map(|item| self.take(item, &batch, server_time)).collect();
        let rejected = items.iter().any(|item| item.outcome == Outcome::Rejected);
        let receipt = Receipt {
            batch_id: batch.batch_id,
            epoch: self.epoch.clone(),
            ledger_seq: self.ledger_seq,
            server_time,
            items,
        };
        if !rejected {
            return (batch.batch_id, 200, serde_json::to_string(&receipt).unwrap());
        }
        let problem =
            ginti_types::Problem::new(ginti_types::Code::ItemsRefused, "Some were refused.").with_receipt(receipt);
        (batch.batch_id, 422, serde_json::to_string(&problem).unwrap())
    }

    fn take(&mut self, item: &ginti_types::CountItem, batch: &Batch, now: Timestamp) -> ReceiptItem {
        let row = item.import_item_seq_id.clone();
        let stamp = item.stamp(&batch.device_id);
        let held = self.rows.get(&row);
        let bound_ms = i64::try_from(limits::CLOCK_AHEAD_MS_MAX).unwrap();
        let refused = if self.poison.contains(&row) {
            Some("field-invalid")
        } else if item.revision.unix_ms() > now.unix_ms() + bound_ms
            || self.retired.get(&batch.device_id).is_some_and(|above| item.revision > *above)
        {
            Some("clock-skew")
        } else {
            None
        };
        let verdict =
            merge(held.map(|(stamp, _)| stamp), &stamp, || held.is_some_and(|(_, held)| *held == item.content));
        let (outcome, code) = match (refused, verdict) {
            (Some(code), _) => (Outcome::Rejected, Some(code)),
            (None, Verdict::Apply) => (Outcome::Applied, None),
            (None, Verdict::Duplicate) => (Outcome::Duplicate, None),
            (None, Verdict::Superseded) => (Outcome::Superseded, None),
            (None, Verdict::RevisionReused) => (Outcome::Rejected, Some("revision-reused")),
        };
        if outcome == Outcome::Applied {
            self.rows.insert(row.clone(), (stamp, item.content.clone()));
            self.ledger_seq += 1;
        }
        let holds = self.rows.get(&row).map(|(stamp, _)| stamp.clone());
        ReceiptItem {
            import_item_seq_id: Some(row.to_string()),
            outcome,
            revision: holds.as_ref().map(|stamp| stamp.revision),
            device_id: holds.map(|stamp| stamp.device_id),
            code: code.map(str::to_owned),
            detail: code.map(|code| format!("Refused: {code}.")),
        }
    }
}
