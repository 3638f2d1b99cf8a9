//! Ginti's embedded store: SQLite, one writer, group commit.
//!
//! A call becomes a job for one of two queues. The writer thread takes the jobs that wait, runs them in one transaction
//! and answers after the commit ([`Options`] say how many may wait); reader threads answer reads from the write-ahead
//! log's snapshots, never blocked by the writer. What the jobs do is in `core`, which knows of no threads; with
//! [`Executor::Inline`] it runs on the caller's own.

mod checkpoints;
mod copies;
mod core;
mod error;
mod executor;
mod lock;
mod schema;
mod sql;
mod store;
mod writer;

use std::{num::NonZeroUsize, path::Path, time::Duration};

use ginti_store::StoreError;
use tokio::sync::watch;

pub use copies::{Copied, backup, restore};

use crate::{core::Core, executor::Runner, lock::Lock};

/// How to open a database.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where the work runs.
    pub executor: Executor,
    /// How long a batch's receipt is remembered, to answer its repetition with the very same one.
    pub receipts_kept: Duration,
    /// Bound on the database file, in pages of 4 KiB; beyond it writes fail with [`StoreError::Full`].
    pub size_pages_max: Option<u32>,
    /// Memory that may be taken up by pages read before, in KiB, of all connections together.
    pub cache_kib_max: u32,
}

/// As much as lets a large count's rows stay in memory; more is the operating system's to keep.
pub const CACHE_KIB_DEFAULT: u32 = 96 * 1024;

/// Where the work runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// On threads of the store's own: one that writes, some that read.
    Threads {
        /// Reader threads.
        readers: NonZeroUsize,
        /// Jobs that may wait in each queue; one more is answered [`StoreError::Busy`].
        waiting_max: NonZeroUsize,
    },
    /// On the calling thread, one call at a time: no threads and no runtime, for simulation in virtual time.
    Inline,
}

impl Default for Options {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            executor: Executor::default(),
            receipts_kept: 14 * DAY,
            size_pages_max: None,
            cache_kib_max: CACHE_KIB_DEFAULT,
        }
    }
}

impl Default for Executor {
    fn default() -> Self {
        const READERS: NonZeroUsize = NonZeroUsize::new(2).unwrap();
        const WAITING_MAX: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
        Self::Threads { readers: READERS, waiting_max: WAITING_MAX }
    }
}

/// Ginti's store on one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    runner: Runner,
    changes: watch::Receiver<u64>,
}

impl SqliteStore {
    /// Opens the database at `path`, made if there is none, and brings its schema up to date.
    ///
    /// [`StoreError::Locked`] if another process (or another store of this one) has it open: a file `PATH.lock` beside it
    /// carries that lock. [`StoreError::NewerSchema`] if a newer Ginti wrote it.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        // A link to a database is that database: one lock for both names.
        let path = path.as_ref();
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let lock = Lock::take(path)?;
        let cache = Cache::of(&options);
        let mut conn = schema::open_writer(path, cache.writer_kib, options.size_pages_max)?;
        schema::migrate(&mut conn)?;
        if copies::begin_anew_if_copied(&mut conn)? {
            tracing::warn!("the database is a copy put back: devices are told, and send again what it does not know");
        }
        let core = Core::new(conn, options.receipts_kept);
        let changes = core.changes();
        let runner = match options.executor {
            Executor::Inline => Runner::inline(core, lock),
            Executor::Threads { readers, waiting_max } => {
                let connections = (0..readers.get()).map(|_| schema::open_reader(path, cache.reader_kib));
                Runner::threads(core, lock, path, connections.collect::<Result<_, _>>()?, waiting_max)?
            }
        };
        Ok(Self { runner, changes })
    }
}

/// What each connection may keep.
struct Cache {
    writer_kib: u32,
    reader_kib: u32,
}

impl Cache {
    /// Two thirds for the writer, which touches every row that changes; the rest for those that read.
    fn of(options: &Options) -> Self {
        match options.executor {
            Executor::Inline => Self { writer_kib: options.cache_kib_max, reader_kib: 0 },
            Executor::Threads { readers, .. } => {
                let all_readers = options.cache_kib_max / 3;
                let readers = u32::try_from(readers.get()).unwrap_or(u32::MAX);
                Self { writer_kib: options.cache_kib_max - all_readers, reader_kib: all_readers / readers }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_share_the_memory_for_pages() {
        let cache = Cache::of(&Options::default());
        assert_eq!((cache.writer_kib, cache.reader_kib), (64 * 1024, 16 * 1024));
        let cache = Cache::of(&Options { executor: Executor::Inline, ..Options::default() });
        assert_eq!(cache.writer_kib, CACHE_KIB_DEFAULT);
    }
}
