//! The server's work: from a body to a receipt.

use std::sync::Arc;

use anyhow::{Result, ensure};
use axum::{body::Body, http::Request};
use ginti_server::{auth::TokenKeys, router};
use ginti_sqlite::{Executor, Options, SqliteStore};
use ginti_store::{Store, User};
use ginti_types::{TenantId, Timestamp, UserLoginId, parse_batch};
use tower::ServiceExt;

use crate::{
    servers::{deps, says_yes},
    work::{Client, Form, TENANT, USER, now_ms},
};

pub(super) fn parse(times: u64) -> Result<()> {
    let mut client = Client::new(0, Form::Ginti);
    for _ in 0..times {
        let batch = parse_batch(client.next()).map_err(|problem| anyhow::anyhow!("{}", problem.detail))?;
        ensure!(batch.items.len() == 50);
    }
    Ok(())
}

pub(super) fn request(times: u64, is_stored: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let options = Options { executor: Executor::Inline, ..Options::default() };
        let store = SqliteStore::open(folder.path().join("ginti.db"), options)?;
        ginti_server::demo::seed(&store, Timestamp::from_unix_ms(now_ms()), "", "", None).await?;
        let tenant = TenantId::new(TENANT)?;
        let user = store.user(&tenant, &UserLoginId::new(USER)?).await?;
        let token = token_of(&store, &user.ok_or_else(|| anyhow::anyhow!("no {USER}"))?).await?;
        let store: Arc<dyn Store> = if is_stored { Arc::new(store) } else { says_yes(Arc::new(store)).await? };
        let router = router(deps(store).await?);
        let mut client = Client::new(0, Form::Ginti);
        for _ in 0..times {
            let request = Request::post("/maarg/poorti/InventoryCountImport")
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/json")
                .body(Body::from(client.next().to_vec()))?;
            let answer = router.clone().oneshot(request).await?;
            ensure!(answer.status().is_success(), "answered {}", answer.status());
            let receipt = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
            ensure!(receipt.len() > 1_000);
        }
        Ok(())
    })
}

async fn token_of(store: &SqliteStore, user: &User) -> Result<String> {
    let keys = TokenKeys::from_store(store, [7; 32]).await?;
    Ok(keys.issue(user, Timestamp::from_unix_ms(now_ms()), 86_400))
}
