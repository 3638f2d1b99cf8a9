//! When to cut, what to cut, and when to take custody back.

use ginti_types::{Batch, BatchId, CountItem, SessionId};
use serde::{Deserialize, Serialize};

use super::{Batcher, identity};
use crate::{
    Entropy, Moment,
    record::{Custody, DeliveryRecord, DeliveryState, DeviceRecord, ErrorNote, ItemRecord, SentItem, Truth},
};

/// Why the host asks for a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The time given by the last plan has come.
    Tick,
    /// A batch was settled: there may be room for the backlog.
    Settled,
    /// The page was opened.
    Start,
    /// The page became visible.
    Resume,
    /// The network came back, or says so.
    Online,
    /// A session is being handed in.
    Submit,
    /// The page is about to be hidden.
    Hidden,
    /// A person pressed "send now".
    Manual,
}

impl Trigger {
    /// Whether what is dirty goes at once, without waiting for the cadence.
    fn is_immediate(self) -> bool {
        !matches!(self, Self::Tick | Self::Settled)
    }
}

/// Input of [`Batcher::plan`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanIn {
    /// The device's clock.
    pub now: Moment,
    /// Why.
    pub trigger: Trigger,
    /// This device.
    pub device: DeviceRecord,
    /// Rows with truth `saved`, oldest revision first; the host may stop at [`Batcher::plan_items_max`].
    pub saved: Vec<ItemRecord>,
    /// Deliveries in state `cut`, `custody` or `answered`.
    pub open: Vec<DeliveryRecord>,
    /// Rows with truth `sending`.
    pub held_items: Vec<ItemRecord>,
    /// Random bytes: 32 or more.
    pub entropy: Vec<u8>,
}

/// Output of [`Batcher::plan`]. Put device, items and deliveries in one transaction; then hand over the sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// To put.
    pub device: DeviceRecord,
    /// To put: rows whose custody changed.
    pub items: Vec<ItemRecord>,
    /// To put: cut or withdrawn.
    pub deliveries: Vec<DeliveryRecord>,
    /// To hand over to the courier, once the records are durable.
    pub sends: Vec<Send>,
    /// When to ask again with `tick`; none when there is nothing to wait for.
    pub wake_at: Option<Moment>,
    /// Tell the server the device's next id (at a refresh), call [`Batcher::announced`], then plan again.
    pub announce: bool,
    /// List the sessions, and call [`Batcher::seen`] with what the answer says of the server's history.
    pub ask: bool,
}

/// A batch's body for `POST /maarg/poorti/InventoryCountImport`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Send {
    /// The batch.
    pub batch_id: BatchId,
    /// JSON.
    pub body: String,
}

/// Input of [`Batcher::handed`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handed {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// The delivery as it is in the database now.
    pub delivery: DeliveryRecord,
}

/// Output of [`Batcher::handed`]: to put.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandedOver {
    /// This device.
    pub device: DeviceRecord,
    /// In the courier's custody, unless it is further already.
    pub delivery: DeliveryRecord,
}

/// Input of [`Batcher::handover_failed`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandoverFailed {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// The delivery as it is in the database now.
    pub delivery: DeliveryRecord,
    /// The rows it names, as they are now.
    pub items: Vec<ItemRecord>,
    /// What happened, in a sentence.
    pub reason: String,
    /// Random bytes.
    pub entropy: Vec<u8>,
}

/// Output of [`Batcher::handover_failed`]: to put.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandoverReleased {
    /// This device, holding back a little.
    pub device: DeviceRecord,
    /// Rows in the app's own custody again.
    pub items: Vec<ItemRecord>,
    /// Withdrawn.
    pub delivery: DeliveryRecord,
}

impl Batcher {
    /// How many `saved` rows one plan has to see: what it can cut, and one more to know that something is left.
    pub fn plan_items_max(&self) -> usize {
        let outstanding = self.config.outstanding_max.max(self.config.outstanding_full_max);
        outstanding * self.config.batch_items_max + 1
    }

    /// Decides what to take back, what to cut now, and when to ask again.
    pub fn plan(&self, input: PlanIn) -> Plan {
        let PlanIn { now, trigger, mut device, saved, open, held_items, entropy } = input;
        let mut entropy = Entropy::new(&entropy);
        let mut changes = Changes::default();

        let open = self.take_back(now, open, held_items, &mut changes);
        let mut saved: Vec<_> = saved.into_iter().chain(changes.released()).collect();
        saved.sort_by_key(|item| item.revision);

        let hold_ms_max = i64::try_from(self.config.backoff.cap_ms).unwrap_or(i64::MAX);
        device.hold_until = now.believable(device.hold_until, hold_ms_max);
        if !saved.is_empty() && device.next_device_id.is_none() && self.is_due(now, trigger, &device) {
            let room = self.room(open.len(), saved.len());
            saved = self.cut(now, &mut device, saved, room, &mut entropy, &mut changes);
            device.backlog = !saved.is_empty();
        }
        let full = self.room(open.len() + changes.sends.len(), saved.len()) == 0;
        let wake_at = self.wake_at(now, &device, !saved.is_empty() && !full, open.iter().chain(&changes.cut));
        // On the page's own interval only, whose phase differs from device to device: news reaches all of them at once.
        let ask = trigger == Trigger::Tick && self.is_time_to_ask(now, &device);
        if ask {
            device.asked_at = Some(now);
        }
        Plan {
            ask,
            announce: device.next_device_id.is_some(),
            device,
            items: changes.items,
            deliveries: changes.withdrawn.into_iter().chain(changes.cut).collect(),
            sends: changes.sends,
            wake_at,
        }
    }

    /// Batches that may be cut beside those on their way, of so many rows that wait.
    fn room(&self, on_their_way: usize, waiting: usize) -> usize {
        let full = waiting / self.config.batch_items_max.max(1);
        let any = self.config.outstanding_max.saturating_sub(on_their_way);
        any.max(full.min(self.config.outstanding_full_max.saturating_sub(on_their_way)))
    }

    /// The courier has the batch.
    pub fn handed(&self, input: Handed) -> HandedOver {
        let Handed { now, mut device, mut delivery } = input;
        device.handover_failures = 0;
        device.hold_until = Moment(0);
        delivery.custody_at.get_or_insert(now);
        delivery.heard_at = Some(now);
        if delivery.state == DeliveryState::Cut {
            delivery.state = DeliveryState::Custody;
        }
        HandedOver { device, delivery }
    }

    /// The courier could not take the batch: its rows are the app's again, and the next try waits a little.
    pub fn handover_failed(&self, input: HandoverFailed) -> HandoverReleased {
        let HandoverFailed { now, mut device, mut delivery, mut items, reason, entropy } = input;
        let error = ErrorNote { code: "handover-failed".to_owned(), detail: reason, at: now };
        device.handover_failures = device.handover_failures.saturating_add(1);
        let wait = self.config.backoff.wait_ms(device.handover_failures, &mut Entropy::new(&entropy));
        device.hold_until = now.plus_ms(wait);
        device.last_error = Some(error.clone());
        // Answered meanwhile: the batch did arrive, and its answer says more than our lost one.
        if matches!(delivery.state, DeliveryState::Cut | DeliveryState::Custody) {
            delivery.state = DeliveryState::Withdrawn;
            delivery.settled_at = Some(now);
            delivery.last_error = Some(error);
            for item in &mut items {
                item.release(&delivery.batch_id);
            }
        } else {
            items.clear();
        }
        HandoverReleased { device, items, delivery }
    }

    /// Withdraws deliveries nobody is working on any more; returns the others.
    fn take_back(
        &self,
        now: Moment,
        open: Vec<DeliveryRecord>,
        held_items: Vec<ItemRecord>,
        changes: &mut Changes,
    ) -> Vec<DeliveryRecord> {
        let (given_up, mut open): (Vec<_>, Vec<_>) = open.into_iter().partition(|delivery| {
            let (since, wait_ms_max) = self.patience(delivery);
            delivery.state != DeliveryState::Answered && now.has_passed(since, wait_ms_max)
        });
        for mut delivery in given_up {
            delivery.state = DeliveryState::Withdrawn;
            delivery.settled_at = Some(now);
            changes.withdrawn.push(delivery);
        }
        for mut item in held_items {
            // Also a row whose delivery is not open at all: its record was lost, and nobody else would ever free it.
            let held_by = item.custody.as_ref().map(|custody| custody.batch_id);
            if !open.iter().any(|delivery| Some(delivery.batch_id) == held_by) {
                item.custody = None;
                item.refresh_truth();
                changes.items.push(item);
            }
        }
        // An answer only waits to be settled: it holds its rows, but it is on nobody's way any more.
        open.retain(|delivery| delivery.state != DeliveryState::Answered);
        open
    }

    /// Since when a delivery is silent, and how long it may be.
    fn patience(&self, delivery: &DeliveryRecord) -> (Moment, i64) {
        if delivery.state == DeliveryState::Cut {
            return (delivery.created_at, self.config.handover_ms_max);
        }
        let heard = delivery.heard_at.or(delivery.custody_at).unwrap_or(delivery.created_at);
        (heard, self.config.custody_silence_ms_max)
    }

    fn is_due(&self, now: Moment, trigger: Trigger, device: &DeviceRecord) -> bool {
        if trigger.is_immediate() {
            return true;
        }
        let cadence = device.last_push_at.is_none_or(|last| now.has_passed(last, self.config.cadence_ms));
        now >= device.hold_until && (cadence || (trigger == Trigger::Settled && device.backlog))
    }

    fn is_time_to_ask(&self, now: Moment, device: &DeviceRecord) -> bool {
        let long_ago = |at: Option<Moment>| at.is_none_or(|at| now.has_passed(at, self.config.standing_ms));
        device.epoch.is_some() && long_ago(device.last_contact_at) && long_ago(device.asked_at)
    }

    /// Cuts up to `room` batches, oldest first, each of one session; returns what is left.
    fn cut(
        &self,
        now: Moment,
        device: &mut DeviceRecord,
        mut saved: Vec<ItemRecord>,
        room: usize,
        entropy: &mut Entropy,
        changes: &mut Changes,
    ) -> Vec<ItemRecord> {
        for _ in 0..room {
            let Some(session) = saved.first().map(|item| item.inventory_count_import_id.clone()) else { break };
            let batch_id = BatchId::from_time(u64::try_from(now.0).unwrap_or(0), entropy.take());
            let (delivery, send, taken) = self.cut_one(now, device, &session, batch_id, &mut saved);
            changes.items.retain(|item| !taken.iter().any(|newer| same_row(item, newer)));
            changes.items.extend(taken);
            changes.cut.push(delivery);
            changes.sends.push(send);
            device.last_push_at = Some(now);
        }
        saved
    }

    fn cut_one(
        &self,
        now: Moment,
        device: &mut DeviceRecord,
        session: &SessionId,
        batch_id: BatchId,
        saved: &mut Vec<ItemRecord>,
    ) -> (DeliveryRecord, Send, Vec<ItemRecord>) {
        let items_max = device.batch_items_max.clamp(1, self.config.batch_items_max);
        let mut batch = Batch {
            batch_id,
            device_id: device.device_id.clone(),
            inventory_count_import_id: session.clone(),
            items: Vec::new(),
        };
        let mut bytes = json(&batch).len();
        let mut taken = Vec::new();
        let mut left = Vec::with_capacity(saved.len());
        for mut item in saved.drain(..) {
            if item.inventory_count_import_id != *session || taken.len() >= items_max {
                left.push(item);
                continue;
            }
            if item.device_id != device.device_id {
                // Stamped under an id this device has given up.
                identity::restamp(device, &mut item, now);
            }
            let count = CountItem {
                import_item_seq_id: item.import_item_seq_id.clone(),
                revision: item.revision,
                content: item.content(),
            };
            let size = json(&count).len() + 1;
            if bytes + size > self.config.batch_bytes_max && !taken.is_empty() {
                left.push(item);
                continue;
            }
            bytes += size;
            item.custody = Some(Custody { batch_id, revision: item.revision });
            item.refresh_truth();
            batch.items.push(count);
            taken.push(item);
        }
        *saved = left;
        let body = json(&batch);
        let delivery = DeliveryRecord {
            batch_id,
            inventory_count_import_id: session.clone(),
            device_id: device.device_id.clone(),
            items: batch
                .items
                .into_iter()
                .map(|item| SentItem { import_item_seq_id: item.import_item_seq_id, revision: item.revision })
                .collect(),
            bytes: body.len(),
            state: DeliveryState::Cut,
            created_at: now,
            custody_at: None,
            heard_at: None,
            attempts: 0,
            last_attempt_at: None,
            last_error: None,
            answer: None,
            answered_at: None,
            settled_at: None,
        };
        (delivery, Send { batch_id, body }, taken)
    }

    fn wake_at<'a>(
        &self,
        now: Moment,
        device: &DeviceRecord,
        waiting: bool,
        open: impl Iterator<Item = &'a DeliveryRecord>,
    ) -> Option<Moment> {
        let cut = waiting.then(|| {
            let cadence = device.last_push_at.map_or(now, |last| last.plus_ms(self.config.cadence_ms));
            // While the server does not know the next id nothing is cut, and telling it again must not become a loop.
            let announced = if device.next_device_id.is_some() { now.plus_ms(self.config.cadence_ms) } else { now };
            cadence.max(device.hold_until).max(announced)
        });
        let silences = open.map(|delivery| {
            let (since, wait_ms_max) = self.patience(delivery);
            since.plus_ms(wait_ms_max).max(now)
        });
        silences.chain(cut).min()
    }
}

/// What a plan has changed so far.
#[derive(Default)]
struct Changes {
    items: Vec<ItemRecord>,
    withdrawn: Vec<DeliveryRecord>,
    cut: Vec<DeliveryRecord>,
    sends: Vec<Send>,
}

impl Changes {
    /// Rows that custody was taken back of, and that may be cut again.
    fn released(&self) -> Vec<ItemRecord> {
        self.items.iter().filter(|item| item.truth == Truth::Saved).cloned().collect()
    }
}

fn same_row(a: &ItemRecord, b: &ItemRecord) -> bool {
    a.import_item_seq_id == b.import_item_seq_id && a.inventory_count_import_id == b.inventory_count_import_id
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records of texts and numbers are always JSON")
}
