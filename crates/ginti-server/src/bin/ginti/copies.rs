//! `ginti backup` and `ginti restore`: copies of a database, made while it serves and put back so that devices notice.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use ginti_server::os_entropy;
use ginti_store::{Ledger, StoreError};
use ginti_types::Epoch;

use crate::database::DatabaseArguments;

#[derive(Args)]
pub(crate) struct BackupArguments {
    /// The file to write; it must not exist yet
    to: PathBuf,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Args)]
pub(crate) struct RestoreArguments {
    /// The copy to put back
    #[arg(required_unless_present = "new_epoch")]
    copy: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArguments,
    /// Put the database that is there aside, under another name beside it
    #[arg(long)]
    replace: bool,
    /// Put nothing back: the database was put back by other means, and devices are to notice
    #[arg(long, conflicts_with_all = ["copy", "replace"])]
    new_epoch: bool,
}

/// Copies.
pub(crate) async fn back_up(arguments: BackupArguments) -> Result<()> {
    let BackupArguments { to, database } = arguments;
    let from = database.sqlite_path().context("use your database's own tool, such as pg_dump")?;
    let copying = to.clone();
    let made = tokio::task::spawn_blocking(move || ginti_sqlite::backup(&from, &copying)).await?;
    let copied = made.map_err(|error| match error {
        StoreError::Exists(_) => anyhow::Error::new(error).context("a copy replaces nothing: give it another name"),
        _ => anyhow::Error::new(error).context("no copy was made"),
    })?;
    println!("{}: {}, {} KiB, checked", to.display(), told(&copied.ledger), copied.bytes / 1_024);
    Ok(())
}

/// Puts back.
pub(crate) async fn restore(arguments: RestoreArguments) -> Result<()> {
    let RestoreArguments { copy, database, replace, new_epoch } = arguments;
    if new_epoch {
        return begin_anew(&database).await;
    }
    let Some(copy) = copy else { bail!("name the copy to put back") };
    let to = database.sqlite_path().context(
        "put it back with your database's own tool, such as pg_restore, then run `ginti restore --new-epoch`",
    )?;
    let place = to.clone();
    let done = tokio::task::spawn_blocking(move || ginti_sqlite::restore(&copy, &place, replace)).await?;
    let (copied, aside) = done.map_err(|error| match error {
        StoreError::Exists(_) => anyhow::Error::new(error).context("add --replace to put it aside"),
        _ => anyhow::Error::new(error).context("nothing was put back"),
    })?;
    println!("{}: {}", to.display(), told(&copied.ledger));
    if let Some(aside) = aside {
        println!("What was there is at {}.", aside.display());
    }
    println!("Start the server: devices notice the new history and send again what it does not know.");
    Ok(())
}

async fn begin_anew(database: &DatabaseArguments) -> Result<()> {
    let store = database.open().await?;
    let mut random = [0; 16];
    os_entropy()(&mut random);
    let epoch = Epoch::new(format!("{:032x}", u128::from_be_bytes(random))).context("no epoch could be made")?;
    store.new_epoch(epoch).await?;
    println!("A new epoch has begun: devices notice and send again what the database does not know.");
    Ok(store.close().await?)
}

fn told(ledger: &Ledger) -> String {
    format!("{} entries of history {}", ledger.ledger_seq, ledger.epoch.as_str())
}
