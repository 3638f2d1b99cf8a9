//! Who is measured, how it is started, and what it says of the rows afterwards.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use ginti_cluster::Cluster;
use serde_json::{Value, json};

use crate::{
    load::Target,
    work::{Client, Form, row_name},
};

/// A server with the same work to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Who {
    Null,
    Ceiling,
    Sqlite,
    NoFsync,
    Postgres,
    Superuser,
    FastifySqlite,
    FastifySqliteGroup,
    FastifyPostgres,
    Pouch,
    PocketBase,
}

impl Who {
    pub(crate) const ALL: [Self; 11] = [
        Self::Null,
        Self::Ceiling,
        Self::Sqlite,
        Self::NoFsync,
        Self::Postgres,
        Self::Superuser,
        Self::FastifySqlite,
        Self::FastifySqliteGroup,
        Self::FastifyPostgres,
        Self::Pouch,
        Self::PocketBase,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null server",
            Self::Ceiling => "ginti, nothing stored",
            Self::Sqlite => "ginti, SQLite",
            Self::NoFsync => "ginti, SQLite, no fsync",
            Self::Postgres => "ginti, PostgreSQL",
            // Whom row-level security does not hold: what that costs.
            Self::Superuser => "ginti, PostgreSQL, as a superuser",
            Self::FastifySqlite => "Fastify + better-sqlite3",
            Self::FastifySqliteGroup => "Fastify + better-sqlite3, grouped",
            Self::FastifyPostgres => "Fastify + pg",
            Self::Pouch => "express-pouchdb",
            Self::PocketBase => "PocketBase",
        }
    }

    /// What is promised when it answers.
    pub(crate) fn durability(self) -> &'static str {
        match self {
            Self::Null | Self::Ceiling => "nothing is stored",
            Self::Sqlite | Self::FastifySqlite | Self::FastifySqliteGroup => "WAL, synchronous=FULL",
            Self::NoFsync => "WAL, fsync answered without doing it",
            Self::Postgres | Self::Superuser | Self::FastifyPostgres => "fsync, synchronous_commit=on",
            Self::Pouch => "LevelDB as it comes: not synced before the answer",
            Self::PocketBase => "its SQLite as it comes: WAL, synchronous=NORMAL, not synced before the answer",
        }
    }

    pub(crate) fn form(self) -> Form {
        match self {
            Self::Pouch => Form::Pouch,
            Self::PocketBase => Form::PocketBase,
            _ => Form::Ginti,
        }
    }

    /// A server of others.
    pub(crate) fn is_peer(self) -> bool {
        !self.is_ginti() && self != Self::Null
    }

    fn is_ginti(self) -> bool {
        matches!(self, Self::Ceiling | Self::Sqlite | Self::NoFsync | Self::Postgres | Self::Superuser)
    }
}

/// Where things are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) ginti: PathBuf,
    pub(crate) own: PathBuf,
    pub(crate) shim: PathBuf,
    /// `bench/peers`.
    pub(crate) peers: PathBuf,
    /// Where PocketBase was installed.
    pub(crate) pocketbase: Option<PathBuf>,
}

/// A running server on data of its own.
pub(crate) struct Running {
    pub(crate) who: Who,
    pub(crate) target: Target,
    pub(crate) started_in: Duration,
    child: Child,
    folder: tempfile::TempDir,
    cluster: Option<Cluster>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which a run would have noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const DATABASE: &str = "bench";

/// Starts it on an empty database.
pub(crate) async fn start(who: Who, places: &Places) -> Result<Running> {
    let folder = tempfile::tempdir()?;
    let cluster = match who {
        Who::Postgres | Who::Superuser | Who::FastifyPostgres => {
            let cluster = Cluster::start("-c shared_buffers=512MB -c max_wal_size=4GB")?;
            cluster.create(DATABASE).await?;
            Some(cluster)
        }
        _ => None,
    };
    let data = folder.path().join("data.db");
    let mut command = command(who, places, folder.path(), &data, cluster.as_ref())?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if who == Who::Ceiling {
        // It needs people and sessions to let anybody in: as the demo makes them.
        drop(
            launch(
                self::command(Who::Sqlite, places, folder.path(), &data, None)?
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null()),
            )?
            .kill(),
        );
    }
    let begun = Instant::now();
    let launched = launch(&mut command)?;
    let started_in = begun.elapsed();
    let address = launched.address;
    let child = launched.child;
    let token = if who.is_ginti() { Some(sign_in(address).await?) } else { None };
    let path = match who {
        Who::Pouch => "/counts/_bulk_docs",
        Who::PocketBase => "/api/batch",
        _ if who.is_ginti() => "/maarg/poorti/InventoryCountImport",
        _ => "/import",
    };
    if who == Who::PocketBase {
        prepare_pocketbase(address).await?;
    }
    let mut processes = vec![child.id()];
    if let Some(cluster) = &cluster {
        processes.push(cluster.process()?);
    }
    let target = Target { address, path: path.to_owned(), token, processes };
    Ok(Running { who, target, started_in, child, folder, cluster })
}

fn command(who: Who, places: &Places, folder: &Path, data: &Path, cluster: Option<&Cluster>) -> Result<Command> {
    let serve = |database: &str| {
        let mut command = Command::new(&places.ginti);
        command
            .args([
                "serve",
                "--demo",
                "--listen",
                "127.0.0.1:0",
                "--access-token-seconds",
                "86400",
                "--database",
                database,
            ])
            .env("GINTI_DEMO_PASSWORD", PASSWORD);
        command
    };
    let node = |program: &str, arguments: &[&str]| {
        let mut command = Command::new("node");
        command.arg(places.peers.join(program)).args(arguments).env("NODE_ENV", "production");
        command
    };
    let sqlite = format!("sqlite://{}", data.display());
    let data = data.to_str().context("an odd path")?;
    let socket = cluster.map(|cluster| cluster.socket().display().to_string());
    Ok(match who {
        Who::Null => {
            let mut command = Command::new(&places.own);
            command.arg("null-server");
            command
        }
        Who::Ceiling => {
            let mut command = Command::new(&places.own);
            command.args(["ceiling-server", data]);
            command
        }
        Who::Sqlite => serve(&sqlite),
        Who::NoFsync => {
            let faults = folder.join("faults");
            fs::write(&faults, "nosync")?;
            let mut command = serve(&sqlite);
            command.env("LD_PRELOAD", &places.shim).env("GINTI_FAULTS", faults);
            command
        }
        Who::Postgres => serve(&cluster.context("no cluster")?.url(DATABASE)),
        Who::Superuser => serve(&cluster.context("no cluster")?.superuser_url(DATABASE)),
        Who::FastifySqlite => node("fastify/sqlite.mjs", &[data]),
        Who::FastifySqliteGroup => node("fastify/sqlite.mjs", &[data, "--group"]),
        Who::FastifyPostgres => node("fastify/postgres.mjs", &[&socket.context("no cluster")?, DATABASE]),
        Who::Pouch => node("pouchdb/server.mjs", &[folder.to_str().context("an odd path")?]),
        Who::PocketBase => {
            let program = places.pocketbase.as_ref().context("PocketBase is not installed")?;
            let folder = folder.join("pocketbase");
            let upsert = Command::new(program)
                .args(["superuser", "upsert", SUPERUSER, PASSWORD, "--dir"])
                .arg(&folder)
                .stdout(Stdio::null())
                .status()?;
            ensure!(upsert.success(), "PocketBase has no superuser");
            let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut command = Command::new(program);
            command.args(["serve", &format!("--http=127.0.0.1:{port}"), "--dir"]).arg(&folder);
            command
        }
    })
}

const PASSWORD: &str = "count-on-it";
const SUPERUSER: &str = "bench@example.com";

struct Launched {
    child: Child,
    address: SocketAddr,
}

impl Launched {
    fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// Starts it and waits until it says where it listens.
fn launch(command: &mut Command) -> Result<Launched> {
    let mut child = command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let address = loop {
        let Some(line) = lines.next() else { bail!("{} ended before it listened", command.get_program().display()) };
        let line = line?;
        let said = line.split_whitespace().find_map(|word| {
            let word = word.strip_prefix("http://").unwrap_or(word).trim_end_matches('/');
            word.parse::<SocketAddr>().ok()
        });
        let port = line.strip_prefix("listening on ").and_then(|port| port.parse::<u16>().ok());
        if let Some(address) = said.or_else(|| port.map(|port| SocketAddr::from(([127, 0, 0, 1], port)))) {
            break address;
        }
    };
    // Read on, so that it never writes into a closed pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(Launched { child, address })
}

async fn sign_in(address: SocketAddr) -> Result<String> {
    let client = reqwest::Client::new();
    // The demo's counter signs in on each client's device by sending from it.
    let who = json!({ "username": crate::work::USER, "password": PASSWORD });
    let answer = client.post(format!("http://{address}/auth/login")).json(&who).send().await?.error_for_status()?;
    let answer: Value = answer.json().await?;
    Ok(answer["accessToken"].as_str().context("no token")?.to_owned())
}

async fn prepare_pocketbase(address: SocketAddr) -> Result<()> {
    let client = reqwest::Client::new();
    let base = format!("http://{address}/api");
    let who = json!({ "identity": SUPERUSER, "password": PASSWORD });
    let until = Instant::now() + Duration::from_secs(20);
    let token = loop {
        let answer = client.post(format!("{base}/collections/_superusers/auth-with-password")).json(&who).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => {
                let answer: Value = answer.json().await?;
                break answer["token"].as_str().context("no token")?.to_owned();
            }
            _ if Instant::now() < until => tokio::time::sleep(Duration::from_millis(200)).await,
            _ => bail!("PocketBase does not let its superuser in"),
        }
    };
    let batch = json!({ "batch": { "enabled": true, "maxRequests": 100, "timeout": 30 }, "rateLimits": { "enabled": false, "rules": [] } });
    client
        .patch(format!("{base}/settings"))
        .header("authorization", &token)
        .json(&batch)
        .send()
        .await?
        .error_for_status()?;
    let text = |name: &str| json!({ "name": name, "type": "text" });
    let number = |name: &str| json!({ "name": name, "type": "number" });
    let id = json!({ "name": "id", "type": "text", "primaryKey": true, "required": true, "system": true, "min": 15, "max": 15,
                     "pattern": "^[a-z0-9]+$", "autogeneratePattern": "[a-z0-9]{15}" });
    let counts = json!({
        "name": "counts", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "updateRule": "",
        "fields": [id, text("productId"), number("quantity"), number("revision"), text("countedAt"), text("countedBy")],
    });
    let made = client.post(format!("{base}/collections")).header("authorization", &token).json(&counts).send().await?;
    ensure!(made.status().is_success(), "PocketBase: {}", made.text().await?);
    Ok(())
}

impl Running {
    /// Looks for every row that was acknowledged, past the server; how many there are.
    pub(crate) async fn verify(&self, clients: &[Client]) -> Result<usize> {
        let found = match self.who {
            Who::Null | Who::Ceiling => return Ok(0),
            Who::Pouch => return self.count_documents(clients).await,
            Who::PocketBase => self.in_sqlite("pocketbase/data.db", "SELECT substr(id, 7), revision FROM counts")?,
            Who::Postgres | Who::Superuser | Who::FastifyPostgres => self.in_postgres().await?,
            _ => self.in_sqlite("data.db", "SELECT item_seq, revision FROM item")?,
        };
        let mut rows = 0;
        for (row, revision) in clients.iter().flat_map(Client::rows) {
            let name = row_name(row);
            let held = found.get(&name).copied().unwrap_or(0);
            ensure!(
                held >= revision,
                "{}: row {name} was answered at revision {revision} and is at {held}",
                self.who.name()
            );
            rows += 1;
        }
        Ok(rows)
    }

    fn in_sqlite(&self, file: &str, sql: &str) -> Result<HashMap<String, u64>> {
        let conn = rusqlite::Connection::open(self.folder.path().join(file))?;
        let mut statement = conn.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, f64>(1).or_else(|_| row.get::<_, i64>(1).map(as_f64))?))
        })?;
        rows.map(|row| row.map(|(name, revision)| (name, as_u64(revision))).map_err(Into::into)).collect()
    }

    async fn in_postgres(&self) -> Result<HashMap<String, u64>> {
        let url = self.cluster.as_ref().context("no cluster")?.superuser_url(DATABASE);
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        let rows = client.query("SELECT item_seq, revision FROM item", &[]).await?;
        rows.iter().map(|row| Ok((row.get(0), u64::try_from(row.get::<_, i64>(1))?))).collect()
    }

    /// Each batch brought new documents, so their number tells.
    async fn count_documents(&self, clients: &[Client]) -> Result<usize> {
        let url = format!("http://{}/counts", self.target.address);
        let answer: Value = reqwest::get(url).await?.json().await?;
        let documents = answer["doc_count"].as_u64().context("no doc_count")?;
        let answered: u64 = clients.iter().map(Client::counts).sum();
        ensure!(documents >= answered, "express-pouchdb has {documents} documents of {answered}");
        Ok(usize::try_from(documents)?)
    }
}

#[expect(clippy::cast_precision_loss, reason = "revisions of 15 digits are exact")]
fn as_f64(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "revisions of 15 digits are exact")]
fn as_u64(number: f64) -> u64 {
    number as u64
}
