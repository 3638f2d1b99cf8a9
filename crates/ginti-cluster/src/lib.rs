//! Temporary PostgreSQL clusters on a Unix socket, from Debian's packages.
//!
//! Programs under test connect as the ordinary role `ginti`, which owns its databases and is held to row-level security like a real
//! server's; the superuser is for what only one may do, and for looking past everything.
//!
//! PostgreSQL does not run as root; where we are root, it runs as the user `postgres` that its package brings.

#![cfg(unix)]

use std::{
    env,
    ffi::OsStr,
    fs::{self, File, Permissions},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// Names the folder of PostgreSQL's programs, where they are not found by themselves.
pub const PROGRAMS_VARIABLE: &str = "GINTI_POSTGRES_BIN";

/// A running cluster, gone when dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    /// User and group it runs as, where these are not ours.
    user: Option<(u32, u32)>,
    /// Settings of the server's command line, such as `-c fsync=off`.
    settings: String,
}

impl Cluster {
    /// Makes one and starts it with those settings.
    pub fn start(settings: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let cluster = Self { folder, programs: programs()?, user: unprivileged()?, settings: settings.to_owned() };
        cluster.give(cluster.folder.path())?;
        let data = cluster.data();
        let arguments = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--username=postgres", "--no-sync"];
        cluster.run("initdb", [data.as_os_str()].into_iter().chain(arguments.map(OsStr::new)))?;
        cluster.start_again()?;
        let host = cluster.folder.path().as_os_str();
        let role = ["-U", "postgres", "--login", "--no-superuser", "--no-createdb", "--no-createrole", "ginti", "-h"];
        cluster.run("createuser", role.map(OsStr::new).into_iter().chain([host]))?;
        Ok(cluster)
    }

    /// A standby that follows this one, running. With `synchronous_standby_names` set here, commits wait for it.
    pub fn standby(&self, settings: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let standby = Self { folder, programs: programs()?, user: unprivileged()?, settings: settings.to_owned() };
        standby.give(standby.folder.path())?;
        let (data, primary) = (standby.data(), self.folder.path());
        let arguments = ["-U", "postgres", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-h"].map(OsStr::new);
        let places = [primary.as_os_str(), OsStr::new("-D"), data.as_os_str()];
        standby.run("pg_basebackup", arguments.into_iter().chain(places))?;
        standby.start_again()?;
        Ok(standby)
    }

    /// Makes a standby the primary; returns once it is one.
    pub fn promote(&self) -> Result<()> {
        let data = self.data();
        let arguments = ["-w", "-t", "60", "-D"].map(OsStr::new).into_iter();
        self.run("pg_ctl", arguments.chain([data.as_os_str(), OsStr::new("promote")]))
    }

    /// Starts it after it was ended.
    pub fn start_again(&self) -> Result<()> {
        let socket = self.folder.path().display();
        let options = format!("-k {socket} -c listen_addresses='' -c max_connections=400 {}", self.settings);
        let (log, data) = (self.folder.path().join("log"), self.data());
        let arguments = ["-w", "-t", "120", "-l"].map(OsStr::new).into_iter();
        let rest = [log.as_os_str(), OsStr::new("-o"), OsStr::new(&options), OsStr::new("-D"), data.as_os_str()];
        self.run("pg_ctl", arguments.chain(rest).chain([OsStr::new("start")]))
    }

    /// Changes its settings, from the next start on.
    pub fn set(&mut self, settings: &str) {
        settings.clone_into(&mut self.settings);
    }

    /// Ends it at once, without any goodbye.
    pub fn kill(&self) -> Result<()> {
        let data = self.data();
        let arguments = ["-m", "immediate", "-D"].map(OsStr::new).into_iter();
        self.run("pg_ctl", arguments.chain([data.as_os_str(), OsStr::new("stop")]))
    }

    fn run<'a>(&self, program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<()> {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).stdin(Stdio::null()).current_dir(self.folder.path());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        // pg_ctl leaves the server behind, which would keep a pipe open.
        let said = self.folder.path().join("said");
        let file = File::create(&said)?;
        let status = command.stdout(file.try_clone()?).stderr(file).status()?;
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        ensure!(status.success(), "{program}: {}\n{}", read(&said), read(&self.folder.path().join("log")));
        Ok(())
    }

    /// The address of one of its databases, for its owner.
    pub fn url(&self, database: &str) -> String {
        self.url_of("ginti", database)
    }

    /// The address of one of its databases, for the superuser, whom nothing is hidden from.
    pub fn superuser_url(&self, database: &str) -> String {
        self.url_of("postgres", database)
    }

    fn url_of(&self, role: &str, database: &str) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{role}@{socket}/{database}?sslmode=disable")
    }

    /// The address of a database that lies here or there, wherever it can be written.
    pub fn url_with(&self, other: &Self, database: &str) -> String {
        let [here, there] =
            [self, other].map(|cluster| cluster.folder.path().display().to_string().replace('/', "%2F"));
        format!("postgres://ginti@{here},{there}/{database}?sslmode=disable&target_session_attrs=read-write")
    }

    /// The folder of its Unix socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a database.
    pub async fn create(&self, database: &str) -> Result<()> {
        execute(&self.superuser_url("postgres"), &format!("CREATE DATABASE {database} OWNER ginti")).await
    }

    /// Puts a file into its folder that only its programs may read; the file's path.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        self.give(&path)?;
        Ok(path)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Makes the file its own.
    fn give(&self, path: &Path) -> Result<()> {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }

    /// The process that all of its processes are children of.
    pub fn process(&self) -> Result<u32> {
        let lines = fs::read_to_string(self.data().join("postmaster.pid"))?;
        lines.lines().next().and_then(|line| line.trim().parse().ok()).context("an odd postmaster.pid")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // One that is not running was killed before.
        let _ = self.kill();
    }
}

/// An empty database on a cluster that all of a test program shares. Nothing on it is durable.
#[derive(Debug)]
pub struct Database {
    /// Its address, for its owner.
    pub url: String,
    /// The same for the superuser.
    pub superuser_url: String,
}

impl Database {
    /// Makes one.
    pub async fn new() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let cluster = shared();
        cluster.create(&name).await?;
        Ok(Self { url: cluster.url(&name), superuser_url: cluster.superuser_url(&name) })
    }
}

/// Statements, past everything.
pub async fn execute(url: &str, sql: &str) -> Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let done = client.batch_execute(sql).await;
    drop(client);
    connection.await??;
    Ok(done?)
}

/// Statics are not dropped: a shell left behind ends the cluster when we end, however that is.
fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        let cluster = Cluster::start("-c fsync=off -c full_page_writes=off").expect("a cluster");
        let script =
            "(while kill -0 $0 2>/dev/null; do sleep 0.2; done; kill -QUIT $(head -1 \"$1/data/postmaster.pid\");
                       rm -rf \"$1\") >/dev/null 2>&1 </dev/null &";
        let own = std::process::id().to_string();
        let status = Command::new("sh").args(["-c", script, &own]).arg(cluster.folder.path()).status();
        assert!(status.is_ok_and(|status| status.success()), "a shell to end it");
        cluster
    })
}

/// Where PostgreSQL's programs are: Debian keeps them out of the path, by version.
fn programs() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(PROGRAMS_VARIABLE) {
        return Ok(folder.into());
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    let found = newest.or_else(|| {
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).find(|folder| folder.join("initdb").exists())
    });
    found.with_context(|| {
        format!("PostgreSQL's programs are not here: install Debian's package postgresql, or name their folder in {PROGRAMS_VARIABLE}")
    })
}

fn unprivileged() -> Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self").map_or(true, |own| own.uid() != 0) {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut parts = line.context("PostgreSQL does not run as root, and there is no user postgres")?.split(':').skip(2);
    let mut number = || parts.next().and_then(|number| number.parse().ok()).context("an odd /etc/passwd");
    Ok(Some((number()?, number()?)))
}
