//! `ginti import`: data from files.

use std::{fs::File, io::BufReader, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use ginti_server::catalogue::read_shopify;
use ginti_store::StoreError;
use ginti_types::TenantId;

use crate::database::DatabaseArguments;

#[derive(Subcommand)]
pub(crate) enum ImportCommand {
    /// Take the products of a Shopify product export (CSV) into a tenant's catalogue
    ///
    /// Products of the same id are replaced, others stay. Prints what was mended, noted or refused, row by row; nothing is
    /// stored if no row can be taken. Stop the server first: a database is open in one program at a time.
    Products(ProductsArguments),
}

#[derive(Args)]
pub(crate) struct ProductsArguments {
    /// The export
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseArguments,
    /// The tenant (company) whose products these are
    #[arg(long, value_name = "ID")]
    tenant: String,
}

/// Does what was asked.
pub(crate) async fn run(command: ImportCommand) -> Result<()> {
    let ImportCommand::Products(arguments) = command;
    let tenant = TenantId::new(&arguments.tenant).map_err(|error| anyhow!("the tenant id {error}"))?;
    let named = || arguments.file.display().to_string();
    let file = File::open(&arguments.file).with_context(|| format!("cannot open {}", named()))?;
    let (catalogue, report) = read_shopify(BufReader::new(file)).with_context(named)?;
    println!("{report}");
    let taken = catalogue.products.len();
    if taken == 0 {
        bail!("{}: no row of it could be taken, so nothing was stored", named());
    }
    let store = arguments.database.open().await?;
    store.put_products(&tenant, catalogue).await.map_err(|error| match error {
        StoreError::Missing(what) => anyhow!("{what} does not exist (\"ginti user add --tenant-name\" adds a tenant)"),
        error => error.into(),
    })?;
    println!("{taken} products are in the catalogue of {tenant} now.");
    Ok(store.close().await?)
}
