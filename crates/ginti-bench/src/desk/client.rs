//! The real server on a port of this machine, and a manager who asks it.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::{Result, bail, ensure};
use ginti_store::{Role, Store, User};
use reqwest::StatusCode;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::world;
use crate::servers;

/// Longer than any measurement.
const TOKEN_SECONDS: u32 = 86_400;

/// A running server.
pub(super) struct Server {
    pub(super) client: Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(super) async fn start(store: Arc<dyn Store>) -> Result<Self> {
        let deps = servers::deps(store).await?;
        let access = world::boss();
        let user = User {
            id: access.user,
            tenant: access.tenant,
            name: "Manager".to_owned(),
            role: Role::Admin,
            facilities: None,
        };
        let token = deps.tokens.issue(&user, deps.now(), TOKEN_SECONDS);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let wait = async {
            let _ = stopped.await;
        };
        let running = tokio::spawn(ginti_server::serve(listener, deps, wait));
        Ok(Self { client: Client { address, token, http: reqwest::Client::new() }, stop, running })
    }

    pub(super) async fn stop(self) -> Result<()> {
        // A connection kept open would be waited for.
        drop(self.client);
        let _ = self.stop.send(());
        Ok(self.running.await??)
    }
}

/// A manager.
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) token: String,
    http: reqwest::Client,
}

/// How long calls took.
pub(super) struct Spread {
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
}

impl Client {
    /// The path of something of a run.
    pub(super) fn path(of_run: &str) -> String {
        format!("/maarg/poorti/InventoryCountRun/{of_run}")
    }

    async fn get(&self, of_run: &str) -> Result<StatusCode> {
        let url = format!("http://{}{}", self.address, Self::path(of_run));
        let answer = self.http.get(url).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        Ok(status)
    }

    /// Asks so often, one after the other.
    pub(super) async fn timed(&self, of_run: &str, calls: usize) -> Result<Spread> {
        let mut took = Vec::with_capacity(calls);
        for _ in 0..calls {
            let begun = Instant::now();
            let status = self.get(of_run).await?;
            ensure!(status.is_success(), "{of_run}: {status}");
            took.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        took.sort_by(f64::total_cmp);
        let at = |percent: usize| took[(took.len() * percent).div_ceil(100) - 1];
        Ok(Spread { p50_ms: at(50), p95_ms: at(95) })
    }

    /// Asks again for as long as the server is busy with it; how often.
    pub(super) async fn until_answered(&self, of_run: &str) -> Result<f64> {
        let mut tries = 0.0;
        loop {
            tries += 1.0;
            match self.get(of_run).await? {
                status if status.is_success() => return Ok(tries),
                StatusCode::SERVICE_UNAVAILABLE if tries < 100.0 => {}
                status => bail!("{of_run}: {status}"),
            }
        }
    }

    /// Sends something once.
    pub(super) async fn post(&self, to_run: &str, media: &str, body: String) -> Result<()> {
        let url = format!("http://{}{}", self.address, Self::path(to_run));
        let sent = self.http.post(url).bearer_auth(&self.token).header("content-type", media).body(body).send();
        let answer = sent.await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{to_run}: {status}: {}", text.chars().take(600).collect::<String>());
        Ok(())
    }
}
