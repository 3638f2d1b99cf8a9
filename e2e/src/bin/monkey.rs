//! The monkey: drives the app for a while from a seed and checks that server = screen = truth. `cargo xtask e2e --seed N` runs
//! it. Exits non-zero when they differ, and tells how to see it again.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::Parser;
use ginti_e2e::monkey::{Options, run};

/// A seeded monkey in a real browser
#[derive(Parser)]
struct Arguments {
    /// What it does follows from this number [default: from the time]
    #[arg(long)]
    seed: Option<u64>,
    /// How long it goes on
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Tell each step
    #[arg(long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
    };
    let duration = Duration::try_from_secs_f64(arguments.minutes * 60.0).context("these are no minutes")?;
    println!("{}", run(Options { seed, duration, is_verbose: arguments.verbose }).await?);
    Ok(())
}
