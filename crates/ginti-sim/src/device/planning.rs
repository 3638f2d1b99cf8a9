//! Follows `planning.ts`: cuts batches, hands them to the courier and settles answers.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared, join_all},
};
use ginti_sync::{
    Moment,
    batcher::{Handed, HandoverFailed, PlanIn, Settle, Trigger, Unconfirm},
    record::{DeliveryState, Truth},
};
use ginti_types::{BatchId, SessionId, TenantId};

use super::{Host, disk::Txn, engine::Engine, page::Page};
use crate::mutants::Mutant;

const FINISHED_KEPT: usize = 200;
const HANDOVER_RETRY_MS: i64 = 15_000;

type Running = RefCell<Option<Shared<LocalBoxFuture<'static, ()>>>>;

/// Plans for one page.
pub struct Planning {
    host: Host,
    realm: TenantId,
    engine: Rc<Engine>,
    page: RefCell<Weak<Page>>,
    next: Cell<Option<Trigger>>,
    running: Running,
    settling: Running,
    settle_again: Cell<bool>,
    /// The number of the timer that counts; older ones find another.
    timer: Cell<u64>,
    is_stopped: Cell<bool>,
    is_expected: Cell<bool>,
}

impl Planning {
    /// For that page; it says who it is when it is made.
    pub fn new(host: &Host, realm: TenantId, engine: Rc<Engine>) -> Rc<Self> {
        let planning = Rc::new(Self {
            host: host.clone(),
            realm,
            engine,
            page: RefCell::new(Weak::new()),
            next: Cell::new(None),
            running: RefCell::default(),
            settling: RefCell::default(),
            settle_again: Cell::new(false),
            timer: Cell::new(0),
            is_stopped: Cell::new(false),
            is_expected: Cell::new(false),
        });
        let weak = Rc::downgrade(&planning);
        host.at_end(move || {
            if let Some(planning) = weak.upgrade() {
                drop((planning.running.take(), planning.settling.take()));
            }
        });
        planning
    }

    /// Whose planning it is.
    pub fn belongs_to(&self, page: &Rc<Page>) {
        *self.page.borrow_mut() = Rc::downgrade(page);
    }

    /// Plans now; calls that come meanwhile become one more plan.
    pub fn plan(self: &Rc<Self>, trigger: Trigger) -> Shared<LocalBoxFuture<'static, ()>> {
        if self.is_stopped.get() {
            return async {}.boxed_local().shared();
        }
        let is_weak = matches!(trigger, Trigger::Tick | Trigger::Settled);
        if self.next.get().is_none() || !is_weak {
            self.next.set(Some(trigger));
        }
        let planning = Rc::clone(self);
        once(&self.host, &self.running, move || async move { planning.run().await }.boxed_local())
    }

    /// Something was counted.
    pub fn note_dirty(self: &Rc<Self>) {
        if self.is_expected.replace(true) {
            return;
        }
        self.arm(self.host.now());
    }

    /// Turns every answer that has arrived into truth.
    pub fn settle(self: &Rc<Self>) -> Shared<LocalBoxFuture<'static, ()>> {
        self.settle_again.set(true);
        let planning = Rc::clone(self);
        once(&self.host, &self.settling, move || async move { planning.settle_all().await }.boxed_local())
    }

    /// For good.
    pub fn stop(&self) {
        self.is_stopped.set(true);
        self.next.set(None);
        self.timer.set(self.timer.get() + 1);
    }

    async fn run(self: &Rc<Self>) {
        while let Some(trigger) = self.next.take() {
            if self.once(trigger).await.is_err() {
                self.arm(self.host.now().plus_ms(HANDOVER_RETRY_MS));
            }
        }
        *self.running.borrow_mut() = None;
    }

    async fn once(self: &Rc<Self>, trigger: Trigger) -> Result<(), String> {
        self.is_expected.set(false);
        let (host, engine) = (&self.host, &self.engine);
        if host.has(Mutant::ResumesAtNextWriteOnly) && trigger != Trigger::Tick {
            return Ok(());
        }
        let out = host
            .transact(&self.realm, |txn| {
                let Some(device) = txn.device() else { return Ok(None) };
                let mut saved = txn.items_of(Truth::Saved);
                saved.sort_by_key(|item| item.revision);
                saved.truncate(engine.plan_items_max());
                let plan = engine.plan(PlanIn {
                    now: host.now(),
                    trigger,
                    device,
                    saved,
                    open: txn.open_deliveries(),
                    held_items: txn.items_of(Truth::Sending),
                    entropy: host.entropy(),
                });
                txn.put_device(plan.device.clone());
                txn.put_items(plan.items.iter().cloned());
                txn.put_deliveries(plan.deliveries.iter().cloned());
                let is_waiting = txn.data().unconfirmed_rows().any(|item| item.truth == Truth::Saved);
                Ok(Some((plan, is_waiting)))
            })
            .await?;
        let Some((plan, is_waiting)) = out else { return Ok(()) };
        if !host.has(Mutant::ResumesAtNextWriteOnly) {
            let wake_at = if self.is_expected.get() { Some(host.now()) } else { plan.wake_at };
            if let Some(wake_at) = wake_at {
                self.arm(wake_at);
            } else {
                self.timer.set(self.timer.get() + 1);
            }
        }
        self.is_expected.set(self.is_expected.get() || is_waiting);
        if let Some(page) = self.page.borrow().upgrade() {
            if plan.announce {
                page.announce();
            }
            if plan.ask {
                page.refresh_sessions_soon();
            }
        }
        join_all(plan.sends.into_iter().map(|send| self.hand_over(send.batch_id, send.body))).await;
        Ok(())
    }

    async fn hand_over(self: &Rc<Self>, batch_id: BatchId, body: String) {
        let page = self.page.borrow().upgrade();
        let result = match page {
            Some(page) => page.hand_over(batch_id, body).await,
            None => Err("the page is gone".to_owned()),
        };
        let reason = result.err();
        let (host, engine) = (&self.host, &self.engine);
        let written = host
            .transact(&self.realm, |txn| {
                let Some(device) = txn.device() else { return Ok(()) };
                let Some(delivery) = txn.data().deliveries.get(&batch_id).cloned() else { return Ok(()) };
                let now = host.now();
                match &reason {
                    None => {
                        let out = engine.handed(Handed { now, device, delivery });
                        txn.put_device(out.device);
                        if host.has(Mutant::ConfirmByReturn) {
                            let mut items = txn.named_by(&out.delivery);
                            for item in &mut items {
                                item.confirmed = Some(item.revision);
                                item.truth = Truth::Confirmed;
                            }
                            txn.put_items(items);
                        }
                        txn.put_deliveries([out.delivery]);
                    }
                    Some(reason) => {
                        let items = txn.named_by(&delivery);
                        let (reason, entropy) = (reason.clone(), host.entropy());
                        let out =
                            engine.handover_failed(HandoverFailed { now, device, delivery, items, reason, entropy });
                        txn.put_device(out.device);
                        txn.put_items(out.items);
                        txn.put_deliveries([out.delivery]);
                    }
                }
                Ok(())
            })
            .await;
        if written.is_ok() && reason.is_none() {
            host.device.world.oracle.taken_into_custody(&host.device, &self.realm, batch_id);
        }
        if reason.is_some() || written.is_err() {
            self.arm(host.now().plus_ms(1_000));
        }
    }

    async fn settle_all(self: &Rc<Self>) {
        let mut has_settled = false;
        while self.settle_again.take() {
            let answered = self.host.transact(&self.realm, |txn| {
                let answered = txn.data().open_deliveries().filter(|d| d.state == DeliveryState::Answered);
                Ok(answered.map(|delivery| delivery.batch_id).collect::<Vec<_>>())
            });
            let Ok(answered) = answered.await else { break };
            for batch_id in &answered {
                if self.settle_one(*batch_id).await.is_err() {
                    *self.settling.borrow_mut() = None;
                    return;
                }
            }
            has_settled |= !answered.is_empty();
        }
        *self.settling.borrow_mut() = None;
        if !has_settled {
            return;
        }
        if self.is_expected.get() {
            drop(self.plan(Trigger::Tick));
        }
        self.prune().await;
    }

    async fn settle_one(self: &Rc<Self>, batch_id: BatchId) -> Result<(), String> {
        let (host, engine) = (&self.host, &self.engine);
        let out = host
            .transact(&self.realm, |txn| {
                let Some(device) = txn.device() else { return Ok(None) };
                let delivery = txn.data().deliveries.get(&batch_id).cloned();
                let Some(delivery) = delivery.filter(|d| d.state == DeliveryState::Answered) else { return Ok(None) };
                let items = txn.named_by(&delivery);
                let entropy = host.entropy();
                let settled = engine.settle(Settle { now: host.now(), device, delivery, items, entropy });
                txn.put_device(settled.device.clone());
                txn.put_items(settled.items.iter().cloned());
                txn.put_deliveries([settled.delivery.clone()]);
                if settled.refetch {
                    txn.edit(|data| _ = data.cursors.remove(&settled.delivery.inventory_count_import_id));
                }
                if settled.epoch_changed {
                    unconfirm_counted(txn, engine);
                }
                Ok(Some(settled))
            })
            .await?;
        let Some(settled) = out else { return Ok(()) };
        if settled.plan_now {
            drop(self.plan(Trigger::Settled));
        }
        if settled.refetch {
            self.refetch(settled.delivery.inventory_count_import_id);
        }
        Ok(())
    }

    fn refetch(&self, session: SessionId) {
        if let Some(page) = self.page.borrow().upgrade() {
            page.refresh_session_soon(session);
        }
    }

    async fn prune(&self) {
        let pruned = self.host.transact(&self.realm, |txn| {
            for state in [DeliveryState::Settled, DeliveryState::Withdrawn] {
                let deliveries = txn.data().deliveries.values();
                let mut finished: Vec<_> =
                    deliveries.filter(|d| d.state == state).map(|d| (d.created_at, d.batch_id)).collect();
                finished.sort();
                finished.truncate(finished.len().saturating_sub(FINISHED_KEPT));
                txn.edit(|data| data.deliveries.retain(|_, d| !finished.contains(&(d.created_at, d.batch_id))));
            }
            Ok(())
        });
        // Telemetry that could not be thrown away is thrown away the next time.
        let _ = pruned.await;
    }

    fn arm(self: &Rc<Self>, at: Moment) {
        let number = self.timer.get() + 1;
        self.timer.set(number);
        if self.is_stopped.get() {
            return;
        }
        let planning = Rc::clone(self);
        let ms = (at.0 - self.host.now().0).max(0);
        self.host.spawn(async move {
            planning.host.sleep(ms).await;
            if planning.timer.get() == number {
                drop(planning.plan(Trigger::Tick));
            }
        });
    }
}

/// The server's history is another one: every row counted here is sent again, everything there is read again.
pub fn unconfirm_counted(txn: &mut Txn<'_>, engine: &Engine) {
    let counted = txn.data().items.values().filter(|item| item.counted_here).cloned().collect();
    let out = engine.unconfirm(Unconfirm { items: counted });
    txn.put_items(out.items);
    txn.edit(|data| data.cursors.clear());
}

/// What runs already, or else this, begun now.
pub fn once(
    host: &Host,
    running: &Running,
    work: impl FnOnce() -> LocalBoxFuture<'static, ()>,
) -> Shared<LocalBoxFuture<'static, ()>> {
    if let Some(running) = running.borrow().as_ref() {
        return running.clone();
    }
    let shared = work().shared();
    *running.borrow_mut() = Some(shared.clone());
    let driven = shared.clone();
    host.spawn(driven);
    shared
}
