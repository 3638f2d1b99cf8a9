//! `ginti token-key`: the key that signs access tokens.

use anyhow::Result;
use clap::Subcommand;
use ginti_desk::{RenewTokenKey, run_on};
use ginti_server::os_entropy;

use crate::database::DatabaseArguments;

#[derive(Subcommand)]
pub(crate) enum TokenKeyCommand {
    /// Exchange the key, when a copy of the database may be in wrong hands, or because it is time
    ///
    /// Then start every server anew. Nobody has to sign in again: devices fetch new access tokens by themselves.
    Renew(DatabaseArguments),
}

/// Does what was asked.
pub(crate) async fn run(command: TokenKeyCommand) -> Result<()> {
    let TokenKeyCommand::Renew(database) = command;
    let store = database.open().await?;
    let mut fresh = [0; 32];
    os_entropy()(&mut fresh);
    run_on(store.as_ref(), RenewTokenKey { fresh }).await?;
    println!("The key is another one. Start every server anew: until then it goes by the old one.");
    Ok(store.close().await?)
}
