//! The `ginti` command: the server and its tools. Each subcommand is one file; what they share is in `database` and `log`.

mod database;
mod demo;
mod import;
mod log;
mod serve;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Add and change the people who may sign in
    #[command(subcommand)]
    User(user::UserCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from).and_then(
        |runtime| {
            runtime.block_on(async {
                match arguments.command {
                    Command::Serve(arguments) => serve::run(*arguments).await,
                    Command::Import(command) => import::run(command).await,
                    Command::User(command) => user::run(command).await,
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
