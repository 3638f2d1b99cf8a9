//! What a store can answer besides success. The server maps each to one problem.

/// Why the store did not do what was asked. Nothing of the call has been stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// More requests are waiting than the writer takes on: come back later.
    #[error("the writer's queue is full")]
    Busy,
    /// The store is closing or closed.
    #[error("the database is closed")]
    Closed,
    /// The disk is full.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Another process holds the database's lock.
    #[error("the database is locked by another process: {0}")]
    Locked(String),
    /// The database failed in another way; the text is for the operator's log, not for clients.
    #[error("the database failed: {0}")]
    Failed(String),
    /// Something of that id is there already.
    #[error("{0} exists already")]
    Exists(String),
    /// Something the call refers to is not there.
    #[error("{0} does not exist")]
    Missing(String),
    /// The database was written by a newer Ginti.
    #[error("the database has schema version {found}; this program knows versions up to {known}: use a newer ginti")]
    NewerSchema {
        /// Version in the database.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
}
