//! History: a record for each batch, with the counts it brought, in order of arrival. Records are added and never changed.

use ginti_store::{Arrived, Entry, entries};
use ginti_types::{BatchId, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::error::{Fallible, corrupt};

/// A record in the making.
pub(super) struct Arrival {
    first_seq: u64,
    received_at: Timestamp,
    sent_by: i64,
    count: u64,
    oldest: u64,
    newest: u64,
    entries: Vec<u8>,
}

/// A count found in history.
pub(super) struct Found {
    pub(super) arrived: Arrived,
    pub(super) sent_by: i64,
}

impl Arrival {
    /// Whose first count gets that number in the ledger.
    pub(super) fn new(first_seq: u64, received_at: Timestamp, sent_by: i64) -> Self {
        Self { first_seq, received_at, sent_by, count: 0, oldest: u64::MAX, newest: 0, entries: Vec::new() }
    }

    /// The number that the next count gets.
    pub(super) fn next_seq(&self) -> u64 {
        self.first_seq + self.count
    }

    /// The newest revision in it, 0 if it is empty.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) -> Fallible<()> {
        entry.write(&mut self.entries)?;
        self.count += 1;
        self.oldest = self.oldest.min(entry.revision);
        self.newest = self.newest.max(entry.revision);
        Ok(())
    }

    /// The stamp's arrival, if it came in this batch.
    pub(super) fn find(&self, stamp: &Entry<'_>) -> Fallible<Option<Found>> {
        if self.oldest > stamp.revision || self.newest < stamp.revision {
            return Ok(None);
        }
        find_in(&self.entries, self.first_seq, self.received_at, self.sent_by, stamp)
    }

    /// Appends it to the ledger, unless it is empty; whether it was appended.
    pub(super) fn insert(&self, conn: &Connection, session: i64, device: i64, batch: &BatchId) -> Fallible<bool> {
        if self.count == 0 {
            return Ok(false);
        }
        let sql =
            "INSERT INTO arrival (last_seq, session_key, device_key, received_at, sent_by, batch_id, count, oldest,
                       newest, entries)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        conn.prepare_cached(sql)?.execute(params![
            self.next_seq() - 1,
            session,
            device,
            self.received_at.unix_ms(),
            self.sent_by,
            batch.as_bytes(),
            self.count,
            self.oldest,
            self.newest,
            self.entries,
        ])?;
        Ok(true)
    }
}

/// The stamp's arrival, if it came before. A device's records lie in the order of their newest revision, so that of a stamp
/// that came once is usually the first looked at.
pub(super) fn find(conn: &Connection, session: i64, device: i64, stamp: &Entry<'_>) -> Fallible<Option<Found>> {
    let sql = "SELECT last_seq, count, received_at, sent_by, entries FROM arrival
               WHERE session_key = ?1 AND device_key = ?2 AND newest >= ?3 AND oldest <= ?3 ORDER BY newest";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![session, device, stamp.revision])?;
    while let Some(row) = rows.next()? {
        let first_seq = first_seq(row)?;
        let received_at = Timestamp::from_unix_ms(row.get(2)?);
        let record = row.get_ref(4)?.as_blob().map_err(corrupt)?;
        let found = find_in(record, first_seq, received_at, row.get(3)?, stamp)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The number of a record's first count, from its first two columns: the last one's, and how many there are.
pub(super) fn first_seq(row: &Row<'_>) -> Fallible<u64> {
    let (last_seq, count): (u64, u64) = (row.get(0)?, row.get(1)?);
    (last_seq + 1).checked_sub(count).ok_or_else(|| corrupt(format!("{count} counts up to number {last_seq}")))
}

fn find_in(
    record: &[u8],
    first_seq: u64,
    received_at: Timestamp,
    sent_by: i64,
    stamp: &Entry<'_>,
) -> Fallible<Option<Found>> {
    for (ledger_seq, entry) in (first_seq..).zip(entries(record)) {
        let entry = entry?;
        if entry.is_arrival_of(stamp.item, stamp.revision) {
            let same_content = entry.has_content_of(stamp);
            let arrived = Arrived { ledger_seq, outcome: entry.outcome()?, received_at, same_content };
            return Ok(Some(Found { arrived, sent_by }));
        }
    }
    Ok(None)
}
