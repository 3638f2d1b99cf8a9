//! The [`Store`] trait over the core: each method a job, with what it needs owned by it.

use std::{any::Any, sync::Arc};

use ginti_store::{
    Access, AssignmentPage, Catalogue, DemoMark, DeviceReport, DeviceSeen, Facility, HistoryEntry, Import, Imported,
    ItemPage, Job, Ledger, Login, NewRefreshToken, NewSession, NewUser, ProductPage, RefreshRotation, Reported,
    SessionDevice, SessionEvent, SessionSummary, SessionUpdate, SessionUpdated, SignInOf, Store, StoreError, User,
    async_trait,
};
use ginti_types::{DeviceId, Epoch, ItemSeqId, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId};
use tokio::sync::watch;

use crate::{
    SqliteStore,
    core::{catalogue, items, ledger, people, sessions, standing},
    sql,
};

#[async_trait]
impl Store for SqliteStore {
    async fn ledger(&self) -> Result<Ledger, StoreError> {
        self.runner.read(ledger::ledger).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    async fn import(&self, import: Import) -> Result<Imported, StoreError> {
        self.runner.write(import.items.len(), move |core| core.import(&import)).await
    }

    async fn sessions(&self, access: &Access) -> Result<Vec<SessionSummary>, StoreError> {
        let access = access.clone();
        self.runner.read(move |conn| sessions::sessions(conn, &access)).await
    }

    async fn session(&self, access: &Access, session: &SessionId) -> Result<Option<SessionSummary>, StoreError> {
        let (access, session) = (access.clone(), session.clone());
        self.runner.read(move |conn| sessions::session(conn, &access, &session)).await
    }

    async fn update_session(
        &self,
        access: &Access,
        session: &SessionId,
        update: SessionUpdate,
    ) -> Result<SessionUpdated, StoreError> {
        let (access, session) = (access.clone(), session.clone());
        self.runner.write(1, move |core| core.update_session(&access, &session, &update)).await
    }

    async fn session_devices(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionDevice>>, StoreError> {
        let (access, session) = (access.clone(), session.clone());
        self.runner.read(move |conn| standing::session_devices(conn, &access, &session)).await
    }

    async fn session_events(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionEvent>>, StoreError> {
        let (access, session) = (access.clone(), session.clone());
        self.runner.read(move |conn| standing::session_events(conn, &access, &session)).await
    }

    async fn report_device(&self, access: &Access, report: DeviceReport) -> Result<Reported, StoreError> {
        let access = access.clone();
        self.runner.write(1 + report.sessions.len(), move |core| core.report_device(&access, &report)).await
    }

    async fn items(
        &self,
        access: &Access,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Option<ItemPage>, StoreError> {
        let (access, session) = (access.clone(), session.clone());
        self.runner.read(move |conn| items::items(conn, &access, &session, after, limit)).await
    }

    async fn history(
        &self,
        access: &Access,
        session: &SessionId,
        item: &ItemSeqId,
    ) -> Result<Option<Vec<HistoryEntry>>, StoreError> {
        let (access, session, item) = (access.clone(), session.clone(), item.clone());
        self.runner.read(move |conn| items::history(conn, &access, &session, &item)).await
    }

    async fn assignments(
        &self,
        access: &Access,
        session: &SessionId,
        after: &str,
        limit: usize,
    ) -> Result<Option<AssignmentPage>, StoreError> {
        let (access, session, after) = (access.clone(), session.clone(), after.to_owned());
        self.runner.read(move |conn| sessions::assignments(conn, &access, &session, &after, limit)).await
    }

    async fn products(&self, tenant: &TenantId, after: &str, limit: usize) -> Result<ProductPage, StoreError> {
        let (tenant, after) = (tenant.clone(), after.to_owned());
        self.runner.read(move |conn| catalogue::products(conn, &tenant, &after, limit)).await
    }

    async fn put_products(&self, tenant: &TenantId, catalogue: Catalogue) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.runner.write(catalogue.products.len(), move |core| core.put_products(&tenant, &catalogue)).await
    }

    async fn put_tenant(&self, tenant: &TenantId, name: &str) -> Result<(), StoreError> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.runner.write(1, move |core| core.put_tenant(&tenant, &name)).await
    }

    async fn put_facility(&self, tenant: &TenantId, facility: &Facility) -> Result<(), StoreError> {
        let (tenant, facility) = (tenant.clone(), facility.clone());
        self.runner.write(1, move |core| core.put_facility(&tenant, &facility)).await
    }

    async fn facilities(&self, tenant: &TenantId) -> Result<Vec<Facility>, StoreError> {
        let tenant = tenant.clone();
        self.runner.read(move |conn| catalogue::facilities(conn, &tenant)).await
    }

    async fn create_session(&self, tenant: &TenantId, session: NewSession) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.runner.write(1 + session.assignments.len(), move |core| core.create_session(&tenant, &session)).await
    }

    async fn set_session_status(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        status: SessionStatus,
    ) -> Result<bool, StoreError> {
        let (tenant, session) = (tenant.clone(), session.clone());
        self.runner.write(1, move |core| core.set_session_status(&tenant, &session, status)).await
    }

    async fn put_user(&self, tenant: &TenantId, user: NewUser) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.runner.write(1, move |core| core.put_user(&tenant, &user)).await
    }

    async fn login(&self, user: &UserLoginId) -> Result<Option<Login>, StoreError> {
        let user = user.clone();
        self.runner.read(move |conn| people::login(conn, &user)).await
    }

    async fn user(&self, tenant: &TenantId, user: &UserLoginId) -> Result<Option<User>, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.runner.read(move |conn| people::user(conn, &tenant, &user)).await
    }

    async fn users(&self, tenant: &TenantId) -> Result<Vec<User>, StoreError> {
        let tenant = tenant.clone();
        self.runner.read(move |conn| people::users(conn, &tenant)).await
    }

    async fn see_device(&self, tenant: &TenantId, seen: DeviceSeen) -> Result<(), StoreError> {
        let tenant = tenant.clone();
        self.runner.write(1, move |core| core.see_device(&tenant, &seen)).await
    }

    async fn set_device_revoked(&self, tenant: &TenantId, device: &DeviceId, revoked: bool) -> Result<(), StoreError> {
        let (tenant, device) = (tenant.clone(), device.clone());
        self.runner.write(1, move |core| core.set_device_revoked(&tenant, &device, revoked)).await
    }

    async fn add_refresh_token(&self, token: NewRefreshToken) -> Result<bool, StoreError> {
        self.runner.write(1, move |core| core.add_refresh_token(&token)).await
    }

    async fn rotate_refresh_token(
        &self,
        presented: &[u8; 32],
        successor: &[u8; 32],
        now: Timestamp,
        grace_ms: i64,
    ) -> Result<RefreshRotation, StoreError> {
        let (presented, successor) = (*presented, *successor);
        self.runner.write(1, move |core| core.rotate_refresh_token(&presented, &successor, now, grace_ms)).await
    }

    async fn revoke_refresh_token(&self, presented: &[u8; 32]) -> Result<Option<SignInOf>, StoreError> {
        let presented = *presented;
        self.runner.write(1, move |core| core.revoke_refresh_token(&presented)).await
    }

    async fn secret(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (name, fresh) = (name.to_owned(), fresh.to_owned());
        self.runner.write(1, move |core| core.secret(&name, &fresh)).await
    }

    async fn demo_mark(&self) -> Result<Option<DemoMark>, StoreError> {
        self.runner.read(ledger::demo_mark).await
    }

    async fn set_demo_mark(&self, mark: DemoMark) -> Result<(), StoreError> {
        self.runner.write(1, move |core| core.set_demo_mark(&mark)).await
    }

    async fn work(&self, job: Arc<dyn Job>) -> Result<Box<dyn Any + Send>, StoreError> {
        if job.writes() {
            let weight = job.weight();
            self.runner.write(weight, move |core| sql::run(&core.conn, &*job)).await
        } else {
            self.runner.read(move |conn| sql::run(conn, &*job)).await
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.runner.read(|conn| ledger::ledger(conn).map(drop)).await?;
        self.runner.write(0, |_| Ok(())).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.runner.close().await
    }

    async fn new_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.runner.write(1, move |core| core.new_epoch(&epoch)).await
    }
}
