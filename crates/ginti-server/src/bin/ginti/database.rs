//! `--database`: which database, and opening it.

use std::{path::PathBuf, str::FromStr, sync::Arc};

use anyhow::{Context, Result};
use clap::Args;
use ginti_sqlite::{Options, SqliteStore};
use ginti_store::Store;

/// Which database to work on.
#[derive(Args)]
pub(crate) struct DatabaseArguments {
    /// The database, such as sqlite://ginti.db (beside you) or sqlite:///var/lib/ginti/ginti.db (a full path); made if there is none
    #[arg(
        long,
        value_name = "URL",
        env = "GINTI_DATABASE",
        hide_env_values = true,
        default_value = "sqlite://ginti.db"
    )]
    database: String,
}

impl DatabaseArguments {
    /// Opens it.
    pub(crate) fn open(&self) -> Result<Arc<dyn Store>> {
        // Not parsed by clap, which would repeat the whole address, its password too, when it cannot be used.
        let DatabaseUrl::Sqlite(path) = self.database.parse()?;
        let store = SqliteStore::open(&path, Options::default())
            .with_context(|| format!("cannot open the database {}", path.display()))?;
        Ok(Arc::new(store))
    }

    /// The file, where the database is one.
    pub(crate) fn sqlite_path(&self) -> Result<PathBuf> {
        let DatabaseUrl::Sqlite(path) = self.database.parse()?;
        Ok(path)
    }
}

/// A database's address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum DatabaseUrlError {
    #[error("the database's address lacks its kind: write sqlite://{0} for a SQLite file")]
    NoScheme(String),
    #[error("the database's address names no file: write sqlite://PATH, such as sqlite://ginti.db")]
    NoPath,
    #[error("this version keeps its data in SQLite only: write sqlite://PATH instead of {0}://…")]
    OtherScheme(String),
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            None => Err(DatabaseUrlError::NoScheme(text.to_owned())),
            Some(("sqlite", "")) => Err(DatabaseUrlError::NoPath),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
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
        assert!(refused("postgres://user:secret@host/db").ends_with("instead of postgres://…"));
    }
}
