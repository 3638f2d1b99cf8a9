//! What happens in one story, drawn from its seed as plain lists: who does what when, and what goes wrong. The shrinker takes
//! things out of these lists; nothing that is left changes by that.

use crate::{chance::Chance, shop};

/// How the browser behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Has background sync: events at 0, 300 and 1200 s, the last with `lastChance`.
    Chromium,
    /// No background sync; stops an idle worker.
    Firefox,
    /// As iOS: no background sync, suspends hidden pages, stops workers early, may throw data away.
    Safari,
    /// No worker and no Web Locks: the page delivers.
    NoWorker,
}

/// Something that goes wrong for a while. Percentages are of requests or transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// No network.
    Offline,
    /// Requests that never arrive.
    RequestsLost(u64),
    /// Requests that arrive, and their answers do not.
    AnswersLost(u64),
    /// Requests that arrive a second time, up to half an hour later.
    Repeated(u64),
    /// Requests and answers that take long, past the sender's patience too.
    Slow(u64),
    /// Requests with neither answer nor error.
    Hangs(u64),
    /// Something in front of the server answers.
    Proxy {
        /// Of requests.
        percent: u64,
        /// With that status.
        status: u16,
        /// And this `Retry-After`, in seconds.
        retry_after_s: Option<u32>,
    },
    /// The network's own sign-in page answers.
    Portal(u64),
    /// The server forgets tokens.
    Unauthorized(u64),
    /// Nothing said between tabs and worker arrives.
    WordsLost,
    /// The browser does not give back the locks of who has ended.
    LocksLeak,
    /// Nothing can be written on the device.
    DiskFull,
    /// The connection to the database is lost, before or after a commit.
    DiskReopens(u64),
}

/// Something that happens at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sudden {
    /// The worker is killed at the n-th await from here.
    KillWorker(u32),
    /// The tab that then runs is closed at the n-th await.
    CloseTab(u32),
    /// The power goes at the n-th await.
    PowerCut(u32),
    /// Everything stands still for a while.
    Freeze {
        /// So long.
        ms: i64,
    },
    /// The device's clock is set.
    ClockJump {
        /// By so much.
        ms: i64,
    },
    /// The browser throws the site's data away.
    Evict,
    /// The server ends without a word.
    ServerCrash {
        /// Between the next batch's commit and its answer; else at once.
        after_commit: bool,
        /// Down for so long.
        down_ms: i64,
    },
    /// The server stops as it should and comes back.
    ServerRestart {
        /// Down for so long.
        down_ms: i64,
    },
    /// A copy of the database is made.
    BackUp,
    /// The last copy is put back.
    Restore {
        /// With a new epoch, as `ginti restore` does it.
        epoch_too: bool,
    },
    /// The server loses all counts.
    Wipe,
    /// A manager opens a session again.
    Reopen {
        /// Which, by its place in the list.
        session: u8,
    },
    /// The tab is hidden, and seen again after a while.
    Hide {
        /// So long.
        ms: i64,
    },
}

/// What a person does at a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Opens the app in a tab, perhaps past the worker.
    OpenTab {
        /// With shift-reload.
        shift: bool,
    },
    /// Closes a tab.
    CloseTab,
    /// Scans a product's barcode.
    Scan {
        /// The session, by its place among those the person may count in.
        session: u8,
        /// The product.
        product: u8,
    },
    /// Scans a code that nothing has.
    ScanUnknown {
        /// The session.
        session: u8,
        /// Which code.
        code: u8,
    },
    /// Takes one away.
    Subtract {
        /// The session.
        session: u8,
        /// The product.
        product: u8,
    },
    /// Sets a number by hand.
    Set {
        /// The session.
        session: u8,
        /// The product.
        product: u8,
        /// Millionths.
        micros: i64,
    },
    /// Takes the last scan back.
    Undo {
        /// The session.
        session: u8,
    },
    /// Corrects a row that another device made.
    Elsewhere {
        /// The session.
        session: u8,
        /// Which row, by its place among those.
        row: u8,
        /// Millionths.
        micros: i64,
    },
    /// Presses "send now".
    SendNow,
    /// Looks at a session: reads its rows from the server.
    Look {
        /// The session.
        session: u8,
    },
    /// Hands a session in.
    Submit {
        /// The session.
        session: u8,
    },
    /// Signs out and gives the device to someone else.
    HandOver {
        /// To whom, by the place in the list of people.
        person: u8,
    },
}

/// A step of a person.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// When, in milliseconds since the story's beginning.
    pub at_ms: i64,
    /// What.
    pub act: Act,
}

/// A fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// When it begins.
    pub at_ms: i64,
    /// When it ends, if it lasts.
    pub until_ms: i64,
    /// Whom it strikes; none: everybody, or the server.
    pub device: Option<usize>,
    /// What.
    pub what: What,
}

/// Lasting or sudden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Lasting.
    Bad(Bad),
    /// Sudden.
    Sudden(Sudden),
}

/// One device and its people.
#[derive(Clone, Debug)]
pub struct DevicePlan {
    /// Its number in the story.
    pub index: usize,
    /// Its browser.
    pub kind: Kind,
    /// Its clock minus the true time at the beginning.
    pub clock_ms: i64,
    /// Who has it first.
    pub person: u8,
    /// What is done with it.
    pub steps: Vec<Step>,
}

/// A whole story.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Everything follows from it.
    pub seed: u64,
    /// How long things go wrong.
    pub length_ms: i64,
    /// The devices.
    pub devices: Vec<DevicePlan>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// The default world's devices.
pub const DEVICES: usize = 8;
/// The default world's length.
pub const LENGTH_MS: i64 = 4 * HOUR_MS;

impl Scenario {
    /// The default world: eight devices, four hours, every fault.
    pub fn new(seed: u64) -> Self {
        Self::sized(seed, DEVICES, LENGTH_MS)
    }

    /// A world of that size.
    pub fn sized(seed: u64, devices: usize, length_ms: i64) -> Self {
        let mut faults = Vec::new();
        let devices: Vec<_> = (0..devices)
            .map(|index| {
                device_faults(&mut Chance::of(seed, "faults", index as u64), index, length_ms, &mut faults);
                let mut plan = device_plan(&mut Chance::of(seed, "people", index as u64), index, length_ms);
                go_home(&mut Chance::of(seed, "home", index as u64), length_ms, &mut plan, &mut faults);
                plan
            })
            .collect();
        server_faults(&mut Chance::of(seed, "server faults", 0), length_ms, &mut faults);
        faults.sort_by_key(|fault| (fault.at_ms, fault.device));
        Self { seed, length_ms, devices, faults }
    }
}

fn device_plan(chance: &mut Chance, index: usize, length_ms: i64) -> DevicePlan {
    let kind = chance.weighted(&[(4, Kind::Chromium), (2, Kind::Firefox), (2, Kind::Safari), (1, Kind::NoWorker)]);
    let clock_ms = match chance.below(10) {
        0 => chance.within(6 * MINUTE_MS, 3 * HOUR_MS),
        1 => -chance.within(0, 48 * HOUR_MS),
        2 => chance.within(0, 10 * 365 * 24) * HOUR_MS,
        _ => chance.within(-20_000, 20_000),
    };
    let person = u8::try_from(chance.below(shop::PEOPLE.len() as u64 - 2)).unwrap_or(0);
    let mut steps = vec![Step { at_ms: chance.within(0, 60_000), act: Act::OpenTab { shift: false } }];
    let mut at_ms = chance.within(1, 10) * MINUTE_MS;
    while at_ms < length_ms {
        burst(chance, &mut at_ms, &mut steps);
        at_ms += chance.within(3, 110) * MINUTE_MS;
        if let Some(act) = between_bursts(chance) {
            steps.push(Step { at_ms, act });
            at_ms += chance.within(500, 20_000);
        }
    }
    steps.retain(|step| step.at_ms < length_ms);
    DevicePlan { index, kind, clock_ms, person, steps }
}

/// Now and then the last shelf is counted while the server fails, and the app is closed and left so: whatever the browser tries by
/// itself is in vain until the faults stop.
fn go_home(chance: &mut Chance, length_ms: i64, plan: &mut DevicePlan, faults: &mut Vec<Fault>) {
    if !chance.percent(8) || length_ms < 2 * HOUR_MS {
        return;
    }
    let leaves_ms = length_ms - chance.within(30, 70) * MINUTE_MS;
    plan.steps.retain(|step| step.at_ms < leaves_ms);
    let session = u8::try_from(chance.below(3)).unwrap_or(0);
    let product = u8::try_from(chance.below(u64::from(shop::PRODUCTS))).unwrap_or(0);
    let acts = [Act::OpenTab { shift: false }, Act::Scan { session, product }, Act::CloseTab, Act::CloseTab];
    let steps = (0..).map(|number| leaves_ms + number * 10_000).zip(acts);
    plan.steps.extend(steps.map(|(at_ms, act)| Step { at_ms, act }));
    let what = What::Bad(Bad::Proxy { percent: 100, status: 503, retry_after_s: None });
    faults.push(Fault { at_ms: leaves_ms - MINUTE_MS, until_ms: length_ms, device: Some(plan.index), what });
}

/// Somebody counts along a shelf.
fn burst(chance: &mut Chance, at_ms: &mut i64, steps: &mut Vec<Step>) {
    let session = u8::try_from(chance.below(3)).unwrap_or(0);
    for _ in 0..chance.within(3, 14) {
        let product = u8::try_from(chance.below(u64::from(shop::PRODUCTS))).unwrap_or(0);
        let act = match chance.below(40) {
            0..=24 => Act::Scan { session, product },
            25 => Act::ScanUnknown { session, code: u8::try_from(chance.below(4)).unwrap_or(0) },
            26..=27 => Act::Subtract { session, product },
            28 => Act::Set { session, product, micros: 0 },
            29..=31 => Act::Set { session, product, micros: chance.within(0, 400) * 250_000 },
            32..=34 => Act::Undo { session },
            35 => Act::Elsewhere {
                session,
                row: u8::try_from(chance.below(200)).unwrap_or(0),
                micros: chance.within(0, 50) * 1_000_000,
            },
            36..=37 => Act::Look { session },
            38 => Act::SendNow,
            _ => Act::Scan { session, product: product % 3 },
        };
        steps.push(Step { at_ms: *at_ms, act });
        *at_ms += if chance.percent(10) { chance.within(5_000, 60_000) } else { chance.within(80, 3_000) };
    }
}

fn between_bursts(chance: &mut Chance) -> Option<Act> {
    let session = u8::try_from(chance.below(3)).unwrap_or(0);
    Some(match chance.below(16) {
        0..=1 => Act::CloseTab,
        2..=3 => Act::OpenTab { shift: chance.percent(20) },
        4 => Act::Submit { session },
        5..=6 => Act::HandOver { person: u8::try_from(chance.below(shop::PEOPLE.len() as u64)).unwrap_or(0) },
        7 => Act::Look { session },
        _ => return None,
    })
}

fn device_faults(chance: &mut Chance, index: usize, length_ms: i64, faults: &mut Vec<Fault>) {
    for _ in 0..chance.within(3, 8) {
        let at_ms = chance.within(0, length_ms);
        let lasts_ms = chance.within(1, 25) * MINUTE_MS;
        let what = What::Bad(a_bad(chance));
        faults.push(Fault { at_ms, until_ms: (at_ms + lasts_ms).min(length_ms), device: Some(index), what });
    }
    for _ in 0..chance.within(3, 10) {
        let at_ms = chance.within(0, length_ms);
        let steps = u32::try_from(chance.within(1, 60)).unwrap_or(1);
        let sudden = match chance.below(20) {
            0..=5 => Sudden::KillWorker(steps),
            6..=9 => Sudden::CloseTab(steps),
            10..=11 => Sudden::PowerCut(steps),
            12..=13 => Sudden::Freeze { ms: chance.within(1, 900) * 1_000 },
            14..=15 => Sudden::ClockJump { ms: a_jump(chance) },
            16..=18 => Sudden::Hide { ms: chance.within(5, 1_800) * 1_000 },
            _ if chance.percent(15) => Sudden::Evict,
            _ => Sudden::KillWorker(steps),
        };
        faults.push(Fault { at_ms, until_ms: at_ms, device: Some(index), what: What::Sudden(sudden) });
    }
}

fn a_bad(chance: &mut Chance) -> Bad {
    let percent = chance.within(20, 100).unsigned_abs();
    match chance.below(27) {
        0..=5 => Bad::Offline,
        6..=7 => Bad::RequestsLost(percent),
        8..=10 => Bad::AnswersLost(percent),
        11..=13 => Bad::Repeated(percent),
        14..=15 => Bad::Slow(percent),
        16 => Bad::Hangs(percent / 2),
        17..=20 => {
            let status = *chance.pick(&[429, 500, 502, 503, 503]);
            let retry_after_s = if chance.percent(60) { u32::try_from(chance.within(1, 600)).ok() } else { None };
            Bad::Proxy { percent, status, retry_after_s }
        }
        21 => Bad::Portal(percent),
        22 => Bad::Unauthorized(percent),
        23 => Bad::WordsLost,
        24 => Bad::DiskFull,
        25 => Bad::LocksLeak,
        _ => Bad::DiskReopens(percent / 4),
    }
}

fn a_jump(chance: &mut Chance) -> i64 {
    let ms = match chance.below(4) {
        0 => chance.within(1, 240) * 1_000,
        1 => chance.within(5, 120) * MINUTE_MS,
        2 => chance.within(1, 72) * HOUR_MS,
        _ => chance.within(1, 400) * 24 * HOUR_MS,
    };
    if chance.percent(50) { ms } else { -ms }
}

fn server_faults(chance: &mut Chance, length_ms: i64, faults: &mut Vec<Fault>) {
    let mut push = |at_ms, until_ms, what| faults.push(Fault { at_ms, until_ms, device: None, what });
    for _ in 0..chance.within(1, 5) {
        let at_ms = chance.within(0, length_ms);
        let down_ms = chance.within(1, 600) * 1_000;
        let sudden = match chance.below(12) {
            0..=4 => Sudden::ServerCrash { after_commit: true, down_ms },
            5..=7 => Sudden::ServerCrash { after_commit: false, down_ms },
            8..=10 => Sudden::ServerRestart { down_ms },
            _ => Sudden::Wipe,
        };
        push(at_ms, at_ms, What::Sudden(sudden));
    }
    if chance.percent(25) {
        let at_ms = chance.within(0, length_ms - 1);
        push(at_ms, at_ms, What::Sudden(Sudden::BackUp));
        let later_ms = chance.within(at_ms, length_ms);
        push(later_ms, later_ms, What::Sudden(Sudden::Restore { epoch_too: true }));
    }
    for _ in 0..chance.within(0, 2) {
        let at_ms = chance.within(0, length_ms);
        push(at_ms, (at_ms + chance.within(1, 15) * MINUTE_MS).min(length_ms), What::Bad(a_bad_for_all(chance)));
    }
    for _ in 0..chance.within(0, 4) {
        let at_ms = chance.within(0, length_ms);
        let session = u8::try_from(chance.below(shop::SESSIONS.len() as u64)).unwrap_or(0);
        push(at_ms, at_ms, What::Sudden(Sudden::Reopen { session }));
    }
}

fn a_bad_for_all(chance: &mut Chance) -> Bad {
    let retry_after_s = if chance.percent(50) { u32::try_from(chance.within(1, 300)).ok() } else { None };
    match chance.below(4) {
        0 => Bad::Offline,
        1 => Bad::AnswersLost(chance.within(20, 100).unsigned_abs()),
        2 => Bad::Proxy { percent: 100, status: 503, retry_after_s },
        _ => Bad::Slow(chance.within(20, 100).unsigned_abs()),
    }
}
