//! Costs in instructions, as callgrind counts them: the same on a busy machine as on a quiet one.
//!
//! Each piece of work is done few times in one run and more often in another; the difference is the work's own. What it is
//! compared with stands in `bench/instructions.json`.

mod server;
mod sync;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

/// More than this above the reference is a regression.
const TOLERANCE: f64 = 1.10;
const FEW: u64 = 20;
const MANY: u64 = 220;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Work {
    /// A body of 50 counts into a batch
    Parse,
    /// A request of 50 counts through the router, over a store that stores nothing
    Request,
    /// A request of 50 counts through the router and into SQLite, in one transaction
    Stored,
    /// A scan in the page's machine, with the JSON that crosses its border
    Scan,
    /// Cutting a batch of 1,000 counts after a shift offline, with the JSON
    Flush,
    /// Taking in the receipt of 1,000 counts, with the JSON
    Settle,
}

impl Work {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Arguments of `ginti-bench instructions`.
#[derive(Args)]
pub(crate) struct Instructions {
    /// The reference
    #[arg(long, env = "GINTI_BENCH_INSTRUCTIONS", default_value = "bench/instructions.json")]
    reference: PathBuf,
    /// Write what was measured into the reference
    #[arg(long)]
    accept: bool,
}

/// Does the work so many times, for callgrind to look at.
pub(crate) fn work(work: Work, times: u64) -> Result<()> {
    match work {
        Work::Parse => server::parse(times),
        Work::Request => server::request(times, false),
        Work::Stored => server::request(times, true),
        Work::Scan => sync::scan(times),
        Work::Flush => sync::flush(times, false),
        Work::Settle => sync::flush(times, true),
    }
}

/// Counts everything and compares.
pub(crate) fn compare(arguments: &Instructions) -> Result<()> {
    let known = match fs::read_to_string(&arguments.reference) {
        Ok(text) => serde_json::from_str(&text).context("the reference is not readable")?,
        Err(_) => BTreeMap::<String, u64>::new(),
    };
    let folder = tempfile::tempdir()?;
    let mut measured = BTreeMap::new();
    let mut worse = Vec::new();
    println!("| work | instructions | reference | |\n|---|---|---|---|");
    for kind in Work::value_variants() {
        let name = kind.name();
        let (few, many) = (count(folder.path(), &name, FEW)?, count(folder.path(), &name, MANY)?);
        let instructions = many.saturating_sub(few) / (MANY - FEW);
        let ratio = known.get(&name).map(|known| ratio(instructions, *known));
        let said = known.get(&name).map_or("none".to_owned(), u64::to_string);
        println!(
            "| {name} | {instructions} | {said} | {} |",
            ratio.map_or(String::new(), |ratio| format!("{ratio:.3}"))
        );
        if ratio.is_some_and(|ratio| ratio > TOLERANCE) {
            worse.push(name.clone());
        }
        measured.insert(name, instructions);
    }
    if arguments.accept {
        fs::write(&arguments.reference, serde_json::to_string_pretty(&measured)? + "\n")?;
        return Ok(());
    }
    ensure!(
        worse.is_empty(),
        "these take more than {TOLERANCE} times the reference's instructions: {}",
        worse.join(", ")
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "measurements")]
fn ratio(of: u64, to: u64) -> f64 {
    of as f64 / to as f64
}

/// Instructions of a whole run.
fn count(folder: &Path, work: &str, times: u64) -> Result<u64> {
    let out = folder.join("callgrind.out");
    let run = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["work", work, &times.to_string()])
        .stdout(Stdio::null())
        .output()
        .context("valgrind cannot be started")?;
    if !run.status.success() {
        bail!("{work} failed: {}", String::from_utf8_lossy(&run.stderr));
    }
    let text = fs::read_to_string(&out)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    total.and_then(|total| total.split_whitespace().next()?.parse().ok()).context("callgrind says no total")
}
