//! Ginti's build and test commands.

mod debian;
mod fingerprint;
mod process;
mod toolchain;
mod wasm;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::Workspace;

/// Ginti's build and test commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the sync engine for browsers into web/courier/wasm
    ///
    /// Compiles crates/ginti-sync-wasm for wasm32-unknown-unknown and generates its JavaScript and TypeScript side.
    /// Does nothing when no input changed. A missing compiler target or linker is installed where that is possible.
    Wasm,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let workspace = Workspace::find()?;
    match arguments.command {
        Command::Wasm => wasm::build(&workspace),
    }
}
