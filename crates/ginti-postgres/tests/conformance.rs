//! The conformance suite, each test in a database of its own on a temporary cluster.

mod cluster;

use std::sync::Arc;

use cluster::Database;
use ginti_postgres::{Options, PostgresStore};
use ginti_store::{Store, async_trait, conformance::Fixture};

#[async_trait]
impl Fixture for Database {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::connect(&self.url, Options::default()).await.unwrap())
    }
}

ginti_store::conformance_tests!(Database::new().await);
