//! What a browser does by itself: opens and closes tabs, starts and stops the worker, fires sync events, passes words on.

use std::{cell::Cell, rc::Rc};

use ginti_sync::courier::WakeCause;
use ginti_types::TenantId;

use super::{Device, Host, Role, account::Account, tokens::Token, worker::Worker};
use crate::{
    mutants::Mutant,
    scenario::{Bad, Kind},
};

/// An open tab.
pub struct Tab {
    /// Its number on the device.
    pub number: u64,
    /// Where it runs.
    pub host: Host,
    /// Whether the worker controls it: not after a shift-reload, nor without a worker.
    pub is_controlled: bool,
    /// What runs in it.
    pub account: Rc<Account>,
    /// Whether it cannot be seen.
    pub is_hidden: Cell<bool>,
    /// When it was opened, in true time.
    pub opened_ms: i64,
}

/// A running worker.
pub struct WorkerSlot {
    /// Where it runs.
    pub host: Host,
    worker: Rc<Worker>,
    /// Events that were promised to be finished.
    pending: Cell<u32>,
    /// Events so far: tells whether something came since.
    events: Cell<u64>,
}

/// An event for the worker.
pub enum WorkerEvent {
    /// A page posts a batch; answered when it is in the queue.
    Accept {
        /// The body.
        body: String,
        /// Its company.
        realm: TenantId,
        /// The page's token.
        token: Option<Token>,
        /// Whether the worker has it.
        reply: tokio::sync::oneshot::Sender<bool>,
    },
    /// A page's word.
    Token(Token, Option<WakeCause>),
    /// A page's poke.
    Poke(WakeCause),
    /// The browser's sync event.
    Sync {
        /// The browser will not try again.
        is_last_chance: bool,
        /// Whether everything was delivered.
        reply: tokio::sync::oneshot::Sender<bool>,
    },
}

/// The browser's background sync, for the one tag there is.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that the browser keeps")]
pub struct SyncManager {
    is_registered: bool,
    is_again: bool,
    /// The last event there was came to nothing, and nobody asked for another although there was somebody to ask.
    has_given_up: bool,
    /// The worker lived to hear of the event that runs.
    is_reached: bool,
    /// A task works on it.
    pub is_running: bool,
    attempt: usize,
}

/// Waits before the second and the third attempt.
const SYNC_WAITS_MS: [i64; 2] = [300_000, 1_200_000];
/// A worker whose event takes longer is stopped.
const EVENT_MS_MAX: i64 = 300_000;

impl SyncManager {
    /// An event has ended: how long until the next, if there is to be one.
    fn ended(&mut self, is_delivered: bool, is_last_chance: bool) -> Option<i64> {
        let is_over = is_delivered || is_last_chance;
        if !is_over {
            self.attempt += 1;
            return Some(SYNC_WAITS_MS[self.attempt - 1]);
        }
        self.attempt = 0;
        if self.is_again {
            return Some(0);
        }
        self.is_registered = false;
        self.is_running = false;
        self.has_given_up = is_last_chance && self.is_reached;
        None
    }
}

/// What hosts of one device say to each other. It only hurries.
#[derive(Clone, Debug)]
pub enum Word {
    /// A batch was answered.
    Answered(TenantId),
    /// Telemetry of a batch changed.
    Noted(TenantId),
    /// Somebody got a token.
    Token(Token),
    /// A refresh was refused.
    Denied {
        /// When it was asked for.
        asked_at_ms: i64,
    },
    /// Somebody signed out.
    SignedOut,
}

/// A listener on the channel.
pub struct Endpoint {
    id: u64,
    host: Host,
    listener: Rc<dyn Fn(Word)>,
}

impl Endpoint {
    /// Whether it listens for that host.
    pub fn is_of(&self, host: &Host) -> bool {
        self.host.number == host.number
    }
}

impl Device {
    /// Opens a tab; what it does first is its own business.
    pub fn open_tab(self: &Rc<Self>, is_shift_reload: bool) -> Rc<Tab> {
        let life = self.world.kernel.life();
        let host = self.host(life, Role::Tab(0));
        let number = host.number;
        let host = Host { role: Role::Tab(number), ..host };
        let is_controlled = self.kind != Kind::NoWorker && !is_shift_reload;
        let account = Account::new(&host, is_controlled);
        let opened_ms = self.world.kernel.now_ms();
        let tab = Rc::new(Tab { number, host, is_controlled, account, is_hidden: Cell::new(false), opened_ms });
        self.tabs.borrow_mut().push(Rc::clone(&tab));
        self.say(|| format!("tab {number} opens{}", if is_controlled { "" } else { ", no worker controls it" }));
        let account = Rc::clone(&tab.account);
        tab.host.spawn(async move { account.open().await });
        tab
    }

    /// Closes a tab, or whatever tab runs as that host.
    pub fn close_tab(self: &Rc<Self>, number: u64) {
        let closed: Vec<_> = {
            let mut tabs = self.tabs.borrow_mut();
            let (closed, kept) = tabs.drain(..).partition(|tab| tab.number == number);
            *tabs = kept;
            closed
        };
        for tab in closed {
            self.say(|| format!("tab {number} closes"));
            self.end_host(&tab.host);
        }
    }

    /// Closes the tab that runs as that host.
    pub fn close_tab_of(self: &Rc<Self>, host: &Host) {
        if let Role::Tab(number) = host.role {
            self.close_tab(number);
        }
    }

    /// The worker ends where it stands.
    pub fn kill_worker(self: &Rc<Self>, why: &str) {
        if let Some(worker) = self.worker.take() {
            self.say(|| format!("the worker is {why}"));
            self.end_host(&worker.host);
        }
    }

    /// The tab can no longer be seen, or can again.
    pub fn set_hidden(self: &Rc<Self>, tab: &Rc<Tab>, hidden: bool) {
        if tab.is_hidden.replace(hidden) == hidden {
            return;
        }
        self.say(|| format!("tab {} is {}", tab.number, if hidden { "hidden" } else { "seen again" }));
        if !hidden {
            tab.host.life.thaw();
        }
        tab.account.visibility_changed(hidden);
        if hidden && self.kind == Kind::Safari {
            // The page is suspended and its worker is not worth the memory.
            let (device, tab) = (Rc::clone(self), Rc::clone(tab));
            self.browser().spawn(async move {
                device.world.kernel.sleep(5_000).await;
                if tab.is_hidden.get() {
                    tab.host.life.freeze();
                    device.kill_worker("stopped: nobody sees its page");
                }
            });
        }
    }

    /// Gives the worker an event; it is started if it does not run.
    pub fn dispatch(self: &Rc<Self>, event: WorkerEvent) {
        if self.kind == Kind::NoWorker {
            return;
        }
        let running = self.worker.borrow().clone();
        let slot = running.unwrap_or_else(|| self.start_worker());
        slot.pending.set(slot.pending.get() + 1);
        slot.events.set(slot.events.get() + 1);
        let event_number = slot.events.get();
        let is_done = Rc::new(Cell::new(false));
        let (device, worker, mark) = (Rc::clone(self), Rc::clone(&slot), Rc::clone(&is_done));
        slot.host.spawn(async move {
            worker.host.step().await;
            worker.worker.clone().handle(event).await;
            mark.set(true);
            worker.pending.set(worker.pending.get() - 1);
            if worker.pending.get() == 0 {
                device.stop_when_idle(&worker, event_number);
            }
        });
        let (device, slot) = (Rc::clone(self), Rc::downgrade(&slot));
        self.browser().spawn(async move {
            device.world.kernel.sleep(EVENT_MS_MAX).await;
            let is_running = slot.upgrade().is_some_and(|slot| !slot.host.life.has_ended());
            if is_running && !is_done.get() {
                device.kill_worker("stopped: its event takes too long");
            }
        });
    }

    fn start_worker(self: &Rc<Self>) -> Rc<WorkerSlot> {
        let host = self.host(self.world.kernel.life(), Role::Worker);
        self.say(|| "the worker starts".to_owned());
        let worker = Worker::install(&host);
        let slot = Rc::new(WorkerSlot { host, worker, pending: Cell::new(0), events: Cell::new(0) });
        *self.worker.borrow_mut() = Some(Rc::clone(&slot));
        slot
    }

    fn stop_when_idle(self: &Rc<Self>, slot: &Rc<WorkerSlot>, event_number: u64) {
        let idle_ms = if self.kind == Kind::Safari { 10_000 } else { 30_000 };
        let (device, slot) = (Rc::clone(self), Rc::downgrade(slot));
        self.browser().spawn(async move {
            device.world.kernel.sleep(idle_ms).await;
            let Some(slot) = slot.upgrade() else { return };
            if slot.pending.get() == 0 && slot.events.get() == event_number && !slot.host.life.has_ended() {
                device.kill_worker("stopped: it has nothing to do");
            }
        });
    }

    /// Whether the browser has background sync and may use it.
    pub fn can_sync(&self) -> bool {
        self.kind == Kind::Chromium
    }

    /// `registration.sync.register`. While an attempt's backoff runs, registering again changes nothing.
    pub fn register_sync(self: &Rc<Self>) {
        if !self.can_sync() {
            return;
        }
        let mut sync = self.sync.borrow_mut();
        if sync.is_registered {
            sync.is_again = true;
            return;
        }
        sync.is_registered = true;
        sync.has_given_up = false;
        sync.attempt = 0;
        drop(sync);
        self.resume_sync();
    }

    /// A worker hears of a sync event.
    pub fn sync_reached(&self) {
        self.sync.borrow_mut().is_reached = true;
    }

    /// Whether a sync event is still to come, or was the last that will ever come.
    pub fn was_asked_to_sync(&self) -> bool {
        let sync = self.sync.borrow();
        self.can_sync() && (sync.is_registered || sync.has_given_up)
    }

    /// Goes on with what is registered: also when the browser is started.
    pub fn resume_sync(self: &Rc<Self>) {
        {
            let mut sync = self.sync.borrow_mut();
            if !sync.is_registered || sync.is_running {
                return;
            }
            sync.is_running = true;
        }
        let device = Rc::clone(self);
        self.browser().spawn(async move {
            loop {
                device.linked().await;
                // The event comes some seconds after the link.
                device.world.kernel.sleep(3_000).await;
                let attempt = device.sync.borrow().attempt;
                let is_last_chance = attempt == SYNC_WAITS_MS.len();
                {
                    let mut sync = device.sync.borrow_mut();
                    (sync.is_again, sync.is_reached) = (false, false);
                }
                device.say(|| format!("the browser fires sync, attempt {}", attempt + 1));
                let (reply, done) = tokio::sync::oneshot::channel();
                device.dispatch(WorkerEvent::Sync { is_last_chance, reply });
                let is_delivered = done.await.unwrap_or(false);
                let Some(wait_ms) = device.sync.borrow_mut().ended(is_delivered, is_last_chance) else { return };
                device.world.kernel.sleep(wait_ms).await;
            }
        });
    }

    /// Begins to listen on the channel.
    pub fn listen(&self, host: &Host, listener: Rc<dyn Fn(Word)>) -> u64 {
        self.hosts_made.set(self.hosts_made.get() + 1);
        let id = self.hosts_made.get();
        self.channel.borrow_mut().push(Endpoint { id, host: host.clone(), listener });
        id
    }

    /// Ends listening.
    pub fn close_channel(&self, id: u64) {
        self.channel.borrow_mut().retain(|endpoint| endpoint.id != id);
    }

    /// Says a word to everybody else who listens.
    pub fn broadcast(&self, from: u64, word: &Word) {
        let lost = self.world.bad_for(self.index).any(|bad| bad == Bad::WordsLost);
        if lost {
            return;
        }
        for endpoint in self.channel.borrow().iter().filter(|endpoint| endpoint.id != from) {
            let (listener, word, host) = (Rc::clone(&endpoint.listener), word.clone(), endpoint.host.clone());
            endpoint.host.spawn(async move {
                host.step().await;
                listener(word);
            });
        }
    }

    /// The page asks its worker, and is answered when the batch is in the queue.
    pub async fn ask_worker(
        self: &Rc<Self>,
        host: &Host,
        body: String,
        realm: TenantId,
        token: Option<Token>,
        within_ms: i64,
    ) -> bool {
        let (reply, accepted) = tokio::sync::oneshot::channel();
        self.dispatch(WorkerEvent::Accept { body, realm, token, reply });
        let within_ms = if self.has(Mutant::NoTimeout) { i64::MAX / 4 } else { within_ms };
        let timeout = self.world.kernel.sleep(within_ms);
        host.step().await;
        match futures_util::future::select(accepted, timeout).await {
            futures_util::future::Either::Left((accepted, _)) => accepted.unwrap_or(false),
            futures_util::future::Either::Right(_) => false,
        }
    }
}
