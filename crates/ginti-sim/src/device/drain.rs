//! Follows `drain.ts`: carries out what the courier machine decides. Look, send with a timeout, write the outcome, then delete.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared, select},
};
use ginti_sync::{
    Moment,
    courier::{Effect, Event, Failure, QueuedEntry, WakeCause},
    record::{Answer, DeliveryState, ErrorNote},
};
use ginti_types::{BatchId, TenantId};

use super::{
    Host,
    browser::Word,
    disk::Queued,
    engine::{CourierEngine, DEAD_LETTER_STATUS, is_deaf},
    lock::with_lock,
    planning::once,
    tokens::{Token, Tokens},
};
use crate::{
    mutants::Mutant,
    network::{Broken, IMPORTS, Request, fetch},
};

const COURIER_LOCK: &str = "ginti-courier";
const LOCK_WAIT_MS_MAX: i64 = 20_000;
const NEAR_MS_MAX: i64 = 5_000;
const TIMER_MS_MAX: i64 = 60 * 60_000;
const TROUBLE_MS: i64 = 10_000;
/// How long the mutant that forgets keeps an entry.
const EXPIRES_MS: i64 = 60 * 60_000;

type OnRemaining = Rc<dyn Fn()>;

/// Delivers for one host.
pub struct Drain {
    host: Host,
    tokens: Rc<Tokens>,
    on_remaining: Option<OnRemaining>,
    running: RefCell<Option<Shared<LocalBoxFuture<'static, ()>>>>,
    waiting: Cell<Option<WakeCause>>,
    hurry: tokio::sync::Notify,
    is_near: Cell<bool>,
    timer: Cell<u64>,
    channel: u64,
    is_stopped: Cell<bool>,
    frozen: RefCell<Option<Token>>,
}

enum Next {
    Nothing,
    Event(Event),
    /// Look at the queue again.
    Wake(WakeCause),
}

impl Drain {
    /// For that host.
    pub fn new(host: &Host, tokens: &Rc<Tokens>, on_remaining: Option<OnRemaining>) -> Rc<Self> {
        let channel = host.device.listen(host, Rc::new(|_| {}));
        let drain = Rc::new(Self {
            host: host.clone(),
            tokens: Rc::clone(tokens),
            on_remaining,
            running: RefCell::default(),
            waiting: Cell::new(None),
            hurry: tokio::sync::Notify::new(),
            is_near: Cell::new(false),
            timer: Cell::new(0),
            channel,
            is_stopped: Cell::new(false),
            frozen: RefCell::default(),
        });
        let weak = Rc::downgrade(&drain);
        host.at_end(move || {
            if let Some(drain) = weak.upgrade() {
                drop(drain.running.take());
            }
        });
        drain
    }

    /// Ends when the queue is empty or has to wait. Wakes that come meanwhile become one more round.
    pub fn wake(self: &Rc<Self>, cause: WakeCause) -> Shared<LocalBoxFuture<'static, ()>> {
        if self.is_stopped.get() {
            return async {}.boxed_local().shared();
        }
        if self.waiting.get().is_none_or(|waiting| weight(cause) >= weight(waiting)) {
            self.waiting.set(Some(cause));
        }
        if self.is_near.get() {
            self.hurry.notify_one();
        }
        let drain = Rc::clone(self);
        if self.host.has(Mutant::ConcurrentDrain) {
            let another = async move { drain.rounds().await }.boxed_local().shared();
            self.host.spawn(another.clone());
            return another;
        }
        once(&self.host, &self.running, move || async move { drain.rounds().await }.boxed_local())
    }

    /// For good; a send on its way is still written down.
    pub fn stop(&self) {
        self.is_stopped.set(true);
        self.timer.set(self.timer.get() + 1);
        self.host.device.close_channel(self.channel);
    }

    async fn rounds(self: &Rc<Self>) {
        while self.waiting.get().is_some() {
            if self.exclusively().await.is_err() {
                self.waiting.set(None);
                self.arm(TROUBLE_MS, WakeCause::Timer);
                break;
            }
        }
        *self.running.borrow_mut() = None;
    }

    async fn exclusively(self: &Rc<Self>) -> Result<(), String> {
        if self.host.has(Mutant::ConcurrentDrain) {
            return self.round().await;
        }
        if let Some(result) = with_lock(&self.host, COURIER_LOCK, LOCK_WAIT_MS_MAX, self.round()).await {
            return result;
        }
        let now = self.host.now();
        if !self.host.on_disk(move |disk| disk.take_courier_over(now, 3 * LOCK_WAIT_MS_MAX)).await? {
            // Another context is at it and alive.
            let cause = self.take_cause();
            self.arm(TROUBLE_MS, cause);
            return Ok(());
        }
        // The holder is gone and the lock leaked. Sending twice is harmless, never sending is not.
        self.host.device.world.oracle.lock_given_up(&self.host.device);
        self.round().await
    }

    async fn round(self: &Rc<Self>) -> Result<(), String> {
        let cause = self.take_cause();
        let host = &self.host;
        let mut batches = host.read_disk(|disk| disk.queue.all()).await?;
        if batches.is_empty() && !is_always_heard(cause) {
            return Ok(());
        }
        let record = host.read_disk(|disk| disk.courier.clone()).await?;
        if is_deaf(host.device.world.mutant, record.as_ref(), cause) {
            return Ok(());
        }
        let mut courier = CourierEngine::new(host, record);
        let mut event = Some(self.wake_event(cause, &batches).await?);
        while let Some(happened) = event.take() {
            let effects = courier.handle(host.now(), &host.entropy(), happened);
            let mut next = Next::Nothing;
            for effect in effects {
                next = self.carry_out(effect, &batches).await?;
            }
            event = match next {
                Next::Nothing => None,
                Next::Event(event) => Some(event),
                Next::Wake(cause) => {
                    batches = host.read_disk(|disk| disk.queue.all()).await?;
                    Some(self.wake_event(cause, &batches).await?)
                }
            };
        }
        Ok(())
    }

    fn take_cause(&self) -> WakeCause {
        self.waiting.take().unwrap_or(WakeCause::Timer)
    }

    async fn wake_event(&self, cause: WakeCause, batches: &[Queued]) -> Result<Event, String> {
        let mut entries = Vec::new();
        for batch in batches {
            if self.host.has(Mutant::ExpiresSilently) && self.host.now().0 - batch.at_ms > EXPIRES_MS {
                self.delete(batch.id, batch.batch_id, &batch.realm).await?;
                continue;
            }
            let batch_id = batch.batch_id;
            let state =
                self.host.transact(&batch.realm, |txn| Ok(txn.data().deliveries.get(&batch_id).map(|d| d.state)));
            let withdrawn = matches!(
                state.await?,
                Some(DeliveryState::Withdrawn | DeliveryState::Answered | DeliveryState::Settled)
            );
            entries.push(QueuedEntry { id: batch.id, batch_id, realm: batch.realm.to_string(), withdrawn });
        }
        Ok(Event::Wake { cause, entries, realm: self.token().map(|token| token.realm.to_string()) })
    }

    /// The token that sends.
    fn token(&self) -> Option<Token> {
        if self.host.has(Mutant::TokenFrozen) {
            let mut frozen = self.frozen.borrow_mut();
            if frozen.is_none() {
                *frozen = self.tokens.current();
            }
            return frozen.clone();
        }
        self.tokens.current()
    }

    /// Gives the next event, for the effects that end a list.
    async fn carry_out(self: &Rc<Self>, effect: Effect, batches: &[Queued]) -> Result<Next, String> {
        match effect {
            Effect::Idle => Ok(Next::Nothing),
            Effect::Persist { record } => {
                self.host.on_disk(|disk| disk.courier = Some(record)).await?;
                Ok(Next::Nothing)
            }
            Effect::Note { batch_id, realm, attempted, error, .. } => {
                let realm = tenant(&realm)?;
                self.write_note(&realm, batch_id, attempted, error).await?;
                self.say(&Word::Noted(realm));
                Ok(Next::Nothing)
            }
            Effect::Settle { entry, batch_id, realm, answer } => {
                let realm = tenant(&realm)?;
                if let Some(answer) = answer {
                    self.write_answer_or_trip(&realm, batch_id, answer).await?;
                }
                self.delete(entry, batch_id, &realm).await?;
                self.say(&Word::Answered(realm));
                Ok(Next::Nothing)
            }
            Effect::Send { entry, timeout_ms } => self.send(entry, timeout_ms, batches).await,
            Effect::Refresh { timeout_ms } => {
                let refreshed = self.tokens.refresh(i64::try_from(timeout_ms).unwrap_or(i64::MAX)).await;
                let realm = refreshed.realm.map(|realm| realm.to_string());
                Ok(Next::Event(Event::Refreshed { result: refreshed.result, realm }))
            }
            Effect::Wait { until, .. } => self.wait(until).await,
        }
    }

    async fn send(self: &Rc<Self>, entry: u64, timeout_ms: u64, batches: &[Queued]) -> Result<Next, String> {
        let failed = |failure| Ok(Next::Event(Event::Failed { entry, failure }));
        let Some(batch) = batches.iter().find(|batch| batch.id == entry) else { return failed(Failure::Network) };
        let token = self.token();
        // Somebody of another company signed in since the queue was looked at: look again.
        if token.as_ref().is_some_and(|token| token.realm != batch.realm) {
            return Ok(Next::Wake(WakeCause::Poke));
        }
        if self.host.has(Mutant::DeleteBeforeSend) {
            self.delete(entry, batch.batch_id, &batch.realm).await?;
        }
        let mut request = Request::post(IMPORTS, batch.body.clone());
        request.token = token.map(|token| token.access);
        request.idempotency_key = Some(batch.batch_id.to_string());
        let timeout_ms = i64::try_from(timeout_ms).unwrap_or(i64::MAX);
        let timeout_ms = if self.host.has(Mutant::NoTimeout) { None } else { Some(timeout_ms) };
        let (world, device) = (&self.host.device.world, &self.host.device);
        world.oracle.batch_sent(world, device, &self.host, batch.batch_id);
        let answered = fetch(&self.host, request, timeout_ms).await;
        world.oracle.batch_answered(device, &self.host, batch.batch_id, &answered);
        match answered {
            Ok(response) if self.host.has(Mutant::StatusIgnored) && response.status != 200 => {
                let answer =
                    Answer { status: response.status, body: response.body, at: self.host.now(), replayed: false };
                self.write_answer(&batch.realm, batch.batch_id, answer).await?;
                self.delete(entry, batch.batch_id, &batch.realm).await?;
                self.say(&Word::Answered(batch.realm.clone()));
                Ok(Next::Wake(WakeCause::Poke))
            }
            Ok(response) if self.host.has(Mutant::QueueDroppedAtSignIn) && response.status == 401 => {
                let answer = Answer { status: 401, body: response.body, at: self.host.now(), replayed: false };
                self.write_answer(&batch.realm, batch.batch_id, answer).await?;
                self.delete(entry, batch.batch_id, &batch.realm).await?;
                self.say(&Word::Answered(batch.realm.clone()));
                Ok(Next::Wake(WakeCause::Poke))
            }
            Ok(response) => Ok(Next::Event(Event::Answered {
                entry,
                status: response.status,
                retry_after: response.retry_after,
                replayed: response.replayed,
                body: response.body,
            })),
            Err(Broken::Timeout) => failed(Failure::Timeout),
            Err(Broken::Network) => failed(Failure::Network),
        }
    }

    async fn wait(self: &Rc<Self>, until: Moment) -> Result<Next, String> {
        if let Some(on_remaining) = &self.on_remaining {
            on_remaining();
        }
        let left = (until.0 - self.host.now().0).max(0);
        if left > NEAR_MS_MAX {
            self.arm(left, WakeCause::Timer);
            return Ok(Next::Nothing);
        }
        if self.waiting.get().is_none() {
            self.is_near.set(true);
            let hurried = std::pin::pin!(self.hurry.notified());
            select(hurried, self.host.device.world.kernel.sleep(left)).await;
            self.is_near.set(false);
        }
        Ok(Next::Wake(self.take_cause()))
    }

    fn arm(self: &Rc<Self>, ms: i64, cause: WakeCause) {
        let number = self.timer.get() + 1;
        self.timer.set(number);
        if self.is_stopped.get() {
            return;
        }
        let drain = Rc::clone(self);
        self.host.spawn(async move {
            drain.host.sleep(ms.min(TIMER_MS_MAX)).await;
            if drain.timer.get() == number {
                drop(drain.wake(cause));
            }
        });
    }

    async fn delete(&self, entry: u64, batch_id: BatchId, realm: &TenantId) -> Result<(), String> {
        let now_ms = self.host.device.world.kernel.now_ms();
        self.host
            .on_disk(|disk| {
                let state = disk.tenants.get(realm).and_then(|data| data.deliveries.get(&batch_id)).map(|d| d.state);
                self.host.device.world.oracle.entry_deleted(&self.host.device, batch_id, state);
                disk.queue.delete(now_ms, entry);
            })
            .await
    }

    async fn write_note(
        &self,
        realm: &TenantId,
        batch_id: BatchId,
        attempted: bool,
        error: Option<ErrorNote>,
    ) -> Result<(), String> {
        let now = self.host.now();
        self.host
            .transact(realm, |txn| {
                txn.edit(|data| {
                    let Some(delivery) = data.deliveries.get_mut(&batch_id) else { return };
                    delivery.heard_at = Some(now);
                    if attempted {
                        delivery.attempts += 1;
                        delivery.last_attempt_at = Some(now);
                    }
                    delivery.last_error.clone_from(&error);
                });
                Ok(())
            })
            .await
    }

    /// As it should be, or the bug of one `try` around sending and writing down, in which a lost connection to the database
    /// is a failure like any other.
    async fn write_answer_or_trip(&self, realm: &TenantId, batch_id: BatchId, answer: Answer) -> Result<(), String> {
        if !self.host.has(Mutant::DeadLetterAfterAccept) {
            return self.write_answer(realm, batch_id, answer).await;
        }
        let is_lost = self.host.disk_trouble().is_some();
        let result = self.write_answer(realm, batch_id, answer.clone()).await;
        if (is_lost || result.is_err()) && answer.status == 200 {
            let refusal = Answer { status: DEAD_LETTER_STATUS, body: String::new(), ..answer };
            let mut disk = self.host.device.disk.borrow_mut();
            if let Some(delivery) = disk.tenants.get_mut(realm).and_then(|data| data.deliveries.get_mut(&batch_id)) {
                delivery.state = DeliveryState::Answered;
                delivery.answer = Some(refusal);
            }
            return Ok(());
        }
        result
    }

    async fn write_answer(&self, realm: &TenantId, batch_id: BatchId, answer: Answer) -> Result<(), String> {
        let now = self.host.now();
        self.host
            .transact(realm, |txn| {
                txn.edit(|data| {
                    let delivery = data.deliveries.get_mut(&batch_id);
                    if let Some(delivery) = delivery.filter(|delivery| delivery.state != DeliveryState::Settled) {
                        delivery.state = DeliveryState::Answered;
                        delivery.answer = Some(answer.clone());
                        delivery.answered_at = Some(now);
                        delivery.heard_at = Some(now);
                    }
                });
                Ok(())
            })
            .await
    }

    fn say(&self, word: &Word) {
        if !self.is_stopped.get() {
            self.host.device.broadcast(self.channel, word);
        }
    }
}

fn tenant(realm: &str) -> Result<TenantId, String> {
    TenantId::new(realm).map_err(|error| error.to_string())
}

fn is_always_heard(cause: WakeCause) -> bool {
    matches!(cause, WakeCause::SignedIn | WakeCause::Manual)
}

fn weight(cause: WakeCause) -> u8 {
    match cause {
        WakeCause::SignedIn | WakeCause::Manual => 2,
        WakeCause::Online | WakeCause::Visible | WakeCause::Sync | WakeCause::Activate => 1,
        _ => 0,
    }
}
