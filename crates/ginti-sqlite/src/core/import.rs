//! Taking a batch: the order of decisions of [`Import`], and what they write.

use std::sync::LazyLock;

use ginti_store::{
    Candidate, Decision, Entry, Import, ImportItem, Imported, Refusal, answer, has_repeated_rows, outcome_number,
    refused, settle_repeated_rows,
};
use ginti_types::{DeviceId, ItemSeqId, Outcome, Receipt, ReceiptItem, Revision, SessionStatus, Stamp, UserLoginId};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Core,
    arrivals::{self, Arrival, Found},
    intern::Interned,
    ledger::{epoch, ledger_seq},
    people::KnownDevice,
    receipts::Remembered,
};
use crate::error::{Fallible, corrupt};

impl Core {
    pub(crate) fn import(&mut self, import: &Import) -> Fallible<Imported> {
        let Some(tenant) = self.interned.tenant(&self.conn, &import.access.tenant)? else {
            return Ok(Imported::SessionNotAllowed);
        };
        let Some((session, takes_counts)) = self.session_of(tenant, import)? else {
            return Ok(Imported::SessionNotAllowed);
        };
        let device = self.device(tenant, &import.device_id)?;
        if device.is_some_and(|known| known.revoked) {
            return Ok(Imported::DeviceRevoked);
        }
        let epoch = epoch(&self.conn)?;
        match self.remembered(tenant, import, &epoch)? {
            Some(Remembered::OtherContent) => return Ok(Imported::BatchIdReused),
            Some(Remembered::Same(receipt)) => {
                if let Some(known) = device {
                    self.note_contact(known.key, import.now, 0)?;
                }
                return Ok(Imported::Replayed(receipt));
            }
            None => {}
        }
        let device = self.known_device(tenant, &import.device_id, device, import.now)?;
        let sender = self.interned.person(&self.conn, tenant, &import.access.user)?;
        self.interned.seen_together(&self.conn, device.key, sender)?;
        let first_seq = ledger_seq(&self.conn)? + 1;
        let mut taking = Taking {
            conn: &self.conn,
            interned: &mut self.interned,
            import,
            tenant,
            session,
            takes_counts,
            device,
            people: vec![(import.access.user.clone(), Some(sender))],
            arrival: Arrival::new(first_seq, import.now, sender),
        };
        let items = taking.take_all()?;
        let arrival = taking.arrival;
        if arrival.insert(&self.conn, session, device.key, &import.batch_id)? {
            self.appended = Some(arrival.next_seq() - 1);
        }
        self.note_contact(device.key, import.now, arrival.newest())?;
        let receipt = Receipt {
            batch_id: import.batch_id,
            epoch,
            ledger_seq: arrival.next_seq() - 1,
            server_time: import.now,
            items,
        };
        self.remember(tenant, import, &receipt)?;
        Ok(Imported::Stored(receipt))
    }

    /// The session's key and whether it takes counts, if it lies where the sender may work.
    fn session_of(&self, tenant: i64, import: &Import) -> Fallible<Option<(i64, bool)>> {
        let sql = "SELECT session_key, status, facility_id FROM session WHERE tenant_key = ?1 AND session_id = ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![tenant, import.session_id.as_str()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let facility = row.get_ref(2)?.as_str().map_err(corrupt)?;
        let allowed = import.access.facilities.as_ref().is_none_or(|all| all.iter().any(|id| id.as_str() == facility));
        if !allowed {
            return Ok(None);
        }
        let status = row.get_ref(1)?.as_str().map_err(corrupt)?;
        let status = SessionStatus::from_name(status).ok_or_else(|| corrupt(status))?;
        Ok(Some((row.get(0)?, status.takes_counts())))
    }
}

/// Of two counts of one row the higher revision holds; equal ones are for [`Taking::decide`]. A statement for so many rows
/// at once costs less than half of as many statements: largest first, and one row at last.
static HOLD_IF_NEWER: LazyLock<[(usize, String); 3]> = LazyLock::new(|| {
    [25, 5, 1].map(|size| {
        let row = |at: usize| format!("(?1, ?{}, ?{}, ?2)", 2 * at + 3, 2 * at + 4);
        let rows: Vec<_> = (0..size).map(row).collect();
        let sql = format!(
            "INSERT INTO item (session_key, item_seq, revision, device_key) VALUES {}
             ON CONFLICT DO UPDATE SET revision = excluded.revision, device_key = excluded.device_key
             WHERE excluded.revision > item.revision",
            rows.join(", ")
        );
        (size, sql)
    })
});

/// How many rows it changed.
fn execute_on(conn: &Connection, sql: &str, keys: (i64, i64), rows: &[(ItemSeqId, u64)]) -> Fallible<usize> {
    let mut statement = conn.prepare_cached(sql)?;
    statement.raw_bind_parameter(1, keys.0)?;
    statement.raw_bind_parameter(2, keys.1)?;
    for (at, (item, revision)) in rows.iter().enumerate() {
        statement.raw_bind_parameter(2 * at + 3, item.as_str())?;
        statement.raw_bind_parameter(2 * at + 4, *revision)?;
    }
    Ok(statement.raw_execute()?)
}

/// A batch on its way in.
struct Taking<'a> {
    conn: &'a Connection,
    interned: &'a mut Interned,
    import: &'a Import,
    tenant: i64,
    session: i64,
    takes_counts: bool,
    device: KnownDevice,
    /// Counters named by items so far, with their key if they have signed in on the device. Few: people at one device.
    people: Vec<(UserLoginId, Option<i64>)>,
    /// What goes into history.
    arrival: Arrival,
}

/// An item on its way: what it says, or why it was refused already.
enum Step<'a> {
    Count {
        candidate: Candidate<'a>,
        entry: Entry<'a>,
        /// Nearly always: it is newer than all that came from its device, and what holds in its row decides alone.
        may_apply: bool,
    },
    Refused(ReceiptItem),
}

impl Taking<'_> {
    /// Takes the items together, or one after the other where a row is named twice: each then sees the one before.
    fn take_all(&mut self) -> Fallible<Vec<ReceiptItem>> {
        let items = &self.import.items;
        let mut answers = Vec::with_capacity(items.len());
        if has_repeated_rows(items) {
            for item in items {
                self.take(std::slice::from_ref(item), &mut answers)?;
            }
            settle_repeated_rows(&mut answers);
        } else {
            self.take(items, &mut answers)?;
        }
        Ok(answers)
    }

    /// Takes items of different rows.
    fn take(&mut self, items: &[ImportItem], answers: &mut Vec<ReceiptItem>) -> Fallible<()> {
        let stamps: Vec<_> = items.iter().map(|item| self.stamp(item)).collect();
        let steps = items.iter().zip(&stamps).map(|(item, stamp)| self.step(item, stamp.as_ref()));
        let steps = steps.collect::<Fallible<Vec<_>>>()?;
        let mut held = self.hold_if_newer(&steps)?.into_iter();
        for step in steps {
            answers.push(match step {
                Step::Refused(answer) => answer,
                Step::Count { candidate, entry, may_apply } if may_apply && held.next() == Some(true) => {
                    self.arrival.add(&entry)?;
                    answer(candidate.item, Outcome::Applied, Some(candidate.stamp.clone()))
                }
                Step::Count { candidate, entry, .. } => self.decide(&candidate, &entry)?,
            });
        }
        Ok(())
    }

    fn stamp(&self, item: &ImportItem) -> Option<Stamp> {
        let ImportItem::Count { revision, .. } = item else { return None };
        Some(Stamp { revision: *revision, device_id: self.import.device_id.clone() })
    }

    fn step<'b>(&mut self, item: &'b ImportItem, stamp: Option<&'b Stamp>) -> Fallible<Step<'b>> {
        let (item, revision, content, stamp) = match (item, stamp) {
            (ImportItem::Count { item, revision, content }, Some(stamp)) => (item, *revision, content, stamp),
            (ImportItem::Count { .. }, None) => return Err(corrupt("a count without a stamp")),
            (ImportItem::Refused(refusal), _) => {
                let item = refusal.import_item_seq_id.as_ref().and_then(|text| ItemSeqId::new(text.as_str()).ok());
                let held = item.map(|item| self.held(&item)).transpose()?.flatten();
                return Ok(Step::Refused(refused(refusal.clone(), held)));
            }
        };
        let user = content.counted_by_user_login_id.as_ref();
        let counted_by = user.map(|user| self.seen_here(user)).transpose()?.flatten();
        if let Some(stranger) = user.filter(|_| counted_by.is_none()) {
            let held = self.held(item)?;
            return Ok(Step::Refused(refused(Refusal::attribution_not_allowed(item, stranger), held)));
        }
        let entry = Entry::arriving(item, revision, content, counted_by, Outcome::Applied);
        let candidate = Candidate {
            item,
            stamp,
            believed_to: self.device.believed_to,
            now: self.import.now,
            takes_counts: self.takes_counts,
        };
        let is_new = revision.get() > self.device.newest;
        let may_apply = is_new && self.takes_counts && candidate.ahead(self.import.now).is_none();
        Ok(Step::Count { candidate, entry, may_apply })
    }

    /// Any other: by what holds and what history says.
    fn decide(&mut self, candidate: &Candidate<'_>, entry: &Entry<'_>) -> Fallible<ReceiptItem> {
        let held = self.held(candidate.item)?;
        let found = self.arrived(entry)?;
        let arrived = found.as_ref().map(|found| found.arrived);
        match candidate.decide(held.as_ref(), arrived) {
            Decision::Answer(outcome) => Ok(answer(candidate.item, outcome, held)),
            Decision::Refuse(refusal) => Ok(refused(refusal, held)),
            Decision::KeepRefused(refusal) => {
                self.arrival.add(&Entry { outcome: outcome_number(Outcome::Rejected), ..*entry })?;
                Ok(refused(refusal, held))
            }
            Decision::Keep { outcome: Outcome::Applied, origin } => {
                self.hold(entry)?;
                match (origin, found) {
                    // Whoever delivers it now has not counted it: what was left out stays as it was filled in then.
                    (Some(origin), Some(late)) => self.arrival.add(&Entry {
                        counted_at: entry.counted_at.or(Some(late.arrived.received_at.unix_ms())),
                        counted_by: entry.counted_by.or(Some(late.sent_by)),
                        origin: Some(i64::try_from(origin).map_err(corrupt)?),
                        ..*entry
                    })?,
                    _ => self.arrival.add(entry)?,
                }
                Ok(answer(candidate.item, Outcome::Applied, Some(candidate.stamp.clone())))
            }
            Decision::Keep { outcome, .. } => {
                self.arrival.add(&Entry { outcome: outcome_number(outcome), ..*entry })?;
                Ok(answer(candidate.item, outcome, held))
            }
        }
    }

    /// Makes those hold that may and have the highest revision in their row; of each that may, whether it holds now.
    fn hold_if_newer(&mut self, steps: &[Step<'_>]) -> Fallible<Vec<bool>> {
        let may = |step: &Step<'_>| match step {
            Step::Count { candidate, entry, may_apply: true } => Some((candidate.item.clone(), entry.revision)),
            _ => None,
        };
        let rows: Vec<_> = steps.iter().filter_map(may).collect();
        let mut are_held = Vec::with_capacity(rows.len());
        let mut rest = rows.as_slice();
        for (size, sql) in HOLD_IF_NEWER.iter() {
            while rest.len() >= *size {
                let (now, later) = rest.split_at(*size);
                rest = later;
                let changed = execute_on(self.conn, sql, (self.session, self.device.key), now)?;
                if changed == *size || *size == 1 {
                    are_held.resize(are_held.len() + size, changed == *size);
                    continue;
                }
                // Some did not: a stamp that has never come before holds only if it came to hold just now.
                for (item, revision) in now {
                    let held = self.held(item)?;
                    are_held.push(held.is_some_and(|held| {
                        held.revision.get() == *revision && held.device_id == self.import.device_id
                    }));
                }
            }
        }
        Ok(are_held)
    }

    /// Makes the entry hold in its row.
    fn hold(&self, entry: &Entry<'_>) -> Fallible<()> {
        let sql = "INSERT OR REPLACE INTO item (session_key, item_seq, revision, device_key) VALUES (?1, ?2, ?3, ?4)";
        let values = params![self.session, entry.item, entry.revision, self.device.key];
        self.conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// The stamp that holds in the row.
    fn held(&mut self, item: &ItemSeqId) -> Fallible<Option<Stamp>> {
        let sql = "SELECT revision, device_key FROM item WHERE session_key = ?1 AND item_seq = ?2";
        let found: Option<(u64, i64)> = self
            .conn
            .prepare_cached(sql)?
            .query_row(params![self.session, item.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((revision, device)) = found else { return Ok(None) };
        let device_id: DeviceId = if device == self.device.key {
            self.import.device_id.clone()
        } else {
            self.interned.device_id(self.conn, device)?
        };
        Ok(Some(Stamp { revision: Revision::new(revision).map_err(corrupt)?, device_id }))
    }

    /// What history says of the stamp; this batch's own counts are part of it.
    fn arrived(&mut self, entry: &Entry<'_>) -> Fallible<Option<Found>> {
        if let Some(found) = self.arrival.find(entry)? {
            return Ok(Some(found));
        }
        if entry.revision > self.device.newest {
            return Ok(None);
        }
        arrivals::find(self.conn, self.session, self.device.key, entry)
    }

    /// The counter's key, if this person has signed in on the device.
    fn seen_here(&mut self, user: &UserLoginId) -> Fallible<Option<i64>> {
        if let Some((_, key)) = self.people.iter().find(|(name, _)| name == user) {
            return Ok(*key);
        }
        let sql = "SELECT person.person_key FROM person
                   JOIN device_person ON device_person.person_key = person.person_key AND device_key = ?1
                   WHERE tenant_key = ?2 AND user_login_id = ?3";
        let key = self
            .conn
            .prepare_cached(sql)?
            .query_row(params![self.device.key, self.tenant, user.as_str()], |row| row.get(0))
            .optional()?;
        self.people.push((user.clone(), key));
        Ok(key)
    }
}
