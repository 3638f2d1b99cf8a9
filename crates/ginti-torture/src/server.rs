//! The process that dies: `ginti serve` on a database of its own, and what is asked of it between two deaths.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::truth::Held;

/// Where counts go.
pub const IMPORTS: &str = "/maarg/poorti/InventoryCountImport";
/// The demo's session that takes any product.
pub const SESSION: &str = "M101429";
const PASSWORD: &str = "count-on-it";

/// How the server is started, each time the same.
#[derive(Clone, Debug)]
pub struct Program {
    /// The `ginti` binary.
    pub binary: PathBuf,
    /// `--database`.
    pub database: String,
    /// A library loaded before all others, and the file that tells it what to let fail.
    pub faults: Option<(PathBuf, PathBuf)>,
    /// Where its log goes, when it is to be looked at.
    pub log: Option<PathBuf>,
    /// `--sqlite-cache-mib`, where it matters.
    pub cache_mib: Option<u32>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Program {
    /// Starts it; port 0 takes any. With `crash_after_commits` it ends by itself, between a commit and its answer.
    pub async fn start(&self, port: u16, crash_after_commits: Option<u64>) -> Result<Server> {
        let mut command = Command::new(&self.binary);
        command
            .args(["serve", "--demo", "--access-token-seconds", "86400"])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--database", &self.database])
            .env("GINTI_DEMO_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(self.log()?)
            .kill_on_drop(true);
        if let Some(mib) = self.cache_mib {
            command.args(["--sqlite-cache-mib", &mib.to_string()]);
        }
        if let Some(commits) = crash_after_commits {
            command.args(["--crash-after-commits", &commits.to_string()]);
        }
        if let Some((library, file)) = &self.faults {
            command.env("LD_PRELOAD", library).env("GINTI_FAULTS", file);
        }
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let address = loop {
            let Some(line) = lines.next_line().await? else { bail!("ginti ended before it listened") };
            if let Some(url) = line.strip_prefix("listening on http://") {
                break url.trim().parse().context("an odd address")?;
            }
        };
        // Read on, so that the server never writes into a closed pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Server { child, address })
    }
}

impl Program {
    /// Of a disk or a database that is made to fail it complains in vain.
    fn log(&self) -> Result<Stdio> {
        Ok(match &self.log {
            Some(file) => std::fs::File::create(file)?.into(),
            None if self.faults.is_some() || self.database.starts_with("postgres") => Stdio::null(),
            None => Stdio::inherit(),
        })
    }
}

impl Server {
    /// The number of its process.
    pub fn process(&self) -> Result<u32> {
        self.child.id().context("the server has ended")
    }

    /// SIGKILL: no goodbye, no flush.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill ginti")
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> Result<()> {
        self.child.wait().await?;
        Ok(())
    }
}

/// Somebody who is signed in and reads.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Keeps connections.
    pub client: reqwest::Client,
    /// The server.
    pub base: String,
    /// Good for the whole run.
    pub token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Held>,
    ledger_seq: u64,
}

impl Reader {
    /// Signs in.
    pub async fn sign_in(address: SocketAddr) -> Result<Self> {
        let (client, base) = (reqwest::Client::new(), format!("http://{address}"));
        let who = json!({ "username": "counter", "password": PASSWORD });
        let answer = client.post(format!("{base}/auth/login")).json(&who).send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        let token = answer["accessToken"].as_str().context("no token")?.to_owned();
        Ok(Self { client, base, token })
    }

    /// Rows that changed after the cursor, and the new cursor.
    pub async fn rows(&self, mut after: u64) -> Result<(Vec<Held>, u64)> {
        let mut rows = Vec::new();
        loop {
            let url = format!("{}{IMPORTS}/{SESSION}/items?after={after}", self.base);
            let answer = self.client.get(url).bearer_auth(&self.token).send().await?.error_for_status()?;
            let page: Page = answer.json().await?;
            rows.extend(page.items);
            if page.ledger_seq == after {
                return Ok((rows, after));
            }
            after = page.ledger_seq;
        }
    }
}

/// A SQLite database in that folder.
pub fn sqlite_in(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("ginti.db").display())
}
