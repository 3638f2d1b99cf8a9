//! `cargo xtask fuzz`: libFuzzer looks for inputs that a parser does not hold against, guided by the code they reach.
//!
//! The package in `fuzz/` is built with the compiler's own coverage marks, which the stable compiler has too, and with every assertion
//! on. What a target must hold is in `crates/ginti-fuzz`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process;
use crate::workspace::Workspace;

/// What `cargo xtask fuzz` takes.
#[derive(Args)]
pub(crate) struct FuzzArguments {
    /// Only this target; without it each has its turn
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Inputs to try for each target
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    runs: Option<u64>,
    /// Minutes for each target [default: 1, if --runs is not given either]
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
}

/// The triple is named so that build scripts, which run on this machine, get none of the flags.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// The runner's manifest, from the repository's root.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

/// The runner's lock file follows the crates that it is built from.
pub(crate) fn check_lock(workspace: &Workspace) -> Result<()> {
    let mut metadata = process::cargo(&workspace.root);
    metadata.args(["metadata", "--locked", "--format-version=1", "--manifest-path", MANIFEST]);
    process::run_quietly(&mut metadata)
        .context("fuzz/Cargo.lock is behind; `cargo metadata --manifest-path fuzz/Cargo.toml` brings it up to date")
}

/// Builds the runner and gives each target its turn.
pub(crate) fn run(workspace: &Workspace, arguments: &FuzzArguments) -> Result<()> {
    let runner = build(workspace)?;
    let corpus = workspace.root.join("crates/ginti-fuzz/corpus");
    let mut names = Vec::new();
    for folder in fs::read_dir(&corpus).context("the corpus is not there")? {
        names.push(folder?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    if let Some(wanted) = &arguments.target {
        if !names.contains(wanted) {
            bail!("there is no target {wanted}; there are {}", names.join(", "));
        }
        names.retain(|name| name == wanted);
    }
    let mut sum = 0;
    for name in &names {
        println!("\n== {name}");
        let found = workspace.target.join("fuzz/found").join(name);
        let failed = workspace.target.join("fuzz/failed").join(name);
        for folder in [&found, &failed] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut command = process::command(&runner, &workspace.root);
        command
            .env("GINTI_FUZZ_TARGET", name)
            .env("RUST_BACKTRACE", "0")
            .args([&found, &corpus.join(name)])
            .arg(match (arguments.runs, arguments.minutes) {
                (Some(runs), _) => format!("-runs={runs}"),
                (None, minutes) => format!("-max_total_time={}", minutes.unwrap_or(1) * 60),
            })
            .arg(format!("-artifact_prefix={}/", failed.display()))
            .args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]);
        // libFuzzer speaks on standard error.
        let said = process::run_heard(&mut command).with_context(|| {
            format!("{name} does not hold: the input is in {}. Put it into the corpus once it does", failed.display())
        })?;
        let executed = executed(&said);
        println!("{executed} inputs, nothing found.");
        sum += executed;
    }
    println!("\n{sum} inputs over {} targets: nothing was found.", names.len());
    Ok(())
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    let host = process::capture(process::command("rustc", &workspace.root).args(["--print", "host-tuple"]))?;
    let host = host.trim();
    let target = workspace.target.join("fuzz");
    let mut cargo = process::cargo(&workspace.root);
    cargo
        .args(["build", "--release", "--locked", "--manifest-path", MANIFEST, "--target", host, "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", FLAGS);
    process::run(&mut cargo)
        .context("the fuzzer could not be built; libFuzzer needs a compiler for C++ (the Debian package g++)")?;
    Ok(target.join(host).join("release/ginti-fuzz-runner"))
}

/// How many inputs were tried, as libFuzzer says at its end.
fn executed(said: &str) -> u64 {
    let numbers = said.lines().filter_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    numbers.filter_map(|number| number.trim().parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_inputs_is_read_from_what_the_fuzzer_says() {
        assert_eq!(executed("Done 5\nstat::number_of_executed_units: 1531990\nstat::peak_rss_mb: 33\n"), 1_531_990);
        assert_eq!(executed(""), 0);
    }
}
