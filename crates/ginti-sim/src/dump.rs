//! What a database holds, read past the server: the oracle's own eyes, and the text two runs are compared by.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use anyhow::Result;
use rusqlite::{Connection, OpenFlags, types::ValueRef};

/// A row's stamp: revision and device id.
pub type StampKey = (u64, String);
/// A row: session and row id.
pub type RowKey = (String, String);

/// An entry of the ledger.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The row.
    pub row: RowKey,
    /// Its stamp.
    pub stamp: StampKey,
    /// 0 applied, 1 superseded, 2 late, 3 rejected.
    pub outcome: i64,
    /// Micro-units.
    pub quantity: i64,
    /// The product.
    pub product: Option<String>,
    /// Who counted.
    pub counted_by: String,
    /// When, as sent.
    pub counted_at: Option<i64>,
}

/// The ledger and what holds.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    /// In order of arrival.
    pub ledger: Vec<Entry>,
    /// The stamp that holds in each row, and its ledger number.
    pub held: BTreeMap<RowKey, Option<(StampKey, i64)>>,
    /// Where each ledger number stands in `ledger`.
    pub numbers: BTreeMap<i64, usize>,
}

/// Reads the tables of counts.
pub fn read(path: &Path) -> Result<Dump> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut dump = Dump::default();
    let mut statement = conn.prepare(
        "SELECT ledger_seq, session_id, item_seq, revision, device_id, outcome, quantity, product_id,
                coalesce(counter.user_login_id, sender.user_login_id), counted_at
         FROM history JOIN session USING (session_key) JOIN device USING (device_key)
         JOIN person AS sender ON sender.person_key = sent_by
         LEFT JOIN person AS counter ON counter.person_key = counted_by
         ORDER BY ledger_seq",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        dump.numbers.insert(row.get(0)?, dump.ledger.len());
        dump.ledger.push(Entry {
            row: (row.get(1)?, row.get(2)?),
            stamp: (row.get::<_, i64>(3)?.unsigned_abs(), row.get(4)?),
            outcome: row.get(5)?,
            quantity: row.get(6)?,
            product: row.get(7)?,
            counted_by: row.get(8)?,
            counted_at: row.get(9)?,
        });
    }
    let mut statement = conn.prepare(
        "SELECT session_id, item_seq, revision, device_id, ledger_seq
         FROM item JOIN session USING (session_key) LEFT JOIN device USING (device_key)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let revision: Option<i64> = row.get(2)?;
        let held = match revision {
            Some(revision) => Some(((revision.unsigned_abs(), row.get(3)?), row.get(4)?)),
            None => None,
        };
        dump.held.insert((row.get(0)?, row.get(1)?), held);
    }
    Ok(dump)
}

/// Every table, every row, in order.
pub fn text(path: &Path) -> Result<String> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut out = String::new();
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
    let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names {
        writeln!(out, "# {name}")?;
        let mut statement = conn.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY 1, 2"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                match row.get_ref(column)? {
                    ValueRef::Null => write!(out, "-|")?,
                    ValueRef::Integer(number) => write!(out, "{number}|")?,
                    ValueRef::Real(number) => write!(out, "{number}|")?,
                    ValueRef::Text(text) => write!(out, "{}|", String::from_utf8_lossy(text))?,
                    ValueRef::Blob(bytes) => {
                        bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
                        write!(out, "|")?;
                    }
                }
            }
            out.push('\n');
        }
    }
    Ok(out)
}
