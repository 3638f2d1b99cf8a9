//! Programs that come from crates.io: built once into cargo's output folder and kept there.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// A tool from the PATH, else one built into cargo's output folder; of that version, where one is named.
pub(crate) fn cargo(workspace: &Workspace, name: &str, version: Option<&str>) -> Result<PathBuf> {
    if process::works(name, &["--version"]) {
        return Ok(name.into());
    }
    let home = workspace.notes().join("tools");
    let program = home.join("bin").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !process::works(&program, &["--version"]) {
        println!("Building {name}, once; this takes some minutes.");
        let mut cargo = process::cargo(&workspace.root);
        cargo
            .args(["install", name, "--locked", "--debug", "--root"])
            .arg(&home)
            .env("CARGO_PROFILE_DEV_DEBUG", "false");
        if let Some(version) = version {
            cargo.args(["--version", version]);
        }
        process::run(&mut cargo).with_context(|| format!("{name} could not be installed"))?;
    }
    Ok(program)
}
