//! Taking batches: what waits together goes into one transaction, and nobody is answered before it is committed.
//!
//! A group that fails as a whole is done again one by one, so that a bad one spoils nothing for its neighbours.

mod group;
mod rows;

use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{Object, Pool};
use ginti_store::{Import, Imported, StoreError};
use ginti_types::{DeviceId, TenantId, Timestamp};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    Options,
    error::Fallible,
    get,
    keys::Keys,
    scope::{Whose, Work},
};

/// Batches one transaction takes, at most: taking everything that waits makes all clients wait together.
const GROUP_BATCHES_MAX: usize = 16;
/// Items one transaction takes, about.
const GROUP_ITEMS_MAX: usize = 1_600;
/// Times that a batch is tried again when two transactions were in each other's way.
const TRIES_MAX: usize = 5;
/// Batches between two prunings of remembered receipts.
const PRUNE_EVERY: usize = 256;
/// One pruning looks at so many of the oldest: more than come in between.
const PRUNE_RANGE: i64 = 1_024;

struct Waiting {
    import: Import,
    reply: oneshot::Sender<Result<Imported, StoreError>>,
}

/// The queue's far end, and what was taken from it and has to wait for the next group.
struct Queue {
    waiting: mpsc::Receiver<Waiting>,
    put_back: Option<Waiting>,
}

/// The queue and the writers behind it, until the store is closed.
#[derive(Debug)]
pub(crate) struct Importer {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

impl Importer {
    pub(crate) fn begin(pool: &Pool, keys: &Arc<Keys>, options: &Options) -> Self {
        let (sender, waiting) = mpsc::channel(options.waiting_max.get());
        let queue = Arc::new(AsyncMutex::new(Queue { waiting, put_back: None }));
        let kept_ms = i64::try_from(options.receipts_kept.as_millis()).unwrap_or(i64::MAX);
        let writer = |_| {
            let writer = Writer { pool: pool.clone(), keys: Arc::clone(keys), kept_ms, since_prune: 0 };
            tokio::spawn(writer.work(Arc::clone(&queue)))
        };
        let writers = (0..options.writers.get()).map(writer).collect();
        Self { queue: Mutex::new(Some(sender)), writers: Mutex::new(writers) }
    }

    /// Takes a batch, and waits until it is durable.
    pub(crate) async fn import(&self, import: Import) -> Result<Imported, StoreError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
        let (reply, receiver) = oneshot::channel();
        queue.try_send(Waiting { import, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => broken(),
        })?;
        drop(queue);
        receiver.await.unwrap_or_else(|_| Err(broken()))
    }

    /// Finishes what was accepted.
    pub(crate) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writers = std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        for writer in writers {
            if let Err(error) = writer.await {
                tracing::error!(%error, "a writer broke off");
            }
        }
    }
}

impl Queue {
    /// What waits, up to a group's bounds; empty when there is nothing more to come. A device is in a group once: its second
    /// batch is decided by what the first one did.
    async fn group(&mut self) -> Vec<Waiting> {
        let first = match self.put_back.take() {
            Some(first) => Some(first),
            None => self.waiting.recv().await,
        };
        let Some(first) = first else { return Vec::new() };
        let (mut devices, mut items) = (vec![device_of(&first)], first.import.items.len());
        let mut group = vec![first];
        while group.len() < GROUP_BATCHES_MAX
            && items < GROUP_ITEMS_MAX
            && let Ok(next) = self.waiting.try_recv()
        {
            let device = device_of(&next);
            if devices.contains(&device) {
                self.put_back = Some(next);
                break;
            }
            devices.push(device);
            items += next.import.items.len();
            group.push(next);
        }
        group
    }
}

fn device_of(waiting: &Waiting) -> (TenantId, DeviceId) {
    (waiting.import.access.tenant.clone(), waiting.import.device_id.clone())
}

struct Writer {
    pool: Pool,
    keys: Arc<Keys>,
    kept_ms: i64,
    since_prune: usize,
}

impl Writer {
    async fn work(mut self, queue: Arc<AsyncMutex<Queue>>) {
        loop {
            let group = queue.lock().await.group().await;
            let Some(first) = group.first() else { return };
            let now = first.import.now;
            self.since_prune += group.len();
            self.take(group).await;
            if self.since_prune >= PRUNE_EVERY {
                self.since_prune = 0;
                if let Err(error) = self.prune(now).await {
                    tracing::warn!(error = %StoreError::from(error), "old receipts could not be removed; they are left for later");
                }
            }
        }
    }

    async fn take(&self, group: Vec<Waiting>) {
        let imports: Vec<_> = group.iter().map(|waiting| &waiting.import).collect();
        let imported = match self.once(&imports).await {
            Ok(imported) => imported.into_iter().map(Ok).collect(),
            Err(error) if group.len() > 1 => {
                tracing::debug!(?error, batches = group.len(), "a group was rolled back; doing its batches one by one");
                let mut imported = Vec::with_capacity(group.len());
                for import in imports {
                    imported.push(self.alone(import).await);
                }
                imported
            }
            Err(error) if error.is_conflict() => vec![self.alone(imports[0]).await],
            Err(error) => vec![Err(error.into())],
        };
        for (waiting, imported) in group.into_iter().zip(imported) {
            // Whoever asked may have gone away; what was written stays written.
            let _ = waiting.reply.send(imported);
        }
    }

    async fn alone(&self, import: &Import) -> Result<Imported, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.once(&[import]).await {
                Ok(mut imported) => return imported.pop().ok_or_else(broken),
                Err(error) if error.is_conflict() && tries < TRIES_MAX => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn once(&self, imports: &[&Import]) -> Fallible<Vec<Imported>> {
        let mut client = get(&self.pool).await?;
        let imported = group::import(&mut client, &self.keys, imports).await;
        if imported.is_err() {
            // Whatever state it is in: the next group gets another one.
            drop(Object::take(client));
        }
        imported
    }

    async fn prune(&self, now: Timestamp) -> Fallible<()> {
        let mut client = get(&self.pool).await?;
        // Receipts are tidied up after everybody.
        let work = Work::begin(&mut client, &Whose::House);
        let sql = "DELETE FROM receipt
                   WHERE receipt_key < (SELECT min(receipt_key) FROM receipt) + $1 AND server_time < $2";
        let before = now.unix_ms().saturating_sub(self.kept_ms);
        work.execute(&work.prepare_cached(sql).await?, &[&PRUNE_RANGE, &before]).await?;
        work.commit().await
    }
}

fn broken() -> StoreError {
    StoreError::Failed("a writer broke off; restart ginti".to_owned())
}
