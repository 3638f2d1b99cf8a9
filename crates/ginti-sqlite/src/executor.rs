//! Where the core runs: on one writer thread and a few reader threads, or inline on the caller's own.

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use ginti_store::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::{
    checkpoints::Checkpoints,
    core::Core,
    error::{Fallible, Fault},
    lock::Lock,
    writer::{Call, Task, commit_group, transact},
};

/// Items one transaction takes, about: taking everything that waits makes all clients wait together.
const GROUP_WEIGHT_MAX: usize = 1_600;

type Write = Box<dyn Task>;
type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Runs reads and writes, one way or the other.
#[derive(Debug)]
pub(crate) enum Runner {
    Threads(Threads),
    Inline(Box<Mutex<Option<(Core, Lock)>>>),
}

/// The ends of both queues and the threads behind them, until the store is closed.
#[derive(Debug)]
pub(crate) struct Threads {
    queues: Mutex<Option<Queues>>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    readers: Vec<JoinHandle<()>>,
    writer: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct Queues {
    writes: mpsc::Sender<Write>,
    reads: mpsc::Sender<Read>,
}

impl Runner {
    pub(crate) fn inline(core: Core, lock: Lock) -> Self {
        Self::Inline(Box::new(Mutex::new(Some((core, lock)))))
    }

    pub(crate) fn threads(
        core: Core,
        lock: Lock,
        path: &Path,
        readers: Vec<Connection>,
        waiting_max: NonZeroUsize,
    ) -> Fallible<Self> {
        let (writes, waiting_writes) = mpsc::channel(waiting_max.get());
        let (reads, waiting_reads) = mpsc::channel(waiting_max.get());
        let waiting_reads = Arc::new(Mutex::new(waiting_reads));
        let checkpoints = Checkpoints::start(path, &core.conn)?;
        let mut threads = Vec::new();
        for conn in readers {
            let waiting = Arc::clone(&waiting_reads);
            threads.push(spawn("ginti-read", move || read_loop(&conn, &waiting))?);
        }
        let work = move || write_loop(core, lock, waiting_writes, checkpoints);
        let running = Running { readers: threads, writer: spawn("ginti-write", work)? };
        let queues = Queues { writes, reads };
        Ok(Self::Threads(Threads { queues: Mutex::new(Some(queues)), running: Mutex::new(Some(running)) }))
    }

    /// Runs a write and waits until it is durable. `work` may run twice; only the second run then counts.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        weight: usize,
        mut work: impl FnMut(&mut Core) -> Fallible<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Inline(core) => {
                let mut core = lock(core);
                let (core, _) = core.as_mut().ok_or(StoreError::Closed)?;
                transact(core, |core| work(core).map_err(StoreError::from))
            }
            Self::Threads(threads) => {
                let (call, reply) = Call::new(weight, work);
                offer(&threads.queues()?.writes, Box::new(call))?;
                answered(reply).await
            }
        }
    }

    /// Runs a read over one consistent state of the database.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Fallible<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Inline(core) => {
                let core = lock(core);
                let (core, _) = core.as_ref().ok_or(StoreError::Closed)?;
                snapshot(&core.conn, work)
            }
            Self::Threads(threads) => {
                let (reply, receiver) = oneshot::channel();
                let job: Read = Box::new(move |conn| {
                    let _ = reply.send(snapshot(conn, work));
                });
                offer(&threads.queues()?.reads, job)?;
                answered(receiver).await
            }
        }
    }

    /// Finishes what was accepted and closes every connection.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Inline(core) => {
                drop(lock(core).take());
                Ok(())
            }
            Self::Threads(threads) => {
                let Some(stopping) = threads.stop() else { return Ok(()) };
                let (done, finished) = oneshot::channel();
                let wait = move || {
                    let _ = done.send(stopping.wait());
                };
                spawn("ginti-close", wait).map_err(StoreError::from)?;
                if finished.await.unwrap_or(false) { Ok(()) } else { Err(broken()) }
            }
        }
    }
}

impl Threads {
    fn queues(&self) -> Result<Queues, StoreError> {
        lock(&self.queues).clone().ok_or(StoreError::Closed)
    }

    /// Takes no more jobs from now on; what was accepted still has to be waited for.
    fn stop(&self) -> Option<Stopping> {
        let queues = lock(&self.queues).take()?;
        let running = lock(&self.running).take()?;
        Some(Stopping { queues, running })
    }
}

impl Drop for Threads {
    /// A store that is dropped is closed: the file's lock must not outlive it.
    fn drop(&mut self) {
        // A thread that broke has said so on its way; there is nobody left to tell.
        self.stop().map(Stopping::wait);
    }
}

/// A store that is being closed.
struct Stopping {
    queues: Queues,
    running: Running,
}

impl Stopping {
    /// Waits for the readers, then for the writer: as the last connection it folds the log into the database file. False
    /// if a thread broke.
    fn wait(self) -> bool {
        let Queues { writes, reads } = self.queues;
        drop(reads);
        let broken = self.running.readers.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
        drop(writes);
        self.running.writer.join().is_ok() && broken == 0
    }
}

fn write_loop(mut core: Core, lock: Lock, mut waiting: mpsc::Receiver<Write>, mut checkpoints: Checkpoints) {
    while let Some(first) = waiting.blocking_recv() {
        let mut weight = first.weight();
        let mut group = vec![first];
        while weight < GROUP_WEIGHT_MAX
            && let Ok(next) = waiting.try_recv()
        {
            weight += next.weight();
            group.push(next);
        }
        commit_group(&mut core, group);
        checkpoints.committed(&core.conn);
    }
    drop(checkpoints);
    if let Err((_, error)) = core.conn.close() {
        tracing::error!(%error, "the database could not be closed");
    }
    drop(lock);
}

fn read_loop(conn: &Connection, waiting: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        let job = lock(waiting).blocking_recv();
        match job {
            Some(job) => job(conn),
            None => return,
        }
    }
}

fn snapshot<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Fallible<T>) -> Result<T, StoreError> {
    let transaction = Transaction::new_unchecked(conn, TransactionBehavior::Deferred).map_err(Fault::from)?;
    let value = work(&transaction)?;
    transaction.finish().map_err(Fault::from)?;
    Ok(value)
}

pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Fallible<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| StoreError::Failed(format!("a thread cannot be started: {error}")).into())
}

fn offer<T>(queue: &mpsc::Sender<T>, job: T) -> Result<(), StoreError> {
    queue.try_send(job).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => StoreError::Busy,
        mpsc::error::TrySendError::Closed(_) => broken(),
    })
}

async fn answered<T>(reply: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    reply.await.unwrap_or_else(|_| Err(broken()))
}

fn broken() -> StoreError {
    StoreError::Failed("the database's own thread broke off; restart ginti".to_owned())
}

/// What a poisoned mutex guards here is a queue's end or a whole connection: both are sound whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
