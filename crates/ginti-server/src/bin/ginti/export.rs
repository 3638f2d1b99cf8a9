//! `ginti export`: what a run came to, as a file.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use ginti_server::{ExportFormat, export_run};
use ginti_store::Access;
use ginti_types::{TenantId, UserLoginId};

use crate::database::DatabaseArguments;

#[derive(Args)]
pub(crate) struct ExportArguments {
    /// The run (a count planned without one is a run of its own id)
    run: String,
    /// The tenant (company)
    #[arg(long, value_name = "ID")]
    tenant: String,
    /// For a spreadsheet, or for a program
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The file to write; it must not exist yet. Without it, standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Json,
}

/// Exports.
pub(crate) async fn run(arguments: ExportArguments) -> Result<()> {
    let tenant = TenantId::new(&arguments.tenant).map_err(|error| anyhow!("the tenant id {error}"))?;
    let user = UserLoginId::new("ginti-export").context("the command's own name is an id")?;
    let access = Access { tenant, user, facilities: None };
    let format = match arguments.format {
        Format::Csv => ExportFormat::Csv,
        Format::Json => ExportFormat::Json,
    };
    let store = arguments.database.open().await?;
    let exported = export_run(store.as_ref(), &access, &arguments.run, format).await;
    store.close().await?;
    let Some(file) = exported? else { bail!("the tenant {} has no run {:?}", arguments.tenant, arguments.run) };
    match arguments.to {
        None => std::io::stdout().write_all(&file).context("cannot write to standard output")?,
        Some(to) => {
            let mut made = std::fs::File::create_new(&to).with_context(|| format!("cannot make {}", to.display()))?;
            made.write_all(&file).with_context(|| format!("cannot write {}", to.display()))?;
            println!("{}: {} bytes", to.display(), file.len());
        }
    }
    Ok(())
}
