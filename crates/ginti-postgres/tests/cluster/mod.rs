//! A temporary PostgreSQL cluster on a Unix socket, from Debian's packages; one for each test program, gone with it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;
use tokio_postgres::NoTls;

/// A running cluster.
pub(crate) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
}

impl Cluster {
    /// Makes one and starts it.
    pub(crate) fn start(options: &str) -> Self {
        let cluster = Self { folder: tempfile::tempdir().unwrap(), programs: programs(), user: unprivileged() };
        if let Some((user, group)) = cluster.user {
            chown(cluster.folder.path(), Some(user), Some(group)).unwrap();
        }
        let data = cluster.data();
        let encoding = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--username=ginti", "--no-sync"];
        cluster.run("initdb", [data.as_os_str()].into_iter().chain(encoding.map(OsStr::new)));
        cluster.restart(options);
        cluster
    }

    /// Starts it, or starts it again.
    pub(crate) fn restart(&self, options: &str) {
        let socket = self.folder.path().display();
        let options = format!("-k {socket} -c listen_addresses='' -c max_connections=400 {options}");
        let log = self.folder.path().join("log");
        let arguments = ["-w", "-l"].map(OsStr::new).into_iter().chain([log.as_os_str(), OsStr::new("-o")]);
        let (data, options) = (self.data(), OsStr::new(&options).to_owned());
        let rest = [options.as_os_str(), OsStr::new("-D"), data.as_os_str(), OsStr::new("start")];
        self.run("pg_ctl", arguments.chain(rest));
    }

    /// Ends it, at once and without any goodbye.
    pub(crate) fn kill(&self) {
        let data = self.data();
        self.run(
            "pg_ctl",
            [OsStr::new("-m"), OsStr::new("immediate"), OsStr::new("-D"), data.as_os_str(), OsStr::new("stop")],
        );
    }

    /// Runs one of PostgreSQL's programs on it.
    pub(crate) fn run<'a>(&self, program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).stdin(Stdio::null()).current_dir(self.folder.path());
        if let Some((user, group)) = self.user {
            std::os::unix::process::CommandExt::uid(&mut command, user);
            std::os::unix::process::CommandExt::gid(&mut command, group);
        }
        // pg_ctl leaves the server behind, which would keep a pipe open.
        let said = self.folder.path().join("said");
        let file = fs::File::create(&said).unwrap();
        let status = command.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(status.success(), "{program}: {}\n{log}", fs::read_to_string(&said).unwrap_or_default());
    }

    /// The address of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://ginti@{socket}/{database}?sslmode=disable")
    }

    /// Where it keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its folder, which its programs may write into.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file that only its programs may read into its folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.user {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// Makes a database.
    pub(crate) async fn create(&self, database: &str) {
        execute(&self.url("postgres"), &format!("CREATE DATABASE {database}")).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A database of the program's own cluster, dropped with it.
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Database {
    /// An empty one.
    pub(crate) async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        shared().create(&name).await;
        Self { url: shared().url(&name) }
    }
}

/// Statements past the store.
pub(crate) async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

/// The program's own cluster. Statics are not dropped: a shell left behind ends it when we end, however that is.
fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        let cluster = Cluster::start("-c fsync=off -c full_page_writes=off");
        let script =
            "(while kill -0 $0 2>/dev/null; do sleep 0.2; done; kill -QUIT $(head -1 \"$1/data/postmaster.pid\");
                       rm -rf \"$1\") >/dev/null 2>&1 </dev/null &";
        let own = std::process::id().to_string();
        let status = Command::new("sh").args(["-c", script, &own]).arg(cluster.folder.path()).status().unwrap();
        assert!(status.success());
        cluster
    })
}

/// Where PostgreSQL's programs are: Debian keeps them out of the path, by version.
fn programs() -> PathBuf {
    if let Some(folder) = env::var_os("GINTI_POSTGRES_BIN") {
        return folder.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    let found = newest.or_else(|| {
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).find(|folder| folder.join("initdb").exists())
    });
    found.expect(
        "PostgreSQL's programs: install Debian's package postgresql, or name their folder in GINTI_POSTGRES_BIN",
    )
}

/// PostgreSQL does not run as root: then as whom.
fn unprivileged() -> Option<(u32, u32)> {
    if !fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line =
        users.lines().find(|line| line.starts_with("postgres:")).expect("the user postgres, of PostgreSQL's package");
    let mut parts = line.split(':').skip(2).map(|number| number.parse().unwrap());
    Some((parts.next().unwrap(), parts.next().unwrap()))
}
