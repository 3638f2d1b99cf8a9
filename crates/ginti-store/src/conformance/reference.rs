//! The whole import rule ([`Import`] says it in words) over tables in memory: what stores and servers are compared with.
//!
//! The rule said a second time, to be read as a specification: nothing is remembered that history tells, and nothing is
//! shared with any back end but [`merge`] and the sentences of [`Refusal`].

mod changes;
mod queries;

use std::collections::{BTreeMap, BTreeSet};

use ginti_types::{
    BatchId, DeviceId, ItemContent, ItemSeqId, Outcome, Receipt, ReceiptItem, Revision, SessionId, Stamp, TenantId,
    Timestamp, UserLoginId, Verdict, limits::CLOCK_AHEAD_MS_MAX, merge,
};

use crate::{HistoryEntry, Import, ImportItem, Imported, ItemRow, Ledger, Refusal, SessionSummary};

/// What a store holds of counting, in memory.
#[derive(Clone, Debug)]
pub struct Reference {
    ledger: Ledger,
    sessions: BTreeMap<(TenantId, SessionId), SessionSummary>,
    devices: BTreeMap<(TenantId, DeviceId), Device>,
    receipts: BTreeMap<(TenantId, BatchId), ([u8; 16], Receipt)>,
    rows: BTreeMap<RowName, Vec<Entry>>,
}

type RowName = (TenantId, SessionId, ItemSeqId);

#[derive(Clone, Debug, Default)]
struct Device {
    /// Who has signed in on it.
    people: BTreeSet<UserLoginId>,
    revoked: bool,
    /// The last revision believed of an id that was given up because its clock ran ahead.
    believed_to: Option<Revision>,
}

/// One line of the ledger.
#[derive(Clone, Debug)]
struct Entry {
    /// Content as it was sent, without what was filled in.
    sent: ItemContent,
    /// Why it was refused, if it was.
    refusal: Option<Refusal>,
    /// As history tells it.
    told: HistoryEntry,
}

impl Reference {
    /// Takes a batch, in the order of decision of [`Import`].
    pub fn import(&mut self, import: &Import) -> Imported {
        let tenant = &import.access.tenant;
        let Some(session) = self.session(&import.access, &import.session_id) else {
            return Imported::SessionNotAllowed;
        };
        let device = (tenant.clone(), import.device_id.clone());
        if self.devices.get(&device).is_some_and(|known| known.revoked) {
            return Imported::DeviceRevoked;
        }
        let batch = (tenant.clone(), import.batch_id);
        match self.receipts.get(&batch) {
            Some((digest, _)) if *digest != import.digest => return Imported::BatchIdReused,
            Some((_, receipt)) => {
                return Imported::Replayed(Receipt { epoch: self.ledger.epoch.clone(), ..receipt.clone() });
            }
            None => {}
        }
        self.devices.entry(device).or_default().people.insert(import.access.user.clone());
        let takes_counts = session.session.status.takes_counts();
        let decided: Vec<_> = import.items.iter().map(|item| self.take(import, takes_counts, item)).collect();
        let items = import.items.iter().zip(decided);
        let receipt = Receipt {
            batch_id: import.batch_id,
            epoch: self.ledger.epoch.clone(),
            ledger_seq: self.ledger.ledger_seq,
            server_time: import.now,
            items: items.map(|(item, decided)| self.answer(import, item, &decided)).collect(),
        };
        self.receipts.insert(batch, (import.digest, receipt.clone()));
        Imported::Stored(receipt)
    }

    /// Decides on one item, and keeps in history what is to be kept.
    fn take(&mut self, import: &Import, takes_counts: bool, item: &ImportItem) -> Result<Outcome, Refusal> {
        let (item, revision, content) = match item {
            ImportItem::Count { item, revision, content } => (item, *revision, content),
            ImportItem::Refused(refusal) => return Err(refusal.clone()),
        };
        let device = &self.devices[&(import.access.tenant.clone(), import.device_id.clone())];
        let counter = content.counted_by_user_login_id.as_ref();
        if let Some(stranger) = counter.filter(|user| !device.people.contains(*user)) {
            return Err(Refusal::attribution_not_allowed(item, stranger));
        }
        let stamp = Stamp { revision, device_id: import.device_id.clone() };
        let row = (import.access.tenant.clone(), import.session_id.clone(), item.clone());
        let known = self.entries(&row).iter().find(|entry| entry.told.row.stamp == stamp);
        match known {
            Some(known) if known.sent != *content => return Err(Refusal::revision_reused(item, revision)),
            Some(Entry { refusal: Some(refusal), .. }) => return Err(refusal.clone()),
            _ => {}
        }
        let refusal = if known.is_none() { device.disbelieves(item, revision, import.now) } else { None };
        let outcome = match merge(self.held(&row), &stamp, || true) {
            _ if refusal.is_some() => Outcome::Rejected,
            Verdict::Apply if takes_counts => Outcome::Applied,
            Verdict::Apply => Outcome::Late,
            Verdict::Superseded => Outcome::Superseded,
            Verdict::Duplicate | Verdict::RevisionReused => Outcome::Duplicate,
        };
        // Each stamp is kept once; one that was late and now applies, once more: counted by whom and when it was then.
        if known.is_none() || outcome == Outcome::Applied {
            let filled_in = match known {
                Some(late) => late.told.row.content.clone(),
                None => ItemContent {
                    counted_at: content.counted_at.or(Some(import.now)),
                    counted_by_user_login_id: Some(counter.unwrap_or(&import.access.user).clone()),
                    ..content.clone()
                },
            };
            self.ledger.ledger_seq += 1;
            let told = ItemRow {
                import_item_seq_id: item.clone(),
                stamp,
                content: filled_in,
                outcome,
                ledger_seq: self.ledger.ledger_seq,
                received_at: import.now,
                batch_id: import.batch_id,
            };
            let told = HistoryEntry { row: told, sent_by: import.access.user.clone() };
            let entry = Entry { sent: content.clone(), refusal: refusal.clone(), told };
            self.rows.entry(row).or_default().push(entry);
        }
        refusal.map_or(Ok(outcome), Err)
    }

    /// What is said of an item: the stamp is the one that holds in its row when the whole batch is in.
    fn answer(&self, import: &Import, item: &ImportItem, decided: &Result<Outcome, Refusal>) -> ReceiptItem {
        let name = match item {
            ImportItem::Count { item, .. } => Some(item.as_str().to_owned()),
            ImportItem::Refused(refusal) => refusal.import_item_seq_id.clone(),
        };
        let item = name.as_deref().and_then(|name| ItemSeqId::new(name).ok());
        let row = item.map(|item| (import.access.tenant.clone(), import.session_id.clone(), item));
        let held = row.and_then(|row| self.held(&row));
        let refusal = decided.as_ref().err();
        ReceiptItem {
            import_item_seq_id: name,
            outcome: *decided.as_ref().unwrap_or(&Outcome::Rejected),
            revision: held.map(|stamp| stamp.revision),
            device_id: held.map(|stamp| stamp.device_id.clone()),
            code: refusal.map(|refusal| refusal.code.as_str().to_owned()),
            detail: refusal.map(|refusal| refusal.detail.clone()),
        }
    }

    /// A row's ledger entries, in order of arrival.
    fn entries(&self, row: &RowName) -> &[Entry] {
        self.rows.get(row).map_or(&[], Vec::as_slice)
    }

    /// The stamp that holds in a row: the one applied last.
    fn held(&self, row: &RowName) -> Option<&Stamp> {
        let applied = self.entries(row).iter().rev().find(|entry| entry.told.row.outcome == Outcome::Applied)?;
        Some(&applied.told.row.stamp)
    }
}

impl Device {
    /// Why a stamp is too far in the future to be believed of this device, if it is.
    fn disbelieves(&self, item: &ItemSeqId, revision: Revision, now: Timestamp) -> Option<Refusal> {
        let ahead_ms = u64::try_from(revision.unix_ms() - now.unix_ms()).unwrap_or(0);
        if ahead_ms > CLOCK_AHEAD_MS_MAX {
            return Some(Refusal::clock_skew(item, ahead_ms));
        }
        self.believed_to.is_some_and(|bound| revision > bound).then(|| Refusal::stamped_ahead(item))
    }
}
