//! `cargo xtask sim`: plays stories and says what does not hold. Exits non-zero when something does not.

use std::{
    process::ExitCode,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, anyhow, bail};
use clap::Parser;
use ginti_sim::{
    awaits,
    campaign::{self, Caught},
    mutants::{self, Mutant},
    oracle::Violation,
    scenario::{self, Scenario},
    shop, shrink, stampede,
    trace::clock_face,
    world,
};
use ginti_sqlite::{Executor, Options, SqliteStore};
use ginti_store::conformance::differential;

/// A third of the time of the system's own allocator would go into memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds that once failed, and must not again.
const CORPUS: &str = include_str!("../corpus.txt");
/// A planted bug that passes so many seeds is not found.
const SEEDS_PER_MUTANT_MAX: u64 = 2_000;
const MILLION: u64 = 1_000_000;

/// Ginti's simulator
///
/// Many devices running the real sync engine against the real server in virtual time, while everything goes wrong; then the
/// faults stop, and every count must have arrived. Without options: fresh seeds.
#[derive(Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim", arg_required_else_help = false)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Arguments {
    /// Play so many seeds
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// Begin with this seed instead of a fresh one
    #[arg(long)]
    from: Option<u64>,
    /// Play this one seed; when it fails, make the story small and tell it
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Devices in the story of --seed
    #[arg(long, default_value_t = scenario::DEVICES, requires = "seed")]
    devices: usize,
    /// Hours that things go wrong in the story of --seed
    #[arg(long, default_value_t = scenario::LENGTH_MS / 3_600_000, requires = "seed")]
    hours: i64,
    /// With --seed: tell everything that happens
    #[arg(long, requires = "seed")]
    verbose: bool,
    /// With --seed: print the server's tables at the end
    #[arg(long, requires = "seed")]
    tables: bool,
    /// Plant this bug (see --mutants)
    #[arg(long, value_parser = mutant_of)]
    mutant: Option<Mutant>,
    /// Plant each of the field's classic bugs in turn and show what finds it
    #[arg(long, conflicts_with = "seed")]
    mutants: bool,
    /// With --mutants: starts from which each is looked for
    #[arg(long, default_value_t = 5, requires = "mutants")]
    starts: u64,
    /// Replay the seeds that once failed
    #[arg(long)]
    corpus: bool,
    /// Count a shelf and end the worker, the tab or the device at each await in turn
    #[arg(long)]
    awaits: bool,
    /// Bring so many devices back in the same second
    #[arg(long, value_name = "DEVICES")]
    stampede: Option<usize>,
    /// Feed so many random histories to the SQLite store and to the reference of the merge rule
    #[arg(long, value_name = "SEEDS")]
    differential: Option<u64>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(seed) = arguments.seed {
        return one(arguments, seed);
    }
    if arguments.mutants {
        return all_mutants(arguments);
    }
    if let Some(devices) = arguments.stampede {
        return bring_back(arguments.from.unwrap_or(1), devices);
    }
    if let Some(seeds) = arguments.differential {
        return compare(arguments.from.unwrap_or_else(fresh), seeds);
    }
    if arguments.awaits {
        return end_everywhere(arguments.mutant);
    }
    if arguments.corpus {
        return replay_corpus();
    }
    many(arguments)
}

fn many(arguments: &Arguments) -> Result<()> {
    let first = arguments.from.unwrap_or_else(fresh);
    println!("{} seeds from {first}", arguments.seeds);
    let start = Instant::now();
    let report = campaign::play(first, arguments.seeds, arguments.mutant, 20)?;
    let rate = report.seeds.saturating_mul(1_000) / u64::try_from(start.elapsed().as_millis()).unwrap_or(1).max(1);
    println!(
        "{} seeds: {} counts in {} batches; at most {} batches a minute from one device, {} in one queue; everything had \
         arrived {} s after somebody opened the app, at the latest; about {rate} seeds a second",
        report.seeds,
        report.counts,
        report.batches,
        report.sends_a_minute,
        report.longest_queue,
        report.converged_ms / 1_000
    );
    for (seed, violation) in &report.failed {
        println!("seed {seed}: {}", said(violation));
    }
    let Some((seed, violation)) = report.failed.first_key_value() else { return Ok(()) };
    tell_small(&Scenario::new(*seed), arguments.mutant, violation)?;
    bail!(
        "{} of {} seeds fail; `cargo xtask sim --seed {seed} --verbose` tells all of the first",
        report.failed.len(),
        report.seeds
    )
}

fn one(arguments: &Arguments, seed: u64) -> Result<()> {
    let scenario = Scenario::sized(seed, arguments.devices, arguments.hours * 3_600_000);
    let outcome = world::run(&scenario, arguments.mutant, arguments.verbose || arguments.tables)?;
    if arguments.verbose {
        print_lines(&outcome.lines);
    }
    if arguments.tables {
        print!("{}", outcome.tables);
    }
    let Some(violation) = outcome.violation else {
        println!(
            "seed {seed} holds: {} counts, {} requests, everything had arrived after {} s",
            outcome.counts,
            outcome.requests,
            outcome.converged_ms / 1_000
        );
        return Ok(());
    };
    tell_small(&scenario, arguments.mutant, &violation)?;
    bail!("seed {seed} fails: {}", said(&violation))
}

/// The story made small, as a person can read it.
fn tell_small(scenario: &Scenario, mutant: Option<Mutant>, violation: &Violation) -> Result<()> {
    let (small, violation) = shrink::shrink(scenario, mutant, violation)?;
    let steps: usize = small.devices.iter().map(|device| device.steps.len()).sum();
    println!(
        "\nThe smallest story found: {} devices, {} faults, {steps} steps",
        small.devices.len(),
        small.faults.len()
    );
    for device in &small.devices {
        println!("  device {}: {:?}, clock {:+} s", device.index + 1, device.kind, device.clock_ms / 1_000);
    }
    print_lines(&world::run(&small, mutant, true)?.lines);
    println!("{}", said(&violation));
    Ok(())
}

fn print_lines(lines: &[(i64, String)]) {
    for (at_ms, line) in lines {
        println!("  {}  {line}", clock_face(at_ms - shop::START_MS));
    }
}

fn said(violation: &Violation) -> String {
    let place = violation.device.map(|index| format!(", device {}", index + 1)).unwrap_or_default();
    let at = clock_face(violation.at_ms - shop::START_MS);
    format!("invariant {} does not hold at {at}{place}: {}", violation.invariant.name(), violation.what)
}

fn all_mutants(arguments: &Arguments) -> Result<()> {
    let first = arguments.from.unwrap_or(1);
    let starts: Vec<_> = (0..arguments.starts).map(|start| first.wrapping_add(start * MILLION)).collect();
    let mut missed = Vec::new();
    println!("| bug | what goes wrong | found by | seeds (median of {}) |\n|---|---|---|---|", starts.len());
    for described in mutants::ALL.iter().filter(|one| arguments.mutant.is_none_or(|only| only == one.mutant)) {
        let caught = campaign::catch(described.mutant, &starts, SEEDS_PER_MUTANT_MAX)?;
        if caught.seeds.contains(&None) {
            missed.push(described.name);
        }
        println!("| `{}` | {} | {} | {} |", described.name, described.what, found_by(&caught), median_of(&caught));
    }
    if missed.is_empty() {
        Ok(())
    } else {
        bail!("not found within {SEEDS_PER_MUTANT_MAX} seeds: {}", missed.join(", "))
    }
}

fn found_by(caught: &Caught) -> String {
    caught.by.keys().map(|invariant| invariant.name()).collect::<Vec<_>>().join("; ")
}

fn median_of(caught: &Caught) -> String {
    caught.median().map_or_else(|| "not found".to_owned(), |seeds| seeds.to_string())
}

fn replay_corpus() -> Result<()> {
    let mut failed = 0;
    let seeds = CORPUS.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let mut played = 0;
    for seed in seeds {
        played += 1;
        if let Some(violation) = world::run(&Scenario::new(seed), None, false)?.violation {
            failed += 1;
            println!("seed {seed}: {}", said(&violation));
        }
    }
    println!("{played} seeds that once failed: {failed} fail");
    if failed == 0 { Ok(()) } else { bail!("{failed} seeds of the corpus fail again") }
}

fn end_everywhere(mutant: Option<Mutant>) -> Result<()> {
    let report = awaits::run(mutant)?;
    println!("{} stories of one shelf, each ended at another await", report.stories);
    let Some((scenario, violation)) = report.failed else { return Ok(()) };
    print_lines(&world::run(&scenario, mutant, true)?.lines);
    bail!("{:?}, {:?}: {}", scenario.devices[0].kind, scenario.faults, said(&violation))
}

fn bring_back(seed: u64, devices: usize) -> Result<()> {
    let stampede = stampede::run(seed, devices)?;
    println!(
        "{devices} devices come back in the same second: {} requests in the busiest second (at most {} for a thousand), {} in \
         the first minute",
        stampede.peak,
        stampede::PEAK_FOR_A_THOUSAND,
        stampede.first_minute
    );
    if let Some(violation) = &stampede.violation {
        println!("{}", said(violation));
    }
    if stampede.holds() { Ok(()) } else { bail!("the fleet stampedes, or does not arrive") }
}

fn compare(first: u64, seeds: u64) -> Result<()> {
    println!("{seeds} histories from seed {first}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    for seed in first..first.saturating_add(seeds) {
        let folder = tempfile::tempdir()?;
        let options = Options { executor: Executor::Inline, ..Options::default() };
        let store = SqliteStore::open(folder.path().join("ginti.db"), options)?;
        runtime.block_on(differential::run(&store, seed)).map_err(|difference| anyhow!(difference))?;
    }
    println!("the store and the reference agree in all of them");
    Ok(())
}

fn mutant_of(name: &str) -> Result<Mutant, String> {
    Mutant::by_name(name).ok_or_else(|| format!("there is no bug of that name; --mutants lists {}", mutants::ALL.len()))
}

/// A seed that nobody has seen.
fn fresh() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 1_000
}
