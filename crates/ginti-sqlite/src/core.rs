//! The store without any concurrency: synchronous methods over one connection, a module per concern.
//!
//! Writes go through [`Core`], which owns the write connection and remembers interned keys; reads are functions over any
//! connection. Nothing in here begins or ends a transaction, reads a clock or knows of threads: see [`crate::writer`] and
//! [`crate::executor`].

mod arrivals;
pub(crate) mod catalogue;
pub(crate) mod import;
pub(crate) mod intern;
pub(crate) mod items;
pub(crate) mod ledger;
pub(crate) mod people;
pub(crate) mod receipts;
pub(crate) mod sessions;
pub(crate) mod standing;
pub(crate) mod tokens;

use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use intern::Interned;

/// The writing half.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) conn: Connection,
    interned: Interned,
    receipts_kept_ms: i64,
    imports_since_prune: u32,
    /// The ledger's length with what the open transaction appends.
    appended: Option<u64>,
    told: watch::Sender<u64>,
}

impl Core {
    pub(crate) fn new(conn: Connection, receipts_kept: Duration) -> Self {
        let receipts_kept_ms = i64::try_from(receipts_kept.as_millis()).unwrap_or(i64::MAX);
        Self {
            conn,
            interned: Interned::default(),
            receipts_kept_ms,
            imports_since_prune: 0,
            appended: None,
            told: watch::Sender::new(0),
        }
    }

    /// Hears of the ledger's length after each commit that adds to it.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// The transaction is committed: what it appended is told.
    pub(crate) fn committed(&mut self) {
        if let Some(length) = self.appended.take() {
            self.told.send_replace(length);
        }
    }

    /// Forgets what was learnt inside a transaction that was rolled back.
    pub(crate) fn forget(&mut self) {
        self.interned = Interned::default();
        self.appended = None;
    }
}
