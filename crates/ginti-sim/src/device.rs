//! A device: its browser, its disk, its clock, its place on the network. What runs in it are hosts: tabs and a worker.
//!
//! The files below follow the TypeScript hosts in `web/courier/src`, one by one, await by await: the machines inside are
//! the real ones. `mirror.txt` says up to which state of a host its model follows, and a check holds it against the host.

pub mod account;
pub mod again;
pub mod browser;
pub mod counting;
pub mod disk;
pub mod drain;
pub mod engine;
pub mod fetching;
pub mod lock;
pub mod page;
pub mod planning;
pub mod tokens;
pub mod worker;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    rc::Rc,
};

use ginti_sync::Moment;
use ginti_types::TenantId;

use crate::{
    chance::Chance,
    kernel::Life,
    mutants::Mutant,
    network::Response,
    scenario::{Bad, Kind},
    world::World,
};
use browser::{Endpoint, SyncManager, Tab, WorkerSlot};
use disk::{Disk, Txn};

/// One device.
pub struct Device {
    /// Its number in the story.
    pub index: usize,
    /// Its browser.
    pub kind: Kind,
    /// Where it is.
    pub world: Rc<World>,
    /// What is stored.
    pub disk: RefCell<Disk>,
    /// Its clock minus the true time.
    pub clock_ms: Cell<i64>,
    /// The refresh cookie as a request header has it.
    pub cookie: RefCell<Option<String>>,
    cookies: RefCell<Vec<(i64, Option<String>)>>,
    /// The company of each sign-in that a cookie stands for.
    cookie_realms: RefCell<BTreeMap<String, String>>,
    link_changed: tokio::sync::Notify,
    /// Chance of what the network does to this device.
    pub network_chance: RefCell<Chance>,
    step_chance: RefCell<Chance>,
    entropy_chance: RefCell<Chance>,
    trips: RefCell<Vec<Trip>>,
    locks: lock::Locks,
    endings: RefCell<Vec<Ending>>,
    power: RefCell<Life>,
    /// Open tabs.
    pub tabs: RefCell<Vec<Rc<Tab>>>,
    /// The service worker, if it runs.
    pub worker: RefCell<Option<Rc<WorkerSlot>>>,
    /// The browser's memory of who wants a sync event.
    pub sync: RefCell<SyncManager>,
    channel: RefCell<Vec<Endpoint>>,
    hosts_made: Cell<u64>,
    /// Times its data were begun anew.
    pub installs: Cell<u32>,
    /// Whether it is switched on.
    pub is_on: Cell<bool>,
    /// When its disk last gave trouble.
    pub trouble_ms: Cell<i64>,
    /// Since when somebody is signed in on it.
    pub profile_ms: Cell<i64>,
    /// Its browser alone has to deliver what its worker has.
    pub must_sync: Cell<bool>,
}

/// What is done when the host of that number ends.
type Ending = (u64, Rc<dyn Fn()>);

/// What ends at an await.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Falls {
    /// The worker.
    Worker,
    /// The tab that is running.
    Tab,
    /// The whole device: power gone.
    Device,
}

struct Trip {
    what: Falls,
    steps: u32,
}

/// What kind of host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A tab, by its number.
    Tab(u64),
    /// The service worker.
    Worker,
    /// The browser or the person: nothing ends in it by itself.
    Browser,
}

/// A place where code runs on a device: a tab or the worker. Clones are the same one.
#[derive(Clone)]
pub struct Host {
    /// On which device.
    pub device: Rc<Device>,
    /// As long as that.
    pub life: Life,
    /// What it is.
    pub role: Role,
    /// Its number on the device.
    pub number: u64,
}

impl Device {
    /// A new one, in the world's hands.
    pub fn new(world: &Rc<World>, index: usize, kind: Kind, clock_ms: i64) -> Rc<Self> {
        let chance = |concern| RefCell::new(Chance::of(world.seed, concern, index as u64));
        Rc::new(Self {
            index,
            kind,
            world: Rc::clone(world),
            disk: RefCell::default(),
            clock_ms: Cell::new(clock_ms),
            cookie: RefCell::default(),
            cookies: RefCell::default(),
            cookie_realms: RefCell::default(),
            link_changed: tokio::sync::Notify::new(),
            network_chance: chance("network"),
            step_chance: chance("steps"),
            entropy_chance: chance("entropy"),
            trips: RefCell::default(),
            locks: lock::Locks::default(),
            endings: RefCell::default(),
            power: RefCell::new(world.kernel.life()),
            tabs: RefCell::default(),
            worker: RefCell::default(),
            sync: RefCell::default(),
            channel: RefCell::default(),
            hosts_made: Cell::new(0),
            installs: Cell::new(0),
            is_on: Cell::new(true),
            trouble_ms: Cell::new(i64::MIN / 2),
            profile_ms: Cell::new(i64::MAX),
            must_sync: Cell::new(false),
        })
    }

    /// What people call it.
    pub fn name(&self) -> String {
        format!("device {}", self.index + 1)
    }

    /// Its own clock.
    pub fn now(&self) -> Moment {
        Moment(self.world.kernel.now_ms() + self.clock_ms.get())
    }

    /// The browser itself: for what outlives tabs and worker, until the power goes.
    pub fn browser(self: &Rc<Self>) -> Host {
        self.host(self.power.borrow().clone(), Role::Browser)
    }

    /// A host of its own life on this device.
    pub fn host(self: &Rc<Self>, life: Life, role: Role) -> Host {
        self.hosts_made.set(self.hosts_made.get() + 1);
        Host { device: Rc::clone(self), life, role, number: self.hosts_made.get() }
    }

    /// Whether there is a network.
    pub fn is_linked(&self) -> bool {
        !self.world.bad_for(self.index).any(|bad| bad == Bad::Offline)
    }

    /// Troubles with the network began or ended.
    pub fn link_may_have_changed(&self) {
        self.link_changed.notify_waiters();
    }

    /// Returns when there is a network.
    pub async fn linked(&self) {
        while !self.is_linked() {
            self.link_changed.notified().await;
        }
    }

    /// Says something about this device in the story.
    pub fn say(&self, line: impl FnOnce() -> String) {
        self.world.trace.say(self.world.kernel.now_ms(), || format!("{}: {}", self.name(), line()));
    }

    /// Whether that bug is planted.
    pub fn has(&self, mutant: Mutant) -> bool {
        self.world.mutant == Some(mutant)
    }

    /// Something ends at the n-th await from now.
    pub fn trip(&self, what: Falls, steps: u32) {
        self.trips.borrow_mut().push(Trip { what, steps });
    }

    /// No more of that.
    pub fn clear_trips(&self) {
        self.trips.borrow_mut().clear();
    }

    /// Keeps what an answer says about the cookie.
    pub fn take_cookie(&self, response: &Response) {
        let Some(set) = &response.set_cookie else { return };
        let pair = set.split(';').next().unwrap_or_default();
        let cookie = if pair.ends_with('=') { None } else { Some(pair.to_owned()) };
        if let (Some(cookie), Some(realm)) = (&cookie, realm_told(&response.body)) {
            self.cookie_realms.borrow_mut().insert(cookie.clone(), realm);
        }
        self.cookies.borrow_mut().push((self.world.kernel.now_ms(), cookie.clone()));
        *self.cookie.borrow_mut() = cookie;
    }

    /// Whether the cookie is a sign-in at that company: a device that lost power may have an older one.
    pub fn has_cookie_of(&self, realm: &TenantId) -> bool {
        let realms = self.cookie_realms.borrow();
        self.cookie
            .borrow()
            .as_ref()
            .is_some_and(|cookie| realms.get(cookie).is_some_and(|told| told == realm.as_str()))
    }

    /// The power goes: everything that runs ends, and what was not on the disk is lost.
    pub fn crash(self: &Rc<Self>) {
        self.say(|| "the power goes".to_owned());
        self.world.oracle.host_ended(self);
        let power = self.power.replace(self.world.kernel.life());
        self.end_all();
        power.end();
        let now_ms = self.world.kernel.now_ms();
        let mut chance = self.step_chance.borrow_mut();
        self.disk.borrow_mut().queue.lose_unflushed(now_ms, &mut chance);
        let cookies = self.cookies.borrow();
        let flushed = cookies.iter().rev().find(|(at_ms, _)| now_ms - at_ms >= 30_000);
        if let Some((_, cookie)) = flushed.filter(|_| chance.percent(50)) {
            self.cookie.borrow_mut().clone_from(cookie);
        }
    }

    /// Everything this site has stored is thrown away by the browser.
    pub fn evict(self: &Rc<Self>) {
        self.say(|| "the browser throws away what the site has stored".to_owned());
        self.end_all();
        *self.disk.borrow_mut() = Disk::default();
        *self.sync.borrow_mut() = SyncManager::default();
        *self.cookie.borrow_mut() = None;
        self.installs.set(self.installs.get() + 1);
        self.world.oracle.evicted(self);
    }

    /// Everything on it stands still for a while.
    pub fn freeze(self: &Rc<Self>, ms: i64) {
        self.say(|| format!("stands still for {} s", ms / 1_000));
        for life in self.lives() {
            life.freeze();
        }
        let device = Rc::clone(self);
        self.world.life.spawn(async move {
            device.world.kernel.sleep(ms).await;
            device.wake_up();
        });
    }

    /// Everything runs again, but for the pages that iOS keeps still because nobody sees them.
    pub fn wake_up(&self) {
        self.world.oracle.excuse(self);
        for tab in self.tabs.borrow().iter().filter(|tab| !(tab.is_hidden.get() && self.kind == Kind::Safari)) {
            tab.host.life.thaw();
        }
        if let Some(worker) = self.worker.borrow().as_ref() {
            worker.host.life.thaw();
        }
    }

    /// A tab is hidden for a while.
    pub fn hide(self: &Rc<Self>, ms: i64) {
        let Some(tab) = self.tabs.borrow().first().cloned() else { return };
        self.set_hidden(&tab, true);
        let device = Rc::clone(self);
        self.world.life.spawn(async move {
            device.world.kernel.sleep(ms).await;
            if !tab.host.life.has_ended() {
                device.set_hidden(&tab, false);
            }
        });
    }

    fn lives(&self) -> Vec<Life> {
        let tabs: Vec<_> = self.tabs.borrow().iter().map(|tab| tab.host.life.clone()).collect();
        tabs.into_iter().chain(self.worker.borrow().as_ref().map(|worker| worker.host.life.clone())).collect()
    }

    /// Tabs and worker end.
    pub fn end_all(&self) {
        for tab in self.tabs.take() {
            self.end_host(&tab.host);
        }
        if let Some(worker) = self.worker.take() {
            self.end_host(&worker.host);
        }
        self.locks.clear();
        self.sync.borrow_mut().is_running = false;
    }

    /// Ends a tab or worker: its tasks stop where they are, and what it held is free.
    pub fn end_host(&self, host: &Host) {
        self.world.oracle.host_ended(self);
        self.channel.borrow_mut().retain(|endpoint| !endpoint.is_of(host));
        host.life.end();
        let leaks = self.world.bad_for(self.index).any(|bad| bad == Bad::LocksLeak);
        self.locks.host_ended(host.number, leaks);
        let (theirs, others) = self.endings.take().into_iter().partition(|(number, _)| *number == host.number);
        self.endings.borrow_mut().extend::<Vec<_>>(others);
        let theirs: Vec<Ending> = theirs;
        for (_, ending) in theirs {
            ending();
        }
    }

    /// Lets go of everything that holds on to the world.
    pub fn dissolve(&self) {
        self.end_all();
        self.power.borrow().end();
    }
}

impl Host {
    /// What people call it.
    pub fn name(&self) -> String {
        match self.role {
            Role::Tab(number) => format!("tab {number}"),
            Role::Worker => "the worker".to_owned(),
            Role::Browser => "the browser".to_owned(),
        }
    }

    /// The device's clock.
    pub fn now(&self) -> Moment {
        self.device.now()
    }

    /// Bytes of chance for the machines.
    pub fn entropy(&self) -> Vec<u8> {
        self.device.entropy_chance.borrow_mut().bytes::<64>().to_vec()
    }

    /// Begins a task of this host.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.life.spawn(future);
    }

    /// Waits as a timer does.
    pub async fn sleep(&self, ms: i64) {
        self.device.world.kernel.sleep(ms).await;
    }

    /// An await: others may run, time may pass, and this is where a worker is killed, a tab closed, a device dies.
    pub async fn step(&self) {
        if self.falls() {
            std::future::pending::<()>().await;
        }
        let ms = {
            let mut chance = self.device.step_chance.borrow_mut();
            if chance.percent(65) { 0 } else { chance.within(1, 4) }
        };
        if ms > 0 {
            self.sleep(ms).await;
        }
    }

    /// What is let go of when this host ends: work that several wait for holds on to whoever does it.
    pub fn at_end(&self, ending: impl Fn() + 'static) {
        self.device.endings.borrow_mut().push((self.number, Rc::new(ending)));
    }

    /// Whether that bug is planted.
    pub fn has(&self, mutant: Mutant) -> bool {
        self.device.has(mutant)
    }

    /// Counts down to what ends here; true when this host has just ended.
    fn falls(&self) -> bool {
        let due = {
            let mut trips = self.device.trips.borrow_mut();
            let concerns = |what| match self.role {
                Role::Worker => what != Falls::Tab,
                Role::Tab(_) => what != Falls::Worker,
                Role::Browser => false,
            };
            for trip in trips.iter_mut().filter(|trip| concerns(trip.what)) {
                trip.steps = trip.steps.saturating_sub(1);
            }
            let at = trips.iter().position(|trip| concerns(trip.what) && trip.steps == 0);
            at.map(|at| trips.remove(at).what)
        };
        match due {
            None => return false,
            Some(Falls::Worker) => self.device.kill_worker("killed by the browser"),
            Some(Falls::Tab) => self.device.close_tab_of(self),
            Some(Falls::Device) => {
                self.device.crash();
                self.device.world.reboot_later(&self.device);
            }
        }
        true
    }

    /// A transaction over a company's data, run again when the connection was lost. Its error is what the browser says.
    pub async fn transact<T>(
        &self,
        realm: &TenantId,
        mut work: impl FnMut(&mut Txn<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        self.step().await;
        match self.disk_trouble() {
            Some(DiskTrouble::Full) => {
                let result = self.try_full(realm, &mut work);
                self.step().await;
                return result;
            }
            // The commit went through, its answer did not: the work is done again on top of itself.
            Some(DiskTrouble::LostAfter) => {
                self.commit(realm, &mut work)?;
                self.step().await;
            }
            Some(DiskTrouble::LostBefore) => self.step().await,
            None => {}
        }
        let value = self.commit(realm, &mut work)?;
        self.step().await;
        Ok(value)
    }

    fn commit<T>(
        &self,
        realm: &TenantId,
        work: &mut impl FnMut(&mut Txn<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut disk = self.device.disk.borrow_mut();
        let data = disk.tenants.entry(realm.clone()).or_default();
        let mut txn = Txn::new(data, false);
        let value = work(&mut txn)?;
        let (changed, counts) = (std::mem::take(&mut txn.changed), std::mem::take(&mut txn.counts));
        drop(disk);
        let world = &self.device.world;
        for (item, touched) in &counts {
            world.oracle.counted(world, &self.device, item, *touched);
        }
        world.oracle.committed(&self.device, &changed);
        Ok(value)
    }

    /// Reading goes well on a full disk; what writes fails as a whole.
    fn try_full<T>(
        &self,
        realm: &TenantId,
        work: &mut impl FnMut(&mut Txn<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut disk = self.device.disk.borrow_mut();
        let mut txn = Txn::new(disk.tenants.entry(realm.clone()).or_default(), true);
        let value = work(&mut txn)?;
        if txn.has_written { Err("QuotaExceededError".to_owned()) } else { Ok(value) }
    }

    /// A read of what belongs to no company.
    pub async fn read_disk<T>(&self, work: impl FnOnce(&Disk) -> T) -> Result<T, String> {
        self.step().await;
        let value = work(&self.device.disk.borrow());
        self.step().await;
        Ok(value)
    }

    /// A write of what belongs to no company.
    pub async fn on_disk<T>(&self, work: impl FnOnce(&mut Disk) -> T) -> Result<T, String> {
        self.step().await;
        if self.disk_trouble() == Some(DiskTrouble::Full) {
            return Err("QuotaExceededError".to_owned());
        }
        let value = work(&mut self.device.disk.borrow_mut());
        self.step().await;
        Ok(value)
    }

    fn disk_trouble(&self) -> Option<DiskTrouble> {
        let mut found = None;
        for bad in self.device.world.bad_for(self.device.index) {
            match bad {
                Bad::DiskFull => return Some(DiskTrouble::Full),
                Bad::DiskReopens(percent) => {
                    let mut chance = self.device.step_chance.borrow_mut();
                    if chance.percent(percent) {
                        let after = chance.percent(50);
                        found = Some(if after { DiskTrouble::LostAfter } else { DiskTrouble::LostBefore });
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// The company that an answer with a sign-in names.
fn realm_told(body: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(body).ok()?;
    answer["user"]["tenantId"].as_str().map(ToOwned::to_owned)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DiskTrouble {
    Full,
    LostBefore,
    LostAfter,
}
