//! `cargo xtask torture`: kills the server under load and lets its disk fail. Exits non-zero when a count is missing.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use ginti_cluster::Cluster;
use ginti_torture::{
    days, faults, held,
    kills::{self, Options},
    server::{Program, sqlite_in},
    soak,
};

/// Ginti's torture
///
/// Sends counts without end, kills the server at random points, starts it again, and looks for every count that was
/// acknowledged. Then lets the disk fail in its ways. Nothing outside a folder of its own is touched.
#[derive(Parser)]
#[command(name = "cargo xtask torture", bin_name = "cargo xtask torture", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
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
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// The ginti binary
    #[arg(long, env = "GINTI_BIN", global = true, default_value = "ginti")]
    ginti: PathBuf,
    /// The library that lets a disk fail (only where libraries can be preloaded)
    #[arg(long, env = "GINTI_FAULT_SHIM")]
    shim: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Thousands of devices, a third of their batches doubled or out of order: each count is there, once
    Load {
        /// Devices
        #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=9_999))]
        devices: u32,
        /// Batches in all, on SQLite
        #[arg(long, default_value_t = 1_000_000)]
        batches: u64,
        /// Batches in all, on PostgreSQL
        #[arg(long, default_value_t = 1_000_000)]
        postgres_batches: u64,
        /// Requests on their way at once
        #[arg(long, default_value_t = 256)]
        in_flight: usize,
    },
    /// A database that is locked, a primary that dies and its standby that takes over: each count is there, once
    Days,
    /// Half of what the server can do, for long, with faults in the network: flat memory, no complaint, each count there, once
    Soak {
        /// Devices
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=9_999))]
        devices: u32,
        /// How long half of the peak is held
        #[arg(long, default_value_t = 1_800)]
        seconds: u64,
        /// How long the peak is measured
        #[arg(long, default_value_t = 20)]
        peak_seconds: u64,
        /// On PostgreSQL, not on SQLite
        #[arg(long)]
        postgres: bool,
    },
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
    match arguments.command {
        Some(Command::Load { devices, batches, postgres_batches, in_flight }) => {
            let options = |batches| held::Options { devices, batches, in_flight, seed };
            hold(arguments, options(batches), options(postgres_batches)).await
        }
        Some(Command::Days) => bad_days(arguments, seed).await,
        Some(Command::Soak { devices, seconds, peak_seconds, postgres }) => {
            let [length, peak] = [seconds, peak_seconds].map(Duration::from_secs);
            soak(arguments, soak::Options { devices, length, peak, seed }, postgres).await
        }
        None => torture(arguments, seed).await,
    }
}

/// Memory for pages of the database while the server is soaked.
const SOAK_CACHE_MIB: u32 = 3;

async fn hold(arguments: &Arguments, sqlite: held::Options, postgres: held::Options) -> Result<()> {
    if sqlite.batches > 0 {
        let folder = tempfile::tempdir()?;
        let program = serving(arguments, sqlite_in(folder.path()));
        println!("SQLite: {}", held::run(&program, sqlite).await?);
    }
    if postgres.batches > 0 {
        let cluster = Cluster::start("")?;
        cluster.create("ginti").await?;
        println!("PostgreSQL: {}", held::run(&serving(arguments, cluster.url("ginti")), postgres).await?);
    }
    Ok(())
}

async fn bad_days(arguments: &Arguments, seed: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let on_sqlite = serving(arguments, sqlite_in(folder.path()));
    println!("SQLite, {}", days::sqlite_locked(&on_sqlite, &folder.path().join("ginti.db"), seed).await?);
    let cluster = Cluster::start("")?;
    cluster.create("ginti").await?;
    let on_postgres = serving(arguments, cluster.url("ginti"));
    println!("PostgreSQL, {}", days::postgres_locked(&on_postgres, &cluster, seed).await?);
    drop(cluster);
    for in_step in [true, false] {
        let mut primary = Cluster::start("")?;
        primary.create("ginti").await?;
        let standby = primary.standby("")?;
        let program = serving(arguments, primary.url_with(&standby, "ginti"));
        let told = if in_step {
            primary.kill()?;
            primary.set("-c synchronous_standby_names='*'");
            primary.start_again()?;
            days::failover(&program, &primary, &standby, seed).await?
        } else {
            days::failover_behind(&program, &primary, &standby, seed).await?
        };
        println!("PostgreSQL, {told}");
    }
    Ok(())
}

async fn soak(arguments: &Arguments, options: soak::Options, postgres: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = postgres.then(|| Cluster::start("")).transpose()?;
    let database = match &cluster {
        Some(cluster) => {
            cluster.create("ginti").await?;
            cluster.url("ginti")
        }
        None => sqlite_in(folder.path()),
    };
    let log = Some(folder.path().join("log"));
    // What is kept of the file grows with the file until it fills its room. With little room that is full from the beginning, and what
    // grows then grows without need.
    let cache_mib = (!postgres).then_some(SOAK_CACHE_MIB);
    let program = Program { log, cache_mib, ..serving(arguments, database) };
    println!("{}: {}", if postgres { "PostgreSQL" } else { "SQLite" }, soak::run(&program, options).await?);
    Ok(())
}

fn serving(arguments: &Arguments, database: String) -> Program {
    Program { binary: arguments.ginti.clone(), database, faults: None, log: None, cache_mib: None }
}

async fn torture(arguments: &Arguments, seed: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = serving(arguments, sqlite_in(folder.path()));
    kill("SQLite", &program, arguments.kills, arguments.clients, seed, None).await?;
    if arguments.postgres_kills > 0 {
        let cluster = Cluster::start("")?;
        cluster.create("ginti").await?;
        let program = serving(arguments, cluster.url("ginti"));
        kill("PostgreSQL", &program, arguments.postgres_kills, arguments.clients, seed, Some(&cluster)).await?;
    }
    let Some(shim) = arguments.shim.clone().filter(|_| arguments.faults > 0) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let faults = Some((shim, folder.path().join("fault")));
    let program = Program {
        binary: arguments.ginti.clone(),
        database: sqlite_in(folder.path()),
        faults,
        log: None,
        cache_mib: None,
    };
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
