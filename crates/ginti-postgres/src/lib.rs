//! Ginti's store on PostgreSQL, for several servers over one database.
//!
//! Batches wait in a queue; a few writers take what waits together and put it into one transaction (`import`), with a
//! handful of statements however many counts there are. Everything else is a statement or two on a pooled connection. What
//! servers must agree on is in the database alone: nothing is remembered here but keys, which never change.

mod access;
mod address;
mod catalogue;
mod changes;
mod error;
mod import;
mod items;
mod keys;
mod people;
mod schema;
mod scope;
mod sessions;
mod sql;
mod standing;
mod store;
mod tokens;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolConfig, RecyclingMethod, Runtime,
    Timeouts,
};
use ginti_store::StoreError;
use tokio_postgres::NoTls;

use crate::{address::Address, changes::Changes, error::Fallible, import::Importer, keys::Keys};

/// How to use a database.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections for everything but counts.
    pub connections: NonZeroUsize,
    /// Transactions with counts at a time, a connection each.
    pub writers: NonZeroUsize,
    /// Batches that may wait; one more is answered [`StoreError::Busy`].
    pub waiting_max: NonZeroUsize,
    /// How long a batch's receipt is remembered, to answer its repetition with the very same one.
    pub receipts_kept: Duration,
}

impl Default for Options {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(8).unwrap();
        const WRITERS: NonZeroUsize = NonZeroUsize::new(4).unwrap();
        const WAITING_MAX: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
        Self { connections: CONNECTIONS, writers: WRITERS, waiting_max: WAITING_MAX, receipts_kept: 14 * DAY }
    }
}

/// Ginti's store on a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    pool: Pool,
    keys: Arc<Keys>,
    importer: Importer,
    changes: Changes,
}

/// Waiting longer for a connection means that the database is not there.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

impl PostgresStore {
    /// Connects to `postgres://…` and brings the database's schema up to date.
    ///
    /// [`StoreError::NewerSchema`] if a newer Ginti made it. TLS is used if the server offers it (`sslmode=prefer`) or required
    /// with `sslmode=require`; certificates are checked either way, against the system's or those in `sslrootcert`.
    pub async fn connect(url: &str, options: Options) -> Result<Self, StoreError> {
        let address = Address::parse(url)?;
        let keys = Arc::new(Keys::default());
        let pool = pool(&address, &keys, options.connections.get() + options.writers.get())?;
        let mut client = get(&pool).await?;
        schema::migrate(&mut client).await?;
        schema::check_row_security(&**client).await?;
        drop(client);
        let changes = Changes::listen(&address).await?;
        let importer = Importer::begin(&pool, &keys, &options);
        Ok(Self { pool, keys, importer, changes })
    }
}

fn pool(address: &Address, keys: &Arc<Keys>, size: usize) -> Result<Pool, StoreError> {
    let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let mut postgres = address.config.clone();
    postgres.application_name("ginti");
    postgres.connect_timeout(CONNECTED_WITHIN);
    let manager = match address.tls()? {
        Some(tls) => Manager::from_config(postgres, tls, config),
        None => Manager::from_config(postgres, NoTls, config),
    };
    let keys = Arc::clone(keys);
    let prepare = Hook::async_fn(move |client: &mut ClientWrapper, _| {
        let keys = Arc::clone(&keys);
        Box::pin(async move {
            let prepared = prepare(client, &keys).await;
            prepared.map_err(|error| HookError::message(StoreError::from(error).to_string()))
        })
    });
    Pool::builder(manager)
        .config(PoolConfig { max_size: size, timeouts: timeouts(), ..PoolConfig::default() })
        .runtime(Runtime::Tokio1)
        .post_create(prepare)
        .build()
        .map_err(|error| StoreError::Failed(format!("no connections to PostgreSQL: {error}")))
}

fn timeouts() -> Timeouts {
    Timeouts { wait: Some(CONNECTED_WITHIN), create: Some(CONNECTED_WITHIN), recycle: Some(CONNECTED_WITHIN) }
}

/// Whatever the server's settings are: what is answered is on disk, and nothing waits for ever.
async fn prepare(client: &tokio_postgres::Client, keys: &Keys) -> Fallible<()> {
    client
        .batch_execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
             SET statement_timeout = '30s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s';
             SET default_transaction_isolation = 'read committed'; SET TIME ZONE 'UTC'",
        )
        .await?;
    if schema::check_place(client).await? {
        keys.forget();
    }
    Ok(())
}

pub(crate) async fn get(pool: &Pool) -> Fallible<Object> {
    Ok(pool.get().await?)
}
