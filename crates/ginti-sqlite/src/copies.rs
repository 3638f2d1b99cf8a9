//! Copies of a database: made while it serves, and put back so that devices notice.
//!
//! A copy carries a mark. A store that opens a marked file begins a new epoch first, however the file got to its place:
//! devices then send again what the copy does not know.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use ginti_store::{Ledger, StoreError};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::{
    core::ledger::ledger,
    error::{Fallible, Fault},
    lock::Lock,
    schema,
};

/// The mark's name among the database's small values.
const MARK: &str = "is-copy";

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The history it is of, and how far.
    pub ledger: Ledger,
    /// Its size.
    pub bytes: u64,
}

/// Copies the database at `from` to a new file at `to`, of one moment, while a server may go on working with it.
///
/// The copy is checked and on the disk when this returns; `to` never holds half of one.
pub fn backup(from: &Path, to: &Path) -> Result<Copied, StoreError> {
    if to.exists() {
        return Err(StoreError::Exists(format!("the file {}", to.display())));
    }
    let source = open_existing(from)?;
    schema::check(&source)?;
    let part = beside(to, ".part");
    remove(&part)?;
    schema::create_private(&part)?;
    let made = copy_into(&source, &part).and_then(|ledger| finish(&part, ledger));
    let placed = made.and_then(|copied| place(&part, to).map(|()| copied));
    if placed.is_err() {
        let _ = fs::remove_file(&part);
    }
    placed
}

/// Puts a copy to where a database belongs. What is there is moved aside and its new name returned, if `replace` allows it.
///
/// [`StoreError::Locked`] while a server has the database open.
pub fn restore(copy: &Path, to: &Path, replace: bool) -> Result<(Copied, Option<PathBuf>), StoreError> {
    let _lock = Lock::take(to)?;
    if to.exists() && !replace {
        return Err(StoreError::Exists(format!("a database at {}", to.display())));
    }
    let source = open_existing(copy)?;
    schema::check(&source)?;
    check_pages(&source, copy)?;
    let part = beside(to, ".part");
    remove(&part)?;
    schema::create_private(&part)?;
    let made = copy_into(&source, &part).and_then(|ledger| finish(&part, ledger));
    if made.is_err() {
        let _ = fs::remove_file(&part);
    }
    let copied = made?;
    let aside = if to.exists() { Some(move_aside(to)?) } else { None };
    place(&part, to)?;
    Ok((copied, aside))
}

/// Begins a new epoch if this file is a copy, and takes the mark off.
pub(crate) fn begin_anew_if_copied(conn: &mut Connection) -> Fallible<bool> {
    let marked = conn.query_row("SELECT 1 FROM meta WHERE name = ?1", [MARK], |_| Ok(())).optional()?;
    if marked.is_none() {
        return Ok(false);
    }
    let transaction = conn.transaction()?;
    let epoch = schema::fresh_epoch();
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'epoch'", [epoch.as_bytes()])?;
    transaction.execute("DELETE FROM meta WHERE name = ?1", [MARK])?;
    transaction.commit()?;
    Ok(true)
}

/// Everything the source holds at one moment, in as few pages as it takes, marked.
fn copy_into(source: &Connection, part: &Path) -> Result<Ledger, StoreError> {
    let name = part.to_str().ok_or_else(|| StoreError::Failed(format!("{} is not a name in UTF-8", part.display())))?;
    source.execute("VACUUM INTO ?1", [name]).map_err(Fault::from)?;
    let conn = open_existing(part)?;
    check_pages(&conn, part)?;
    conn.execute("INSERT INTO meta (name, value) VALUES (?1, x'31') ON CONFLICT DO NOTHING", [MARK])
        .map_err(Fault::from)?;
    Ok(ledger(&conn)?)
}

fn check_pages(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(Fault::from)?;
    if found == "ok" {
        return Ok(());
    }
    Err(StoreError::Failed(format!("{} is damaged: {found}. Take an older copy.", path.display())))
}

fn finish(part: &Path, ledger: Ledger) -> Result<Copied, StoreError> {
    let file = File::open(part).map_err(failed(part))?;
    file.sync_all().map_err(failed(part))?;
    Ok(Copied { ledger, bytes: file.metadata().map_err(failed(part))?.len() })
}

/// Gives the finished file its name, for good.
fn place(part: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(part, to).map_err(failed(to))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Not every system lets a folder be opened; those that do want it synced for the name to last.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The database and its log get another name, so that nothing of it is taken for the new one's.
fn move_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let mut number = 1;
    let aside = loop {
        let candidate = beside(path, &format!(".before-restore-{number}"));
        if !candidate.exists() {
            break candidate;
        }
        number += 1;
    };
    // The log first: should this end half way, the old database still finds nothing of the new one's.
    for suffix in ["-wal", "-shm", ""] {
        let from = beside(path, suffix);
        if from.exists() {
            fs::rename(&from, beside(&aside, suffix)).map_err(failed(&from))?;
        }
    }
    Ok(aside)
}

fn open_existing(path: &Path) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Missing(format!("the database {}", path.display())));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(Fault::from)?;
    conn.busy_timeout(std::time::Duration::from_secs(10)).map_err(Fault::from)?;
    Ok(conn)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::Failed(format!("{}: {error}", path.display()))
}
