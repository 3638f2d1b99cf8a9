//! The conformance suite, each test in a database of its own on a temporary cluster.

use std::sync::Arc;

use ginti_cluster::Database;
use ginti_postgres::{Options, PostgresStore};
use ginti_store::{Store, async_trait, conformance::Fixture};

/// A database of a test's own.
struct Own(Database);

#[async_trait]
impl Fixture for Own {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::connect(&self.0.url, Options::default()).await.unwrap())
    }
}

ginti_store::conformance_tests!(Own(Database::new().await.unwrap()));
