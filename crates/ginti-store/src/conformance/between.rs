//! A store with something before it that may change the batches on their way: how faults are planted.

use std::{any::Any, sync::Arc};

use ginti_types::{DeviceId, Epoch, ItemSeqId, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId};
use tokio::sync::watch;

use crate::{
    Access, AssignmentPage, Catalogue, DemoMark, DeviceReport, DeviceSeen, Facility, HistoryEntry, Import, Imported,
    ItemPage, Job, Ledger, Login, NewRefreshToken, NewSession, NewUser, ProductPage, RefreshRotation, Reported,
    SessionDevice, SessionEvent, SessionSummary, SessionUpdate, SessionUpdated, SignInOf, Store, StoreError, User,
    async_trait,
};

/// What happens to batches before a store.
#[async_trait]
pub trait Between: Send + Sync + 'static {
    /// Takes the batch to the store.
    async fn import(&self, store: &dyn Store, import: Import) -> Result<Imported, StoreError>;
}

/// A store that batches reach through something [`Between`]; all else passes as it is.
pub struct Behind<B> {
    /// What is between.
    pub between: B,
    /// The store.
    pub store: Arc<dyn Store>,
}

#[async_trait]
impl<B: Between> Store for Behind<B> {
    async fn import(&self, import: Import) -> Result<Imported, StoreError> {
        self.between.import(&*self.store, import).await
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.store.changes()
    }

    async fn work(&self, job: Arc<dyn Job>) -> Result<Box<dyn Any + Send>, StoreError> {
        self.store.work(job).await
    }
    async fn ledger(&self) -> Result<Ledger, StoreError> {
        self.store.ledger().await
    }
    async fn sessions(&self, access: &Access) -> Result<Vec<SessionSummary>, StoreError> {
        self.store.sessions(access).await
    }
    async fn session(&self, access: &Access, session: &SessionId) -> Result<Option<SessionSummary>, StoreError> {
        self.store.session(access, session).await
    }
    async fn update_session(
        &self,
        access: &Access,
        session: &SessionId,
        update: SessionUpdate,
    ) -> Result<SessionUpdated, StoreError> {
        self.store.update_session(access, session, update).await
    }
    async fn session_devices(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionDevice>>, StoreError> {
        self.store.session_devices(access, session).await
    }
    async fn session_events(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionEvent>>, StoreError> {
        self.store.session_events(access, session).await
    }
    async fn report_device(&self, access: &Access, report: DeviceReport) -> Result<Reported, StoreError> {
        self.store.report_device(access, report).await
    }
    async fn items(
        &self,
        access: &Access,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Option<ItemPage>, StoreError> {
        self.store.items(access, session, after, limit).await
    }
    async fn history(
        &self,
        access: &Access,
        session: &SessionId,
        item: &ItemSeqId,
    ) -> Result<Option<Vec<HistoryEntry>>, StoreError> {
        self.store.history(access, session, item).await
    }
    async fn assignments(
        &self,
        access: &Access,
        session: &SessionId,
        after: &str,
        limit: usize,
    ) -> Result<Option<AssignmentPage>, StoreError> {
        self.store.assignments(access, session, after, limit).await
    }
    async fn products(&self, tenant: &TenantId, after: &str, limit: usize) -> Result<ProductPage, StoreError> {
        self.store.products(tenant, after, limit).await
    }
    async fn put_products(&self, tenant: &TenantId, catalogue: Catalogue) -> Result<(), StoreError> {
        self.store.put_products(tenant, catalogue).await
    }
    async fn put_tenant(&self, tenant: &TenantId, name: &str) -> Result<(), StoreError> {
        self.store.put_tenant(tenant, name).await
    }
    async fn put_facility(&self, tenant: &TenantId, facility: &Facility) -> Result<(), StoreError> {
        self.store.put_facility(tenant, facility).await
    }
    async fn facilities(&self, tenant: &TenantId) -> Result<Vec<Facility>, StoreError> {
        self.store.facilities(tenant).await
    }
    async fn create_session(&self, tenant: &TenantId, session: NewSession) -> Result<(), StoreError> {
        self.store.create_session(tenant, session).await
    }
    async fn set_session_status(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        status: SessionStatus,
    ) -> Result<bool, StoreError> {
        self.store.set_session_status(tenant, session, status).await
    }
    async fn put_user(&self, tenant: &TenantId, user: NewUser) -> Result<(), StoreError> {
        self.store.put_user(tenant, user).await
    }
    async fn login(&self, user: &UserLoginId) -> Result<Option<Login>, StoreError> {
        self.store.login(user).await
    }
    async fn user(&self, tenant: &TenantId, user: &UserLoginId) -> Result<Option<User>, StoreError> {
        self.store.user(tenant, user).await
    }
    async fn users(&self, tenant: &TenantId) -> Result<Vec<User>, StoreError> {
        self.store.users(tenant).await
    }
    async fn see_device(&self, tenant: &TenantId, seen: DeviceSeen) -> Result<(), StoreError> {
        self.store.see_device(tenant, seen).await
    }
    async fn set_device_revoked(&self, tenant: &TenantId, device: &DeviceId, revoked: bool) -> Result<(), StoreError> {
        self.store.set_device_revoked(tenant, device, revoked).await
    }
    async fn add_refresh_token(&self, token: NewRefreshToken) -> Result<bool, StoreError> {
        self.store.add_refresh_token(token).await
    }
    async fn rotate_refresh_token(
        &self,
        presented: &[u8; 32],
        successor: &[u8; 32],
        now: Timestamp,
        grace_ms: i64,
    ) -> Result<RefreshRotation, StoreError> {
        self.store.rotate_refresh_token(presented, successor, now, grace_ms).await
    }
    async fn revoke_refresh_token(&self, presented: &[u8; 32]) -> Result<Option<SignInOf>, StoreError> {
        self.store.revoke_refresh_token(presented).await
    }
    async fn secret(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.store.secret(name, fresh).await
    }
    async fn demo_mark(&self) -> Result<Option<DemoMark>, StoreError> {
        self.store.demo_mark().await
    }
    async fn set_demo_mark(&self, mark: DemoMark) -> Result<(), StoreError> {
        self.store.set_demo_mark(mark).await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
    async fn new_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.store.new_epoch(epoch).await
    }
}
