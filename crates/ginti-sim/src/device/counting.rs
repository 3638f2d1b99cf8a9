//! Follows `counting.ts`: a scan or a correction is one transaction over one row, the journal and the device record.

use std::rc::Rc;

use ginti_sync::{
    batcher::{Count, CountIn, NewRow, SignedIn},
    record::{ItemRecord, ScanKind, ScanRecord, Truth},
};
use ginti_types::{ItemSeqId, ProductId, ProductIdentifier, Requested, SessionId, TenantId, UserLoginId};

use super::{Host, disk::Txn, engine::Engine};
use crate::mutants::Mutant;

/// What to count.
#[derive(Clone, Debug)]
pub struct Request {
    /// The session.
    pub session: SessionId,
    /// The product; none for an unknown code.
    pub product_id: Option<ProductId>,
    /// What was scanned.
    pub identifier: Option<ProductIdentifier>,
    /// A row, instead of the device's own of the product.
    pub row: Option<ItemSeqId>,
    /// What was done.
    pub count: Count,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// The row.
    pub item: ItemRecord,
    /// The journal entry.
    pub scan: ScanRecord,
}

/// Records one scan may read and write.
pub const TOUCHED_MAX: usize = 8;

/// Counts for one person.
pub struct Counting {
    host: Host,
    realm: TenantId,
    user: UserLoginId,
    engine: Rc<Engine>,
}

impl Counting {
    /// For that person.
    pub fn new(host: &Host, realm: TenantId, user: UserLoginId, engine: Rc<Engine>) -> Self {
        Self { host: host.clone(), realm, user, engine }
    }

    /// One count. Its error is what the person is told.
    pub async fn count(&self, request: Request) -> Result<Done, String> {
        if self.host.has(Mutant::JournalApart) {
            return self.count_apart(request).await;
        }
        self.once(|txn| self.decide(txn, &request).map(Some)).await?.ok_or_else(|| "not counted".to_owned())
    }

    /// Takes back the newest scan of the session that stands; none when there is none.
    pub async fn undo(&self, session: &SessionId) -> Result<Option<Done>, String> {
        self.once(|txn| {
            let Some(scan) = last_standing(&txn.data().scans, session) else { return Ok(None) };
            let request = Request {
                session: session.clone(),
                product_id: None,
                identifier: scan.product_identifier.clone(),
                row: Some(scan.import_item_seq_id.clone()),
                count: Count::Undo { before: scan.before, after: scan.after },
            };
            self.decide(txn, &request).map(Some)
        })
        .await
    }

    /// Makes rows dirty again that were refused because of who was signed in.
    pub async fn retry_after_sign_in(&self) -> Result<(), String> {
        let (host, engine) = (&self.host, &self.engine);
        host.transact(&self.realm, |txn| {
            let refused = txn.items_of(Truth::Refused);
            let Some(device) = txn.device().filter(|_| !refused.is_empty()) else { return Ok(()) };
            let out = engine.signed_in(SignedIn { now: host.now(), device, items: refused });
            txn.put_device(out.device);
            txn.put_items(out.items);
            Ok(())
        })
        .await
    }

    fn decide(&self, txn: &mut Txn<'_>, request: &Request) -> Result<Done, String> {
        let device = txn.device().ok_or("This device has no identity yet.")?;
        if self.host.has(Mutant::BacklogReadPerScan) {
            txn.touched += txn.data().scans.len();
        }
        let item = row_for(txn, request);
        let row = if item.is_some() { None } else { Some(new_row(request)) };
        let out = self.engine.count(CountIn {
            now: self.host.now(),
            device,
            item,
            row,
            count: request.count,
            counted_by_user_login_id: self.user.clone(),
            product_identifier: request.identifier.clone(),
        });
        let out = out.map_err(|error| error.to_string())?;
        txn.add_scan(out.scan.clone());
        txn.put_items([out.item.clone()]);
        txn.put_device(out.device);
        txn.counts.push((out.item.clone(), txn.touched));
        Ok(Done { item: out.item, scan: out.scan })
    }

    /// Runs once in effect: when the connection broke after the commit, the second run finds the scan in the journal.
    async fn once(
        &self,
        mut work: impl FnMut(&mut Txn<'_>) -> Result<Option<Done>, String>,
    ) -> Result<Option<Done>, String> {
        let mut tried: Option<Done> = None;
        let result = self.host.transact(&self.realm, |txn| {
            if let Some(done) = tried.as_ref().filter(|done| txn.data().scans.contains(&done.scan)) {
                return Ok(Some(done.clone()));
            }
            let done = work(txn)?;
            tried.clone_from(&done);
            Ok(done)
        });
        result.await
    }

    /// The bug of keeping journal and count apart: what is in the journal and not marked as counted is counted at start.
    async fn count_apart(&self, request: Request) -> Result<Done, String> {
        self.host
            .transact(&self.realm, |txn| {
                txn.edit(|data| data.unapplied.push(request.clone()));
                Ok(())
            })
            .await?;
        let done = self.host.transact(&self.realm, |txn| self.decide(txn, &request)).await;
        self.host
            .transact(&self.realm, |txn| {
                txn.edit(|data| _ = data.unapplied.pop());
                Ok(())
            })
            .await?;
        done
    }

    /// What the bug above does at start.
    pub async fn mend_apart(&self) {
        let mended = self.host.transact(&self.realm, |txn| {
            let mut unapplied = Vec::new();
            txn.edit(|data| unapplied = std::mem::take(&mut data.unapplied));
            for request in unapplied {
                self.decide(txn, &request)?;
            }
            Ok(())
        });
        // Nothing to tell anybody: the next start tries again.
        let _ = mended.await;
    }
}

fn row_for(txn: &mut Txn<'_>, request: &Request) -> Option<ItemRecord> {
    txn.touched += 1;
    let items = &txn.data().items;
    if let Some(row) = &request.row {
        return items.get(&(request.session.clone(), row.clone())).cloned();
    }
    let is_ours = |item: &&ItemRecord| {
        item.inventory_count_import_id == request.session
            && item.own
            && item.location_seq_id.is_none()
            && match &request.product_id {
                Some(_) => item.product_id == request.product_id,
                None => item.product_id.is_none() && item.product_identifier == request.identifier,
            }
    };
    items.values().find(is_ours).cloned()
}

fn new_row(request: &Request) -> NewRow {
    NewRow {
        inventory_count_import_id: request.session.clone(),
        product_id: request.product_id.clone(),
        product_identifier: request.identifier.clone(),
        is_requested: (request.session.as_str() == "M2").then_some(Requested::N),
        location_seq_id: None,
    }
}

/// Undo is last in, first out: each undo cancels the newest scan below it.
pub fn last_standing<'a>(scans: &'a [ScanRecord], session: &SessionId) -> Option<&'a ScanRecord> {
    let mut undone = 0;
    for scan in scans.iter().rev().filter(|scan| scan.inventory_count_import_id == *session) {
        match scan.kind {
            ScanKind::Undo => undone += 1,
            ScanKind::Match | ScanKind::Note => {}
            _ if undone > 0 => undone -= 1,
            _ => return Some(scan),
        }
    }
    None
}
