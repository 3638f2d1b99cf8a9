//! The store behind the simulated server: the real one, with a product it refuses, and with a planted bug if the story asks for one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ginti_sqlite::SqliteStore;
use ginti_store::{
    Access, AssignmentPage, Catalogue, DemoMark, DeviceSeen, Facility, HistoryEntry, Import, ImportItem, Imported,
    ItemPage, Ledger, Login, NewRefreshToken, NewSession, NewUser, ProductPage, RefreshRotation, Refusal,
    SessionSummary, Store, StoreError, User, async_trait,
};
use ginti_types::{
    Code, DeviceId, Epoch, ItemSeqId, Quantity, Revision, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId,
};

use crate::{mutants::Mutant, shop};

/// The store and what is done to what passes.
pub struct Tampered {
    inner: Arc<SqliteStore>,
    mutant: Option<Mutant>,
    memory: Mutex<Memory>,
}

/// What a planted bug has to remember.
#[derive(Default)]
struct Memory {
    /// What each row was last told by its device, and the revision made up for it.
    rows: BTreeMap<(String, String), (i64, u64)>,
    made_up: u64,
}

impl Tampered {
    /// In front of that store.
    pub fn new(inner: Arc<SqliteStore>, mutant: Option<Mutant>) -> Self {
        Self { inner, mutant, memory: Mutex::default() }
    }

    fn planted(&self, import: &mut Import) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let now = import.now;
        let session = import.session_id.as_str().to_owned();
        let sender = import.access.user.clone();
        for item in &mut import.items {
            let ImportItem::Count { item: row, revision, content } = item else { continue };
            match self.mutant {
                // Whatever arrives gets a revision above all that came before.
                Some(Mutant::StaleUpsert) => *revision = memory.next(now),
                Some(Mutant::IncrementsInsteadOfAbsolutes) => {
                    let told = content.quantity.micros();
                    let name = (session.clone(), row.as_str().to_owned());
                    let (before, sum) = memory.rows.get(&name).copied().unwrap_or_default();
                    let added = if told == before { told.min(1_000_000) } else { told - before };
                    let sum = i64::try_from(sum).unwrap_or(0) + added;
                    memory.rows.insert(name, (told, u64::try_from(sum).unwrap_or(0)));
                    content.quantity = Quantity::from_micros(sum.max(0)).unwrap_or(Quantity::ZERO);
                    *revision = memory.next(now);
                }
                Some(Mutant::AttributedToSender) => content.counted_by_user_login_id = Some(sender.clone()),
                _ => {}
            }
        }
    }
}

impl Memory {
    fn next(&mut self, now: Timestamp) -> Revision {
        self.made_up += 1;
        let above = Revision::from_unix_ms(now.unix_ms()).get() + self.made_up;
        Revision::new(above).unwrap_or(Revision::MAX)
    }
}

/// What the server does not take, as if a newer rule refused it.
fn refuse_poison(import: &mut Import) {
    let poison = shop::product_id(shop::POISON);
    for item in &mut import.items {
        if let ImportItem::Count { item: row, content, .. } = item
            && content.product_id.as_ref() == Some(&poison)
        {
            *item = ImportItem::Refused(Refusal {
                import_item_seq_id: Some(row.as_str().to_owned()),
                code: Code::FieldInvalid,
                detail: "This product is not counted any more. Take it off the shelf.".to_owned(),
            });
        }
    }
}

/// Receipts speak of the revisions that were sent, not of those a planted bug made up.
fn as_sent(imported: Imported, sent: &Import) -> Imported {
    let mend = |mut receipt: ginti_types::Receipt| {
        for (answer, item) in receipt.items.iter_mut().zip(&sent.items) {
            if let ImportItem::Count { revision, .. } = item
                && answer.outcome != ginti_types::Outcome::Rejected
            {
                answer.revision = Some(*revision);
                answer.device_id = Some(sent.device_id.clone());
            }
        }
        receipt
    };
    match imported {
        Imported::Stored(receipt) => Imported::Stored(mend(receipt)),
        Imported::Replayed(receipt) => Imported::Replayed(mend(receipt)),
        other => other,
    }
}

#[async_trait]
impl Store for Tampered {
    async fn import(&self, mut import: Import) -> Result<Imported, StoreError> {
        refuse_poison(&mut import);
        match self.mutant {
            Some(Mutant::StaleUpsert | Mutant::IncrementsInsteadOfAbsolutes) => {
                let sent = import.clone();
                self.planted(&mut import);
                // Such a server remembers no batches either.
                let number = self.memory.lock().unwrap_or_else(PoisonError::into_inner).made_up;
                import.batch_id = ginti_types::BatchId::from_time(number, [9; 10]);
                let imported = self.inner.import(import).await?;
                Ok(match as_sent(imported, &sent) {
                    Imported::Stored(mut receipt) => {
                        receipt.batch_id = sent.batch_id;
                        Imported::Stored(receipt)
                    }
                    other => other,
                })
            }
            Some(Mutant::AttributedToSender) => {
                self.planted(&mut import);
                self.inner.import(import).await
            }
            Some(Mutant::ClockBelieved) => {
                let true_time = import.now;
                let newest = import.items.iter().filter_map(|item| match item {
                    ImportItem::Count { revision, .. } => Some(revision.unix_ms()),
                    ImportItem::Refused(_) => None,
                });
                import.now = Timestamp::from_unix_ms(newest.max().unwrap_or(0).max(true_time.unix_ms()));
                Ok(match self.inner.import(import).await? {
                    Imported::Stored(mut receipt) => {
                        receipt.server_time = true_time;
                        Imported::Stored(receipt)
                    }
                    other => other,
                })
            }
            _ => self.inner.import(import).await,
        }
    }

    async fn ledger(&self) -> Result<Ledger, StoreError> {
        self.inner.ledger().await
    }
    async fn sessions(&self, access: &Access) -> Result<Vec<SessionSummary>, StoreError> {
        self.inner.sessions(access).await
    }
    async fn session(&self, access: &Access, session: &SessionId) -> Result<Option<SessionSummary>, StoreError> {
        self.inner.session(access, session).await
    }
    async fn items(
        &self,
        access: &Access,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Option<ItemPage>, StoreError> {
        self.inner.items(access, session, after, limit).await
    }
    async fn history(
        &self,
        access: &Access,
        session: &SessionId,
        item: &ItemSeqId,
    ) -> Result<Option<Vec<HistoryEntry>>, StoreError> {
        self.inner.history(access, session, item).await
    }
    async fn assignments(
        &self,
        access: &Access,
        session: &SessionId,
        after: &str,
        limit: usize,
    ) -> Result<Option<AssignmentPage>, StoreError> {
        self.inner.assignments(access, session, after, limit).await
    }
    async fn products(&self, tenant: &TenantId, after: &str, limit: usize) -> Result<ProductPage, StoreError> {
        self.inner.products(tenant, after, limit).await
    }
    async fn put_products(&self, tenant: &TenantId, catalogue: Catalogue) -> Result<(), StoreError> {
        self.inner.put_products(tenant, catalogue).await
    }
    async fn put_tenant(&self, tenant: &TenantId, name: &str) -> Result<(), StoreError> {
        self.inner.put_tenant(tenant, name).await
    }
    async fn put_facility(&self, tenant: &TenantId, facility: &Facility) -> Result<(), StoreError> {
        self.inner.put_facility(tenant, facility).await
    }
    async fn facilities(&self, tenant: &TenantId) -> Result<Vec<Facility>, StoreError> {
        self.inner.facilities(tenant).await
    }
    async fn create_session(&self, tenant: &TenantId, session: NewSession) -> Result<(), StoreError> {
        self.inner.create_session(tenant, session).await
    }
    async fn set_session_status(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        status: SessionStatus,
    ) -> Result<bool, StoreError> {
        self.inner.set_session_status(tenant, session, status).await
    }
    async fn put_user(&self, tenant: &TenantId, user: NewUser) -> Result<(), StoreError> {
        self.inner.put_user(tenant, user).await
    }
    async fn login(&self, user: &UserLoginId) -> Result<Option<Login>, StoreError> {
        self.inner.login(user).await
    }
    async fn user(&self, tenant: &TenantId, user: &UserLoginId) -> Result<Option<User>, StoreError> {
        self.inner.user(tenant, user).await
    }
    async fn users(&self, tenant: &TenantId) -> Result<Vec<User>, StoreError> {
        self.inner.users(tenant).await
    }
    async fn see_device(&self, tenant: &TenantId, seen: DeviceSeen) -> Result<(), StoreError> {
        self.inner.see_device(tenant, seen).await
    }
    async fn set_device_revoked(&self, tenant: &TenantId, device: &DeviceId, revoked: bool) -> Result<(), StoreError> {
        self.inner.set_device_revoked(tenant, device, revoked).await
    }
    async fn add_refresh_token(&self, token: NewRefreshToken) -> Result<(), StoreError> {
        self.inner.add_refresh_token(token).await
    }
    async fn rotate_refresh_token(
        &self,
        presented: &[u8; 32],
        successor: &[u8; 32],
        now: Timestamp,
        grace_ms: i64,
    ) -> Result<RefreshRotation, StoreError> {
        self.inner.rotate_refresh_token(presented, successor, now, grace_ms).await
    }
    async fn revoke_refresh_token(&self, presented: &[u8; 32]) -> Result<(), StoreError> {
        self.inner.revoke_refresh_token(presented).await
    }
    async fn secret(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.inner.secret(name, fresh).await
    }
    async fn demo_mark(&self) -> Result<Option<DemoMark>, StoreError> {
        self.inner.demo_mark().await
    }
    async fn set_demo_mark(&self, mark: DemoMark) -> Result<(), StoreError> {
        self.inner.set_demo_mark(mark).await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
    async fn new_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.inner.new_epoch(epoch).await
    }
}
