//! `cargo xtask upgrade`: builds an earlier version from its commit and lets it and this one meet in a real browser: its app
//! at this server, this app at its server, and both upgraded with full queues.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace::Workspace;
use crate::{debian, e2e, process, server, wasm, web};

/// Whom everybody is upgraded from: the commit of the last version that others may run. It moves when one is given out.
const LAST_VERSION: &str = "42e1a31";

/// What `cargo xtask upgrade` takes.
#[derive(Args)]
pub(crate) struct UpgradeArguments {
    /// The commit to upgrade from
    #[arg(long, value_name = "COMMIT", default_value = LAST_VERSION)]
    from: String,
}

/// Builds both versions and runs what lets them meet.
pub(crate) fn run(workspace: &Workspace, arguments: &UpgradeArguments) -> Result<()> {
    debian::need(debian::CHROMIUM)?;
    wasm::build(workspace)?;
    web::build(workspace)?;
    let binary = server::build(workspace, false)?;
    let previous = checked_out(workspace, &arguments.from)?;
    process::run(process::cargo(&previous).args(["xtask", "web"])).context("the earlier web app could not be built")?;
    process::run(process::cargo(&previous).args(["build", "--package", "ginti-server"]))
        .context("the earlier server could not be built")?;
    let mut cargo = process::cargo(&workspace.root);
    cargo
        .args(["run", "--package", e2e::PACKAGE, "--bin", "upgrade"])
        .env(e2e::BINARY_VARIABLE, binary)
        .env("GINTI_PREVIOUS_BIN", previous.join("target/debug/ginti"))
        .env("GINTI_PREVIOUS_APP", previous.join("web/app/dist"));
    process::run(&mut cargo)
}

/// The commit's files, in a folder of their own.
fn checked_out(workspace: &Workspace, commit: &str) -> Result<PathBuf> {
    let folder = workspace.target.join("previous").join(commit);
    if folder.join("Cargo.toml").is_file() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    let archive = folder.with_extension("tar");
    let mut git = process::command("git", &workspace.root);
    git.args(["archive", "--format=tar", "--output"]).arg(&archive).arg(commit);
    process::run(&mut git).with_context(|| {
        format!("commit {commit} is not in this clone: a shallow one needs `git fetch --unshallow`")
    })?;
    let mut tar: Command = process::command("tar", &folder);
    process::run(tar.arg("-xf").arg(&archive))?;
    Ok(folder)
}
