//! The real `ginti` binary as a child process that can be killed and started again on the same port and database.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const NO_BINARY: &str = "GINTI_BIN must name the ginti binary: run `cargo xtask e2e`";

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Another binary than `$GINTI_BIN`.
    pub binary: Option<PathBuf>,
    /// `--access-token-seconds`.
    pub access_token_seconds: Option<u32>,
    /// `--crash-after-commits`: die between commit and answer.
    pub crash_after_commits: Option<u32>,
    /// `--products`: a catalogue of one's own.
    pub products: Option<PathBuf>,
    /// `--app`: a web app of one's own.
    pub app: Option<PathBuf>,
    /// A file that says how far the server's clock is off, `clock -7200`; read by the library that `GINTI_FAULT_SHIM` names.
    pub clock: Option<PathBuf>,
    /// `--oidc-issuer`, of a provider on this machine, and the client's secret.
    pub oidc: Option<(String, String)>,
    /// `--private-receivers`: messages may go to this machine.
    pub private_receivers: bool,
}

/// `$GINTI_BIN` with these arguments, on a database that nobody serves.
pub(crate) async fn command(database: &Path, arguments: &[&str]) -> Result<()> {
    let binary = std::env::var_os("GINTI_BIN").context(NO_BINARY)?;
    let mut command = Command::new(binary);
    command.args(arguments).arg("--database").arg(format!("sqlite://{}", database.display()));
    let output = command.stdin(Stdio::null()).output().await.context("cannot start ginti")?;
    anyhow::ensure!(output.status.success(), "ginti {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts `$GINTI_BIN serve --demo`. `port` 0 takes any.
    pub async fn start(database: &Path, port: u16, options: &ServerOptions) -> Result<Self> {
        let binary =
            options.binary.clone().map(Into::into).or_else(|| std::env::var_os("GINTI_BIN")).context(NO_BINARY)?;
        let mut command = Command::new(binary);
        command
            .args(["serve", "--demo", "--listen", &format!("127.0.0.1:{port}")])
            .arg("--database")
            .arg(format!("sqlite://{}", database.display()))
            .env("GINTI_DEMO_PASSWORD", crate::PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(seconds) = options.access_token_seconds {
            command.args(["--access-token-seconds", &seconds.to_string()]);
        }
        if let Some(commits) = options.crash_after_commits {
            command.args(["--crash-after-commits", &commits.to_string()]);
        }
        if let Some(products) = &options.products {
            command.arg("--products").arg(products);
        }
        if let Some(app) = &options.app {
            command.arg("--app").arg(app);
        }
        if let Some(clock) = &options.clock {
            let library = std::env::var_os("GINTI_FAULT_SHIM")
                .context("GINTI_FAULT_SHIM must name the library that sets clocks")?;
            command.env("LD_PRELOAD", library).env("GINTI_FAULTS", clock);
        }
        if let Some((issuer, secret)) = &options.oidc {
            command.args(["--oidc-issuer", issuer, "--oidc-client-id", "ginti", "--oidc-http-on-loopback"]);
            command.env("GINTI_OIDC_CLIENT_SECRET", secret);
        }
        if options.private_receivers {
            command.arg("--private-receivers");
        }
        let mut child = command.spawn().context("cannot start ginti")?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let address = loop {
            let Some(line) = lines.next_line().await? else { bail!("ginti ended before it listened") };
            if let Some(url) = line.strip_prefix("listening on http://") {
                break url.trim().parse().context("an odd address")?;
            }
        };
        // Read on, so that the server never writes into a closed pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// SIGKILL: no goodbye, no flush.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill ginti")
    }

    /// Waits until it has died by itself.
    pub async fn wait_for_crash(mut self) -> Result<()> {
        let status = self.child.wait().await?;
        anyhow::ensure!(!status.success(), "ginti ended in good order instead of crashing");
        Ok(())
    }
}
