//! `--database`: which database, and opening it.

use std::{path::PathBuf, str::FromStr, sync::Arc};

use anyhow::{Context, Result, bail};
use clap::Args;
use ginti_postgres::PostgresStore;
use ginti_sqlite::{Options, SqliteStore};
use ginti_store::Store;

/// Which database to work on.
#[derive(Args)]
pub(crate) struct DatabaseArguments {
    /// The database: sqlite://ginti.db (a file beside you), sqlite:///var/lib/ginti/ginti.db (a full path), or
    /// postgres://USER:PASSWORD@HOST/DATABASE
    ///
    /// A SQLite file is made if there is none. A PostgreSQL database has to be there; several servers may share it. TLS is used
    /// where its server offers it, required with ?sslmode=require; &sslrootcert=FILE names certificates to trust.
    #[arg(
        long,
        value_name = "URL",
        env = "GINTI_DATABASE",
        hide_env_values = true,
        default_value = "sqlite://ginti.db"
    )]
    database: String,
    /// Memory that a SQLite database's pages may take up, in MiB; more of them are the operating system's to keep
    ///
    /// Beside it the server needs about 60 MiB. PostgreSQL has settings of its own.
    #[arg(long, value_name = "N", default_value_t = ginti_sqlite::CACHE_KIB_DEFAULT / 1024, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    sqlite_cache_mib: u32,
}

impl DatabaseArguments {
    /// Opens it.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>> {
        // Not parsed by clap, which would repeat the whole address, its password too, when it cannot be used.
        match self.database.parse()? {
            DatabaseUrl::Sqlite(path) => {
                let options = Options { cache_kib_max: self.sqlite_cache_mib * 1024, ..Options::default() };
                let store = SqliteStore::open(&path, options)
                    .with_context(|| format!("cannot open the database {}", path.display()))?;
                Ok(Arc::new(store))
            }
            DatabaseUrl::Postgres(url) => {
                let store = PostgresStore::connect(&url, ginti_postgres::Options::default())
                    .await
                    .context("cannot open the PostgreSQL database")?;
                Ok(Arc::new(store))
            }
        }
    }

    /// The file, where the database is one.
    pub(crate) fn sqlite_path(&self) -> Result<PathBuf> {
        match self.database.parse()? {
            DatabaseUrl::Sqlite(path) => Ok(path),
            DatabaseUrl::Postgres(_) => bail!("only a SQLite database is a file that ginti copies"),
        }
    }
}

/// A database's address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database, the address as a whole.
    Postgres(String),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum DatabaseUrlError {
    #[error("the database's address lacks its kind: write sqlite://{0} for a SQLite file")]
    NoScheme(String),
    #[error("the database's address names no file: write sqlite://PATH, such as sqlite://ginti.db")]
    NoPath,
    #[error("ginti keeps its data in SQLite or PostgreSQL: write sqlite://PATH or postgres://… instead of {0}://…")]
    OtherScheme(String),
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            None => Err(DatabaseUrlError::NoScheme(text.to_owned())),
            Some(("sqlite", "")) => Err(DatabaseUrlError::NoPath),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            Some((scheme, _)) => Err(DatabaseUrlError::OtherScheme(scheme.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_file_or_a_sentence() {
        assert_eq!("sqlite://a/b.db".parse(), Ok(DatabaseUrl::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(DatabaseUrl::Sqlite("/a/b.db".into())));
        let refused = |text: &str| text.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(refused("ginti.db").ends_with("write sqlite://ginti.db for a SQLite file"));
        assert!(refused("sqlite://").contains("names no file"));
        assert!(refused("mysql://user:secret@host/db").ends_with("instead of mysql://…"));
        let postgres = "postgres://user:secret@host/db";
        assert_eq!(postgres.parse(), Ok(DatabaseUrl::Postgres(postgres.to_owned())));
    }
}
