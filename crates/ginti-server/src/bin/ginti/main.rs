//! The `ginti` command: the server and its tools. Each subcommand is one file; what they share is in `database` and `log`.

mod copies;
mod database;
mod demo;
mod export;
mod import;
mod log;
mod serve;
mod token_key;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Requests are read into many small values and back: this allocator takes half the time of the system's for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Offline-first inventory counting: every count reaches the server exactly once in effect.
#[derive(Parser)]
#[command(name = "ginti", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    ///
    /// Serves the web app, the endpoints and their description (/openapi.json) until it gets an interrupt or a SIGTERM. It
    /// then says "not ready" at /readyz, takes no new counts, finishes the requests under way and closes the database. A
    /// second signal ends it at once; nothing that was confirmed is lost by that either.
    Serve(Box<serve::ServeArguments>),
    /// Take data from files into a database
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Write what a run came to into a file
    ///
    /// Expected, counted, difference and decision of every line, for a spreadsheet or a program. A SQLite database that is being
    /// served is in use: export from the server (…/export), or from a copy that `ginti backup` made.
    Export(export::ExportArguments),
    /// Add and change the people who may sign in
    #[command(subcommand)]
    User(user::UserCommand),
    /// The key that signs access tokens
    #[command(subcommand)]
    TokenKey(token_key::TokenKeyCommand),
    /// Copy a SQLite database to a file, while the server goes on
    ///
    /// The copy is of one moment, checked, and as private as the database: it holds the key that signs tokens.
    Backup(copies::BackupArguments),
    /// Put a copy back in the place of a SQLite database
    ///
    /// Stop the server first. Devices notice that the server's history is another one, and send again what the copy does not
    /// know; also when the copy is put in place by hand.
    Restore(copies::RestoreArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from).and_then(
        |runtime| {
            runtime.block_on(async {
                match arguments.command {
                    Command::Serve(arguments) => serve::run(*arguments).await,
                    Command::Import(command) => import::run(command).await,
                    Command::Export(arguments) => export::run(arguments).await,
                    Command::User(command) => user::run(command).await,
                    Command::TokenKey(command) => token_key::run(command).await,
                    Command::Backup(arguments) => copies::back_up(arguments).await,
                    Command::Restore(arguments) => copies::restore(arguments).await,
                }
            })
        },
    );
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ginti: {error:#}");
            ExitCode::FAILURE
        }
    }
}
