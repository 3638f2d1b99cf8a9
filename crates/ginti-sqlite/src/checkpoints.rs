//! Folding the log back into the database file, beside the writer: while it waits for its disk the next group commits.
//!
//! A log is begun anew only when nothing of it is left to fold, which under steady load never happens by itself. When it
//! has grown long the writer folds the rest between two groups: that is little, most has been done by then.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use rusqlite::Connection;

use crate::{error::Fallible, executor::spawn, schema};

/// Groups between two foldings.
const EVERY_GROUPS: u32 = 24;
/// The log's length at which the writer sees to it that it is begun anew: 32 MB.
const LOG_PAGES_MAX: u64 = 8_000;

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    asking: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Pages of the log when it was last folded.
    log_pages: Arc<AtomicU64>,
    groups: u32,
}

impl Checkpoints {
    /// Starts the thread that folds; `writer` does so no longer by itself.
    pub(crate) fn start(path: &Path, writer: &Connection) -> Fallible<Self> {
        let conn = schema::open_folder(path)?;
        writer.pragma_update(None, "wal_autocheckpoint", 0)?;
        let (asking, asked) = mpsc::sync_channel(1);
        let log_pages = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&log_pages);
        let thread = spawn("ginti-fold", move || {
            while asked.recv().is_ok() {
                told.store(fold(&conn), Ordering::Relaxed);
            }
        })?;
        Ok(Self { asking: Some(asking), thread: Some(thread), log_pages, groups: 0 })
    }

    /// The writer has committed a group.
    pub(crate) fn committed(&mut self, writer: &Connection) {
        self.groups += 1;
        if self.groups < EVERY_GROUPS {
            return;
        }
        self.groups = 0;
        if self.log_pages.swap(0, Ordering::Relaxed) > LOG_PAGES_MAX {
            fold(writer);
        } else if let Some(asking) = &self.asking {
            // One that is asked for already will do.
            let _ = asking.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    /// The writer's connection is closed last: it folds what is left and takes the log away.
    fn drop(&mut self) {
        drop(self.asking.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that folds the log back broke off");
        }
    }
}

/// Folds what no reader holds back; the log's length. Nobody is made to wait, and what is left is left for the next time.
fn fold(conn: &Connection) -> u64 {
    match conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1)) {
        Ok(pages) => u64::try_from(pages).unwrap_or(0),
        Err(error) => {
            tracing::warn!(%error, "the log could not be folded back into the database file; it grows until that succeeds");
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_log_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ginti.db");
        let writer = schema::open_writer(&path, 1_024, None).unwrap();
        writer.execute_batch("CREATE TABLE pages (id INTEGER PRIMARY KEY, filling BLOB)").unwrap();
        let mut checkpoints = Checkpoints::start(&path, &writer).unwrap();
        // Twelve times what the log may come to, in rows that are written again and again.
        let groups = 12 * LOG_PAGES_MAX / 50;
        for _ in 0..groups {
            writer.execute_batch("BEGIN").unwrap();
            for id in 0..50 {
                let sql = "INSERT OR REPLACE INTO pages VALUES (?1, randomblob(3000))";
                writer.prepare_cached(sql).unwrap().execute([id]).unwrap();
            }
            writer.execute_batch("COMMIT").unwrap();
            checkpoints.committed(&writer);
        }
        let log = fs::metadata(folder.path().join("ginti.db-wal")).unwrap().len();
        assert!(log < 4 * LOG_PAGES_MAX * 4_096, "{log}");
    }

    #[test]
    fn a_store_that_is_closed_leaves_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ginti.db");
        let writer = schema::open_writer(&path, 1_024, None).unwrap();
        writer.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)").unwrap();
        drop(Checkpoints::start(&path, &writer).unwrap());
        writer.close().unwrap();
        assert!(!folder.path().join("ginti.db-wal").exists());
    }
}
