//! `cargo xtask audit`: licences, sources, banned crates and known vulnerabilities of what Ginti is built from.
//!
//! Apart from `test`: its answer changes with the advisory database, not only with the code.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace::Workspace;
use crate::{process, tools};

/// What `cargo xtask audit` takes.
#[derive(Args)]
pub(crate) struct AuditArguments {
    /// A copy of the RustSec advisory database, a folder or a .tar.xz, for machines that cannot fetch it
    #[arg(long, value_name = "PATH", env = "GINTI_ADVISORY_DB")]
    db: Option<PathBuf>,
}

/// Runs cargo-deny, and cargo-audit where the advisories come from a copy.
pub(crate) fn run(workspace: &Workspace, arguments: &AuditArguments) -> Result<()> {
    let deny = tools::cargo(workspace, "cargo-deny", None)?;
    // Apart from the advisories: these three need no network.
    process::run(process::command(&deny, &workspace.root).args(["check", "bans", "licenses", "sources"]))?;
    let Some(copy) = &arguments.db else {
        return process::run(process::command(&deny, &workspace.root).args(["check", "advisories"]))
            .context("see above; where the advisories cannot be fetched, name a copy of them with --db");
    };
    let advisories = unpacked(workspace, copy)?;
    let audit = tools::cargo(workspace, "cargo-audit", None)?;
    let mut audit = process::command(audit, &workspace.root);
    audit.args(["audit", "--no-fetch", "--stale", "--deny", "unsound", "--db"]).arg(advisories);
    process::run(&mut audit)
}

/// The folder of the advisories, unpacked first when they come in an archive.
fn unpacked(workspace: &Workspace, copy: &Path) -> Result<PathBuf> {
    if copy.is_dir() {
        return Ok(copy.to_owned());
    }
    if !copy.is_file() {
        bail!("there is no advisory database at {}", copy.display());
    }
    let folder = workspace.notes().join("advisory-db");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut tar = process::command("tar", &folder);
    process::run_quietly(tar.arg("-xJf").arg(std::path::absolute(copy)?))
        .with_context(|| format!("{} could not be unpacked", copy.display()))?;
    Ok(folder)
}
