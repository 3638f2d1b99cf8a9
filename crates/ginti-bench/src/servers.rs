//! Controls: a server that does nothing, and Ginti's own router over a store that stores nothing.

use std::sync::Arc;

use anyhow::Result;
use axum::{Router, body::Bytes, routing::post};
use ginti_server::{
    Config, Deps, Drain,
    auth::{ApiTokens, Passwords, TokenKeys},
    os_entropy, system_clock,
};
use ginti_sqlite::{Options, SqliteStore};
use ginti_store::{
    Import, Imported, Store, StoreError, all_applied, async_trait,
    conformance::{Behind, Between},
};
use ginti_types::Receipt;
use tokio::net::TcpListener;

/// Reads the body and answers with a few bytes.
pub(crate) async fn null() -> Result<()> {
    let app = Router::new().route("/import", post(|body: Bytes| async move { format!("{{\"read\":{}}}", body.len()) }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Everything that Ginti's server does, but the store says yes without storing.
pub(crate) async fn ceiling(database: &str) -> Result<()> {
    let store = says_yes(Arc::new(SqliteStore::open(database, Options::default())?)).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    ginti_server::serve(listener, deps(store).await?, std::future::pending()).await?;
    Ok(())
}

/// What the router needs, over that store.
pub(crate) async fn deps(store: Arc<dyn Store>) -> Result<Deps> {
    let tokens = TokenKeys::from_store(&*store, [7; 32]).await?;
    Ok(Deps {
        store,
        clock: system_clock(),
        entropy: os_entropy(),
        tokens: Arc::new(tokens),
        api_tokens: ApiTokens::default(),
        passwords: Passwords::default(),
        drain: Drain::default(),
        app: Arc::new(|_: &str| None),
        config: Config::default(),
    })
}

/// The store, but for counts: it answers that they are stored.
pub(crate) async fn says_yes(store: Arc<dyn Store>) -> Result<Arc<dyn Store>> {
    let epoch = store.ledger().await?.epoch;
    Ok(Arc::new(Behind { between: Yes { epoch }, store }))
}

struct Yes {
    epoch: ginti_types::Epoch,
}

#[async_trait]
impl Between for Yes {
    async fn import(&self, _: &dyn Store, import: Import) -> Result<Imported, StoreError> {
        Ok(Imported::Stored(Receipt {
            batch_id: import.batch_id,
            epoch: self.epoch.clone(),
            ledger_seq: 0,
            server_time: import.now,
            items: all_applied(&import),
        }))
    }
}
