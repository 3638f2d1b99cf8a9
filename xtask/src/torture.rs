//! `cargo xtask torture`: builds the server and what kills it, and hands over the arguments.

use std::env::consts::EXE_SUFFIX;
use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::workspace::Workspace;
use crate::{debian, e2e, process, server, wasm, web};

/// What `cargo xtask torture` takes: whatever the torture takes.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct TortureArguments {
    /// The torture's own arguments; --help tells them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds everything and tortures it.
pub(crate) fn run(workspace: &Workspace, arguments: &TortureArguments) -> Result<()> {
    debian::need_postgresql()?;
    wasm::build(workspace)?;
    web::build(workspace)?;
    let arguments: Vec<&str> = arguments.arguments.iter().map(String::as_str).collect();
    // What the server can hold is asked of one built for speed.
    let is_release = arguments.first().is_some_and(|first| ["load", "soak"].contains(first));
    let binary = server::build(workspace, is_release)?;
    let mut cargo = process::cargo(&workspace.root);
    cargo.args(["build", "--package", "ginti-torture", "--package", "ginti-fault-shim"]);
    if is_release {
        cargo.arg("--release");
    }
    process::run(&mut cargo)?;
    torture(workspace, &binary, &arguments)
}

/// The short forms that `cargo xtask test` runs, with what it has built.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let binary = server::binary(workspace, false);
    torture(workspace, &binary, &["--kills", "40", "--faults", "2", "--postgres-kills", "20"])?;
    let load = ["load", "--devices", "200", "--batches", "6000", "--postgres-batches", "3000"];
    torture(workspace, &binary, &load)?;
    torture(workspace, &binary, &["days"])?;
    torture(workspace, &binary, &["soak", "--devices", "100", "--seconds", "15", "--peak-seconds", "5"])
}

/// Everything is in one folder: the server, what kills it, and what lets its disk fail.
fn torture(workspace: &Workspace, binary: &Path, arguments: &[&str]) -> Result<()> {
    let program = binary.with_file_name(format!("ginti-torture{EXE_SUFFIX}"));
    let mut torture = process::command(program, &workspace.root);
    torture.args(arguments).env(e2e::BINARY_VARIABLE, binary);
    // Where libraries cannot be preloaded, the disk cannot be made to fail.
    let shim = binary.with_file_name("libginti_fault_shim.so");
    if shim.exists() {
        torture.env(e2e::SHIM_VARIABLE, shim);
    }
    process::run(&mut torture)
}
