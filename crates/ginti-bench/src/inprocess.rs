//! The store alone, without HTTP: what it can take, what that costs, and how it goes as the table grows.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use ginti_sqlite::{Options, SqliteStore};
use ginti_store::{Import, Imported, Store};
use ginti_types::Timestamp;

use crate::{
    machine::usage_of,
    work::{BATCH_ITEMS, Client, Form, now_ms},
};

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alone {
    pub(crate) counts_per_second: f64,
    pub(crate) cpu_us_per_count: f64,
}

/// An empty store with the demo's people and sessions.
pub(crate) async fn open(path: &Path) -> Result<Arc<SqliteStore>> {
    let store = SqliteStore::open(path, Options::default())?;
    ginti_server::demo::seed(&store, Timestamp::from_unix_ms(now_ms()), "", "", None).await?;
    Ok(Arc::new(store))
}

/// Clients at work on the store, each a batch at a time.
pub(crate) struct Bench {
    store: Arc<SqliteStore>,
    clients: Vec<Client>,
}

impl Bench {
    /// In rows of their own, or drawn from so many.
    pub(crate) fn new(store: &Arc<SqliteStore>, clients: u64, rows: Option<u64>) -> Self {
        let client = |number| {
            let client = Client::new(number, Form::Ginti);
            if let Some(rows) = rows { client.anywhere(rows) } else { client }
        };
        Self { store: Arc::clone(store), clients: (0..clients).map(client).collect() }
    }

    /// So many batches of each. They are made before: making them is not the store's work.
    #[expect(clippy::cast_precision_loss, reason = "measurements")]
    pub(crate) async fn run(&mut self, batches: u64) -> Result<Alone> {
        let made: Vec<Vec<Import>> =
            self.clients.iter_mut().map(|client| (0..batches).map(|_| client.next_import()).collect()).collect();
        let own = [std::process::id()];
        let (before, start) = (usage_of(&own), Instant::now());
        let sending: Vec<_> =
            made.into_iter().map(|imports| tokio::spawn(send(Arc::clone(&self.store), imports))).collect();
        for client in sending {
            client.await??;
        }
        let (after, took) = (usage_of(&own), start.elapsed());
        let counts = (batches * BATCH_ITEMS * self.clients.len() as u64) as f64;
        Ok(Alone {
            counts_per_second: counts / took.as_secs_f64(),
            cpu_us_per_count: (after.cpu_us - before.cpu_us) / counts,
        })
    }
}

async fn send(store: Arc<SqliteStore>, imports: Vec<Import>) -> Result<()> {
    for import in imports {
        let imported = store.import(import).await?;
        ensure!(matches!(imported, Imported::Stored(_)), "a batch was not stored: {imported:?}");
    }
    Ok(())
}

/// Fills a table with so many rows, as devices in a row would.
pub(crate) async fn fill(store: &Arc<SqliteStore>, rows: u64) -> Result<()> {
    const CLIENTS: u64 = 16;
    let filling: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let mut client = Client::new(5_000 + number, Form::Ginti);
                let mut first = number * BATCH_ITEMS;
                while first < rows {
                    store.import(client.import_from(first)).await?;
                    first += CLIENTS * BATCH_ITEMS;
                }
                Ok::<_, anyhow::Error>(())
            })
        })
        .collect();
    for client in filling {
        client.await??;
    }
    Ok(())
}
