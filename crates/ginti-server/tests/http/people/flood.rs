//! A device that sends batches without end: what the server remembers of them stays bounded.

use std::{any::Any, sync::Arc, time::Duration};

use ginti_cluster::Database;
use ginti_postgres::PostgresStore;
use ginti_store::{Job, Scope, Sql, StoreError, async_trait};
use serde_json::json;

use crate::support::{World, batch, count};

struct Receipts;

#[async_trait]
impl Job for Receipts {
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    fn writes(&self) -> bool {
        false
    }

    fn weight(&self) -> usize {
        0
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Box<dyn Any + Send>, StoreError> {
        let rows = sql.query("SELECT count(*) FROM receipt", Vec::new()).await?;
        Ok(Box::new(rows[0].int(0)?))
    }
}

/// Receipts are kept for two weeks in the product, here for a minute: of those that come in 1,500 minutes few stay, and
/// where several writers tidy up, each after its own number of them, what has come since.
const KEPT: Duration = Duration::from_secs(60);

async fn old_receipts_go(world: World, at_most: i64) {
    for number in 0..1_500 {
        world.import("counter", &batch(number, &json!([count("a", number, u64::from(number) + 1)]))).await.ok();
        world.advance_ms(60_000);
    }
    let left = world.deps.store.work(Arc::new(Receipts)).await.unwrap();
    let left = *left.downcast::<i64>().unwrap();
    assert!(left <= at_most, "{left} receipts are left of 1,500");
}

#[tokio::test]
async fn a_flood_of_batches_leaves_few_receipts_on_sqlite() {
    let options = ginti_sqlite::Options { receipts_kept: KEPT, ..Default::default() };
    old_receipts_go(World::with(options, |_| {}).await, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_batches_leaves_few_receipts_on_postgresql() {
    let database = Database::new().await.unwrap();
    let options = ginti_postgres::Options { receipts_kept: KEPT, ..Default::default() };
    let store = PostgresStore::connect(&database.url, options).await.unwrap();
    old_receipts_go(World::new().await.over(Arc::new(store), true).await, 1_024).await;
}
