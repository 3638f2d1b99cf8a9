//! What can go wrong inside, and how PostgreSQL's error codes become the store's errors.

use deadpool_postgres::PoolError;
use ginti_store::StoreError;
use tokio_postgres::error::SqlState;

/// A failure inside: the database's own, the pool's, or one the caller is told as it stands.
#[derive(Debug)]
pub(crate) enum Fault {
    Database(tokio_postgres::Error),
    Pool(PoolError),
    Store(StoreError),
}

pub(crate) type Fallible<T> = Result<T, Fault>;

impl Fault {
    /// Whether two transactions were in each other's way, so that doing it again may well succeed.
    pub(crate) fn is_conflict(&self) -> bool {
        let Self::Database(error) = self else { return false };
        error.code().is_some_and(|code| {
            *code == SqlState::T_R_DEADLOCK_DETECTED
                || *code == SqlState::T_R_SERIALIZATION_FAILURE
                || *code == SqlState::UNIQUE_VIOLATION
        })
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        Self::Pool(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Pool(PoolError::Closed) => Self::Closed,
            Fault::Pool(PoolError::Backend(error)) | Fault::Database(error) => of_database(&error),
            Fault::Pool(error) => Self::Failed(format!("no connection to PostgreSQL: {error}")),
        }
    }
}

fn of_database(error: &tokio_postgres::Error) -> StoreError {
    let Some(told) = error.as_db_error() else {
        // What a connection ends with says little by itself; its cause says what happened.
        let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
        return StoreError::Failed(format!("PostgreSQL: {error}{cause}"));
    };
    let text = format!("{} ({})", told.message(), told.code().code());
    match told.code() {
        code if *code == SqlState::DISK_FULL => {
            StoreError::Full(format!("{text}. Free space where PostgreSQL keeps its data."))
        }
        code if *code == SqlState::LOCK_NOT_AVAILABLE => {
            StoreError::Locked(format!("{text}. Another session holds a lock for too long; see pg_locks."))
        }
        _ => StoreError::Failed(format!("PostgreSQL: {text}")),
    }
}

/// Something in the database that this program did not write there.
pub(crate) fn corrupt(what: impl std::fmt::Display) -> Fault {
    Fault::Store(StoreError::Failed(format!("the database holds something unexpected: {what}")))
}
