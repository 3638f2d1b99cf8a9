//! What the server answered, turned into truth per row: by revision, never by time or by "the request returned".

use std::collections::BTreeMap;

use ginti_types::{Code, Epoch, Outcome, Problem, Receipt, ReceiptItem, Revision, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Batcher, identity};
use crate::{
    Entropy, Moment,
    record::{Answer, DeliveryRecord, DeliveryState, DeviceRecord, ErrorNote, ItemProblem, ItemRecord, SentItem},
};

/// Input of [`Batcher::settle`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settle {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// A delivery in state `answered`.
    pub delivery: DeliveryRecord,
    /// The rows it names, as they are now.
    pub items: Vec<ItemRecord>,
    /// Random bytes: 32 or more.
    pub entropy: Vec<u8>,
}

/// Output of [`Batcher::settle`]. Put device, items and delivery in one transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settled {
    /// To put.
    pub device: DeviceRecord,
    /// To put.
    pub items: Vec<ItemRecord>,
    /// To put.
    pub delivery: DeliveryRecord,
    /// The server was wiped or restored: put [`Batcher::unconfirm`] of all rows counted here in the same transaction.
    pub epoch_changed: bool,
    /// Plan with `settled` now.
    pub plan_now: bool,
    /// Another device wrote one of these rows: fetch the session's rows.
    pub refetch: bool,
}

/// Input of [`Batcher::seen`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// Of the answer.
    pub epoch: Epoch,
    /// Of the answer.
    pub ledger_seq: u64,
    /// Of the answer.
    pub server_time: Timestamp,
}

/// Output of [`Batcher::seen`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenOut {
    /// To put.
    pub device: DeviceRecord,
    /// As at [`Settled::epoch_changed`].
    pub epoch_changed: bool,
}

/// Input of [`Batcher::unconfirm`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unconfirm {
    /// All rows whose present count was made on this device.
    pub items: Vec<ItemRecord>,
}

/// Output of [`Batcher::unconfirm`]: to put.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// The rows, dirty again.
    pub items: Vec<ItemRecord>,
}

/// How a server's answer fits what was known of its history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum History {
    Same,
    /// Wiped or restored.
    Changed,
    /// An answer of a former history that arrives after the change was noticed.
    Former,
}

impl Batcher {
    /// Settles an answered delivery.
    pub fn settle(&self, input: Settle) -> Settled {
        let Settle { now, mut device, mut delivery, mut items, entropy } = input;
        let Some(answer) = delivery.answer.take() else {
            return Settled {
                device,
                items: Vec::new(),
                delivery,
                epoch_changed: false,
                plan_now: false,
                refetch: false,
            };
        };
        let mut result = Effect::default();
        device.last_contact_at = Some(answer.at);
        match receipt_of(&answer, &delivery) {
            Some(receipt) => match observe(&mut device, &receipt.epoch, receipt.ledger_seq, receipt.server_time) {
                History::Former => result.plan_now = true,
                history => {
                    result.epoch_changed = history == History::Changed;
                    device.skew_ms = skew_by(&receipt, &answer, &delivery, device.skew_ms);
                    device.last_error = None;
                    device.batch_items_max = device.batch_items_max.saturating_mul(2).min(self.config.batch_items_max);
                    self.take_receipt(now, &mut device, &delivery, &receipt, &mut items, &entropy, &mut result);
                }
            },
            None => self.take_refusal(now, &mut device, &delivery, &answer, &mut items, &mut result),
        }
        for item in &mut items {
            item.release(&delivery.batch_id);
        }
        delivery.state = DeliveryState::Settled;
        delivery.settled_at = Some(now);
        Settled {
            plan_now: result.plan_now || result.epoch_changed || device.backlog,
            device,
            items,
            delivery,
            epoch_changed: result.epoch_changed,
            refetch: result.refetch,
        }
    }

    /// Takes note of the epoch, ledger and time in any other answer of the server.
    pub fn seen(&self, input: Seen) -> SeenOut {
        let Seen { now, mut device, epoch, ledger_seq, server_time } = input;
        let history = observe(&mut device, &epoch, ledger_seq, server_time);
        if history != History::Former {
            device.skew_ms = server_time.unix_ms().saturating_sub(now.0);
            device.last_contact_at = Some(now);
        }
        SeenOut { device, epoch_changed: history == History::Changed }
    }

    /// The server no longer has what it confirmed: everything counted here is dirty again, in rows of other devices too. What
    /// others counted, in rows of ours too, is theirs to send: under a new stamp of ours it could win over what they have
    /// counted since.
    pub fn unconfirm(&self, input: Unconfirm) -> Unconfirmed {
        let mut items = input.items;
        for item in items.iter_mut().filter(|item| item.counted_here) {
            item.confirmed = None;
            item.late = false;
            item.refresh_truth();
        }
        Unconfirmed { items }
    }

    #[expect(clippy::too_many_arguments, reason = "one decision, and each is a different thing")]
    fn take_receipt(
        &self,
        now: Moment,
        device: &mut DeviceRecord,
        delivery: &DeliveryRecord,
        receipt: &Receipt,
        items: &mut [ItemRecord],
        entropy: &[u8],
        result: &mut Effect,
    ) {
        let mut entropy = Entropy::new(entropy);
        let mut rows: BTreeMap<_, _> = items.iter_mut().map(|item| (item.import_item_seq_id.clone(), item)).collect();
        // By row: what is told of one row must never be believed of another, whatever the order. A row that is not named
        // is neither confirmed nor refused and goes out again.
        let named: BTreeMap<_, _> =
            receipt.items.iter().map(|told| (told.import_item_seq_id.as_deref(), told)).collect();
        for sent in &delivery.items {
            let Some(told) = named.get(&Some(sent.import_item_seq_id.as_str())) else { continue };
            let Some(item) = rows.get_mut(&sent.import_item_seq_id) else { continue };
            if told.outcome.is_durable() {
                confirm(item, sent, told, device, result);
                continue;
            }
            let code = told.code.as_deref().and_then(Code::from_name);
            if item.revision != sent.revision {
                // Counted again meanwhile: the refused revision is history, the newer one goes its own way.
                result.plan_now = true;
                continue;
            }
            match code {
                Some(code @ (Code::ClockSkew | Code::RevisionReused)) if item.restamps < self.config.restamps_max => {
                    if delivery.device_id == device.device_id {
                        identity::renew(device, &mut entropy, code == Code::ClockSkew);
                    }
                    again(device, item, now, result);
                }
                _ => refuse(item, sent.revision, told.code.as_deref(), told.detail.as_deref(), now, device),
            }
        }
    }

    /// An answer without a receipt: the whole batch was refused.
    fn take_refusal(
        &self,
        now: Moment,
        device: &mut DeviceRecord,
        delivery: &DeliveryRecord,
        answer: &Answer,
        items: &mut [ItemRecord],
        result: &mut Effect,
    ) {
        let problem: Option<Problem> = serde_json::from_str(&answer.body).ok();
        let (code, detail) = problem.map_or_else(
            || ("refused".to_owned(), format!("The server refused the batch (status {}).", answer.status)),
            |problem| (problem.code, problem.detail),
        );
        device.last_error = Some(ErrorNote { code: code.clone(), detail: detail.clone(), at: now });
        match answer.status {
            // Dropped at the sign-in, or an id clash that a fresh batch does not have: cut again on the cadence.
            401 | 409 => {}
            // Something in the batch spoils it: halve until it stands alone. The good ones get through on the way.
            400 | 413 | 415 | 422 if delivery.items.len() > 1 => {
                device.batch_items_max = (delivery.items.len() / 2).max(1);
                device.backlog = true;
                result.plan_now = true;
            }
            _ => {
                for sent in &delivery.items {
                    let row = items.iter_mut().find(|item| item.import_item_seq_id == sent.import_item_seq_id);
                    if let Some(item) = row.filter(|item| item.revision == sent.revision) {
                        refuse(item, sent.revision, Some(&code), Some(&detail), now, device);
                    }
                }
                device.batch_items_max = device.batch_items_max.saturating_mul(2).min(self.config.batch_items_max);
                result.plan_now = true;
            }
        }
    }
}

#[derive(Default)]
struct Effect {
    epoch_changed: bool,
    plan_now: bool,
    refetch: bool,
}

/// The receipt in an answer, if it is one and belongs to this delivery.
fn receipt_of(answer: &Answer, delivery: &DeliveryRecord) -> Option<Receipt> {
    let receipt = match answer.status {
        200 => serde_json::from_str::<Receipt>(&answer.body).ok(),
        422 => serde_json::from_str::<Problem>(&answer.body).ok().and_then(|problem| problem.receipt),
        _ => None,
    }?;
    (receipt.batch_id == delivery.batch_id).then_some(receipt)
}

fn confirm(item: &mut ItemRecord, sent: &SentItem, told: &ReceiptItem, device: &mut DeviceRecord, result: &mut Effect) {
    item.confirmed = item.confirmed.max(Some(sent.revision));
    item.restamps = 0;
    if item.revision == sent.revision {
        item.late = told.outcome == Outcome::Late;
    }
    if told.outcome == Outcome::Superseded
        && let Some(holds) = told.revision
    {
        observe_revision(device, holds);
        result.refetch = true;
    }
}

fn refuse(
    item: &mut ItemRecord,
    revision: Revision,
    code: Option<&str>,
    detail: Option<&str>,
    now: Moment,
    device: &mut DeviceRecord,
) {
    let code = code.unwrap_or("refused").to_owned();
    let detail = detail.unwrap_or("The server refused this count and gave no reason.").to_owned();
    device.last_error = Some(ErrorNote { code: code.clone(), detail: detail.clone(), at: now });
    item.problem = Some(ItemProblem { code, detail, at: now, revision });
}

/// The row goes out again under a new stamp, which it gets now or, when the device waits for its new id, when it is cut. The
/// first few times at once, then on the cadence: a server whose own clock is wrong must not be hammered.
fn again(device: &mut DeviceRecord, item: &mut ItemRecord, now: Moment, result: &mut Effect) {
    if device.next_device_id.is_none() {
        identity::restamp(device, item, now);
    }
    item.restamps = item.restamps.saturating_add(1);
    if item.restamps <= 2 {
        device.backlog = true;
        result.plan_now = true;
    }
}

/// How far the server's clock is ahead by what a receipt says. One that is given a second time tells when the batch was
/// first received, which was after it was cut and before now: it corrects only what cannot be. Were it never believed, a
/// device that hears nothing else would stamp by its own clock for ever.
fn skew_by(receipt: &Receipt, answer: &Answer, delivery: &DeliveryRecord, known_ms: i64) -> i64 {
    let least_ms = receipt.server_time.unix_ms().saturating_sub(answer.at.0);
    let most_ms = receipt.server_time.unix_ms().saturating_sub(delivery.created_at.0);
    let may_be = answer.replayed && (least_ms..=most_ms).contains(&known_ms);
    if may_be { known_ms } else { least_ms }
}

/// Moves the clock past a revision from elsewhere, unless that runs further ahead than the server would accept.
pub(super) fn observe_revision(device: &mut DeviceRecord, seen: Revision) {
    if device.server_time.is_none_or(|server_time| seen.unix_ms() <= identity::furthest_ms(server_time)) {
        device.clock.observe(seen);
    }
}

/// How far apart in time two answers may be that the server worked on together.
const OVERLAP_MS_MAX: i64 = 60_000;

fn observe(device: &mut DeviceRecord, epoch: &Epoch, ledger_seq: u64, server_time: Timestamp) -> History {
    let later = device.server_time.is_none_or(|seen| server_time > seen);
    let other_epoch = device.epoch.as_ref().is_some_and(|known| known != epoch);
    // The same epoch with a shorter ledger at a clearly later time: the file was put back from a copy. Within the time that
    // requests may overlap, a shorter one only means that a list was read while a batch was being committed.
    let apart = device.server_time.is_some_and(|seen| server_time.unix_ms() - seen.unix_ms() > OVERLAP_MS_MAX);
    let shorter = device.epoch.is_some() && apart && ledger_seq < device.ledger_seq;
    let history = match (other_epoch, later) {
        (true, false) => History::Former,
        (true, true) => History::Changed,
        (false, _) if shorter => History::Changed,
        (false, _) => History::Same,
    };
    if history == History::Changed {
        device.epoch = None;
        device.ledger_seq = 0;
    }
    if history != History::Former {
        device.epoch = Some(epoch.clone());
        // The time stays with the ledger it was seen with: a device that talks all the time would otherwise never see
        // two answers that are clearly apart, and never notice.
        if ledger_seq >= device.ledger_seq {
            device.ledger_seq = ledger_seq;
            device.server_time = device.server_time.max(Some(server_time));
        }
    }
    history
}
