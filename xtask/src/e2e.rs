//! `cargo xtask e2e`: the tests and the benchmark in a real browser, against the real binary.

use anyhow::Result;
use clap::Args;

use crate::engines::Engine;
use crate::workspace::Workspace;
use crate::{process, server, wasm, web};

/// The variable that tells the tests which server to start.
pub(crate) const BINARY_VARIABLE: &str = "GINTI_BIN";
/// The package of the browser tests.
pub(crate) const PACKAGE: &str = "ginti-e2e";

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
}

/// Builds what the browser tests need and runs them, or the benchmark.
pub(crate) fn run(workspace: &Workspace, arguments: &E2eArguments) -> Result<()> {
    let engine = arguments.engine;
    engine.need(workspace)?;
    wasm::build(workspace)?;
    web::build(workspace)?;
    // The benchmark measures the browser's side, which is built as it is shipped; the server may be a quick build.
    let binary = server::build(workspace, false)?;
    let mut cargo = process::cargo(&workspace.root);
    cargo.env(BINARY_VARIABLE, binary);
    engine.choose(workspace, &mut cargo)?;
    if arguments.bench {
        cargo.args(["run", "--package", PACKAGE, "--bin", "bench"]);
    } else {
        cargo.args(["test", "--package", PACKAGE]).args(engine.targets());
        if let Some(filter) = &arguments.filter {
            cargo.args(["--", filter]);
        }
    }
    process::run(&mut cargo)
}
