//! Taking a batch: the order of decisions of [`Import`], the merge rule, and what both write.

use std::collections::HashMap;

use ginti_store::{Import, ImportItem, Imported, Refusal};
use ginti_types::{
    DeviceId, Epoch, ItemContent, ItemSeqId, LocationSeqId, Outcome, ProductId, ProductIdentifier, Receipt,
    ReceiptItem, Revision, SessionStatus, Stamp, Timestamp, UserLoginId, Verdict, merge,
};
use rusqlite::{OptionalExtension, params};

use super::{
    Core, items,
    ledger::{epoch, ledger_seq},
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
                    self.touch_device(known.key, import.now)?;
                }
                return Ok(Imported::Replayed(receipt));
            }
            None => {}
        }
        let believed_to = device.and_then(|known| known.believed_to);
        let device = self.note_device(tenant, &import.device_id, device.map(|known| known.key), import.now)?;
        let sender = self.interned.person(&self.conn, tenant, &import.access.user)?;
        self.note_device_person(device, sender)?;
        let mut taking = Taking {
            core: self,
            import,
            tenant,
            session,
            takes_counts,
            device,
            believed_to,
            sender,
            people: vec![(import.access.user.clone(), Some(sender))],
        };
        let mut items = import.items.iter().map(|item| taking.take(item)).collect::<Fallible<Vec<_>>>()?;
        settle_repeated_rows(&mut items);
        let receipt = self.receipt(import, epoch, items)?;
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

    fn receipt(&self, import: &Import, epoch: Epoch, items: Vec<ReceiptItem>) -> Fallible<Receipt> {
        let ledger_seq = ledger_seq(&self.conn)?;
        Ok(Receipt { batch_id: import.batch_id, epoch, ledger_seq, server_time: import.now, items })
    }
}

/// A batch on its way in.
struct Taking<'a> {
    core: &'a mut Core,
    import: &'a Import,
    tenant: i64,
    session: i64,
    takes_counts: bool,
    device: i64,
    /// The last revision believed of a retired device id.
    believed_to: Option<Revision>,
    sender: i64,
    /// Counters named by items so far, with their key if they have signed in on the device. Few: people at one device.
    people: Vec<(UserLoginId, Option<i64>)>,
}

/// What an item is once it has a stamp.
struct Incoming<'a> {
    item: &'a ItemSeqId,
    stamp: Stamp,
    content: &'a ItemContent,
    counted_by: Option<i64>,
}

/// A row as it is before the item.
struct Row {
    /// The stamp that holds; none if nothing does.
    held: Option<Stamp>,
    /// Its latest history entry.
    last_seq: Option<i64>,
}

/// A stamp that arrived before.
struct Known {
    ledger_seq: i64,
    outcome: Outcome,
    received_at: Timestamp,
    sent_by: i64,
    same_content: bool,
}

impl Taking<'_> {
    fn take(&mut self, item: &ImportItem) -> Fallible<ReceiptItem> {
        let import = self.import;
        match item {
            ImportItem::Refused(refusal) => {
                let item = refusal.import_item_seq_id.as_ref().and_then(|text| ItemSeqId::new(text.as_str()).ok());
                let row = item.map(|item| self.row(&item)).transpose()?;
                Ok(refused(refusal.clone(), row.and_then(|row| row.held)))
            }
            ImportItem::Count { item, revision, content } => {
                let stamp = Stamp { revision: *revision, device_id: import.device_id.clone() };
                let counted_by = match &content.counted_by_user_login_id {
                    None => None,
                    Some(user) => match self.seen_here(user)? {
                        Some(key) => Some(key),
                        None => {
                            return Ok(refused(Refusal::attribution_not_allowed(item, user), self.row(item)?.held));
                        }
                    },
                };
                self.count(&Incoming { item, stamp, content, counted_by })
            }
        }
    }

    fn count(&mut self, incoming: &Incoming<'_>) -> Fallible<ReceiptItem> {
        let row = self.row(incoming.item)?;
        let ahead = self.ahead(incoming, self.import.now);
        // A stamp equal to the held one is in history already; every other is tried as new first, the usual case.
        let fresh = match merge(row.held.as_ref(), &incoming.stamp, || true) {
            Verdict::Duplicate | Verdict::RevisionReused => None,
            _ if ahead.is_some() => Some(Outcome::Rejected),
            Verdict::Apply if self.takes_counts => Some(Outcome::Applied),
            Verdict::Apply => Some(Outcome::Late),
            Verdict::Superseded => Some(Outcome::Superseded),
        };
        let Some(outcome) = fresh else { return self.again(incoming, row) };
        if !self.add(incoming, outcome, &row, None)? {
            return self.again(incoming, row);
        }
        match (outcome, ahead) {
            (Outcome::Rejected, Some(refusal)) => Ok(refused(refusal, row.held)),
            (Outcome::Applied, _) => Ok(answer(incoming.item, outcome, Some(incoming.stamp.clone()))),
            _ => Ok(answer(incoming.item, outcome, row.held)),
        }
    }

    /// Why a stamp is too far in the future to be taken at that time, if it is.
    fn ahead(&self, incoming: &Incoming<'_>, time: Timestamp) -> Option<Refusal> {
        let revision = incoming.stamp.revision;
        match Refusal::clock_ahead_ms(revision, time) {
            Some(ms) => Some(Refusal::clock_skew(incoming.item, ms)),
            None if self.believed_to.is_some_and(|bound| revision > bound) => {
                Some(Refusal::stamped_ahead(incoming.item))
            }
            None => None,
        }
    }

    /// A stamp that arrived before: answered as it was decided then, as far as that still holds.
    fn again(&mut self, incoming: &Incoming<'_>, row: Row) -> Fallible<ReceiptItem> {
        let known = self.known(incoming)?;
        if !known.same_content {
            return Ok(refused(Refusal::revision_reused(incoming.item, incoming.stamp.revision), row.held));
        }
        if known.outcome == Outcome::Rejected {
            let ahead = self.ahead(incoming, known.received_at);
            return Ok(refused(ahead.unwrap_or_else(|| Refusal::stamped_ahead(incoming.item)), row.held));
        }
        match merge(row.held.as_ref(), &incoming.stamp, || known.same_content) {
            Verdict::Duplicate => Ok(answer(incoming.item, Outcome::Duplicate, row.held)),
            Verdict::Superseded => Ok(answer(incoming.item, Outcome::Superseded, row.held)),
            Verdict::RevisionReused => {
                Ok(refused(Refusal::revision_reused(incoming.item, incoming.stamp.revision), row.held))
            }
            // Only a late count can be in history and still be newer than what holds.
            Verdict::Apply if self.takes_counts => {
                // Whoever delivers it now has not counted it: what was left out stays as it was filled in then.
                let filled_in = ItemContent {
                    counted_at: incoming.content.counted_at.or(Some(known.received_at)),
                    ..incoming.content.clone()
                };
                let late = Incoming {
                    item: incoming.item,
                    stamp: incoming.stamp.clone(),
                    content: &filled_in,
                    counted_by: incoming.counted_by.or(Some(known.sent_by)),
                };
                self.add(&late, Outcome::Applied, &row, Some(known.ledger_seq))?;
                Ok(answer(incoming.item, Outcome::Applied, Some(incoming.stamp.clone())))
            }
            Verdict::Apply => Ok(answer(incoming.item, Outcome::Late, row.held)),
        }
    }

    /// Adds to history and to the row; false, and nothing is written, if the stamp is in history already.
    fn add(&mut self, incoming: &Incoming<'_>, outcome: Outcome, row: &Row, origin: Option<i64>) -> Fallible<bool> {
        let sql = "INSERT INTO history (session_key, item_seq, revision, device_key, outcome, quantity, product_id,
                       product_identifier, counted_at, counted_by, is_requested, location_seq_id, received_at, sent_by,
                       batch_id, origin, previous)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
                   ON CONFLICT (session_key, device_key, revision, item_seq) WHERE origin IS NULL DO NOTHING";
        let content = incoming.content;
        let conn = &self.core.conn;
        let added = conn.prepare_cached(sql)?.execute(params![
            self.session,
            incoming.item.as_str(),
            incoming.stamp.revision.get(),
            self.device,
            items::outcome_number(outcome),
            content.quantity.micros(),
            content.product_id.as_ref().map(ProductId::as_str),
            content.product_identifier.as_ref().map(ProductIdentifier::as_str),
            content.counted_at.map(Timestamp::unix_ms),
            incoming.counted_by,
            content.is_requested.map(items::requested_number),
            content.location_seq_id.as_ref().map(LocationSeqId::as_str),
            self.import.now.unix_ms(),
            self.sender,
            self.import.batch_id.as_bytes(),
            origin,
            row.last_seq,
        ])?;
        if added == 0 {
            return Ok(false);
        }
        let ledger_seq = conn.last_insert_rowid();
        let (session, item) = (self.session, incoming.item.as_str());
        if outcome == Outcome::Applied {
            let sql = "INSERT INTO item (session_key, item_seq, revision, device_key, ledger_seq, last_seq)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                       ON CONFLICT DO UPDATE SET revision = excluded.revision, device_key = excluded.device_key,
                           ledger_seq = excluded.ledger_seq, last_seq = excluded.last_seq";
            let revision = incoming.stamp.revision.get();
            conn.prepare_cached(sql)?.execute(params![session, item, revision, self.device, ledger_seq])?;
        } else {
            let sql = "INSERT INTO item (session_key, item_seq, last_seq) VALUES (?1, ?2, ?3)
                       ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq";
            conn.prepare_cached(sql)?.execute(params![session, item, ledger_seq])?;
        }
        Ok(true)
    }

    /// The row as it is now.
    fn row(&mut self, item: &ItemSeqId) -> Fallible<Row> {
        let conn = &self.core.conn;
        let sql = "SELECT revision, device_key, last_seq FROM item WHERE session_key = ?1 AND item_seq = ?2";
        let found: Option<(Option<u64>, Option<i64>, i64)> = conn
            .prepare_cached(sql)?
            .query_row(params![self.session, item.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((revision, device, last_seq)) = found else { return Ok(Row { held: None, last_seq: None }) };
        let last_seq = Some(last_seq);
        let (Some(revision), Some(device)) = (revision, device) else { return Ok(Row { held: None, last_seq }) };
        let device_id: DeviceId = if device == self.device {
            self.import.device_id.clone()
        } else {
            self.core.interned.device_id(conn, device)?
        };
        Ok(Row { held: Some(Stamp { revision: Revision::new(revision).map_err(corrupt)?, device_id }), last_seq })
    }

    fn known(&self, incoming: &Incoming<'_>) -> Fallible<Known> {
        let sql = "SELECT ledger_seq, outcome, received_at, sent_by,
                       quantity IS ?5 AND product_id IS ?6 AND product_identifier IS ?7 AND counted_at IS ?8
                       AND counted_by IS ?9 AND is_requested IS ?10 AND location_seq_id IS ?11
                   FROM history
                   WHERE session_key = ?1 AND item_seq = ?2 AND revision = ?3 AND device_key = ?4 AND origin IS NULL";
        let content = incoming.content;
        let mut statement = self.core.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![
            self.session,
            incoming.item.as_str(),
            incoming.stamp.revision.get(),
            self.device,
            content.quantity.micros(),
            content.product_id.as_ref().map(ProductId::as_str),
            content.product_identifier.as_ref().map(ProductIdentifier::as_str),
            content.counted_at.map(Timestamp::unix_ms),
            incoming.counted_by,
            content.is_requested.map(items::requested_number),
            content.location_seq_id.as_ref().map(LocationSeqId::as_str),
        ])?;
        let row = rows.next()?.ok_or_else(|| corrupt("a row's count is not in history"))?;
        Ok(Known {
            ledger_seq: row.get(0)?,
            outcome: items::outcome_from(row.get(1)?)?,
            received_at: Timestamp::from_unix_ms(row.get(2)?),
            sent_by: row.get(3)?,
            same_content: row.get(4)?,
        })
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
            .core
            .conn
            .prepare_cached(sql)?
            .query_row(params![self.device, self.tenant, user.as_str()], |row| row.get(0))
            .optional()?;
        self.people.push((user.clone(), key));
        Ok(key)
    }
}

/// Each answer tells what held after its own item. Where a batch names a row again, its last answer is true of all.
fn settle_repeated_rows(items: &mut [ReceiptItem]) {
    let mut last = HashMap::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        last.insert(item.import_item_seq_id.as_deref(), at);
    }
    if last.len() == items.len() {
        return;
    }
    let held: Vec<_> = items
        .iter()
        .map(|item| last.get(&item.import_item_seq_id.as_deref()).map(|&at| &items[at]))
        .map(|last| last.and_then(|last| last.revision.zip(last.device_id.clone())).unzip())
        .collect();
    for (item, (revision, device_id)) in items.iter_mut().zip(held) {
        item.revision = revision;
        item.device_id = device_id;
    }
}

fn answer(item: &ItemSeqId, outcome: Outcome, held: Option<Stamp>) -> ReceiptItem {
    let (revision, device_id) = held.map(|stamp| (stamp.revision, stamp.device_id)).unzip();
    let import_item_seq_id = Some(item.as_str().to_owned());
    ReceiptItem { import_item_seq_id, outcome, revision, device_id, code: None, detail: None }
}

fn refused(refusal: Refusal, held: Option<Stamp>) -> ReceiptItem {
    let (revision, device_id) = held.map(|stamp| (stamp.revision, stamp.device_id)).unzip();
    ReceiptItem {
        import_item_seq_id: refusal.import_item_seq_id,
        outcome: Outcome::Rejected,
        revision,
        device_id,
        code: Some(refusal.code.as_str().to_owned()),
        detail: Some(refusal.detail),
    }
}
