//! The `ginti` binary: building it, and `cargo xtask run`, which serves it with demo data.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace::Workspace;
use crate::{process, wasm, web};

/// Where the demo listens unless told otherwise.
const ADDRESS: &str = "127.0.0.1:7788";
/// How many ports after the usual one are tried when it is taken.
const PORTS_TRIED: u16 = 20;

/// What `cargo xtask run` takes.
#[derive(Args)]
pub(crate) struct RunArguments {
    /// A Shopify product export to start with, instead of the generated catalogue
    #[arg(long, value_name = "FILE.csv")]
    products: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:7788, or the next free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The database to use [default: a SQLite file in the target folder, kept between runs]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Build the server with optimisations (takes several minutes longer)
    #[arg(long)]
    release: bool,
}

/// Builds everything and serves it until interrupted.
pub(crate) fn run(workspace: &Workspace, arguments: &RunArguments) -> Result<()> {
    let products = arguments.products.as_deref().map(existing).transpose()?;
    let listen = arguments.listen.map_or_else(free_address, checked_address)?;
    wasm::build(workspace)?;
    web::build(workspace)?;
    let binary = build(workspace, arguments.release)?;

    let mut server = process::command(binary, &workspace.root);
    server.stdin(Stdio::inherit()).args(["serve", "--demo", "--listen", &listen.to_string()]);
    server.args(["--database", &database(workspace, arguments)?]);
    if let Some(products) = products {
        server.arg("--products").arg(products);
    }
    become_program(server)
}

/// Builds the binary and says where it is.
pub(crate) fn build(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    let mut cargo = process::cargo(&workspace.root);
    cargo.args(["build", "--package", "ginti-server", "--bin", "ginti"]);
    if release {
        cargo.arg("--release");
    }
    process::run(&mut cargo).context("the server could not be compiled")?;
    Ok(binary(workspace, release))
}

/// Where cargo puts the binary.
pub(crate) fn binary(workspace: &Workspace, release: bool) -> PathBuf {
    workspace.target.join(if release { "release" } else { "debug" }).join(format!("ginti{EXE_SUFFIX}"))
}

/// The server in place of this process, so that signals, terminal and exit code are its own.
#[cfg(unix)]
fn become_program(mut server: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(server.exec()).context("the server could not be started")
}

#[cfg(not(unix))]
fn become_program(mut server: Command) -> Result<()> {
    process::run(&mut server)
}

fn database(workspace: &Workspace, arguments: &RunArguments) -> Result<String> {
    if let Some(url) = &arguments.database {
        return Ok(url.clone());
    }
    let folder = workspace.target.join("demo");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join("ginti.db");
    Ok(format!("sqlite://{}", file.strip_prefix(&workspace.root).unwrap_or(&file).display()))
}

/// The file's whole path: the server starts in another folder than the user.
fn existing(file: &Path) -> Result<PathBuf> {
    if !file.is_file() {
        bail!("there is no file {}", file.display());
    }
    path::absolute(file).with_context(|| format!("cannot tell where {} is", file.display()))
}

fn checked_address(address: SocketAddr) -> Result<SocketAddr> {
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; choose another address with --listen"))?;
    Ok(address)
}

fn free_address() -> Result<SocketAddr> {
    let usual: SocketAddr = ADDRESS.parse()?;
    next_free(usual)
}

fn next_free(usual: SocketAddr) -> Result<SocketAddr> {
    for port in usual.port()..=usual.port().saturating_add(PORTS_TRIED) {
        let address = SocketAddr::new(usual.ip(), port);
        if TcpListener::bind(address).is_ok() {
            if address != usual {
                println!("Port {} is taken by another program; using {port}.", usual.port());
            }
            return Ok(address);
        }
    }
    bail!("the ports from {} on are taken; choose an address with --listen", usual.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("an address");
        let found = next_free(address).expect("another free port");
        assert!(found.port() > address.port());
        assert!(checked_address(address).unwrap_err().to_string().contains("--listen"));
    }
}
