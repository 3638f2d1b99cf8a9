//! `cargo xtask e2e`: the tests and the benchmark in a real browser, against the real binary.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::engines::Engine;
use crate::workspace::Workspace;
use crate::{process, server, wasm, web};

/// The variable that tells the tests which server to start.
pub(crate) const BINARY_VARIABLE: &str = "GINTI_BIN";
/// The variable that names the library with which a server's clock is set.
pub(crate) const SHIM_VARIABLE: &str = "GINTI_FAULT_SHIM";
/// The package of the browser tests.
pub(crate) const PACKAGE: &str = "ginti-e2e";
/// Its folder, from the repository's root.
pub(crate) const FOLDER: &str = "e2e";

/// The program that lets the monkey loose.
const MONKEY: &str = "monkey";
/// What the monkey of `cargo xtask test` does follows from this.
const MONKEY_SEED: u64 = 7;

/// What `cargo xtask e2e` takes.
#[derive(Args)]
pub(crate) struct E2eArguments {
    /// Run only the tests whose names contain this
    #[arg(conflicts_with = "bench")]
    filter: Option<String>,
    /// The engine to run them in
    #[arg(long, value_enum, default_value = "chromium")]
    engine: Engine,
    /// Run the benchmark in the browser and print its numbers, instead of the tests
    #[arg(long)]
    bench: bool,
    /// Let the monkey loose instead: what it does follows from this number [default with --minutes: from the time]
    #[arg(long, conflicts_with_all = ["filter", "bench"])]
    seed: Option<u64>,
    /// Let the monkey loose for so long [default with --seed: 10]
    #[arg(long, conflicts_with_all = ["filter", "bench"])]
    minutes: Option<f64>,
}

/// Tells the tests what to start the server with.
pub(crate) fn tell(workspace: &Workspace, command: &mut Command) {
    let binary = server::binary(workspace, false);
    let shim = binary.with_file_name(format!("{DLL_PREFIX}ginti_fault_shim{DLL_SUFFIX}"));
    command.env(BINARY_VARIABLE, binary).env(SHIM_VARIABLE, shim);
}

/// Builds what the browser tests need and runs them, or the benchmark.
pub(crate) fn run(workspace: &Workspace, arguments: &E2eArguments) -> Result<()> {
    let engine = arguments.engine;
    engine.need(workspace)?;
    wasm::build(workspace)?;
    web::build(workspace)?;
    // The benchmark measures the browser's side, which is built as it is shipped; the server may be a quick build.
    server::build(workspace, false)?;
    process::run(process::cargo(&workspace.root).args(["build", "--package", "ginti-fault-shim"]))?;
    let mut cargo = process::cargo(&workspace.root);
    tell(workspace, &mut cargo);
    engine.choose(workspace, &mut cargo)?;
    if arguments.seed.is_some() || arguments.minutes.is_some() {
        cargo.args(["run", "--package", PACKAGE, "--bin", MONKEY, "--"]);
        cargo.args(arguments.seed.map(|seed| format!("--seed={seed}")));
        cargo.args(arguments.minutes.map(|minutes| format!("--minutes={minutes}")));
    } else if arguments.bench {
        cargo.args(["run", "--package", PACKAGE, "--bin", "bench"]);
    } else {
        cargo.args(["test", "--package", PACKAGE]).args(engine.targets());
        if let Some(filter) = &arguments.filter {
            cargo.args(["--", filter]);
        }
    }
    process::run(&mut cargo)
}

/// A minute of monkey in each engine, side by side: most of what it does is waiting for one thing or another.
pub(crate) fn monkeys(workspace: &Workspace) -> Result<()> {
    let binary = server::binary(workspace, false).with_file_name(format!("{MONKEY}{EXE_SUFFIX}"));
    let commands = Engine::ALL.iter().map(|engine| {
        let mut command = process::command(&binary, &workspace.root);
        command.args([format!("--seed={MONKEY_SEED}"), "--minutes=1".to_owned()]);
        tell(workspace, &mut command);
        engine.choose(workspace, &mut command)?;
        Ok(command)
    });
    process::run_side_by_side(commands.collect::<Result<_>>()?).map(drop)
}
