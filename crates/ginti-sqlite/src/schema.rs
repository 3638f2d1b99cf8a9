//! Opening a connection as the store needs it, and bringing a database's schema up to date.

use std::{fs::OpenOptions, io::ErrorKind, path::Path};

use ginti_store::StoreError;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, config::DbConfig};

use crate::error::{Fallible, Fault};

/// "GINT": tells our files from other programs' SQLite files.
const APPLICATION_ID: i32 = 0x4749_4e54;
/// Each brings the schema to the next version, the first one to [`FIRST`]; they never change once released.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_start.sql"),
    include_str!("../migrations/0002_standing.sql"),
    include_str!("../migrations/0003_desk.sql"),
    include_str!("../migrations/0004_people.sql"),
    include_str!("../migrations/0005_desk_rare_lines.sql"),
    include_str!("../migrations/0006_alerts.sql"),
    include_str!("../migrations/0007_family_device.sql"),
    include_str!("../migrations/0008_ledger.sql"),
    include_str!("../migrations/0009_disabled.sql"),
];
/// The version of the first schema. Lower ones were tried out before any release, with other tables.
const FIRST: u32 = 2;

/// The connection that writes. Creates the file if there is none.
pub(crate) fn open_writer(path: &Path, cache_kib: u32, max_pages: Option<u32>) -> Fallible<Connection> {
    create_private(path)?;
    let conn = Connection::open(path)?;
    conn.busy_timeout(std::time::Duration::from_millis(250))?;
    conn.pragma_update(None, "page_size", 4096)?;
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Failed(format!(
            "the file system under {} does not support SQLite's write-ahead log",
            path.display()
        ))
        .into());
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 4000)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    keep_pages(&conn, cache_kib)?;
    if let Some(pages) = max_pages {
        conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    keep_statements(&conn, 128)?;
    Ok(conn)
}

/// A new database is its owner's alone: it holds the key that signs tokens and everyone's password hash. SQLite gives the
/// log beside it the same permissions; those of a file that is there are the operator's.
pub(crate) fn create_private(path: &Path) -> Fallible<()> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Failed(format!("cannot create {}: {error}", path.display())).into()),
    }
}

/// A connection that only folds the log back into the file.
pub(crate) fn open_folder(path: &Path) -> Fallible<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "cache_size", -1_024)?;
    Ok(conn)
}

/// A connection that only reads, undisturbed by the writer.
pub(crate) fn open_reader(path: &Path, cache_kib: u32) -> Fallible<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(std::time::Duration::from_millis(250))?;
    keep_pages(&conn, cache_kib)?;
    keep_statements(&conn, 64)?;
    Ok(conn)
}

/// SQLite takes a positive number for pages, a negative one for KiB.
fn keep_pages(conn: &Connection, kib: u32) -> Fallible<()> {
    Ok(conn.pragma_update(None, "cache_size", -i64::from(kib))?)
}

/// Statements are planned once and kept. By default SQLite plans some of them anew each time other values are bound, which
/// for our short ones costs more than running them.
fn keep_statements(conn: &Connection, capacity: usize) -> Fallible<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(capacity);
    Ok(())
}

/// Whether the file is one of ours, of a version this program knows; its version.
fn version_of(conn: &Connection, may_be_empty: bool) -> Fallible<u32> {
    let known = u32::try_from(MIGRATIONS.len()).map_or(u32::MAX, |steps| FIRST - 1 + steps);
    let found: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || found > 0 || !may_be_empty) {
        let text = "the file is a database of another program. Give ginti a file of its own.";
        return Err(StoreError::Failed(text.to_owned()).into());
    }
    if (1..FIRST).contains(&found) {
        let text = "the file was made by a trial version of ginti from before the first release, which kept counts in another \
                    form. Hand its counts in with the version that made it, then begin with a new file.";
        return Err(StoreError::Failed(text.to_owned()).into());
    }
    if found > known {
        return Err(StoreError::NewerSchema { found, known }.into());
    }
    Ok(found)
}

/// Refuses files that are not ours or newer than this program.
pub(crate) fn check(conn: &Connection) -> Fallible<()> {
    version_of(conn, false).map(drop)
}

/// Brings the schema to the newest version, and makes the epoch of a new database.
pub(crate) fn migrate(conn: &mut Connection) -> Fallible<()> {
    let found = version_of(conn, true)?;
    for (version, migration) in (FIRST..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    make_epoch(conn)
}

fn make_epoch(conn: &Connection) -> Fallible<()> {
    let there = conn.query_row("SELECT 1 FROM meta WHERE name = 'epoch'", [], |_| Ok(())).optional()?;
    if there.is_none() {
        let epoch = fresh_epoch();
        conn.execute("INSERT INTO meta (name, value) VALUES ('epoch', ?1)", [epoch.as_bytes()]).map_err(Fault::from)?;
    }
    Ok(())
}

/// One that no database has had.
pub(crate) fn fresh_epoch() -> String {
    uuid::Uuid::new_v4().hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pragma<T: rusqlite::types::FromSql>(conn: &Connection, name: &str) -> T {
        conn.pragma_query_value(None, name, |row| row.get(0)).unwrap()
    }

    #[test]
    fn the_writer_is_durable_and_the_readers_only_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ginti.db");
        let mut writer = open_writer(&path, 1_024, Some(1_000)).unwrap();
        migrate(&mut writer).unwrap();
        assert_eq!(pragma::<String>(&writer, "journal_mode"), "wal");
        assert_eq!(pragma::<i64>(&writer, "synchronous"), 2, "FULL");
        assert_eq!(pragma::<i64>(&writer, "page_size"), 4_096);
        assert_eq!(pragma::<i64>(&writer, "wal_autocheckpoint"), 4_000);
        assert_eq!(pragma::<i64>(&writer, "foreign_keys"), 1);
        assert_eq!(pragma::<i64>(&writer, "max_page_count"), 1_000);
        assert_eq!(pragma::<i64>(&writer, "cache_size"), -1_024);
        let reader = open_reader(&path, 512).unwrap();
        assert_eq!(pragma::<i64>(&reader, "cache_size"), -512);
        assert_eq!(pragma::<String>(&reader, "journal_mode"), "wal");
        assert!(reader.execute("DELETE FROM meta", []).is_err());
    }

    #[test]
    fn migrating_again_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ginti.db");
        let dump = |conn: &Connection| -> (i64, i64, Vec<u8>, String) {
            let sql = "SELECT count(*), group_concat(sql) FROM sqlite_schema";
            let (objects, sql) = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            let epoch = conn.query_row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0)).unwrap();
            (pragma(conn, "user_version"), objects, epoch, sql)
        };
        let mut conn = open_writer(&path, 1_024, None).unwrap();
        migrate(&mut conn).unwrap();
        let first = dump(&conn);
        migrate(&mut conn).unwrap();
        drop(conn);
        let mut conn = open_writer(&path, 1_024, None).unwrap();
        migrate(&mut conn).unwrap();
        assert_eq!(dump(&conn), first);
        assert_eq!(first.0, i64::from(FIRST) - 1 + i64::try_from(MIGRATIONS.len()).unwrap());
    }

    #[test]
    fn a_database_of_the_first_schema_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ginti.db");
        let mut conn = open_writer(&path, 1_024, None).unwrap();
        conn.execute_batch(MIGRATIONS[0]).unwrap();
        conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        conn.pragma_update(None, "user_version", FIRST).unwrap();
        conn.execute_batch("INSERT INTO meta (name, value) VALUES ('kept', x'01')").unwrap();
        migrate(&mut conn).unwrap();
        conn.prepare("SELECT assigned_to, submitted FROM session").unwrap();
        let kept: i64 = conn.query_row("SELECT count(*) FROM meta WHERE name = 'kept'", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 1);
    }

    #[test]
    fn a_file_from_before_the_first_release_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = open_writer(&folder.path().join("ginti.db"), 1_024, None).unwrap();
        migrate(&mut conn).unwrap();
        conn.pragma_update(None, "user_version", FIRST - 1).unwrap();
        let error = StoreError::from(migrate(&mut conn).unwrap_err());
        assert!(error.to_string().contains("before the first release"), "{error}");
    }
}
