//! Reading a session's rows and their history.

use std::collections::HashMap;

use ginti_store::{Access, Entry, HistoryEntry, ItemPage, Record};
use ginti_types::{BatchId, DeviceId, ItemSeqId, Revision, SessionId, Stamp, Timestamp, UserLoginId};
use rusqlite::{Connection, Row, params};

use super::{arrivals::first_seq, intern::id, ledger::epoch, sessions::session_key};
use crate::error::{Fallible, corrupt};

/// History entries one page looks at, at most: superseded ones are passed over, and a page stays cheap all the same.
const SCAN_MAX: usize = 10_000;

/// The session's records after a number, in order of arrival, as [`record`] reads them.
const RECORDS: &str = "
    SELECT last_seq, count, device_id, received_at, user_login_id, batch_id, entries
    FROM arrival JOIN device USING (device_key) JOIN person ON person.person_key = sent_by
    WHERE session_key = ?1 AND last_seq > ?2 ORDER BY last_seq";

pub(crate) fn items(
    conn: &Connection,
    access: &Access,
    session: &SessionId,
    after: u64,
    limit: usize,
) -> Fallible<Option<ItemPage>> {
    let Some(key) = session_key(conn, access, session)? else { return Ok(None) };
    let mut page = ItemPage { items: Vec::new(), ledger_seq: after, epoch: epoch(conn)? };
    // A cursor beyond what the database can number lies after everything.
    let Ok(cursor) = i64::try_from(after) else { return Ok(Some(page)) };
    let mut people = People::new(conn);
    let mut statement = conn.prepare_cached(RECORDS)?;
    let mut rows = statement.query(params![key, cursor])?;
    let mut scanned = 0;
    while let Some(row) = rows.next()? {
        let record = record(row)?;
        for (ledger_seq, entry) in record.numbered() {
            let entry = entry?;
            if ledger_seq <= after {
                continue;
            }
            if page.items.len() >= limit || scanned >= SCAN_MAX {
                return Ok(Some(page));
            }
            scanned += 1;
            page.ledger_seq = ledger_seq;
            if record.is_listed(&entry, held(conn, key, entry.item)?.as_ref())? {
                page.items.push(record.item_row(ledger_seq, &entry, people.counter(&entry)?)?);
            }
        }
    }
    Ok(Some(page))
}

/// A row's history is found by reading its session's: rarely asked for, and nothing is kept for it on the way in.
pub(crate) fn history(
    conn: &Connection,
    access: &Access,
    session: &SessionId,
    item: &ItemSeqId,
) -> Fallible<Option<Vec<HistoryEntry>>> {
    let Some(key) = session_key(conn, access, session)? else { return Ok(None) };
    let mut people = People::new(conn);
    let mut statement = conn.prepare_cached(RECORDS)?;
    let mut rows = statement.query(params![key, 0])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let record = record(row)?;
        for (ledger_seq, entry) in record.numbered() {
            let entry = entry?;
            if entry.item == item.as_str() {
                let row = record.item_row(ledger_seq, &entry, people.counter(&entry)?)?;
                found.push(HistoryEntry { row, sent_by: record.sent_by.clone() });
            }
        }
    }
    Ok(Some(found))
}

/// The record in the row; the statement is [`RECORDS`].
fn record<'a>(row: &'a Row<'_>) -> Fallible<Record<'a>> {
    Ok(Record {
        first_seq: first_seq(row)?,
        device: id(row, 2, DeviceId::new)?,
        received_at: Timestamp::from_unix_ms(row.get(3)?),
        sent_by: id(row, 4, UserLoginId::new)?,
        batch: BatchId::from_bytes(row.get(5)?),
        entries: row.get_ref(6)?.as_blob().map_err(corrupt)?,
    })
}

/// Names of people by key, looked up once.
struct People<'a> {
    conn: &'a Connection,
    names: HashMap<i64, UserLoginId>,
}

impl<'a> People<'a> {
    fn new(conn: &'a Connection) -> Self {
        Self { conn, names: HashMap::new() }
    }

    /// The name of the entry's counter, if it has one of its own.
    fn counter(&mut self, entry: &Entry<'_>) -> Fallible<Option<UserLoginId>> {
        let Some(key) = entry.counted_by else { return Ok(None) };
        if let Some(name) = self.names.get(&key) {
            return Ok(Some(name.clone()));
        }
        let sql = "SELECT user_login_id FROM person WHERE person_key = ?1";
        let name: String = self.conn.prepare_cached(sql)?.query_row([key], |row| row.get(0))?;
        let name = UserLoginId::new(name).map_err(corrupt)?;
        self.names.insert(key, name.clone());
        Ok(Some(name))
    }
}

/// The stamp that holds in the row.
fn held(conn: &Connection, session: i64, item: &str) -> Fallible<Option<Stamp>> {
    let sql = "SELECT revision, device_id FROM item JOIN device USING (device_key)
               WHERE session_key = ?1 AND item_seq = ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![session, item])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let revision = Revision::new(row.get(0)?).map_err(corrupt)?;
    Ok(Some(Stamp { revision, device_id: id(row, 1, DeviceId::new)? }))
}
