//! Follows `worker.ts`: takes batches into the queue, says that it has custody, delivers.

use std::{cell::Cell, rc::Rc};

use ginti_sync::courier::WakeCause;
use ginti_types::{Batch, TenantId};

use super::{
    Host,
    browser::WorkerEvent,
    disk::Queued,
    drain::Drain,
    tokens::{Token, Tokens},
};
use crate::{
    mutants::Mutant,
    network::{IMPORTS, Request, fetch},
};

/// What a worker keeps in memory as long as it runs.
pub struct Worker {
    host: Host,
    tokens: Rc<Tokens>,
    drain: Rc<Drain>,
    is_syncing: Rc<Cell<bool>>,
}

impl Worker {
    /// Runs the worker's script.
    pub fn install(host: &Host) -> Rc<Self> {
        let tokens = Tokens::new(host);
        let is_syncing = Rc::new(Cell::new(false));
        let (flag, device) = (Rc::clone(&is_syncing), Rc::downgrade(&host.device));
        let on_remaining: Rc<dyn Fn()> = Rc::new(move || {
            if let Some(device) = device.upgrade().filter(|_| !flag.get()) {
                device.register_sync();
            }
        });
        let drain = Drain::new(host, &tokens, Some(on_remaining));
        let worker = Rc::new(Self { host: host.clone(), tokens, drain, is_syncing });
        // A worker that was killed mid-way is started again by whatever comes first; it does not wait to be told.
        drop(worker.drain.wake(WakeCause::Start));
        worker
    }

    /// One event, to its end.
    pub async fn handle(self: Rc<Self>, event: WorkerEvent) {
        match event {
            WorkerEvent::Accept { body, realm, token, reply } => {
                let (is_accepted, is_queued) = self.accept(body, realm, token).await;
                let _ = reply.send(is_accepted);
                if is_queued {
                    self.host.device.register_sync();
                    self.drain.wake(WakeCause::Queued).await;
                }
            }
            WorkerEvent::Token(token, cause) => {
                self.tokens.remember(token);
                if let Some(cause) = cause {
                    self.drain.wake(cause).await;
                }
            }
            WorkerEvent::Poke(cause) => self.drain.wake(cause).await,
            WorkerEvent::Sync { is_last_chance, reply } => {
                let _ = reply.send(self.deliver_in_sync(is_last_chance).await);
            }
        }
    }

    /// Durable first; only then is custody taken.
    async fn accept(&self, body: String, realm: TenantId, token: Option<Token>) -> (bool, bool) {
        if let Some(token) = &token {
            self.tokens.remember(token.clone());
        }
        let Ok(batch) = serde_json::from_str::<Batch>(&body) else { return (false, false) };
        let mut headers = String::new();
        if self.host.has(Mutant::TokenStoredWithRequest) {
            headers = token.as_ref().map(|token| format!("authorization: Bearer {}", token.access)).unwrap_or_default();
        }
        if self.host.has(Mutant::QueuedOnlyWhenFetchThrows) {
            let mut request = Request::post(IMPORTS, body.clone());
            request.token = token.map(|token| token.access);
            if fetch(&self.host, request, Some(30_000)).await.is_ok() {
                return (true, false);
            }
        }
        let (now_ms, at_ms) = (self.host.device.world.kernel.now_ms(), self.host.now().0);
        let entry = Queued { id: 0, batch_id: batch.batch_id, realm, body, at_ms, headers };
        let device = &self.host.device;
        device.world.oracle.queued(device, &entry);
        let pushed = self.host.on_disk(|disk| disk.queue.push(now_ms, entry)).await;
        (pushed.is_ok(), pushed.is_ok())
    }

    /// False while batches remain: the browser then comes back by its own schedule. For its last try it is asked anew first,
    /// because a worker that is killed in it asks for nothing.
    async fn deliver_in_sync(&self, is_last_chance: bool) -> bool {
        self.host.device.sync_reached();
        if is_last_chance && !self.host.has(Mutant::SyncNotRegisteredAgain) {
            self.host.device.register_sync();
        }
        self.is_syncing.set(true);
        self.drain.wake(WakeCause::Sync).await;
        self.is_syncing.set(false);
        let left = self.host.read_disk(|disk| disk.queue.all().len()).await;
        is_last_chance || left == Ok(0)
    }
}
