//! The conformance suite, on threads and inline.

use std::sync::Arc;

use ginti_sqlite::{Executor, Options, SqliteStore};
use ginti_store::{Store, async_trait, conformance::Fixture};
use tempfile::TempDir;

struct Database {
    folder: TempDir,
    executor: Executor,
}

impl Database {
    fn new(executor: Executor) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), executor }
    }
}

#[async_trait]
impl Fixture for Database {
    async fn open(&self) -> Arc<dyn Store> {
        let options = Options { executor: self.executor, ..Options::default() };
        Arc::new(SqliteStore::open(self.folder.path().join("ginti.db"), options).unwrap())
    }
}

mod threads {
    use super::*;

    ginti_store::conformance_tests!(Database::new(Executor::default()));
}

mod inline {
    use super::*;

    ginti_store::conformance_tests!(Database::new(Executor::Inline));
}
