//! Follows `page.ts`: counts, plans, hands over, settles. The truth is on the disk at every moment.

use std::{cell::Cell, rc::Rc};

use ginti_sync::{
    batcher::{Announced, Trigger},
    courier::WakeCause,
    record::DeliveryState,
};
use ginti_types::{Batch, BatchId, SessionId, TenantId, UserLoginId};

use super::{
    Host,
    browser::{Word, WorkerEvent},
    counting::{Counting, Done, Request},
    disk::{Profile, Queued},
    drain::Drain,
    engine::Engine,
    fetching::Fetching,
    planning::Planning,
    tokens::{Announcement, Token, Tokens},
};
use crate::{mutants::Mutant, scenario::Kind};

const POKE_EVERY_MS: i64 = 15_000;
const WORKER_ANSWERS_WITHIN_MS: i64 = 10_000;
const WORKER_SILENT_MS: i64 = 90_000;

/// The courier's page part, for one person.
pub struct Page {
    host: Host,
    is_controlled: bool,
    /// The person's company.
    pub realm: TenantId,
    /// The person.
    pub user: UserLoginId,
    tokens: Rc<Tokens>,
    engine: Rc<Engine>,
    counting: Counting,
    planning: Rc<Planning>,
    fetching: Rc<Fetching>,
    drain: Rc<Drain>,
    channel: Cell<u64>,
    is_announcing: Cell<bool>,
    is_stopped: Cell<bool>,
}

impl Page {
    /// Gives the device an identity if it has none, and starts.
    pub async fn create(
        host: &Host,
        is_controlled: bool,
        profile: &Profile,
        tokens: &Rc<Tokens>,
    ) -> Result<Rc<Self>, String> {
        let engine = Rc::new(Engine::new(host));
        let (realm, user) = (profile.tenant.clone(), profile.user.clone());
        host.transact(&realm, |txn| {
            if txn.device().is_none() {
                txn.put_device(engine.new_device(host.entropy()));
            }
            Ok(())
        })
        .await?;
        let page = Rc::new(Self {
            host: host.clone(),
            is_controlled,
            counting: Counting::new(host, realm.clone(), user.clone(), Rc::clone(&engine)),
            planning: Planning::new(host, realm.clone(), Rc::clone(&engine)),
            fetching: Rc::new(Fetching::new(host, realm.clone(), Rc::clone(&engine), Rc::clone(tokens))),
            drain: Drain::new(host, tokens, None),
            realm,
            user,
            tokens: Rc::clone(tokens),
            engine,
            channel: Cell::new(0),
            is_announcing: Cell::new(false),
            is_stopped: Cell::new(false),
        });
        page.planning.belongs_to(&page);
        page.fetching.belongs_to(&page);
        page.start();
        Ok(page)
    }

    fn start(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        let id = self.host.device.listen(
            &self.host,
            Rc::new(move |word| {
                if let (Some(page), Word::Answered(realm)) = (weak.upgrade(), word)
                    && realm == page.realm
                    && !page.is_stopped.get()
                {
                    drop(page.planning.settle());
                }
            }),
        );
        self.channel.set(id);
        let page = Rc::clone(self);
        self.host.spawn(async move {
            loop {
                page.host.sleep(POKE_EVERY_MS).await;
                if page.is_stopped.get() {
                    return;
                }
                // What a look could not do the next one does.
                let _ = page.look().await;
            }
        });
        if self.host.has(Mutant::JournalApart) {
            let page = Rc::clone(self);
            self.host.spawn(async move { page.counting.mend_apart().await });
        }
        self.wake(Trigger::Start, WakeCause::Start);
    }

    /// For good: another page may begin on the same data.
    pub fn stop(&self) {
        self.is_stopped.set(true);
        self.host.device.close_channel(self.channel.get());
        self.planning.stop();
        self.drain.stop();
    }

    /// One count.
    pub async fn count(self: &Rc<Self>, request: Request) -> Result<Done, String> {
        let done = self.counting.count(request).await?;
        self.planning.note_dirty();
        Ok(done)
    }

    /// Takes back the newest scan.
    pub async fn undo(self: &Rc<Self>, session: &SessionId) -> Result<Option<Done>, String> {
        let done = self.counting.undo(session).await?;
        if done.is_some() {
            self.planning.note_dirty();
        }
        Ok(done)
    }

    /// Cuts what is unsent and wakes the courier.
    pub async fn flush(self: &Rc<Self>, trigger: Trigger) {
        self.planning.plan(trigger).await;
        self.poke(WakeCause::Manual).await;
    }

    /// Somebody signed in: what waited at the gate goes on, and so do rows that were refused because of who was signed in before.
    pub async fn signed_in(self: &Rc<Self>) {
        // Rows that could not be made dirty now are at the next sign-in.
        let _ = self.counting.retry_after_sign_in().await;
        self.go_on().await;
    }

    /// A token was obtained: what waited at the gate goes on.
    pub async fn go_on(self: &Rc<Self>) {
        self.host.step().await;
        if let Some(token) = self.tokens.current() {
            self.host.device.dispatch(WorkerEvent::Token(token, Some(WakeCause::SignedIn)));
        }
        if self.drains_itself() {
            drop(self.drain.wake(WakeCause::SignedIn));
        }
        self.planning.plan(Trigger::Online).await;
    }

    /// The server's rows of a session.
    pub async fn refresh_session(&self, session: &SessionId) -> Result<(), String> {
        self.fetching.items(session).await
    }

    /// The same, without waiting.
    pub fn refresh_session_soon(&self, session: SessionId) {
        let fetching = Rc::clone(&self.fetching);
        self.host.spawn(async move {
            let _ = fetching.items(&session).await;
        });
    }

    /// How the server stands, without waiting.
    pub fn refresh_sessions_soon(&self) {
        let fetching = Rc::clone(&self.fetching);
        self.host.spawn(async move {
            let _ = fetching.sessions().await;
        });
    }

    /// Everything for a shift without network.
    pub async fn prefetch(&self) -> Result<(), String> {
        self.fetching.everything().await
    }

    /// Plans, without waiting.
    pub fn plan(&self, trigger: Trigger) {
        drop(self.planning.plan(trigger));
    }

    /// The browser says something.
    pub fn wake(self: &Rc<Self>, trigger: Trigger, cause: WakeCause) {
        if self.is_stopped.get() || self.host.has(Mutant::ResumesAtNextWriteOnly) {
            return;
        }
        drop(self.planning.plan(trigger));
        if trigger == Trigger::Hidden {
            return;
        }
        if !(self.host.has(Mutant::ChannelTrusted)) {
            drop(self.planning.settle());
        }
        let page = Rc::clone(self);
        self.host.spawn(async move { page.poke(cause).await });
    }

    /// The slow interval: nothing depends on a message having arrived.
    async fn look(self: &Rc<Self>) -> Result<(), String> {
        if self.host.has(Mutant::ResumesAtNextWriteOnly) {
            return Ok(());
        }
        if !self.host.has(Mutant::ChannelTrusted) {
            self.planning.settle().await;
        }
        self.planning.plan(Trigger::Tick).await;
        let open = self.host.transact(&self.realm, |txn| {
            let waits = |state| matches!(state, DeliveryState::Cut | DeliveryState::Custody);
            Ok(txn.open_deliveries().into_iter().filter(|delivery| waits(delivery.state)).collect::<Vec<_>>())
        });
        let open = open.await?;
        if open.is_empty() {
            return Ok(());
        }
        self.poke(WakeCause::Interval).await;
        let silent_since = self.host.now().0 - WORKER_SILENT_MS;
        let is_silent = open.iter().any(|delivery| {
            let newest = [delivery.heard_at, delivery.custody_at].into_iter().flatten().map(|at| at.0).max();
            newest.unwrap_or(0).max(delivery.created_at.0) < silent_since
        });
        if is_silent && !self.host.has(Mutant::NoPageFallback) {
            drop(self.drain.wake(WakeCause::Interval));
        }
        Ok(())
    }

    async fn poke(self: &Rc<Self>, cause: WakeCause) {
        self.host.step().await;
        if self.host.device.kind != Kind::NoWorker {
            if let Some(token) = self.tokens.current() {
                self.host.device.dispatch(WorkerEvent::Token(token, None));
            }
            self.host.device.dispatch(WorkerEvent::Poke(cause));
        }
        if self.drains_itself() {
            drop(self.drain.wake(cause));
        }
    }

    fn drains_itself(&self) -> bool {
        !self.is_controlled && !self.host.has(Mutant::NoPageFallback)
    }

    /// Gives a batch to a courier. Its error says why none has it.
    pub async fn hand_over(self: &Rc<Self>, batch_id: BatchId, body: String) -> Result<(), String> {
        if self.is_controlled {
            let token = self.own_token();
            let (device, realm) = (&self.host.device, self.realm.clone());
            if device.ask_worker(&self.host, body.clone(), realm, token, WORKER_ANSWERS_WITHIN_MS).await {
                return Ok(());
            }
        }
        if self.host.has(Mutant::NoPageFallback) {
            return Err("there is no worker".to_owned());
        }
        let device = &self.host.device;
        debug_assert!(serde_json::from_str::<Batch>(&body).is_ok());
        let (now_ms, at_ms) = (device.world.kernel.now_ms(), self.host.now().0);
        let entry = Queued { id: 0, batch_id, realm: self.realm.clone(), body, at_ms, headers: String::new() };
        device.world.oracle.queued(device, &entry);
        self.host.on_disk(|disk| disk.queue.push(now_ms, entry)).await?;
        drop(self.drain.wake(WakeCause::Queued));
        Ok(())
    }

    /// The token of the moment, unless someone of another company signed in meanwhile.
    fn own_token(&self) -> Option<Token> {
        self.tokens.current().filter(|token| token.realm == self.realm)
    }

    /// Once at a time: every plan asks for it until it is done.
    pub fn announce(self: &Rc<Self>) {
        if self.is_announcing.replace(true) {
            return;
        }
        let page = Rc::clone(self);
        self.host.spawn(async move {
            // Told again at the next plan when it could not be told now.
            let _ = page.announce_once().await;
            page.is_announcing.set(false);
        });
    }

    async fn announce_once(self: &Rc<Self>) -> Result<(), String> {
        if self.tokens.current().is_some() && self.own_token().is_none() {
            return Ok(());
        }
        let device = self.host.transact(&self.realm, |txn| Ok(txn.device())).await?;
        let Some(device) = device else { return Ok(()) };
        let Some(next) = device.next_device_id.clone() else { return Ok(()) };
        let announcement =
            Announcement { device_id: Some(next.clone()), former: Some(device.device_id), retire: device.retire };
        let server_time = self.tokens.announce(announcement, POKE_EVERY_MS).await;
        // The cookie may be another company's: then its server has heard it, and ours has not.
        let Some(server_time) = server_time.filter(|_| self.own_token().is_some()) else { return Ok(()) };
        let engine = &self.engine;
        self.host
            .transact(&self.realm, |txn| {
                let now = txn.device().filter(|device| device.next_device_id.as_ref() == Some(&next));
                if let Some(device) = now {
                    txn.put_device(engine.announced(Announced { device, server_time }).device);
                }
                Ok(())
            })
            .await?;
        drop(self.planning.plan(Trigger::Online));
        Ok(())
    }
}
