//! The database's identity, its ledger's length, and the small named values it keeps.

use ginti_store::{DemoMark, Ledger};
use ginti_types::Epoch;
use rusqlite::{Connection, OptionalExtension, params};

use super::Core;
use crate::error::{Fallible, corrupt};

pub(crate) fn ledger(conn: &Connection) -> Fallible<Ledger> {
    Ok(Ledger { epoch: epoch(conn)?, ledger_seq: ledger_seq(conn)? })
}

pub(super) fn epoch(conn: &Connection) -> Fallible<Epoch> {
    Epoch::new(meta(conn, "epoch")?.ok_or_else(|| corrupt("it has no epoch"))?).map_err(corrupt)
}

pub(super) fn ledger_seq(conn: &Connection) -> Fallible<u64> {
    let mut statement = conn.prepare_cached("SELECT max(last_seq) FROM arrival")?;
    Ok(statement.query_row([], |row| row.get::<_, Option<u64>>(0))?.unwrap_or(0))
}

pub(crate) fn demo_mark(conn: &Connection) -> Fallible<Option<DemoMark>> {
    Ok(meta(conn, "demo-password")?.map(|password| DemoMark { password }))
}

impl Core {
    pub(crate) fn new_epoch(&mut self, epoch: &Epoch) -> Fallible<()> {
        self.put_meta("epoch", epoch.as_str())
    }

    pub(crate) fn set_demo_mark(&mut self, mark: &DemoMark) -> Fallible<()> {
        self.put_meta("demo-password", &mark.password)
    }

    pub(crate) fn secret(&mut self, name: &str, fresh: &[u8]) -> Fallible<Vec<u8>> {
        self.conn
            .execute("INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", params![name, fresh])?;
        Ok(self.conn.query_row("SELECT value FROM secret WHERE name = ?1", [name], |row| row.get(0))?)
    }

    fn put_meta(&mut self, name: &str, value: &str) -> Fallible<()> {
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        self.conn.execute(sql, params![name, value.as_bytes()])?;
        Ok(())
    }
}

fn meta(conn: &Connection, name: &str) -> Fallible<Option<String>> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let value: Option<Vec<u8>> = statement.query_row([name], |row| row.get(0)).optional()?;
    value.map(String::from_utf8).transpose().map_err(corrupt)
}
