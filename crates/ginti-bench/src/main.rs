//! `cargo xtask bench`: Ginti's write path beside its peers, in paired and interleaved runs; and the manager's side.

mod counted;
mod desk;
mod inprocess;
mod load;
mod machine;
mod report;
mod servers;
mod target;
mod work;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};

use crate::{
    counted::{Instructions, Work},
    inprocess::Bench,
    load::Run,
    report::Report,
    target::{Places, Who, start},
    work::Client,
};

/// As in the server, which is partly built into this program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ginti's benchmark
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Command {
    /// A server that does nothing: what the load generator can do
    NullServer,
    /// Ginti's server over a store that stores nothing
    CeilingServer {
        /// A database with the demo's data
        database: String,
    },
    /// What the write path and the sync machine cost in instructions, beside bench/instructions.json
    Instructions(Instructions),
    /// The manager's side over one large run, on both databases
    Desk(desk::DeskArguments),
    /// One piece of that work, so many times
    #[command(hide = true)]
    Work {
        /// Which
        work: Work,
        /// How often
        times: u64,
    },
}

#[derive(Args)]
struct Measure {
    /// Seconds of each run
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Rounds: in each, everybody runs once
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 512])]
    clients: Vec<u64>,
    /// Only these, by the beginning of their names in the report, over HTTP alone: for tuning
    #[arg(long, value_delimiter = ';')]
    only: Vec<String>,
    /// Rows that the large table of the growth test has
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// The ginti binary
    #[arg(long, env = "GINTI_BIN", default_value = "ginti")]
    ginti: PathBuf,
    /// The library that lets fsync do nothing
    #[arg(long, env = "GINTI_FAULT_SHIM", default_value = "libginti_fault_shim.so")]
    shim: PathBuf,
    /// bench/peers of the repository
    #[arg(long, env = "GINTI_BENCH_PEERS", default_value = "bench/peers")]
    peers: PathBuf,
    /// PocketBase's program
    #[arg(long, env = "GINTI_BENCH_POCKETBASE")]
    pocketbase: Option<PathBuf>,
    /// Where the report goes
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Built beside the server, the HTTP client is one that has to be told which cryptography to use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.context("no runtime").and_then(|runtime| match arguments.command {
        Some(Command::NullServer) => runtime.block_on(servers::null()),
        Some(Command::CeilingServer { database }) => runtime.block_on(servers::ceiling(&database)),
        Some(Command::Instructions(instructions)) => counted::compare(&instructions),
        Some(Command::Desk(arguments)) => desk::run(&runtime, &arguments).and_then(|is_met| {
            ensure!(is_met, "a goal is missed");
            Ok(())
        }),
        Some(Command::Work { work, times }) => counted::work(work, times),
        None => measure(&runtime, &arguments.measure),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(runtime: &tokio::runtime::Runtime, measure: &Measure) -> Result<()> {
    let places = Places {
        ginti: measure.ginti.clone(),
        own: std::env::current_exe()?,
        shim: measure.shim.clone(),
        peers: measure.peers.clone(),
        pocketbase: measure.pocketbase.clone(),
    };
    let mut report = Report::default();
    over_http(runtime, measure, &places, &mut report)?;
    if measure.only.is_empty() {
        alone(runtime, measure, &mut report)?;
        growth(runtime, measure, &mut report)?;
    }
    set_goals(&mut report);
    let machine = machine::description();
    report.write(&measure.out, &machine)?;
    println!("{}", report.text(&machine));
    println!("Written to {}.", measure.out.display());
    Ok(())
}

/// Everybody, in turn, again and again.
fn over_http(runtime: &tokio::runtime::Runtime, measure: &Measure, places: &Places, report: &mut Report) -> Result<()> {
    let length = Duration::from_secs(measure.seconds);
    let is_left_out =
        |who: &Who| !measure.only.is_empty() && !measure.only.iter().any(|only| who.name().starts_with(only.as_str()));
    let mut out: Vec<_> = Who::ALL.into_iter().filter(is_left_out).collect();
    for round in 1..=measure.rounds {
        for who in Who::ALL {
            if out.contains(&who) {
                continue;
            }
            let running = match runtime.block_on(start(who, places)) {
                Ok(running) => running,
                Err(error) => {
                    out.push(who);
                    report.notes.push(format!("{} could not be started: {error:#}", who.name()));
                    continue;
                }
            };
            if who == Who::Sqlite && round == 1 {
                let ms = running.started_in.as_secs_f64() * 1_000.0;
                report
                    .notes
                    .push(format!("ginti serves {ms:.0} ms after it was started (an empty database, demo data made)"));
            }
            // Rows keep their clients from one number of clients to the next: revisions must go on from there.
            let mut known: Vec<Client> = Vec::new();
            for clients in &measure.clients {
                while (known.len() as u64) < *clients {
                    known.push(Client::new(known.len() as u64, who.form()));
                }
                let rest = known.split_off(usize::try_from(*clients)?);
                let (run, back) = match load::run(&running.target, known, length) {
                    Ok(ran) => ran,
                    // A peer that fails is a line in the report; Ginti failing ends the benchmark.
                    Err(error) if who.is_peer() => {
                        out.push(who);
                        report.notes.push(format!("{} failed with {clients} clients: {error:#}", who.name()));
                        known = rest;
                        break;
                    }
                    Err(error) => return Err(error.context(format!("{} with {clients} clients", who.name()))),
                };
                known = back;
                known.extend(rest);
                eprintln!(
                    "round {round}: {}, {clients} clients: {:.0} counts/s, p99 {:.2} ms",
                    who.name(),
                    run.counts_per_second,
                    run.p99_ms
                );
                report.runs.entry((who, *clients)).or_default().push(run);
            }
            if out.contains(&who) {
                continue;
            }
            let rows = runtime.block_on(running.verify(&known))?;
            if round == 1 {
                report.notes.push(format!("{}: every row that was answered is there ({rows} looked at)", who.name()));
            }
            if matches!(who, Who::Sqlite | Who::Postgres) {
                let client = |number: u64| Client::new(2_000 + number, who.form()).repeating();
                let (run, mixed) = load::run(&running.target, (0..64).map(client).collect(), length)?;
                runtime.block_on(running.verify(&mixed))?;
                report.mixed.entry(who).or_default().push(run);
            }
            if who == Who::Sqlite && round == measure.rounds {
                match load::idle(&running.target, 10_000) {
                    Ok(mb) => report.goal("rss_10k_idle_connections", false, 150.0, Some(mb)),
                    Err(error) => report.notes.push(format!(
                        "10,000 idle connections could not be held ({error:#}); the limit on open files may be lower (ulimit -n)"
                    )),
                }
            }
        }
    }
    Ok(())
}

/// The store without HTTP, and what the disk costs.
fn alone(runtime: &tokio::runtime::Runtime, measure: &Measure, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let fsync_us = machine::fsync_us(folder.path())?;
    report.notes.push(format!("the disk takes {:.2} ms to make 16 KB durable (median)", fsync_us / 1_000.0));
    let (mut rates, mut costs, mut singles) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..measure.rounds {
        let place = tempfile::tempdir()?;
        let (many, one) = runtime.block_on(async {
            let store = inprocess::open(&place.path().join("ginti.db")).await?;
            let mut bench = Bench::new(&store, 64, None);
            bench.run(20).await?;
            let many = bench.run(200).await?;
            let one = Bench::new(&store, 1, None).run(200).await?;
            Ok::<_, anyhow::Error>((many, one))
        })?;
        rates.push(many.counts_per_second);
        costs.push(many.cpu_us_per_count);
        singles.push(one.cpu_us_per_count);
    }
    let (rate, cost) = (report::median(rates), report::median(costs));
    let single_us = report::median(singles) * 50.0;
    report.notes.push(format!("the store alone, 64 clients: {rate:.0} counts/s, {cost:.2} µs of CPU a count"));
    for (who, runs) in &report.mixed {
        let mixed = report::median(runs.iter().map(|run| run.counts_per_second));
        let fresh = report.median((*who, 64), |run| run.counts_per_second).unwrap_or(f64::NAN);
        report.notes.push(format!(
            "{}, 64 clients, every tenth batch old (one half repeated whole, one half under a new id): {mixed:.0} counts/s, {:.2} of the rate with new ones only",
            who.name(),
            mixed / fresh
        ));
    }
    let of = |value: fn(&Run) -> f64, clients| report.median((Who::Sqlite, clients), value);
    let over_http = of(|run| run.counts_per_second, 64).map(|http| http / rate);
    let cpu = of(|run| run.cpu_us_per_count, 64).map(|http| http / cost);
    let latency = of(|run| run.p50_ms, 1).map(|ms| ms * 1_000.0 / (fsync_us + single_us));
    report.goal("sqlite_c64_vs_store_inprocess", true, 0.9, over_http);
    report.goal("cpu_per_count_vs_store", false, 2.0, cpu);
    report.goal("c1_latency_vs_fsync", false, 1.5, latency);
    Ok(())
}

/// A table of 10⁵ rows and a large one, in turn; rows drawn from all of it.
fn growth(runtime: &tokio::runtime::Runtime, measure: &Measure, report: &mut Report) -> Result<()> {
    const SMALL: u64 = 100_000;
    let place = tempfile::tempdir()?;
    let ratio = runtime.block_on(async {
        let small = inprocess::open(&place.path().join("small.db")).await?;
        let large = inprocess::open(&place.path().join("large.db")).await?;
        inprocess::fill(&small, SMALL).await?;
        inprocess::fill(&large, measure.rows).await?;
        let mut few = Bench::new(&small, 64, Some(SMALL));
        let mut many = Bench::new(&large, 64, Some(measure.rows));
        let mut ratios = Vec::new();
        for _ in 0..measure.rounds.max(3) {
            let (few, many) = (few.run(60).await?, many.run(60).await?);
            ratios.push(many.counts_per_second / few.counts_per_second);
        }
        Ok::<_, anyhow::Error>(report::median(ratios))
    })?;
    report.notes.push(format!("growth: {} rows against {SMALL}", measure.rows));
    report.goal("growth_1e7_vs_1e5", true, 0.8, Some(ratio));
    Ok(())
}

fn set_goals(report: &mut Report) {
    let rate = |run: &Run| run.counts_per_second;
    let against = [
        ("sqlite_c64_vs_fastify_sqlite", Who::Sqlite, Who::FastifySqlite, 5.0),
        ("sqlite_c64_vs_fastify_sqlite_group", Who::Sqlite, Who::FastifySqliteGroup, 2.5),
        ("sqlite_c64_vs_pouch", Who::Sqlite, Who::Pouch, 70.0),
        ("sqlite_c64_vs_pocketbase", Who::Sqlite, Who::PocketBase, 50.0),
        ("postgres_c64_vs_fastify_pg", Who::Postgres, Who::FastifyPostgres, 2.2),
        ("sqlite_c64_vs_nofsync", Who::Sqlite, Who::NoFsync, 0.85),
    ];
    for (name, of, to, bound) in against {
        let measured = report.ratio((of, 64), (to, 64), rate);
        report.goal(name, true, bound, measured);
    }
    let p99 = |run: &Run| run.p99_ms;
    let beside = report.ratio((Who::Sqlite, 64), (Who::FastifySqlite, 64), p99);
    report.goal("sqlite_c64_p99_vs_fastify_sqlite", false, 0.33, beside);
    let crowded = report.ratio((Who::Sqlite, 512), (Who::Sqlite, 64), p99);
    report.goal("sqlite_c512_p99_vs_c64_p99", false, 10.0, crowded);
}
