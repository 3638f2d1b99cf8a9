//! A server in a box: a fresh database with two companies, a clock that stands still until told otherwise, and calls that
//! go through the whole router.

mod answer;
mod call;
mod seed;

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicI64, Ordering},
};

use axum::Router;
use ginti_server::{
    Config, Deps, Drain,
    auth::{ApiTokens, Passwords, TokenKeys, hash_password},
    os_entropy, router,
};
use ginti_sqlite::{Options, SqliteStore};
use ginti_store::Store;
use ginti_types::{SessionId, SessionStatus, TenantId, Timestamp, UserLoginId};
use rust_embed::RustEmbed;
use tempfile::TempDir;

pub(crate) use answer::Answer;
pub(crate) use call::Call;
pub(crate) use seed::ACME;

/// 2026-11-22T09:14:04Z, when nothing else is said.
pub(crate) const NOW_MS: i64 = 1_795_338_844_000;
pub(crate) const TOKEN_KEY: [u8; 32] = [7; 32];
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const IMPORT: &str = "/maarg/poorti/InventoryCountImport";

/// Hashing is slow on purpose: once is enough.
pub(crate) static PASSWORD_HASH: LazyLock<String> = LazyLock::new(|| hash_password(PASSWORD).unwrap());

#[derive(RustEmbed)]
#[folder = "tests/app"]
struct TestApp;

pub(crate) struct World {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) deps: Deps,
    pub(crate) router: Router,
    now: Arc<AtomicI64>,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default(), |_| {}).await
    }

    /// A world whose store or server is made another way.
    pub(crate) async fn with(options: Options, change: impl FnOnce(&mut Deps)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path().join("ginti.db"), options).unwrap());
        seed::fill(store.as_ref()).await;
        let now = Arc::new(AtomicI64::new(NOW_MS));
        let clock = now.clone();
        let mut deps = Deps {
            store: store.clone(),
            clock: Arc::new(move || Timestamp::from_unix_ms(clock.load(Ordering::SeqCst))),
            entropy: os_entropy(),
            tokens: Arc::new(TokenKeys::new(&TOKEN_KEY)),
            api_tokens: ApiTokens::default(),
            passwords: Passwords::default(),
            drain: Drain::default(),
            app: Arc::new(TestApp::get),
            config: Config::default(),
        };
        change(&mut deps);
        Self { store, router: router(deps.clone()), deps, now, _folder: folder }
    }

    /// The same world with its server made another way.
    pub(crate) fn reconfigured(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.deps.config);
        self.router = router(self.deps.clone());
        self
    }

    /// The same people and sessions in another store, with a server over it. Tokens are good for both.
    pub(crate) async fn over(mut self, store: Arc<dyn Store>, is_empty: bool) -> Self {
        if is_empty {
            seed::fill(&*store).await;
        }
        self.deps.store = store;
        self.router = router(self.deps.clone());
        self
    }

    /// Lets time pass.
    pub(crate) fn advance_ms(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    /// A good access token of that user.
    pub(crate) async fn token(&self, user: &str) -> String {
        let login = self.store.login(&UserLoginId::new(user).unwrap()).await.unwrap().expect("a user of that name");
        self.deps.tokens.issue(&login.user, self.deps.now(), 600)
    }

    pub(crate) async fn set_status(&self, session: &str, status: SessionStatus) {
        let tenant = TenantId::new(ACME).unwrap();
        assert!(self.store.set_session_status(&tenant, &SessionId::new(session).unwrap(), status).await.unwrap());
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        Call::new(self, "GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Call<'_> {
        Call::new(self, "POST", path)
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        Call::new(self, method, path)
    }

    /// Sends a batch as that user.
    pub(crate) async fn import(&self, user: &str, batch: &serde_json::Value) -> Answer {
        let token = self.token(user).await;
        self.post(IMPORT).bearer(&token).json(batch).send().await
    }

    /// Reads as that user.
    pub(crate) async fn read(&self, user: &str, path: &str) -> Answer {
        let token = self.token(user).await;
        self.get(path).bearer(&token).send().await
    }

    /// Quantity of each row of a session, as the server has it.
    pub(crate) async fn quantities(&self, session: &str) -> Vec<(String, serde_json::Value)> {
        let answer = self.read("manager", &format!("{IMPORT}/{session}/items")).await.json();
        let rows = answer["items"].as_array().unwrap().iter();
        rows.map(|row| (row["importItemSeqId"].as_str().unwrap().to_owned(), row["quantity"].clone())).collect()
    }
}

/// Batch ids that differ by their last digits.
pub(crate) fn batch_id(n: u32) -> String {
    format!("019aab7e-0000-7000-8000-{n:012x}")
}

/// A batch of device `device-1` for session `M1`.
pub(crate) fn batch(n: u32, items: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({ "batchId": batch_id(n), "deviceId": "device-1", "inventoryCountImportId": "M1", "items": items })
}

/// A count with nothing but what is needed.
pub(crate) fn count(row: &str, quantity: u32, revision: u64) -> serde_json::Value {
    serde_json::json!({ "importItemSeqId": row, "productId": "10440", "quantity": quantity, "revision": revision })
}
