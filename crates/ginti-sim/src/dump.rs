//! What a database holds, read past the server: the oracle's own eyes, and the text two runs are compared by.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use anyhow::{Context, Result};
use ginti_store::entries;
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
    pub held: BTreeMap<RowKey, (StampKey, i64)>,
    /// Where each ledger number stands in `ledger`.
    pub numbers: BTreeMap<i64, usize>,
}

/// Reads the tables of counts.
pub fn read(path: &Path) -> Result<Dump> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut dump = Dump::default();
    let people = people(&conn)?;
    let mut applied: BTreeMap<(RowKey, StampKey), i64> = BTreeMap::new();
    let mut statement = conn.prepare(
        "SELECT last_seq, count, session_id, device_id, sent_by, entries
         FROM arrival JOIN session USING (session_key) JOIN device USING (device_key) ORDER BY last_seq",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (last_seq, count): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (session, device): (String, String) = (row.get(2)?, row.get(3)?);
        let sent_by: i64 = row.get(4)?;
        let record = row.get_ref(5)?.as_blob()?;
        for (number, entry) in (last_seq - count + 1..).zip(entries(record)) {
            let entry = entry?;
            let counted_by = people.get(&entry.counted_by.unwrap_or(sent_by)).context("a count is nobody's")?;
            dump.numbers.insert(number, dump.ledger.len());
            if entry.outcome == 0 {
                let row = (session.clone(), entry.item.to_owned());
                applied.insert((row, (entry.revision, device.clone())), number);
            }
            dump.ledger.push(Entry {
                row: (session.clone(), entry.item.to_owned()),
                stamp: (entry.revision, device.clone()),
                outcome: i64::from(entry.outcome),
                quantity: entry.quantity,
                product: entry.product_id.map(ToOwned::to_owned),
                counted_by: counted_by.clone(),
                counted_at: entry.counted_at,
            });
        }
    }
    let mut statement = conn.prepare(
        "SELECT session_id, item_seq, revision, device_id
         FROM item JOIN session USING (session_key) JOIN device USING (device_key)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: (RowKey, StampKey) =
            ((row.get(0)?, row.get(1)?), (row.get::<_, i64>(2)?.unsigned_abs(), row.get(3)?));
        let number = *applied.get(&name).context("a row holds what never arrived")?;
        dump.held.insert(name.0, (name.1, number));
    }
    Ok(dump)
}

fn people(conn: &Connection) -> Result<BTreeMap<i64, String>> {
    let mut statement = conn.prepare("SELECT person_key, user_login_id FROM person")?;
    let people = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(people.collect::<Result<_, _>>()?)
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
