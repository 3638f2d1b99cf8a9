//! Reading a session's rows and their history.

use std::collections::HashMap;

use ginti_store::{Access, Entry, HistoryEntry, ItemPage, Record};
use ginti_types::{BatchId, DeviceId, ItemSeqId, Revision, SessionId, Stamp, Timestamp, UserLoginId};
use tokio_postgres::{GenericClient, Row};

use crate::{
    access::session_key,
    error::{Fallible, corrupt},
    keys::Keys,
    schema::epoch,
};

/// History entries one page looks at, at most: superseded ones are passed over, and a page stays cheap all the same.
const SCAN_MAX: usize = 10_000;
/// Records read at a time.
const RECORDS_MAX: i64 = 200;

/// The session's records after a number, in order of arrival, as [`record`] reads them.
const RECORDS: &str = "
    SELECT last_seq, count, device_id, received_at, user_login_id, batch_id, entries
    FROM arrival JOIN device USING (device_key) JOIN person ON person.person_key = sent_by
    WHERE session_key = $1 AND last_seq > $2 ORDER BY last_seq LIMIT $3";

/// What holds is read after the records: a count that was overtaken in between is not listed, and what overtook it comes with a
/// later record.
pub(crate) async fn items(
    client: &impl GenericClient,
    keys: &Keys,
    access: &Access,
    session: &SessionId,
    after: u64,
    limit: usize,
) -> Fallible<Option<ItemPage>> {
    let Some(key) = session_key(client, access, session).await? else { return Ok(None) };
    let mut page = ItemPage { items: Vec::new(), ledger_seq: after, epoch: epoch(client).await? };
    // A cursor beyond what the database can number lies after everything.
    let Ok(mut cursor) = i64::try_from(after) else { return Ok(Some(page)) };
    let statement = client.prepare(RECORDS).await?;
    let mut scanned = 0;
    loop {
        let rows = client.query(&statement, &[&key, &cursor, &RECORDS_MAX]).await?;
        let Some(last) = rows.last() else { return Ok(Some(page)) };
        cursor = last.get(0);
        let records = rows.iter().map(record).collect::<Fallible<Vec<_>>>()?;
        let names = counters(client, keys, &records).await?;
        let held = held(client, key, &records).await?;
        for record in &records {
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
                if record.is_listed(&entry, held.get(entry.item))? {
                    page.items.push(record.item_row(ledger_seq, &entry, counter(&names, &entry)?)?);
                }
            }
        }
    }
}

/// A row's history is found by reading its session's: rarely asked for, and nothing is kept for it on the way in.
pub(crate) async fn history(
    client: &impl GenericClient,
    keys: &Keys,
    access: &Access,
    session: &SessionId,
    item: &ItemSeqId,
) -> Fallible<Option<Vec<HistoryEntry>>> {
    let Some(key) = session_key(client, access, session).await? else { return Ok(None) };
    let statement = client.prepare(RECORDS).await?;
    let (mut found, mut cursor) = (Vec::new(), 0_i64);
    loop {
        let rows = client.query(&statement, &[&key, &cursor, &RECORDS_MAX]).await?;
        let Some(last) = rows.last() else { return Ok(Some(found)) };
        cursor = last.get(0);
        let records = rows.iter().map(record).collect::<Fallible<Vec<_>>>()?;
        let names = counters(client, keys, &records).await?;
        for record in &records {
            for (ledger_seq, entry) in record.numbered() {
                let entry = entry?;
                if entry.item == item.as_str() {
                    let row = record.item_row(ledger_seq, &entry, counter(&names, &entry)?)?;
                    found.push(HistoryEntry { row, sent_by: record.sent_by.clone() });
                }
            }
        }
    }
}

fn record(row: &Row) -> Fallible<Record<'_>> {
    let (last_seq, count): (i64, i64) = (row.get(0), row.get(1));
    let batch: [u8; 16] = row.get::<_, &[u8]>(5).try_into().map_err(corrupt)?;
    Ok(Record {
        first_seq: u64::try_from(last_seq + 1 - count).map_err(corrupt)?,
        device: DeviceId::new(row.get::<_, &str>(2)).map_err(corrupt)?,
        received_at: Timestamp::from_unix_ms(row.get(3)),
        sent_by: UserLoginId::new(row.get::<_, &str>(4)).map_err(corrupt)?,
        batch: BatchId::from_bytes(batch),
        entries: row.get(6),
    })
}

/// Names of the records' counters, by key.
async fn counters(
    client: &impl GenericClient,
    keys: &Keys,
    records: &[Record<'_>],
) -> Fallible<HashMap<i64, UserLoginId>> {
    let mut people = Vec::new();
    for (_, entry) in records.iter().flat_map(Record::numbered) {
        people.extend(entry?.counted_by);
    }
    people.sort_unstable();
    people.dedup();
    keys.names(client, &people).await
}

fn counter(names: &HashMap<i64, UserLoginId>, entry: &Entry<'_>) -> Fallible<Option<UserLoginId>> {
    let Some(key) = entry.counted_by else { return Ok(None) };
    let name = names.get(&key).ok_or_else(|| corrupt(format!("a count by person {key}, who is not there")))?;
    Ok(Some(name.clone()))
}

/// The stamps that hold in the records' rows.
async fn held(client: &impl GenericClient, session: i64, records: &[Record<'_>]) -> Fallible<HashMap<String, Stamp>> {
    let mut items = Vec::new();
    for (_, entry) in records.iter().flat_map(Record::numbered) {
        items.push(entry?.item);
    }
    items.sort_unstable();
    items.dedup();
    let sql = "SELECT item_seq, revision, device_id FROM item JOIN device USING (device_key)
               WHERE session_key = $1 AND item_seq = ANY($2)";
    let rows = client.query(sql, &[&session, &items]).await?;
    rows.iter().map(|row| Ok((row.get(0), stamp(row.get(1), row.get(2))?))).collect()
}

/// A stamp as the database has it.
pub(crate) fn stamp(revision: i64, device: &str) -> Fallible<Stamp> {
    let revision = u64::try_from(revision).map_err(corrupt)?;
    Ok(Stamp {
        revision: Revision::new(revision).map_err(corrupt)?,
        device_id: DeviceId::new(device).map_err(corrupt)?,
    })
}
