//! `cargo xtask bench`: builds everything for speed, installs the peers, and hands over the arguments.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::workspace::Workspace;
use crate::{debian, process, server, wasm, web};

/// Peers that npm installs.
const NODE_PEERS: [&str; 2] = ["fastify", "pouchdb"];

/// What `cargo xtask bench` takes: whatever the benchmark takes.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct BenchArguments {
    /// The benchmark's own arguments; --help tells them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds, installs and measures.
pub(crate) fn run(workspace: &Workspace, arguments: &BenchArguments) -> Result<()> {
    if arguments.arguments.first().is_some_and(|first| first == "instructions") {
        return instructions(workspace, arguments);
    }
    if arguments.arguments.first().is_some_and(|first| first == "desk") {
        return desk(workspace, arguments);
    }
    debian::need_postgresql()?;
    wasm::build(workspace)?;
    web::build(workspace)?;
    let ginti = server::build(workspace, true)?;
    let mut cargo = process::cargo(&workspace.root);
    process::run(cargo.args(["build", "--release", "--package", "ginti-bench", "--package", "ginti-fault-shim"]))?;
    let peers = workspace.root.join("bench/peers");
    for peer in NODE_PEERS {
        // A peer that cannot be installed is a line in the report.
        if let Err(error) = install(&peers.join(peer)) {
            eprintln!("{peer} is not installed: {error:#}");
        }
    }
    let release = ginti.parent().map_or_else(PathBuf::new, ToOwned::to_owned);
    let mut bench = process::command(release.join("ginti-bench"), &workspace.root);
    bench
        .args(&arguments.arguments)
        .env("GINTI_BIN", &ginti)
        .env("GINTI_FAULT_SHIM", release.join("libginti_fault_shim.so"))
        .env("GINTI_BENCH_PEERS", &peers);
    match pocketbase(workspace, &peers.join("pocketbase/requirements.txt")) {
        Ok(program) => _ = bench.env("GINTI_BENCH_POCKETBASE", program),
        Err(error) => eprintln!("PocketBase is not installed: {error:#}"),
    }
    process::run(&mut bench)
}

/// Neither peers nor a database: only callgrind.
fn instructions(workspace: &Workspace, arguments: &BenchArguments) -> Result<()> {
    debian::need(&[debian::Program { name: "valgrind", package: "valgrind" }])?;
    let mut cargo = process::cargo(&workspace.root);
    process::run(cargo.args(["build", "--release", "--package", "ginti-bench"]))?;
    let mut bench = process::command(workspace.target.join("release/ginti-bench"), &workspace.root);
    process::run(bench.args(&arguments.arguments))
}

/// Only a database: the server is part of the benchmark's own program.
fn desk(workspace: &Workspace, arguments: &BenchArguments) -> Result<()> {
    debian::need_postgresql()?;
    wasm::build(workspace)?;
    web::build(workspace)?;
    let mut cargo = process::cargo(&workspace.root);
    process::run(cargo.args(["build", "--release", "--package", "ginti-bench"]))?;
    let mut bench = process::command(workspace.target.join("release/ginti-bench"), &workspace.root);
    process::run(bench.args(&arguments.arguments))
}

/// Native parts are compiled here, against the headers that come with Node.js: nothing but the registry is asked.
fn install(peer: &Path) -> Result<()> {
    if peer.join("node_modules/.package-lock.json").exists() {
        return Ok(());
    }
    let node = process::capture(
        process::command("node", peer)
            .args(["-p", "require('path').dirname(require('path').dirname(process.execPath))"]),
    )?;
    let mut npm = process::command("npm", peer);
    npm.args(["ci", "--build-from-source", "--no-audit", "--no-fund"]).env("npm_config_nodedir", node.trim());
    process::run(&mut npm)
}

/// From the Python registry, into the target folder.
fn pocketbase(workspace: &Workspace, requirements: &Path) -> Result<PathBuf> {
    let folder = workspace.target.join("bench/pocketbase");
    let program = folder.join("bin/pocketbase");
    if !program.exists() {
        let mut pip = process::command("python3", &workspace.root);
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&folder)
            .arg("--requirement")
            .arg(requirements);
        process::run(&mut pip)?;
    }
    Ok(program)
}
