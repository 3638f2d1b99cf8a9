//! The real machines, as the hosts call them, and the place where a planted bug changes what they say.

use ginti_sync::{
    Batcher, BatcherConfig, Courier, CourierConfig, Moment,
    batcher::{
        Absorb, Absorbed, Adopted, Announced, CountError, CountIn, Counted, Handed, HandedOver, HandoverFailed,
        HandoverReleased, NewDeviceIn, Plan, PlanIn, Seen, SeenOut, Settle, Settled, SignedIn, TriedAgain, Unconfirm,
        Unconfirmed,
    },
    courier::{CourierRecord, Effect, Event, WakeCause},
    record::{DeliveryState, DeviceRecord, ItemProblem, ItemRecord, Truth},
};
use ginti_types::Quantity;

use super::Host;
use crate::mutants::Mutant;

/// Rows a batch may have here: small, so that sessions need several.
pub const BATCH_ITEMS_MAX: usize = 12;
/// What the mutant that knows no bound takes.
const UNBOUNDED: usize = 10_000;

/// The batcher of one host.
pub struct Engine {
    inner: Batcher,
    mutant: Option<Mutant>,
    remembered: std::cell::RefCell<Option<DeviceRecord>>,
}

impl Engine {
    /// For that host.
    pub fn new(host: &Host) -> Self {
        let mutant = host.device.world.mutant;
        let batch_items_max = if mutant == Some(Mutant::UnboundedBatch) { UNBOUNDED } else { BATCH_ITEMS_MAX };
        let mut config = BatcherConfig { batch_items_max, ..BatcherConfig::default() };
        if mutant == Some(Mutant::CustodyForGood) {
            config.custody_silence_ms_max = i64::MAX / 4;
            config.handover_ms_max = i64::MAX / 4;
        }
        Self { inner: Batcher::new(config), mutant, remembered: std::cell::RefCell::default() }
    }

    fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Rows one plan can use.
    pub fn plan_items_max(&self) -> usize {
        self.inner.plan_items_max()
    }

    /// A fresh installation.
    pub fn new_device(&self, entropy: Vec<u8>) -> DeviceRecord {
        self.inner.new_device(&NewDeviceIn { entropy }).device
    }

    /// One count.
    pub fn count(&self, mut input: CountIn) -> Result<Counted, CountError> {
        if self.has(Mutant::TabKeepsDevice) {
            // Clock and row numbers as this tab last had them; the rest is what is stored.
            if let Some(kept) =
                self.remembered.borrow().as_ref().filter(|kept| kept.device_id == input.device.device_id)
            {
                input.device.clock = kept.clock;
                input.device.next_item_seq = kept.next_item_seq;
            }
        }
        let counted = self.inner.count(input)?;
        if self.has(Mutant::TabKeepsDevice) {
            *self.remembered.borrow_mut() = Some(counted.device.clone());
        }
        Ok(counted)
    }

    /// Rows refused to the sender before go out again.
    pub fn signed_in(&self, input: SignedIn) -> TriedAgain {
        self.inner.signed_in(input)
    }

    /// The next id is known.
    pub fn announced(&self, input: Announced) -> Adopted {
        self.inner.announced(input)
    }

    /// What to cut.
    pub fn plan(&self, mut input: PlanIn) -> Plan {
        if self.has(Mutant::ZeroIsNotCounted) {
            input.saved.retain(|item| item.quantity != Quantity::ZERO);
        }
        let open = if self.has(Mutant::LateAnswerDeletes) { input.open.clone() } else { Vec::new() };
        let mut plan = self.inner.plan(input);
        if self.has(Mutant::LateAnswerDeletes) {
            let late = |item: &ItemRecord, batch| {
                open.iter().any(|delivery| {
                    delivery.batch_id == batch
                        && delivery.items.iter().any(|sent| sent.import_item_seq_id == item.import_item_seq_id)
                })
            };
            let withdrawn: Vec<_> =
                plan.deliveries.iter().filter(|d| d.state == DeliveryState::Withdrawn).map(|d| d.batch_id).collect();
            for item in &mut plan.items {
                if withdrawn.iter().any(|batch| late(item, *batch)) {
                    confirm(item);
                }
            }
        }
        plan
    }

    /// The courier has it.
    pub fn handed(&self, input: Handed) -> HandedOver {
        self.inner.handed(input)
    }

    /// It has not.
    pub fn handover_failed(&self, input: HandoverFailed) -> HandoverReleased {
        self.inner.handover_failed(input)
    }

    /// An answer, turned into truth.
    pub fn settle(&self, input: Settle) -> Settled {
        let before = input.clone();
        let status = before.delivery.answer.as_ref().map_or(0, |answer| answer.status);
        let mut settled = self.inner.settle(input);
        if self.has(Mutant::EpochIgnored) {
            settled.epoch_changed = false;
        }
        let refused_before = |item: &ItemRecord| {
            before
                .items
                .iter()
                .any(|was| was.import_item_seq_id == item.import_item_seq_id && was.truth == Truth::Refused)
        };
        for item in &mut settled.items {
            match self.mutant {
                Some(Mutant::ConfirmByTimestamp) if status == 200 => {
                    let answered_at = settled.delivery.answered_at.unwrap_or(before.now);
                    let skew = settled.device.skew_ms;
                    if item.counted_at.unix_ms() <= answered_at.0 + skew {
                        confirm(item);
                    }
                }
                Some(Mutant::StatusIgnored) if status != 200 => confirm(item),
                Some(Mutant::RefusedIsDeleted) if item.truth == Truth::Refused => confirm(item),
                Some(Mutant::OneRefusalRefusesAll) if status == 422 && !refused_before(item) => {
                    refuse(item, "items-refused", before.now);
                }
                Some(Mutant::DeadLetterAfterAccept) if status == DEAD_LETTER_STATUS => {
                    refuse(item, "refused", before.now);
                }
                Some(Mutant::QueueDroppedAtSignIn) if status == 401 => refuse(item, "token-expired", before.now),
                _ => {}
            }
        }
        settled
    }

    /// Epoch and ledger of another answer.
    pub fn seen(&self, input: Seen) -> SeenOut {
        let mut seen = self.inner.seen(input);
        if self.has(Mutant::EpochIgnored) {
            seen.epoch_changed = false;
        }
        seen
    }

    /// Everything made here is dirty again.
    pub fn unconfirm(&self, input: Unconfirm) -> Unconfirmed {
        self.inner.unconfirm(input)
    }

    /// The server's rows, merged.
    pub fn absorb(&self, input: Absorb) -> Absorbed {
        let before = input.clone();
        let mut absorbed = self.inner.absorb(input);
        if self.has(Mutant::RefetchOverwrites) {
            for mine in before.local {
                let theirs = before.remote.iter().find(|row| row.import_item_seq_id == mine.import_item_seq_id);
                let Some(theirs) = theirs else { continue };
                let mut item = mine.clone();
                item.quantity = theirs.quantity;
                item.counted_at = theirs.counted_at;
                item.counted_by_user_login_id = theirs.counted_by_user_login_id.clone();
                item.revision = theirs.revision;
                item.device_id = theirs.device_id.clone();
                item.confirmed = Some(theirs.revision);
                confirm(&mut item);
                absorbed.items.retain(|other| other.import_item_seq_id != item.import_item_seq_id);
                absorbed.items.push(item);
            }
        }
        absorbed
    }
}

/// An answer that a planted bug writes instead of the real one.
pub const DEAD_LETTER_STATUS: u16 = 499;

fn confirm(item: &mut ItemRecord) {
    item.confirmed = item.confirmed.max(Some(item.revision));
    item.custody = None;
    item.problem = None;
    item.truth = Truth::Confirmed;
}

fn refuse(item: &mut ItemRecord, code: &str, now: Moment) {
    item.problem =
        Some(ItemProblem { code: code.to_owned(), detail: "Refused.".to_owned(), at: now, revision: item.revision });
    item.confirmed = None;
    item.custody = None;
    item.truth = Truth::Refused;
}

/// The courier of one drain.
pub struct CourierEngine {
    inner: Courier,
    mutant: Option<Mutant>,
}

impl CourierEngine {
    /// Where the last one stopped.
    pub fn new(host: &Host, record: Option<CourierRecord>) -> Self {
        let mutant = host.device.world.mutant;
        Self { inner: Courier::new(CourierConfig::default(), record.unwrap_or_default()), mutant }
    }

    /// One event in, effects out.
    pub fn handle(&mut self, now: Moment, entropy: &[u8], mut event: Event) -> Vec<Effect> {
        match (&mut event, self.mutant) {
            (Event::Answered { retry_after, .. }, Some(Mutant::RetryAfterIgnored)) => *retry_after = None,
            (Event::Answered { status, body, .. }, Some(Mutant::PoisonBlocks))
                if (400..=499).contains(status) && *status != 401 =>
            {
                // To this courier any refusal is a failure like another, and it waits for its turn.
                *status = 503;
                body.clear();
            }
            _ => {}
        }
        let mut effects = self.inner.handle(now, entropy, event);
        self.plant(now, &mut effects);
        effects
    }

    fn plant(&self, now: Moment, effects: &mut [Effect]) {
        for effect in effects {
            match (effect, self.mutant) {
                (Effect::Persist { record }, Some(Mutant::NoBackoff)) => record.not_before = Moment(0),
                (Effect::Persist { record }, Some(Mutant::BackoffEnds)) if record.failures >= 10 => {
                    record.failures = u32::MAX;
                }
                (Effect::Wait { until, .. }, Some(Mutant::NoBackoff)) => *until = now.plus_ms(200),
                _ => {}
            }
        }
    }

    /// What must outlive the worker.
    pub fn record(&self) -> &CourierRecord {
        self.inner.record()
    }
}

/// The cause as the machine knows it, and whether a planted bug keeps the courier from hearing anything.
pub fn is_deaf(mutant: Option<Mutant>, record: Option<&CourierRecord>, cause: WakeCause) -> bool {
    mutant == Some(Mutant::BackoffEnds)
        && record.is_some_and(|record| record.failures == u32::MAX)
        && cause != WakeCause::SignedIn
}
