//! The real server in a box: the router over a SQLite file, driven one request at a time on this thread, and everything
//! that happens to servers: they crash, restart, are put back from a copy, or lose everything.
//!
//! A request is worked on in one instant of virtual time. Requests that share a transaction are the store's own business,
//! and its own tests'; what a device feels of a server (lost, late, repeated, refused) is all here.

use std::{
    cell::{Cell, RefCell},
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use anyhow::{Context, Result};
use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher};
use axum::{Router, body::Body, http::Request as HttpRequest};
use ginti_server::{
    Config, Deps, Drain,
    auth::{ApiTokens, Passwords, TokenKeys},
    router,
};
use ginti_sqlite::{Executor, Options, SqliteStore};
use ginti_store::{Store, conformance::Behind};
use ginti_types::{Epoch, SessionId, SessionStatus, Timestamp};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{
    chance::Chance,
    dump::{self, Dump},
    mutants::Mutant,
    network::{Request, Response},
    shop,
    tampered::Tampered,
};

/// The server and its database.
pub struct ServerBox {
    runtime: tokio::runtime::Runtime,
    folder: TempDir,
    now_ms: Arc<AtomicI64>,
    chance: Arc<Mutex<Chance>>,
    running: RefCell<Option<Running>>,
    mutant: Option<Mutant>,
    /// Files made so far: each life of the database has a name of its own.
    files: Cell<u32>,
    current: RefCell<PathBuf>,
    wipes: Cell<u64>,
    backups: RefCell<Vec<PathBuf>>,
    /// Where the database was before the last commit, for a server that answers before its commit is on the disk.
    unsynced: RefCell<Option<PathBuf>>,
    /// Ends between commit and answer at the next batch.
    pub dies_after_commit: Cell<bool>,
    /// Takes no new writes.
    pub is_draining: Cell<bool>,
}

struct Running {
    store: Arc<SqliteStore>,
    router: Router,
    drain: Drain,
    path: PathBuf,
}

impl ServerBox {
    /// A server with the shop's people and sessions.
    pub fn new(seed: u64, mutant: Option<Mutant>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let folder = match PathBuf::from("/dev/shm") {
            shm if shm.is_dir() => tempfile::Builder::new().prefix("ginti-sim-").tempdir_in(shm)?,
            _ => tempfile::tempdir()?,
        };
        let server = Self {
            runtime,
            folder,
            now_ms: Arc::new(AtomicI64::new(shop::START_MS)),
            chance: Arc::new(Mutex::new(Chance::of(seed, "server", 0))),
            running: RefCell::default(),
            mutant,
            files: Cell::new(0),
            current: RefCell::default(),
            wipes: Cell::new(0),
            backups: RefCell::default(),
            unsynced: RefCell::default(),
            dies_after_commit: Cell::new(false),
            is_draining: Cell::new(false),
        };
        server.start_empty()?;
        Ok(server)
    }

    /// Whether somebody answers.
    pub fn is_up(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// Answers a request; none when nobody does.
    pub fn handle(&self, now_ms: i64, request: &Request) -> Option<Response> {
        let router = self.running.borrow().as_ref()?.router.clone();
        self.now_ms.store(now_ms, Ordering::Relaxed);
        let is_import = request.is_import();
        if self.mutant == Some(Mutant::AckBeforeDurable) && is_import {
            let copy = self.copy().ok();
            if let Some(former) = self.unsynced.replace(copy) {
                remove(&former);
            }
        }
        let response = self.runtime.block_on(answer(router, request));
        if is_import && self.dies_after_commit.take() {
            return None;
        }
        Some(response)
    }

    /// The process ends without a word and its database is what the disk has of it.
    pub fn crash(&self) -> Result<()> {
        let copy = match self.unsynced.take() {
            Some(before) => before,
            None => self.copy()?,
        };
        self.stop();
        self.move_in(&copy)
    }

    /// Stops as it should: what was accepted is written, the log is folded into the file.
    pub fn stop(&self) {
        if let Some(running) = self.running.take() {
            // Closing the inline store cannot fail and waits for nothing.
            let _ = self.runtime.block_on(running.store.close());
        }
        self.dies_after_commit.set(false);
        self.is_draining.set(false);
    }

    /// From now on new writes are refused; [`Self::stop`] follows.
    pub fn drain(&self) {
        if let Some(running) = self.running.borrow().as_ref() {
            running.drain.begin();
            self.is_draining.set(true);
        }
    }

    /// Starts on what is there.
    pub fn start(&self) -> Result<()> {
        let path = self.current.borrow().clone();
        self.open(path)
    }

    /// Keeps a copy to be put back later.
    pub fn back_up(&self) -> Result<()> {
        if self.is_up() {
            let copy = self.copy()?;
            self.backups.borrow_mut().push(copy);
        }
        Ok(())
    }

    /// Puts back the last copy. `ginti restore` gives it a new epoch; a file moved into place by hand keeps its own.
    /// False without a copy.
    pub fn restore(&self, epoch_too: bool) -> Result<bool> {
        let Some(copy) = self.backups.borrow_mut().pop() else { return Ok(false) };
        self.stop();
        self.move_in(&copy)?;
        self.start()?;
        if epoch_too {
            self.new_epoch()?;
        }
        Ok(true)
    }

    /// Everything is gone but who may sign in and what is to be counted.
    pub fn wipe(&self) -> Result<()> {
        self.stop();
        self.wipes.set(self.wipes.get() + 1);
        self.start_empty()
    }

    /// Moves a session to another status: what the manager's side will do.
    pub fn set_status(&self, session: &str, status: SessionStatus) -> bool {
        let Some(store) = self.running.borrow().as_ref().map(|running| Arc::clone(&running.store)) else {
            return false;
        };
        let tenant = shop::SESSIONS.iter().find(|(id, ..)| *id == session).map_or("acme", |(_, tenant, ..)| tenant);
        let tenant = ginti_types::TenantId::new(tenant).expect("an id");
        let id = SessionId::new(session).expect("an id");
        self.runtime.block_on(store.set_session_status(&tenant, &id, status)).unwrap_or(false)
    }

    /// Identity of the database's history; none while the server is down.
    pub fn epoch(&self) -> Option<Epoch> {
        let store = Arc::clone(&self.running.borrow().as_ref()?.store);
        self.runtime.block_on(store.ledger()).ok().map(|ledger| ledger.epoch)
    }

    /// What the database holds.
    pub fn dump(&self) -> Result<Dump> {
        let running = self.running.borrow();
        let running = running.as_ref().context("the server is down")?;
        dump::read(&running.path)
    }

    /// All tables as text, to compare runs by.
    pub fn dump_text(&self) -> Result<String> {
        let running = self.running.borrow();
        dump::text(&running.as_ref().context("the server is down")?.path)
    }

    fn start_empty(&self) -> Result<()> {
        let path = self.next_path();
        fs::write(&path, template()?)?;
        self.current.replace(path.clone());
        self.open(path)?;
        self.new_epoch()
    }

    fn new_epoch(&self) -> Result<()> {
        let bytes: [u8; 8] = lock(&self.chance).bytes();
        let epoch = Epoch::new(format!("epoch-{:016x}", u64::from_le_bytes(bytes)))?;
        let running = self.running.borrow();
        let store = &running.as_ref().context("the server is down")?.store;
        Ok(self.runtime.block_on(store.new_epoch(epoch))?)
    }

    fn open(&self, path: PathBuf) -> Result<()> {
        let options = Options { executor: Executor::Inline, ..Options::default() };
        let store = Arc::new(SqliteStore::open(&path, options)?);
        let (now_ms, chance) = (Arc::clone(&self.now_ms), Arc::clone(&self.chance));
        let drain = Drain::default();
        let mut key = [7; 32];
        key[..8].copy_from_slice(&self.wipes.get().to_le_bytes());
        let deps = Deps {
            store: Arc::new(Behind { between: Tampered::new(self.mutant), store: store.clone() }),
            clock: Arc::new(move || Timestamp::from_unix_ms(now_ms.load(Ordering::Relaxed))),
            entropy: Arc::new(move |bytes| lock(&chance).fill(bytes)),
            tokens: Arc::new(TokenKeys::new(&key)),
            api_tokens: ApiTokens::default(),
            passwords: Passwords::default(),
            drain: drain.clone(),
            app: Arc::new(|_: &str| None),
            config: Config::default(),
        };
        self.running.replace(Some(Running { store, router: router(deps), drain, path }));
        Ok(())
    }

    /// The database's files as they are at this moment, log included, under another name.
    fn copy(&self) -> Result<PathBuf> {
        let running = self.running.borrow();
        let from = &running.as_ref().context("the server is down")?.path;
        self.files.set(self.files.get() + 1);
        let to = self.path(self.files.get());
        fs::copy(from, &to)?;
        let (log, its_copy) = (beside(from, "-wal"), beside(&to, "-wal"));
        if log.exists() {
            fs::copy(log, its_copy)?;
        }
        Ok(to)
    }

    /// That copy is the database from now on.
    fn move_in(&self, copy: &PathBuf) -> Result<()> {
        let to = self.next_path();
        fs::rename(copy, &to)?;
        let log = beside(copy, "-wal");
        if log.exists() {
            fs::rename(log, beside(&to, "-wal"))?;
        }
        self.current.replace(to);
        Ok(())
    }

    fn next_path(&self) -> PathBuf {
        self.files.set(self.files.get() + 1);
        self.path(self.files.get())
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("{number}.db"))
    }
}

async fn answer(router: Router, request: &Request) -> Response {
    let mut builder = HttpRequest::builder().method(request.method).uri(&request.path);
    if let Some(token) = &request.token {
        builder = builder.header("authorization", format!("Bearer {token}"));
    }
    if let Some(cookie) = &request.cookie {
        builder = builder.header("cookie", cookie);
    }
    if let Some(key) = &request.idempotency_key {
        builder = builder.header("idempotency-key", key);
    }
    if !request.body.is_empty() {
        builder = builder.header("content-type", "application/json").header("content-length", request.body.len());
    }
    let request = builder.body(Body::from(request.body.clone())).expect("headers of plain text");
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    let (parts, body) = response.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Response {
        status: parts.status.as_u16(),
        retry_after: header("retry-after"),
        replayed: header("idempotency-replayed").is_some(),
        set_cookie: header("set-cookie"),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// A database with the shop in it, made once.
fn template() -> Result<&'static [u8]> {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(template) = TEMPLATE.get() {
        return Ok(template);
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("template.db");
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let store = SqliteStore::open(&path, Options { executor: Executor::Inline, ..Options::default() })?;
    runtime.block_on(async {
        shop::fill(&store, &cheap_hash(shop::PASSWORD)?).await?;
        store.close().await?;
        anyhow::Ok(())
    })?;
    let bytes = fs::read(&path)?;
    Ok(TEMPLATE.get_or_init(|| bytes))
}

/// Argon2 with the least work it allows: every sign-in of a story checks one.
fn cheap_hash(password: &str) -> Result<String> {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None).map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(password.as_bytes(), b"salt of the shop");
    Ok(hash.map_err(|error| anyhow::anyhow!("argon2: {error}"))?.to_string())
}

fn beside(path: &std::path::Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn remove(path: &std::path::Path) {
    // Left-overs go with the folder in any case.
    let _ = fs::remove_file(path);
    let _ = fs::remove_file(beside(path, "-wal"));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
