//! What must be true, whatever happens: the ten invariants of the design, checked while the story runs where they are about
//! safety, and after the faults stop where they are about what must come.
//!
//! The oracle sees what people were told, what was committed on devices, what arrived at the server and what its database
//! holds. It never asks a machine.

mod ending;
mod expect;
mod record;

pub use ending::Unconverged;
pub use expect::Expectations;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
};

use ginti_sync::record::{DeliveryState, ItemRecord};
use ginti_types::{BatchId, ItemSeqId, SessionId, TenantId};

use crate::{
    device::{Device, Host, disk::Queued},
    dump::{Dump, RowKey},
    kernel::Kernel,
    network::{Broken, Request, Response},
    scenario::Kind,
    world::World,
};

/// The invariants, in the design's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Every count reaches the server or is a dead letter that somebody sees.
    NothingLost,
    /// Any number of deliveries has the effect of one.
    NothingDoubled,
    /// An old count never replaces a newer one.
    NoStaleWin,
    /// Confirmed means durable on the server, by revision.
    NoFalseConfirmation,
    /// What is counted while a batch is in flight stays unsent.
    NoMidFlightLoss,
    /// Queue, requests and work per scan are bounded.
    Bounded,
    /// Attempts back off and listen to the server.
    GoodCitizen,
    /// No token is stored with a queued request.
    NoSecretsAtRest,
    /// Nothing wedges the queue.
    NoDeadStop,
    /// What the server says never overwrites what is unsent.
    LocalTruthWins,
}

impl Invariant {
    /// Its number and words.
    pub fn name(self) -> &'static str {
        match self {
            Self::NothingLost => "1 nothing lost",
            Self::NothingDoubled => "2 nothing doubled",
            Self::NoStaleWin => "3 no stale win",
            Self::NoFalseConfirmation => "4 no false confirmation",
            Self::NoMidFlightLoss => "5 no mid-flight loss",
            Self::Bounded => "6 bounded",
            Self::GoodCitizen => "7 good citizen",
            Self::NoSecretsAtRest => "8 no secrets at rest",
            Self::NoDeadStop => "9 no dead stop",
            Self::LocalTruthWins => "10 local truth wins",
        }
    }
}

/// What did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When, in true time.
    pub at_ms: i64,
    /// Where, if it was on a device.
    pub device: Option<usize>,
    /// What, in a sentence.
    pub what: String,
}

/// A stamp in a row.
pub type StampedRow = (RowKey, u64, String);

/// What a count says: who, how many, when.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    /// Millionths.
    pub micros: i64,
    /// Who counted.
    pub person: String,
    /// When.
    pub at_ms: i64,
    /// What.
    pub product: Option<String>,
}

/// The newest count of a row on one device.
#[derive(Clone, Debug)]
pub struct Newest {
    /// What it says.
    pub content: Content,
    /// The company.
    pub realm: TenantId,
    /// Which life of the device's data it belongs to.
    pub install: u32,
}

/// Batches one device may send in a minute.
pub const SENDS_A_MINUTE_MAX: usize = 60;
/// Entries one device's queue may have.
pub const QUEUE_MAX: usize = 12;
/// A send that has had no answer for so long is not in flight any more.
const IN_FLIGHT_MS: i64 = 29_000;

/// Watches a story.
#[derive(Default)]
pub struct Oracle {
    violation: RefCell<Option<Violation>>,
    /// Contents people have counted.
    contents: RefCell<HashSet<(RowKey, Content)>>,
    /// What each stamp was given to.
    stamps: RefCell<HashMap<StampedRow, Content>>,
    /// Counts that are being committed.
    committing: RefCell<HashSet<(RowKey, u64)>>,
    /// Newest count per row and device.
    newest: RefCell<BTreeMap<(RowKey, usize), Newest>>,
    /// Stamps the server has said it holds: ever, and of the present life of its database.
    durable_ever: RefCell<HashSet<StampedRow>>,
    durable_now: RefCell<HashSet<StampedRow>>,
    /// What held in each row when last told.
    held: RefCell<HashMap<RowKey, (u64, String)>>,
    tokens: RefCell<HashSet<String>>,
    /// Rows that several devices write.
    shared: RefCell<HashSet<RowKey>>,
    watched: RefCell<BTreeMap<usize, Watched>>,
    /// What people expect on their screens.
    pub expectations: Expectations,
    /// Requests with a batch that were sent.
    pub batches_sent: Cell<u64>,
    /// The most in one minute by one device.
    pub sends_a_minute: Cell<usize>,
    /// The longest queue.
    pub longest_queue: Cell<usize>,
}

/// What is watched of one device's sending.
#[derive(Default)]
struct Watched {
    sends_ms: VecDeque<i64>,
    in_flight: Vec<(u64, BatchId, i64)>,
    not_before_ms: i64,
    lock_given_up_ms: Option<i64>,
}

impl Oracle {
    /// What did not hold, if anything.
    pub fn violation(&self) -> Option<Violation> {
        self.violation.borrow().clone()
    }

    /// Whether something did not hold.
    pub fn has_found(&self) -> bool {
        self.violation.borrow().is_some()
    }

    /// Notes the first thing that does not hold.
    pub fn violated(&self, kernel: &Kernel, invariant: Invariant, device: Option<usize>, what: impl Into<String>) {
        let mut violation = self.violation.borrow_mut();
        if violation.is_none() {
            *violation = Some(Violation { invariant, at_ms: kernel.now_ms(), device, what: what.into() });
        }
    }

    fn wrong(&self, device: &Device, invariant: Invariant, what: impl Into<String>) {
        self.violated(&device.world.kernel, invariant, Some(device.index), what);
    }

    /// A token that must not be found at rest.
    pub fn secret(&self, token: &str) {
        self.tokens.borrow_mut().insert(token.to_owned());
    }

    /// Somebody is about to write a row of another device's.
    pub fn share(&self, session: &SessionId, row: &ItemSeqId) {
        self.shared.borrow_mut().insert((session.to_string(), row.to_string()));
    }

    /// Whether several devices write the row.
    pub fn is_shared(&self, item: &ItemRecord) -> bool {
        self.shared.borrow().contains(&row_key(item))
    }

    /// Who counted last on the device for that company.
    pub fn last_person(&self, device: usize, realm: &TenantId) -> Option<String> {
        let newest = self.newest.borrow();
        let theirs = newest.iter().filter(|((_, index), newest)| *index == device && newest.realm == *realm);
        theirs.max_by_key(|(_, newest)| newest.content.at_ms).map(|(_, newest)| newest.content.person.clone())
    }

    /// A batch goes into a device's queue.
    pub fn queued(&self, device: &Device, entry: &Queued) {
        // Every token of ours begins like this; the long search is only for what looks like one.
        let is_told =
            |text: &str| text.contains("eyJ") && self.tokens.borrow().iter().any(|token| text.contains(token.as_str()));
        if is_told(&entry.headers) || is_told(&entry.body) {
            self.wrong(device, Invariant::NoSecretsAtRest, "a token is stored with a queued request");
        }
        let length = device.disk.borrow().queue.all().len() + 1;
        self.longest_queue.set(self.longest_queue.get().max(length));
        if length > QUEUE_MAX {
            self.wrong(device, Invariant::Bounded, format!("{length} batches wait in the queue"));
        }
        let items = entry.body.matches("\"importItemSeqId\"").count();
        if items > crate::device::engine::BATCH_ITEMS_MAX {
            self.wrong(device, Invariant::Bounded, format!("a batch has {items} items"));
        }
    }

    /// The page says that a courier has the batch.
    pub fn taken_into_custody(&self, device: &Device, realm: &TenantId, batch_id: BatchId) {
        let disk = device.disk.borrow();
        let state = disk.tenants.get(realm).and_then(|data| data.deliveries.get(&batch_id)).map(|d| d.state);
        let is_queued = disk.queue.all().iter().any(|entry| entry.batch_id == batch_id);
        if state == Some(DeliveryState::Custody) && !is_queued {
            drop(disk);
            self.wrong(device, Invariant::NothingLost, "custody was taken of a batch that is in no queue");
        }
    }

    /// An entry leaves the queue.
    pub fn entry_deleted(&self, device: &Device, batch_id: BatchId, state: Option<DeliveryState>) {
        if matches!(state, Some(DeliveryState::Cut | DeliveryState::Custody)) {
            let what = format!("batch {batch_id} left the queue before its outcome was written");
            self.wrong(device, Invariant::NothingLost, what);
        }
    }

    /// Any request leaves a device.
    pub fn sending(&self, world: &World, device: &Device, request: &Request) {
        device.say(|| format!("{} {}", request.method, request.path));
        world.requests.set(world.requests.get() + 1);
    }

    /// A courier sends a batch.
    pub fn batch_sent(&self, world: &World, device: &Device, host: &Host, batch_id: BatchId) {
        self.batches_sent.set(self.batches_sent.get() + 1);
        device.say(|| format!("{} sends a batch", host.name()));
        let now_ms = world.kernel.now_ms();
        let mut all = self.watched.borrow_mut();
        let watched = all.entry(device.index).or_default();
        watched.sends_ms.push_back(now_ms);
        while watched.sends_ms.front().is_some_and(|at_ms| now_ms - at_ms > 60_000) {
            watched.sends_ms.pop_front();
        }
        let sends = watched.sends_ms.len();
        self.sends_a_minute.set(self.sends_a_minute.get().max(sends));
        watched.in_flight.retain(|(_, _, at_ms)| now_ms - at_ms < IN_FLIGHT_MS);
        let others = watched.in_flight.iter().filter(|(number, ..)| *number != host.number).count();
        let twice = watched.in_flight.iter().filter(|(number, ..)| *number == host.number).count();
        watched.in_flight.push((host.number, batch_id, now_ms));
        let excused = watched.lock_given_up_ms.is_some_and(|at_ms| now_ms - at_ms < 120_000);
        let too_early_ms = watched.not_before_ms - now_ms;
        drop(all);
        if sends > SENDS_A_MINUTE_MAX {
            self.wrong(device, Invariant::GoodCitizen, format!("{sends} batches were sent within a minute"));
        }
        let locks = device.kind != Kind::NoWorker;
        if twice > 0 || (others > 0 && locks && !excused) {
            self.wrong(device, Invariant::GoodCitizen, "two drains send at the same time");
        }
        if too_early_ms > 1_000 && locks && !excused {
            let what = format!("sent {} s before the server's Retry-After was over", too_early_ms / 1_000);
            self.wrong(device, Invariant::GoodCitizen, what);
        }
    }

    /// What came of it.
    pub fn batch_answered(&self, device: &Device, host: &Host, batch_id: BatchId, answered: &Result<Response, Broken>) {
        let mut all = self.watched.borrow_mut();
        let watched = all.entry(device.index).or_default();
        watched.in_flight.retain(|(number, batch, _)| (*number, *batch) != (host.number, batch_id));
        let Ok(response) = answered else { return };
        let is_refusal = matches!(response.status, 429 | 500..=599);
        let seconds = response.retry_after.as_ref().and_then(|text| text.parse::<i64>().ok());
        if let Some(seconds) = seconds.filter(|_| is_refusal) {
            watched.not_before_ms = device.world.kernel.now_ms() + seconds * 1_000;
        }
    }

    /// A tab or worker ended: what it had heard and not written down nobody knows any more.
    pub fn host_ended(&self, device: &Device) {
        if let Some(watched) = self.watched.borrow_mut().get_mut(&device.index) {
            watched.in_flight.clear();
            watched.not_before_ms = 0;
        }
    }

    /// The same for a device whose clock was set, or whose disk does not take what is to be remembered.
    pub fn excuse(&self, device: &Device) {
        self.host_ended(device);
    }

    /// A lock was not free for so long that its holder must be gone.
    pub fn lock_given_up(&self, device: &Device) {
        device.say(|| "a lock is not waited for any longer".to_owned());
        let now_ms = device.world.kernel.now_ms();
        self.watched.borrow_mut().entry(device.index).or_default().lock_given_up_ms = Some(now_ms);
    }

    /// The device's data were thrown away by its browser: its unsent counts are nobody's fault.
    pub fn evicted(&self, device: &Device) {
        self.host_ended(device);
        self.newest.borrow_mut().retain(|(_, index), _| *index != device.index);
        self.expectations.forget(device.index);
    }

    /// The server came back from a crash: everything it ever acknowledged must be there.
    pub fn server_recovered(&self, kernel: &Kernel, dump: &Dump) {
        let there = stamps_of(dump);
        if let Some((row, revision, _)) = self.durable_now.borrow().iter().find(|stamp| !there.contains(*stamp)) {
            let what = format!("row {} lost revision {revision} in a crash, after it was acknowledged", row.1);
            self.violated(kernel, Invariant::NoFalseConfirmation, None, what);
        }
        // What was committed and never answered is there too.
        self.durable_ever.borrow_mut().extend(there.iter().cloned());
        self.durable_now.borrow_mut().extend(there);
    }

    /// An operator put back a copy or lost everything: what the database holds now is what counts.
    pub fn server_replaced(&self, dump: &Dump) {
        *self.durable_now.borrow_mut() = stamps_of(dump);
        self.held.borrow_mut().clear();
    }
}

/// Stamps the database holds as counts.
fn stamps_of(dump: &Dump) -> HashSet<StampedRow> {
    let entries = dump.ledger.iter().filter(|entry| entry.outcome != 3);
    entries.map(|entry| (entry.row.clone(), entry.stamp.0, entry.stamp.1.clone())).collect()
}

fn row_key(item: &ItemRecord) -> RowKey {
    (item.inventory_count_import_id.to_string(), item.import_item_seq_id.to_string())
}

fn content_of(item: &ItemRecord) -> Content {
    Content {
        micros: item.quantity.micros(),
        person: item.counted_by_user_login_id.to_string(),
        at_ms: item.counted_at.unix_ms(),
        product: item.product_id.as_ref().map(ToString::to_string),
    }
}
