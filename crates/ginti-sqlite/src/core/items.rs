//! Reading a session's rows and their history.

use ginti_store::{Access, HistoryEntry, ItemPage, ItemRow};
use ginti_types::{
    BatchId, DeviceId, ItemContent, ItemSeqId, LocationSeqId, Outcome, ProductId, ProductIdentifier, Quantity,
    Requested, Revision, SessionId, Stamp, Timestamp, UserLoginId,
};
use rusqlite::{Connection, Row, params};

use super::{
    intern::{id, optional_id},
    ledger::epoch,
    sessions::session_key,
};
use crate::error::{Fallible, corrupt};

/// History entries one page looks at, at most: superseded ones are passed over, and a page stays cheap all the same.
const SCAN_MAX: usize = 10_000;

/// What [`item_row`] and [`entry`] read, in this order. `held_*` is what holds in the row now, NULL if nothing does.
const COLUMNS: &str = "
    SELECT history.ledger_seq, history.item_seq, history.revision, device.device_id, history.outcome, history.quantity,
        history.product_id, history.product_identifier, ifnull(history.counted_at, history.received_at),
        counter.user_login_id, history.is_requested, history.location_seq_id, history.received_at, history.batch_id,
        sender.user_login_id, item.ledger_seq, item.revision, held.device_id
    FROM history
    JOIN device ON device.device_key = history.device_key
    JOIN person AS sender ON sender.person_key = history.sent_by
    JOIN person AS counter ON counter.person_key = ifnull(history.counted_by, history.sent_by)
    LEFT JOIN item ON item.session_key = history.session_key AND item.item_seq = history.item_seq
    LEFT JOIN device AS held ON held.device_key = item.device_key
    WHERE history.session_key = ?1";

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
    let Ok(after) = i64::try_from(after) else { return Ok(Some(page)) };
    let sql = format!("{COLUMNS} AND history.ledger_seq > ?2 ORDER BY history.ledger_seq LIMIT {SCAN_MAX}");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![key, after])?;
    while page.items.len() < limit {
        let Some(row) = rows.next()? else { break };
        page.ledger_seq = row.get(0)?;
        if is_listed(row)? {
            page.items.push(item_row(row)?);
        }
    }
    Ok(Some(page))
}

pub(crate) fn history(
    conn: &Connection,
    access: &Access,
    session: &SessionId,
    item: &ItemSeqId,
) -> Fallible<Option<Vec<HistoryEntry>>> {
    let Some(key) = session_key(conn, access, session)? else { return Ok(None) };
    let sql = format!(
        "WITH RECURSIVE chain (seq) AS (
            SELECT last_seq FROM item WHERE session_key = ?1 AND item_seq = ?2
            UNION ALL
            SELECT previous FROM chain JOIN history ON history.ledger_seq = chain.seq WHERE previous IS NOT NULL
        )
        {COLUMNS} AND history.ledger_seq IN (SELECT seq FROM chain) ORDER BY history.ledger_seq"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![key, item.as_str()])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(HistoryEntry { row: item_row(row)?, sent_by: id(row, 14, UserLoginId::new)? });
    }
    Ok(Some(entries))
}

/// Whether the entry is the count that holds now, or a late one that is newer than what holds and so still waits.
fn is_listed(row: &Row<'_>) -> Fallible<bool> {
    let held: Option<i64> = row.get(15)?;
    if held == Some(row.get(0)?) {
        return Ok(true);
    }
    if outcome_from(row.get(4)?)? != Outcome::Late {
        return Ok(false);
    }
    let Some(revision) = row.get::<_, Option<u64>>(16)? else { return Ok(true) };
    let held = Stamp { revision: Revision::new(revision).map_err(corrupt)?, device_id: id(row, 17, DeviceId::new)? };
    Ok(stamp(row)? > held)
}

fn item_row(row: &Row<'_>) -> Fallible<ItemRow> {
    Ok(ItemRow {
        import_item_seq_id: id(row, 1, ItemSeqId::new)?,
        stamp: stamp(row)?,
        content: ItemContent {
            product_id: optional_id(row, 6, ProductId::new)?,
            product_identifier: optional_id(row, 7, ProductIdentifier::new)?,
            quantity: Quantity::from_micros(row.get(5)?).map_err(corrupt)?,
            counted_at: Some(Timestamp::from_unix_ms(row.get(8)?)),
            counted_by_user_login_id: Some(id(row, 9, UserLoginId::new)?),
            is_requested: row.get::<_, Option<i64>>(10)?.map(requested_from),
            location_seq_id: optional_id(row, 11, LocationSeqId::new)?,
        },
        outcome: outcome_from(row.get(4)?)?,
        ledger_seq: row.get(0)?,
        received_at: Timestamp::from_unix_ms(row.get(12)?),
        batch_id: BatchId::from_bytes(row.get(13)?),
    })
}

fn stamp(row: &Row<'_>) -> Fallible<Stamp> {
    Ok(Stamp { revision: Revision::new(row.get(2)?).map_err(corrupt)?, device_id: id(row, 3, DeviceId::new)? })
}

/// How an entry's outcome stands in the database.
pub(super) fn outcome_number(outcome: Outcome) -> i64 {
    match outcome {
        // A duplicate adds no entry; the count it repeats was applied.
        Outcome::Applied | Outcome::Duplicate => 0,
        Outcome::Superseded => 1,
        Outcome::Late => 2,
        Outcome::Rejected => 3,
    }
}

pub(super) fn outcome_from(number: i64) -> Fallible<Outcome> {
    match number {
        0 => Ok(Outcome::Applied),
        1 => Ok(Outcome::Superseded),
        2 => Ok(Outcome::Late),
        3 => Ok(Outcome::Rejected),
        _ => Err(corrupt(format!("outcome {number}"))),
    }
}

pub(super) fn requested_number(requested: Requested) -> i64 {
    i64::from(requested == Requested::Y)
}

fn requested_from(number: i64) -> Requested {
    if number == 1 { Requested::Y } else { Requested::N }
}
