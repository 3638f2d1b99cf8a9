//! A server behind a link, devices in front of it, and what must hold in the end.

use std::{collections::BTreeMap, future::Future, time::Duration};

use anyhow::{Context, Result, ensure};
use ginti_sqlite::{Options, SqliteStore};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::{Api, Capability, Device, Engine, Link, Server, ServerOptions};

/// How often each product was scanned: what a person would swear to.
pub type Tally = BTreeMap<String, f64>;

/// A server and the link to it. Everything lives in a temporary folder.
#[derive(Debug)]
pub struct World {
    /// The link the browsers use.
    pub link: Link,
    server: Option<Server>,
    port: u16,
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// One world at a time: two browsers would starve each other on a small machine.
static ALONE: Mutex<()> = Mutex::const_new(());

impl World {
    /// A freshly seeded demo server, link up.
    pub async fn new(options: ServerOptions) -> Result<Self> {
        let alone = ALONE.lock().await;
        // Built beside the server, the HTTP client is one that has to be told which cryptography to use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir()?;
        let server = Server::start(&folder.path().join("ginti.db"), 0, &options).await?;
        let port = server.address().port();
        let link = Link::new(server.address(), !Engine::chosen()?.can(Capability::SecureCookie)).await?;
        Ok(Self { link, server: Some(server), port, folder, _alone: alone })
    }

    /// Starts the server again on its port and database.
    pub async fn restart_server(&mut self, options: &ServerOptions) -> Result<()> {
        let database = self.folder.path().join("ginti.db");
        self.server = Some(Server::start(&database, self.port, options).await?);
        Ok(())
    }

    /// SIGKILL.
    pub async fn kill_server(&mut self) -> Result<()> {
        self.server.take().context("the server is not running")?.kill().await
    }

    /// The database of a server that is not running: for what has no command yet.
    pub fn store(&self) -> Result<SqliteStore> {
        Ok(SqliteStore::open(self.folder.path().join("ginti.db"), Options::default())?)
    }

    /// A command of `ginti` on the database.
    pub async fn command(&self, arguments: &[&str]) -> Result<()> {
        crate::server::command(&self.folder.path().join("ginti.db"), arguments).await
    }

    /// The folder of everything in it.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Deletes the database of a server that is not running.
    pub fn wipe_database(&self) -> Result<()> {
        for entry in std::fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ginti.db")) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Waits until the server has crashed by itself.
    pub async fn server_crashes(&mut self) -> Result<()> {
        let server = self.server.take().context("the server is not running")?;
        tokio::time::timeout(Duration::from_secs(60), server.wait_for_crash())
            .await
            .context("the server did not crash")?
    }

    /// A new device.
    pub async fn device(&self, name: &str) -> Result<Device> {
        Device::new(self.folder.path(), name, self.link.origin()).await
    }

    /// The server's origin, past the link.
    pub fn server_origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The server's own view.
    pub async fn api(&self) -> Result<Api> {
        Api::sign_in(self.server_origin(), "manager").await
    }

    /// Waits until the device says that everything is confirmed, then checks that screen, device and server all say
    /// exactly what was counted, and that no revision was ever applied twice.
    pub async fn all_arrived(&self, device: &Device, session: &str, tally: &Tally) -> Result<()> {
        eventually("every row is confirmed", || async {
            let rows = device.rows(session).await?;
            let products = by_product(rows.values().map(|row| (row.product_id.clone(), row.quantity)));
            Ok((products == *tally && rows.values().all(|row| row.truth == "confirmed")).then_some(()))
        })
        .await?;
        let api = self.api().await?;
        let (local, server) = (device.rows(session).await?, api.rows(session).await?);
        let held = by_product(server.values().map(|row| (row.product_id.clone(), row.quantity)));
        ensure!(held == *tally, "the server holds {held:?}, counted was {tally:?}");
        for (id, row) in &local {
            let there = server.get(id).with_context(|| format!("row {id} is not on the server"))?;
            ensure!(there.revision == row.revision, "row {id} holds another revision");
            let applied = api.applications(session, id).await?;
            ensure!(applied.values().all(|times| *times == 1), "a revision of row {id} was applied twice: {applied:?}");
        }
        let shown = device.shown().await?;
        let total: f64 = shown.values().map(|(quantity, _)| quantity).sum();
        ensure!((total - tally.values().sum::<f64>()).abs() < 1e-9, "the screen shows {total} in all");
        ensure!(shown.values().all(|(_, truth)| truth == "confirmed"), "the screen does not say confirmed: {shown:?}");
        ensure!(device.queued().await? == 0, "the courier's queue is not empty");
        device.assert_no_secrets().await
    }
}

/// Waits until the device holds what was scanned, wherever it is on its way.
pub async fn counted(device: &Device, session: &str, tally: &Tally) -> Result<()> {
    let held = async || -> Result<Tally> {
        let rows = device.rows(session).await?;
        Ok(by_product(rows.values().map(|row| (row.product_id.clone(), row.quantity))))
    };
    let waited = eventually("all scans are on the device", async || Ok((held().await? == *tally).then_some(()))).await;
    if waited.is_err() {
        device.browser().screenshot("scans-missing").await?;
        let held = held().await?;
        return waited.with_context(|| format!("counted was {tally:?}, the device holds {held:?}"));
    }
    Ok(())
}

fn by_product(rows: impl Iterator<Item = (Option<String>, f64)>) -> Tally {
    let mut tally = Tally::new();
    for (product, quantity) in rows {
        *tally.entry(product.unwrap_or_else(|| "unmatched".to_owned())).or_default() += quantity;
    }
    tally
}

/// Asks until there is an answer. The bound is generous: it ends a hopeless wait, it measures nothing.
pub async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let started = tokio::time::Instant::now();
    let mut last_error = None;
    while started.elapsed() < Duration::from_secs(90) {
        match ask().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => last_error = None,
            Err(error) => last_error = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    match last_error {
        Some(error) => Err(error.context(format!("waited in vain until {what}"))),
        None => anyhow::bail!("waited in vain until {what}"),
    }
}
