//! What can go wrong inside, and how SQLite's result codes become the store's errors.

use ginti_store::StoreError;
use rusqlite::ErrorCode;

/// A failure inside the core: SQLite's own, or one the caller is told as it stands.
#[derive(Debug)]
pub(crate) enum Fault {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

pub(crate) type Fallible<T> = Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let error = match fault {
            Fault::Store(error) => return error,
            Fault::Sqlite(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                Self::Full(format!("{error}. Free space where the database lies, or raise its size limit."))
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked(format!("{error}. Stop the program that has the database open."))
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Something in the database that this program did not write there.
pub(crate) fn corrupt(what: impl std::fmt::Display) -> Fault {
    Fault::Store(StoreError::Failed(format!("the database holds something unexpected: {what}")))
}
