//! `cargo xtask sim`: builds the simulator fast enough for its work and hands it the arguments.

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::workspace::Workspace;

/// What `cargo xtask sim` takes: whatever the simulator takes.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct SimArguments {
    /// The simulator's own arguments; --help tells them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the simulator.
pub(crate) fn run(workspace: &Workspace, arguments: &SimArguments) -> Result<()> {
    let arguments: Vec<&str> = arguments.arguments.iter().map(String::as_str).collect();
    play(workspace, &arguments)
}

/// What `cargo xtask test` plays: what once failed, an end at every await, fresh seeds, a fleet that comes back, and histories against the reference.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    for arguments in
        [&["--corpus"][..], &["--awaits"], &["--seeds", "500"], &["--stampede", "1000"], &["--differential", "300"]]
    {
        play(workspace, arguments)?;
    }
    Ok(())
}

fn play(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let mut cargo = process::cargo(&workspace.root);
    cargo.args(["run", "--quiet", "--profile", "sim", "--package", "ginti-sim", "--"]).args(arguments);
    process::run(&mut cargo)
}
