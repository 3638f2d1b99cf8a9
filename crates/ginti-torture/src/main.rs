//! `cargo xtask torture`: kills the server under load and lets its disk fail. Exits non-zero when a count is missing.

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context, Result};
use clap::Parser;
use ginti_cluster::Cluster;
use ginti_torture::{
    faults,
    kills::{self, Options},
    server::{Program, sqlite_in},
};

/// Ginti's torture
///
/// Sends counts without end, kills the server at random points, starts it again, and looks for every count that was
/// acknowledged. Then lets the disk fail in its ways. Nothing outside a folder of its own is touched.
#[derive(Parser)]
#[command(name = "cargo xtask torture", bin_name = "cargo xtask torture")]
struct Arguments {
    /// How often the server is killed
    #[arg(long, default_value_t = 500)]
    kills: u64,
    /// How often the server on PostgreSQL is killed, and PostgreSQL itself every third time
    #[arg(long, default_value_t = 200)]
    postgres_kills: u64,
    /// How often the disk fails, in each of its ways
    #[arg(long, default_value_t = 10)]
    faults: u64,
    /// Clients that send meanwhile
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=999))]
    clients: u32,
    /// What chance follows from [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// The ginti binary
    #[arg(long, env = "GINTI_BIN")]
    ginti: PathBuf,
    /// The library that lets a disk fail (only where libraries can be preloaded)
    #[arg(long, env = "GINTI_FAULT_SHIM")]
    shim: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Built beside the server, the HTTP client is one that has to be told which cryptography to use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("no runtime").and_then(|runtime| runtime.block_on(run(&arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        since.as_secs()
    });
    println!("seed {seed}");
    let folder = tempfile::tempdir()?;
    let program = Program { binary: arguments.ginti.clone(), database: sqlite_in(folder.path()), faults: None };
    kill("SQLite", &program, arguments.kills, arguments.clients, seed, None).await?;
    if arguments.postgres_kills > 0 {
        let cluster = Cluster::start("")?;
        cluster.create("ginti").await?;
        let program = Program { binary: arguments.ginti.clone(), database: cluster.url("ginti"), faults: None };
        kill("PostgreSQL", &program, arguments.postgres_kills, arguments.clients, seed, Some(&cluster)).await?;
    }
    let Some(shim) = arguments.shim.clone().filter(|_| arguments.faults > 0) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let faults = Some((shim, folder.path().join("fault")));
    let program = Program { binary: arguments.ginti.clone(), database: sqlite_in(folder.path()), faults };
    let report = faults::run(&program, arguments.faults, seed).await.with_context(|| format!("seed {seed}"))?;
    println!(
        "SQLite: the disk failed {} times: {} batches acknowledged, {} sent again; each is there, once",
        report.faults, report.batches, report.repeated
    );
    Ok(())
}

async fn kill(
    name: &str,
    program: &Program,
    kills: u64,
    clients: u32,
    seed: u64,
    cluster: Option<&Cluster>,
) -> Result<()> {
    if kills == 0 {
        return Ok(());
    }
    let start = Instant::now();
    let options = Options { kills, clients, seed };
    let report = kills::run(program, options, cluster).await.with_context(|| format!("seed {seed}"))?;
    println!(
        "{name}: killed {} times, {} times between commit and answer and {} times the database, in {} s: {} counts in {} batches \
         acknowledged, {} batches sent again; each is there, once",
        report.kills,
        report.crashes,
        report.database_kills,
        start.elapsed().as_secs(),
        report.counts,
        report.batches,
        report.repeated
    );
    Ok(())
}
