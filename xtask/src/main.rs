//! Ginti's build and test commands: `cargo xtask <command>`.

mod aside;
mod audit;
mod bench;
mod check;
mod debian;
mod e2e;
mod engines;
mod fingerprint;
mod fuzz;
mod process;
mod programs;
mod schemathesis;
mod server;
mod sim;
mod size;
mod spreadsheet;
mod tidy;
mod toolchain;
mod tools;
mod torture;
mod upgrade;
mod wasm;
mod web;
mod workspace;

use std::process::ExitCode;

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
    /// Build everything and serve it with demo data on this machine
    ///
    /// Prints the address, the sign-ins and what to try; stop it with Ctrl-C. The password of all sign-ins is
    /// $GINTI_DEMO_PASSWORD, or one that is generated and printed.
    Run(server::RunArguments),

    /// Run every check and every test
    ///
    /// Formatting, tidy, both web parts, the size of the first load, clippy, documentation, and all tests, those in
    /// a real browser included. Stops at the first failure and sums up what took how long.
    Test(check::TestArguments),

    /// Run the tests, the monkey, or the benchmark in a real browser
    ///
    /// Builds the server and the web app first. The browser and its driver are installed where that is possible. In Firefox
    /// and WebKit the tests run that are about counts arriving, in Firefox those of the counting app too; in Chromium all of
    /// them. With --seed or --minutes a monkey is let loose instead: it counts, corrects and breaks things, and then server,
    /// screen and truth have to be the same.
    E2e(e2e::E2eArguments),

    /// Play the simulator's stories
    ///
    /// Many devices, the real sync engine and the real server in virtual time, while everything goes wrong. Fresh seeds
    /// unless told otherwise; `cargo xtask sim --help` tells what else it can do.
    Sim(sim::SimArguments),

    /// Kill the server under load and let its disk fail
    ///
    /// Starts it again each time and looks for every count that was acknowledged. 500 kills unless told otherwise;
    /// `cargo xtask torture --help` tells more.
    Torture(torture::TortureArguments),
    /// Let this version and an earlier one meet in a browser, and upgrade each with full queues
    Upgrade(upgrade::UpgradeArguments),

    /// Look for inputs that a parser does not hold against
    ///
    /// libFuzzer over the targets of crates/ginti-fuzz, a minute each unless told otherwise. Ends at the first that fails and says where
    /// its input is. Builds with flags of its own, once.
    Fuzz(fuzz::FuzzArguments),

    /// Hold the real server against its own OpenAPI document
    ///
    /// All checks of schemathesis, as one role after the other, until 50,000 requests were answered; takes about a quarter of an hour.
    /// Ends at the first round that finds something.
    Schemathesis(schemathesis::SchemathesisArguments),

    /// Measure the write path beside its peers
    ///
    /// Builds for speed, installs the peers from their registries, and writes target/bench/report.md and report.json. Takes
    /// about a quarter of an hour; `cargo xtask bench --help` tells how to make it shorter. `bench desk` measures the manager's
    /// side instead, over a run of a million counts on both databases, and writes target/bench/desk.md.
    Bench(bench::BenchArguments),

    /// Build the sync engine for browsers into web/courier/wasm
    ///
    /// Compiles crates/ginti-sync-wasm for wasm32-unknown-unknown and generates its JavaScript and TypeScript side.
    /// Does nothing when no input changed. A missing compiler target or linker is installed where that is possible.
    Wasm,

    /// Build the web app into web/app/dist
    ///
    /// Installs the packages of web/package-lock.json when it changed, and builds when a source changed. Needs the
    /// sync engine (`cargo xtask wasm`), which is built first. Needs Node 20.19 or newer.
    Web,

    /// Check that the app's first load is within its budget of 350 KB compressed
    Size,

    /// Open an export full of hostile texts in LibreOffice, which must calculate nothing
    ///
    /// LibreOffice is installed where that is possible.
    Spreadsheet,

    /// Check what a compiler cannot see
    ///
    /// Directions between crates, lengths and openings of files, unfinished work, paths of one machine, documents that
    /// must follow the code, and build results in git.
    Tidy,

    /// Check licences, sources and known vulnerabilities of all dependencies
    ///
    /// Builds cargo-deny (and cargo-audit, with --db) into the target folder when they are not installed.
    Audit(audit::AuditArguments),

    /// A part of `test` that runs beside its other parts
    #[command(hide = true)]
    Aside {
        #[arg(value_enum)]
        part: aside::Part,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Causes on one line and no backtrace, whatever the environment asks for: these are answers, not crashes.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let workspace = Workspace::find()?;
    match command {
        Command::Run(arguments) => server::run(&workspace, arguments),
        Command::Test(arguments) => check::run(&workspace, arguments),
        Command::E2e(arguments) => e2e::run(&workspace, arguments),
        Command::Sim(arguments) => sim::run(&workspace, arguments),
        Command::Torture(arguments) => torture::run(&workspace, arguments),
        Command::Upgrade(arguments) => upgrade::run(&workspace, arguments),
        Command::Fuzz(arguments) => fuzz::run(&workspace, arguments),
        Command::Schemathesis(arguments) => schemathesis::run(&workspace, arguments),
        Command::Bench(arguments) => bench::run(&workspace, arguments),
        Command::Wasm => wasm::build(&workspace),
        Command::Web => wasm::build(&workspace).and_then(|()| web::build(&workspace)),
        Command::Size => size::check(&workspace),
        Command::Spreadsheet => spreadsheet::check(&workspace),
        Command::Tidy => tidy::check(&workspace),
        Command::Aside { part } => part.run(&workspace),
        Command::Audit(arguments) => audit::run(&workspace, arguments),
    }
}
