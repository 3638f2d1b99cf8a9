//! Reading a session's rows and their history.

use std::collections::HashMap;

use ginti_store::{Access, Entry, HistoryEntry, ItemPage, ItemRow, entries};
use ginti_types::{
    BatchId, DeviceId, ItemContent, ItemSeqId, LocationSeqId, Outcome, ProductId, ProductIdentifier, Quantity,
    Requested, Revision, SessionId, Stamp, Timestamp, UserLoginId,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{arrivals::first_seq, intern::id, ledger::epoch, sessions::session_key};
use crate::error::{Fallible, corrupt};

/// History entries one page looks at, at most: superseded ones are passed over, and a page stays cheap all the same.
const SCAN_MAX: usize = 10_000;

/// The session's records after a number, in order of arrival, as [`Record`] reads them.
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
        let record = Record::of(row)?;
        for (ledger_seq, entry) in record.entries(row)? {
            let entry = entry?;
            if ledger_seq <= after {
                continue;
            }
            if page.items.len() >= limit || scanned >= SCAN_MAX {
                return Ok(Some(page));
            }
            scanned += 1;
            page.ledger_seq = ledger_seq;
            if is_listed(conn, key, ledger_seq, &record.device, &entry)? {
                page.items.push(record.item_row(ledger_seq, &entry, &mut people)?);
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
        let record = Record::of(row)?;
        for (ledger_seq, entry) in record.entries(row)? {
            let entry = entry?;
            if entry.item == item.as_str() {
                let row = record.item_row(ledger_seq, &entry, &mut people)?;
                found.push(HistoryEntry { row, sent_by: record.sent_by.clone() });
            }
        }
    }
    Ok(Some(found))
}

/// What a batch's counts have in common.
struct Record {
    first_seq: u64,
    device: DeviceId,
    received_at: Timestamp,
    sent_by: UserLoginId,
    batch: BatchId,
}

impl Record {
    fn of(row: &Row<'_>) -> Fallible<Self> {
        Ok(Self {
            first_seq: first_seq(row)?,
            device: id(row, 2, DeviceId::new)?,
            received_at: Timestamp::from_unix_ms(row.get(3)?),
            sent_by: id(row, 4, UserLoginId::new)?,
            batch: BatchId::from_bytes(row.get(5)?),
        })
    }

    /// Its counts, with their numbers.
    fn entries<'a>(
        &self,
        row: &'a Row<'_>,
    ) -> Fallible<impl Iterator<Item = (u64, Result<Entry<'a>, ginti_store::StoreError>)> + use<'a>> {
        let record = row.get_ref(6)?.as_blob().map_err(corrupt)?;
        Ok((self.first_seq..).zip(entries(record)))
    }

    fn item_row(&self, ledger_seq: u64, entry: &Entry<'_>, people: &mut People<'_>) -> Fallible<ItemRow> {
        let counted_by = match entry.counted_by {
            Some(key) => people.name(key)?,
            None => self.sent_by.clone(),
        };
        Ok(ItemRow {
            import_item_seq_id: ItemSeqId::new(entry.item).map_err(corrupt)?,
            stamp: stamp(&self.device, entry)?,
            content: ItemContent {
                product_id: entry.product_id.map(ProductId::new).transpose().map_err(corrupt)?,
                product_identifier: entry
                    .product_identifier
                    .map(ProductIdentifier::new)
                    .transpose()
                    .map_err(corrupt)?,
                quantity: Quantity::from_micros(entry.quantity).map_err(corrupt)?,
                counted_at: Some(entry.counted_at.map_or(self.received_at, Timestamp::from_unix_ms)),
                counted_by_user_login_id: Some(counted_by),
                is_requested: entry.is_requested.map(|listed| if listed { Requested::Y } else { Requested::N }),
                location_seq_id: entry.location_seq_id.map(LocationSeqId::new).transpose().map_err(corrupt)?,
            },
            outcome: entry.outcome()?,
            ledger_seq,
            received_at: self.received_at,
            batch_id: self.batch,
        })
    }
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

    fn name(&mut self, key: i64) -> Fallible<UserLoginId> {
        if let Some(name) = self.names.get(&key) {
            return Ok(name.clone());
        }
        let sql = "SELECT user_login_id FROM person WHERE person_key = ?1";
        let name: String = self.conn.prepare_cached(sql)?.query_row([key], |row| row.get(0))?;
        let name = UserLoginId::new(name).map_err(corrupt)?;
        self.names.insert(key, name.clone());
        Ok(name)
    }
}

/// Whether the entry is the count that holds now, or a late one that is newer than what holds and so still waits.
fn is_listed(conn: &Connection, session: i64, ledger_seq: u64, device: &DeviceId, entry: &Entry<'_>) -> Fallible<bool> {
    let outcome = entry.outcome()?;
    if !matches!(outcome, Outcome::Applied | Outcome::Late) {
        return Ok(false);
    }
    let sql = "SELECT ledger_seq, revision, device_id FROM item JOIN device USING (device_key)
               WHERE session_key = ?1 AND item_seq = ?2";
    let held: Option<(u64, u64, String)> = conn
        .prepare_cached(sql)?
        .query_row(params![session, entry.item], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((held_seq, revision, held_device)) = held else { return Ok(outcome == Outcome::Late) };
    if outcome == Outcome::Applied {
        return Ok(held_seq == ledger_seq);
    }
    let held = Stamp {
        revision: Revision::new(revision).map_err(corrupt)?,
        device_id: DeviceId::new(held_device).map_err(corrupt)?,
    };
    Ok(stamp(device, entry)? > held)
}

fn stamp(device: &DeviceId, entry: &Entry<'_>) -> Fallible<Stamp> {
    Ok(Stamp { revision: Revision::new(entry.revision).map_err(corrupt)?, device_id: device.clone() })
}
