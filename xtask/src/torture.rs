//! `cargo xtask torture`: builds the server and what kills it, and hands over the arguments.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::workspace::Workspace;
use crate::{debian, process, server, wasm, web};

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
    wasm::build(workspace)?;
    web::build(workspace)?;
    let arguments: Vec<&str> = arguments.arguments.iter().map(String::as_str).collect();
    // What the server can hold is asked of one built for speed.
    let is_load = arguments.first().is_some_and(|first| ["load", "soak"].contains(first));
    torture(workspace, &arguments, is_load)
}

/// The short forms that `cargo xtask test` runs.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    torture(workspace, &["--kills", "40", "--faults", "2", "--postgres-kills", "20"], false)?;
    let load = ["load", "--devices", "200", "--batches", "6000", "--postgres-batches", "3000"];
    torture(workspace, &load, false)?;
    torture(workspace, &["days"], false)?;
    torture(workspace, &["soak", "--devices", "100", "--seconds", "15", "--peak-seconds", "5"], false)
}

fn torture(workspace: &Workspace, arguments: &[&str], is_release: bool) -> Result<()> {
    debian::need_postgresql()?;
    let binary = server::build(workspace, is_release)?;
    let mut cargo = process::cargo(&workspace.root);
    cargo.args(["build", "--package", "ginti-torture", "--package", "ginti-fault-shim"]);
    if is_release {
        cargo.arg("--release");
    }
    process::run(&mut cargo)?;
    let folder = binary.parent().map_or_else(PathBuf::new, ToOwned::to_owned);
    let mut torture = process::command(folder.join("ginti-torture"), &workspace.root);
    torture.args(arguments).env("GINTI_BIN", &binary);
    // Where libraries cannot be preloaded, the disk cannot be made to fail.
    let shim = folder.join("libginti_fault_shim.so");
    if shim.exists() {
        torture.env("GINTI_FAULT_SHIM", shim);
    }
    process::run(&mut torture)
}
