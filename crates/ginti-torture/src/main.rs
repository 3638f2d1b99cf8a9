//! `cargo xtask torture`: kills the server under load and lets its disk fail. Exits non-zero when a count is missing.

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context, Result};
use clap::Parser;
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
    if arguments.kills > 0 {
        let start = Instant::now();
        let options = Options { kills: arguments.kills, clients: arguments.clients, seed };
        let report = kills::run(&program, options).await.with_context(|| format!("seed {seed}"))?;
        println!(
            "SQLite: killed {} times, and {} times between commit and answer, in {} s: {} counts in {} batches acknowledged, {} \
             batches sent again; each is there, once",
            report.kills,
            report.crashes,
            start.elapsed().as_secs(),
            report.counts,
            report.batches,
            report.repeated
        );
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
