//! One story from beginning to end: builds the server and the devices, lets things happen and go wrong, then stops the faults and
//! waits for everything to arrive.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use anyhow::Result;
use ginti_types::SessionStatus;

use crate::{
    chance::Chance,
    device::{Device, Falls, browser::Tab},
    kernel::{Kernel, Life, Stop},
    mutants::Mutant,
    network::{Request, Response},
    oracle::{Invariant, Oracle, Violation},
    person::Person,
    scenario::{Bad, Fault, Kind, Scenario, Sudden, What},
    server::ServerBox,
    shop,
    trace::Trace,
};

/// How long everything may take to arrive once the faults have stopped and the app is open: a backoff at its longest, a gate at
/// its longest, a silent courier given up, and the longest `Retry-After` of the stories, one after the other.
pub const CONVERGED_WITHIN_MS: i64 = 45 * 60_000;
/// How long a closed Chromium has for its own sync events: 0, 300 and 1,200 seconds, and what they take.
const SYNCED_WITHIN_MS: i64 = 27 * 60_000;
/// How long nothing may be sent once everything has arrived.
const QUIET_MS: i64 = 10 * 60_000;

/// Something that is wrong at the moment, and for whom.
type Trouble = (Option<usize>, Bad);

/// Everything there is.
pub struct World {
    /// Runs it.
    pub kernel: Kernel,
    /// Everything follows from it.
    pub seed: u64,
    /// A planted bug.
    pub mutant: Option<Mutant>,
    /// Watches.
    pub oracle: Oracle,
    /// Tells.
    pub trace: Trace,
    /// The server.
    pub server: ServerBox,
    /// The devices.
    pub devices: RefCell<Vec<Rc<Device>>>,
    /// As long as the story.
    pub life: Life,
    /// Requests sent.
    pub requests: Cell<u64>,
    /// Counts made.
    pub counts: Cell<u64>,
    /// Ends of connections that hang.
    pub hung: RefCell<Vec<Box<dyn std::any::Any>>>,
    bad: RefCell<Rc<[Trouble]>>,
    is_server_busy: Cell<bool>,
    crash_down_ms: Cell<i64>,
    chance: RefCell<Chance>,
    has_healed: Cell<bool>,
    count_from_ms: Option<i64>,
    arrivals: RefCell<BTreeMap<i64, u64>>,
    /// Whether an operator ever put back a copy, or lost everything.
    pub was_server_replaced: Cell<bool>,
}

/// How a story ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What did not hold.
    pub violation: Option<Violation>,
    /// Counts made.
    pub counts: u64,
    /// Requests sent.
    pub requests: u64,
    /// Batches sent.
    pub batches: u64,
    /// The most batches one device sent in a minute.
    pub sends_a_minute: usize,
    /// The longest queue.
    pub longest_queue: usize,
    /// How long it took until everything had arrived.
    pub converged_ms: i64,
    /// Requests that reached the server in each second after a moment, if that was wanted.
    pub arrivals: BTreeMap<i64, u64>,
    /// The story, if it was wanted.
    pub lines: Vec<(i64, String)>,
    /// All tables of the server, if the story was wanted.
    pub tables: String,
}

/// Runs a story.
pub fn run(scenario: &Scenario, mutant: Option<Mutant>, is_told: bool) -> Result<Outcome> {
    run_with(scenario, mutant, is_told, None)
}

/// Runs a story and counts the requests that reach the server, from so many milliseconds on.
pub fn run_counting(scenario: &Scenario, from_ms: i64) -> Result<Outcome> {
    run_with(scenario, None, false, Some(shop::START_MS + from_ms))
}

fn run_with(scenario: &Scenario, mutant: Option<Mutant>, is_told: bool, count_from_ms: Option<i64>) -> Result<Outcome> {
    let kernel = Kernel::starting_at(shop::START_MS);
    let life = kernel.life();
    let world = Rc::new(World {
        seed: scenario.seed,
        mutant,
        oracle: Oracle::default(),
        trace: Trace::default(),
        server: ServerBox::new(scenario.seed, mutant)?,
        devices: RefCell::default(),
        life,
        requests: Cell::new(0),
        counts: Cell::new(0),
        hung: RefCell::default(),
        bad: RefCell::new(Rc::new([])),
        is_server_busy: Cell::new(false),
        crash_down_ms: Cell::new(0),
        chance: RefCell::new(Chance::of(scenario.seed, "world", 0)),
        has_healed: Cell::new(false),
        count_from_ms,
        arrivals: RefCell::default(),
        was_server_replaced: Cell::new(false),
        kernel,
    });
    if is_told {
        world.trace.want();
    }
    let converged_ms = world.play(scenario)?;
    let tables = if is_told && world.server.is_up() { world.server.dump_text()? } else { String::new() };
    let outcome = Outcome {
        violation: world.oracle.violation(),
        counts: world.counts.get(),
        requests: world.requests.get(),
        batches: world.oracle.batches_sent.get(),
        sends_a_minute: world.oracle.sends_a_minute.get(),
        longest_queue: world.oracle.longest_queue.get(),
        converged_ms,
        arrivals: world.arrivals.take(),
        lines: world.trace.take(),
        tables,
    };
    world.dissolve();
    Ok(outcome)
}

impl World {
    /// What is wrong for that device now.
    pub fn bad_for(&self, device: usize) -> impl Iterator<Item = Bad> + use<> {
        let bad = Rc::clone(&self.bad.borrow());
        (0..bad.len()).filter_map(move |at| {
            let (whom, bad) = bad[at];
            whom.is_none_or(|whom| whom == device).then_some(bad)
        })
    }

    /// A request is there; none when nobody answers.
    pub fn serve(self: &Rc<Self>, device: &Device, request: &Request) -> Option<Response> {
        if let Some(since_ms) = self.count_from_ms.map(|from_ms| self.kernel.now_ms() - from_ms).filter(|ms| *ms >= 0) {
            *self.arrivals.borrow_mut().entry(since_ms / 1_000).or_default() += 1;
        }
        if !self.server.is_up() {
            return None;
        }
        let is_import = request.is_import();
        if is_import {
            self.oracle.arriving(self, device, request);
        }
        let is_ending = is_import && self.server.dies_after_commit.get();
        let response = self.server.handle(self.kernel.now_ms(), request);
        if is_ending {
            self.say("the server ends between commit and answer");
            self.server_fell(self.crash_down_ms.get());
        }
        if let Some(response) = response.as_ref().filter(|_| is_import) {
            self.oracle.served(self, device, request, response);
        }
        response
    }

    /// The power came back, somebody presses the button.
    pub fn reboot_later(self: &Rc<Self>, device: &Rc<Device>) {
        device.is_on.set(false);
        let wait_ms = self.chance.borrow_mut().within(30, 600) * 1_000;
        let (world, device) = (Rc::clone(self), Rc::clone(device));
        self.life.spawn(async move {
            world.kernel.sleep(wait_ms).await;
            device.say(|| "is switched on".to_owned());
            device.is_on.set(true);
            device.resume_sync();
            device.open_tab(false);
        });
    }

    fn say(&self, line: &str) {
        self.trace.say(self.kernel.now_ms(), || line.to_owned());
    }

    /// Returns how long it took until everything had arrived.
    fn play(self: &Rc<Self>, scenario: &Scenario) -> Result<i64> {
        for plan in &scenario.devices {
            let device = Device::new(self, plan.index, plan.kind, plan.clock_ms);
            self.devices.borrow_mut().push(Rc::clone(&device));
            let person = Person::new(self, &device, plan);
            let plan = plan.clone();
            self.life.spawn(async move { person.work(plan).await });
        }
        self.renumber();
        for fault in &scenario.faults {
            let (world, fault) = (Rc::clone(self), *fault);
            self.life.spawn(async move { world.happen(fault).await });
        }
        let end_ms = shop::START_MS + scenario.length_ms;
        if !self.goes_on_until(end_ms) {
            return Ok(0);
        }
        self.heal()?;
        let healed_ms = self.kernel.now_ms();
        if !self.goes_on_until(healed_ms + SYNCED_WITHIN_MS) {
            return Ok(0);
        }
        self.expect_synced();
        let attended_ms = self.kernel.now_ms();
        for plan in &scenario.devices {
            let Some(device) = self.device(plan.index) else { continue };
            let attending = Person::new(self, &device, plan);
            self.life.spawn(async move { attending.attend().await });
        }
        while !self.oracle.has_found() {
            let left = self.oracle.unconverged(self);
            let is_due = self.kernel.now_ms() - attended_ms > 5_000;
            if left.is_empty() && is_due {
                break;
            }
            if self.kernel.now_ms() - attended_ms > CONVERGED_WITHIN_MS {
                let (device, what) = left.first().map_or((0, String::new()), |left| (left.device, left.what.clone()));
                let what = format!("the faults stopped {} minutes ago: {what}", CONVERGED_WITHIN_MS / 60_000);
                self.oracle.violated(&self.kernel, Invariant::NoDeadStop, Some(device), what);
                break;
            }
            if !self.goes_on_until(self.kernel.now_ms() + 10_000) {
                break;
            }
        }
        let converged_ms = self.kernel.now_ms() - attended_ms;
        self.end()?;
        Ok(converged_ms)
    }

    /// Everything is there: is it right, and is it quiet?
    fn end(self: &Rc<Self>) -> Result<()> {
        if self.oracle.has_found() {
            return Ok(());
        }
        let sent = self.oracle.batches_sent.get();
        if !self.goes_on_until(self.kernel.now_ms() + QUIET_MS) {
            return Ok(());
        }
        let more = self.oracle.batches_sent.get() - sent;
        if more > 0 {
            let what = format!("{more} batches were sent although everything had arrived");
            self.oracle.violated(&self.kernel, Invariant::GoodCitizen, None, what);
        }
        let dump = self.server.dump()?;
        self.oracle.compare(self, &dump);
        if !self.oracle.has_found() {
            self.oracle.compare_totals(self, &dump);
        }
        Ok(())
    }

    /// Runs until then; false when something did not hold on the way.
    fn goes_on_until(&self, until_ms: i64) -> bool {
        if self.kernel.run_until(until_ms, || self.oracle.has_found()) == Stop::Livelock {
            self.oracle.violated(
                &self.kernel,
                Invariant::NoDeadStop,
                None,
                "something runs in circles and time stands still",
            );
        }
        !self.oracle.has_found()
    }

    /// Devices keep the numbers of the story when the shrinker has taken some out.
    fn renumber(&self) {
        let mut devices = self.devices.borrow_mut();
        devices.sort_by_key(|device| device.index);
    }

    /// The device of that number, if it is in the story.
    pub fn device(&self, index: usize) -> Option<Rc<Device>> {
        self.devices.borrow().iter().find(|device| device.index == index).cloned()
    }

    async fn happen(self: Rc<Self>, fault: Fault) {
        self.kernel.sleep(shop::START_MS + fault.at_ms - self.kernel.now_ms()).await;
        match fault.what {
            What::Bad(bad) => {
                self.trace.say(self.kernel.now_ms(), || format!("{}: begins: {bad:?}", whom(fault.device)));
                self.set_bad(|all| all.push((fault.device, bad)));
                self.note_disk_trouble(fault.device, bad);
                self.kernel.sleep(shop::START_MS + fault.until_ms - self.kernel.now_ms()).await;
                self.trace.say(self.kernel.now_ms(), || format!("{}: ends: {bad:?}", whom(fault.device)));
                self.note_disk_trouble(fault.device, bad);
                self.set_bad(|all| {
                    if let Some(at) = all.iter().position(|one| *one == (fault.device, bad)) {
                        all.remove(at);
                    }
                });
                if bad == Bad::Offline {
                    self.tell_online(fault.device);
                }
            }
            What::Sudden(sudden) => match fault.device.and_then(|index| self.device(index)) {
                Some(device) => self.strike(&device, sudden),
                None if fault.device.is_some() => {}
                None => self.strike_server(sudden).await,
            },
        }
    }

    fn set_bad(&self, change: impl FnOnce(&mut Vec<(Option<usize>, Bad)>)) {
        let mut all = self.bad.borrow().to_vec();
        change(&mut all);
        *self.bad.borrow_mut() = all.into();
        for device in self.devices.borrow().iter() {
            device.link_may_have_changed();
        }
    }

    fn note_disk_trouble(&self, whom: Option<usize>, bad: Bad) {
        if matches!(bad, Bad::DiskFull | Bad::DiskReopens(_)) {
            for device in self.devices.borrow().iter().filter(|device| whom.is_none_or(|whom| whom == device.index)) {
                device.trouble_ms.set(self.kernel.now_ms());
                self.oracle.excuse(device);
            }
        }
    }

    /// The browser tells its pages, most of the time.
    fn tell_online(&self, whom: Option<usize>) {
        for device in self.devices.borrow().iter().filter(|device| whom.is_none_or(|whom| whom == device.index)) {
            if device.is_linked() && self.chance.borrow_mut().percent(70) {
                let tabs: Vec<Rc<Tab>> = device.tabs.borrow().iter().cloned().collect();
                for tab in tabs.into_iter().filter(|tab| !tab.host.life.is_frozen()) {
                    tab.account.online();
                }
            }
        }
    }

    fn strike(self: &Rc<Self>, device: &Rc<Device>, sudden: Sudden) {
        match sudden {
            Sudden::KillWorker(steps) => device.trip(Falls::Worker, steps),
            Sudden::CloseTab(steps) => device.trip(Falls::Tab, steps),
            Sudden::PowerCut(steps) => device.trip(Falls::Device, steps),
            Sudden::Freeze { ms } => device.freeze(ms),
            Sudden::Hide { ms } => device.hide(ms),
            Sudden::ClockJump { ms } => {
                device.say(|| format!("its clock is set by {} s", ms / 1_000));
                device.clock_ms.set(device.clock_ms.get() + ms);
                self.oracle.excuse(device);
            }
            Sudden::Evict if device.kind == Kind::Safari => device.evict(),
            _ => {}
        }
    }

    async fn strike_server(self: &Rc<Self>, sudden: Sudden) {
        if self.is_server_busy.get() || !self.server.is_up() {
            return;
        }
        match sudden {
            Sudden::ServerCrash { after_commit: true, down_ms } => {
                self.crash_down_ms.set(down_ms);
                self.server.dies_after_commit.set(true);
            }
            Sudden::ServerCrash { after_commit: false, down_ms } => {
                self.say("the server ends");
                self.server_fell(down_ms);
            }
            Sudden::ServerRestart { down_ms } => {
                self.is_server_busy.set(true);
                self.say("the server drains");
                self.server.drain();
                self.kernel.sleep(2_000).await;
                self.server.stop();
                self.kernel.sleep(down_ms).await;
                self.say("the server is back");
                self.started();
            }
            Sudden::BackUp => self.done(self.server.back_up().map(|()| true), "a copy of the database is made", false),
            Sudden::Restore { epoch_too } => self.done(self.server.restore(epoch_too), "the copy is put back", true),
            Sudden::Wipe => self.done(self.server.wipe().map(|()| true), "the server has lost everything", true),
            Sudden::Reopen { session } => {
                let (session, ..) = shop::SESSIONS[usize::from(session) % shop::SESSIONS.len()];
                if self.server.set_status(session, SessionStatus::SessionAssigned) {
                    self.trace.say(self.kernel.now_ms(), || format!("a manager opens session {session} again"));
                }
            }
            _ => {}
        }
    }

    /// An operator has done something to the database, if there was anything to do.
    fn done(&self, result: Result<bool>, what: &str, is_replaced: bool) {
        debug_assert!(result.is_ok(), "{result:?}");
        if result.unwrap_or(false) {
            self.say(what);
            if is_replaced {
                self.replaced();
            }
        }
    }

    fn server_fell(self: &Rc<Self>, down_ms: i64) {
        if self.is_server_busy.replace(true) {
            return;
        }
        let moved = self.server.crash();
        debug_assert!(moved.is_ok(), "{moved:?}");
        let world = Rc::clone(self);
        self.life.spawn(async move {
            world.kernel.sleep(down_ms).await;
            if !world.has_healed.get() {
                world.say("the server is back");
                world.recovered();
            }
        });
    }

    fn started(&self) {
        if !self.server.is_up() && self.server.start().is_err() {
            self.oracle.violated(&self.kernel, Invariant::NoDeadStop, None, "the server cannot open its own database");
        }
        self.is_server_busy.set(false);
    }

    fn recovered(&self) {
        self.started();
        if let Ok(dump) = self.server.dump() {
            self.oracle.server_recovered(&self.kernel, &dump);
        }
    }

    fn replaced(&self) {
        self.was_server_replaced.set(true);
        if let Ok(dump) = self.server.dump() {
            self.oracle.server_replaced(&dump);
        }
    }

    /// From now on nothing goes wrong any more. Clocks stay as they are, and what hangs, hangs.
    fn heal(self: &Rc<Self>) -> Result<()> {
        self.say("the faults stop");
        self.has_healed.set(true);
        self.server.dies_after_commit.set(false);
        if self.server.is_draining.get() {
            self.server.stop();
        }
        if !self.server.is_up() {
            self.server.start()?;
            self.oracle.server_recovered(&self.kernel, &self.server.dump()?);
        }
        self.is_server_busy.set(false);
        self.set_bad(Vec::clear);
        for device in self.devices.borrow().iter() {
            device.clear_trips();
            device.is_on.set(true);
            device.resume_sync();
            device.wake_up();
        }
        self.note_who_must_sync();
        self.tell_online(None);
        Ok(())
    }

    /// Where the app is closed, Chromium alone must deliver what its worker has, if the sign-in is good.
    fn note_who_must_sync(&self) {
        for device in self.devices.borrow().iter() {
            let is_closed = device.tabs.borrow().is_empty() && device.was_asked_to_sync();
            device.must_sync.set(is_closed && waits_in_queue(device) > 0);
        }
    }

    fn expect_synced(&self) {
        for device in self.devices.borrow().iter().filter(|device| device.must_sync.get()) {
            let left = waits_in_queue(device);
            if left > 0 && device.tabs.borrow().is_empty() {
                let what = format!("{left} batches wait in a closed browser, and no sync event will come for them");
                self.oracle.violated(&self.kernel, Invariant::NoDeadStop, Some(device.index), what);
            }
        }
    }

    /// Lets go of everything: the parts of a story hold on to each other.
    fn dissolve(&self) {
        self.life.end();
        for device in self.devices.take() {
            device.dissolve();
        }
        self.hung.borrow_mut().clear();
    }
}

/// Batches of whoever is signed in, unless the sign-in has run out.
fn waits_in_queue(device: &Device) -> usize {
    let disk = device.disk.borrow();
    let gate = disk.courier.as_ref().map(|record| record.gate).unwrap_or_default();
    let Some(profile) = &disk.profile else { return 0 };
    if gate == ginti_sync::courier::Gate::Closed || !device.has_cookie_of(&profile.tenant) {
        return 0;
    }
    disk.queue.all().iter().filter(|entry| entry.realm == profile.tenant).count()
}

fn whom(device: Option<usize>) -> String {
    device.map_or("everybody".to_owned(), |index| format!("device {}", index + 1))
}
