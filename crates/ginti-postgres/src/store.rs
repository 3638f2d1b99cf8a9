//! The [`Store`] trait: each method on a connection of the pool, in a transaction where it takes more than one statement.

use std::{any::Any, sync::Arc};

use ginti_store::{
    Access, AssignmentPage, Catalogue, DemoMark, DeviceReport, DeviceSeen, Facility, HistoryEntry, Import, Imported,
    ItemPage, Job, Ledger, Login, NewRefreshToken, NewSession, NewUser, ProductPage, RefreshRotation, Reported, Scope,
    SessionDevice, SessionEvent, SessionSummary, SessionUpdate, SessionUpdated, SignInOf, Store, StoreError, User,
    async_trait,
};
use ginti_types::{DeviceId, Epoch, ItemSeqId, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId};
use tokio::sync::watch;

use crate::{
    PostgresStore, catalogue,
    error::{Fallible, Fault, corrupt},
    get, items, people, schema, sessions, sql, standing, tokens,
};

/// Asks in that scope.
macro_rules! asked {
    ($store:expr, $scope:expr, $work:ident => $asked:expr) => {{
        let mut client = get(&$store.pool).await?;
        let $work = $store.keys.begin(&mut client, $scope).await?;
        Ok($asked.await?)
    }};
}

/// Does it in that scope: all or nothing.
macro_rules! done {
    ($store:expr, $scope:expr, $work:ident => $done:expr) => {{
        let mut client = get(&$store.pool).await?;
        let $work = $store.keys.begin(&mut client, $scope).await?;
        let value = $done.await?;
        $work.commit().await?;
        Ok(value)
    }};
}

#[async_trait]
impl Store for PostgresStore {
    async fn ledger(&self) -> Result<Ledger, StoreError> {
        let client = get(&self.pool).await?;
        let epoch = schema::epoch(&**client).await?;
        let row = client.query_one("SELECT last_seq FROM ledger", &[]).await.map_err(Fault::from)?;
        Ok(Ledger { epoch, ledger_seq: u64::try_from(row.get::<_, i64>(0)).map_err(corrupt)? })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.watch()
    }

    async fn import(&self, import: Import) -> Result<Imported, StoreError> {
        self.importer.import(import).await
    }

    async fn sessions(&self, access: &Access) -> Result<Vec<SessionSummary>, StoreError> {
        asked!(self, Scope::Tenant(&access.tenant), work => sessions::sessions(&**work, access))
    }

    async fn session(&self, access: &Access, session: &SessionId) -> Result<Option<SessionSummary>, StoreError> {
        asked!(self, Scope::Tenant(&access.tenant), work => sessions::session(&**work, access, session))
    }

    async fn update_session(
        &self,
        access: &Access,
        session: &SessionId,
        update: SessionUpdate,
    ) -> Result<SessionUpdated, StoreError> {
        done!(self, Scope::Tenant(&access.tenant), work => standing::update_session(&**work, access, session, &update))
    }

    async fn session_devices(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionDevice>>, StoreError> {
        asked!(self, Scope::Tenant(&access.tenant), work => standing::session_devices(&**work, access, session))
    }

    async fn session_events(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionEvent>>, StoreError> {
        asked!(self, Scope::Tenant(&access.tenant), work => standing::session_events(&**work, access, session))
    }

    async fn items(
        &self,
        access: &Access,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Option<ItemPage>, StoreError> {
        asked!(self, Scope::Tenant(&access.tenant), work => items::items(&**work, &self.keys, access, session, after, limit))
    }

    async fn history(
        &self,
        access: &Access,
        session: &SessionId,
        item: &ItemSeqId,
    ) -> Result<Option<Vec<HistoryEntry>>, StoreError> {
        asked!(self, Scope::Tenant(&access.tenant), work => items::history(&**work, &self.keys, access, session, item))
    }

    async fn assignments(
        &self,
        access: &Access,
        session: &SessionId,
        after: &str,
        limit: usize,
    ) -> Result<Option<AssignmentPage>, StoreError> {
        asked!(self, Scope::Tenant(&access.tenant), work => sessions::assignments(&**work, access, session, after, limit))
    }

    async fn products(&self, tenant: &TenantId, after: &str, limit: usize) -> Result<ProductPage, StoreError> {
        asked!(self, Scope::Tenant(tenant), work => catalogue::products(&**work, tenant, after, limit))
    }

    async fn put_products(&self, tenant: &TenantId, catalogue: Catalogue) -> Result<(), StoreError> {
        done!(self, Scope::Tenant(tenant), work => catalogue::put_products(&**work, tenant, &catalogue))
    }

    async fn put_tenant(&self, tenant: &TenantId, name: &str) -> Result<(), StoreError> {
        // It may be a new one.
        done!(self, Scope::House, work => catalogue::put_tenant(&**work, tenant, name))
    }

    async fn put_facility(&self, tenant: &TenantId, facility: &Facility) -> Result<(), StoreError> {
        done!(self, Scope::Tenant(tenant), work => catalogue::put_facility(&**work, tenant, facility))
    }

    async fn facilities(&self, tenant: &TenantId) -> Result<Vec<Facility>, StoreError> {
        asked!(self, Scope::Tenant(tenant), work => catalogue::facilities(&**work, tenant))
    }

    async fn create_session(&self, tenant: &TenantId, session: NewSession) -> Result<(), StoreError> {
        done!(self, Scope::Tenant(tenant), work => sessions::create_session(&**work, tenant, &session))
    }

    async fn set_session_status(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        status: SessionStatus,
    ) -> Result<bool, StoreError> {
        done!(self, Scope::Tenant(tenant), work => sessions::set_session_status(&**work, tenant, session, status))
    }

    async fn put_user(&self, tenant: &TenantId, user: NewUser) -> Result<(), StoreError> {
        done!(self, Scope::Tenant(tenant), work => people::put_user(&**work, tenant, &user))
    }

    async fn login(&self, user: &UserLoginId) -> Result<Option<Login>, StoreError> {
        // The name says whose they are.
        asked!(self, Scope::House, work => people::login(&**work, user))
    }

    async fn user(&self, tenant: &TenantId, user: &UserLoginId) -> Result<Option<User>, StoreError> {
        let login: Result<_, StoreError> = asked!(self, Scope::Tenant(tenant), work => people::login(&**work, user));
        Ok(login?.map(|login| login.user).filter(|user| user.tenant == *tenant))
    }

    async fn users(&self, tenant: &TenantId) -> Result<Vec<User>, StoreError> {
        asked!(self, Scope::Tenant(tenant), work => people::users(&**work, tenant))
    }

    async fn see_device(&self, tenant: &TenantId, seen: DeviceSeen) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_see_device(tenant, &seen).await {
                Err(fault) if fault.is_conflict() && tries < 5 => {}
                done => return Ok(done?),
            }
        }
    }

    async fn report_device(&self, access: &Access, report: DeviceReport) -> Result<Reported, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_report_device(access, &report).await {
                Err(fault) if fault.is_conflict() && tries < 5 => {}
                done => return Ok(done?),
            }
        }
    }

    async fn set_device_revoked(&self, tenant: &TenantId, device: &DeviceId, revoked: bool) -> Result<(), StoreError> {
        done!(self, Scope::Tenant(tenant), work => people::set_device_revoked(&**work, tenant, device, revoked))
    }

    async fn add_refresh_token(&self, token: NewRefreshToken) -> Result<bool, StoreError> {
        // What it takes the place of may be another tenant's: on a device that people of two share.
        done!(self, Scope::House, work => tokens::add(&**work, &token))
    }

    async fn rotate_refresh_token(
        &self,
        presented: &[u8; 32],
        successor: &[u8; 32],
        now: Timestamp,
        grace_ms: i64,
    ) -> Result<RefreshRotation, StoreError> {
        // The token says whose it is; and ended families of everybody's are tidied up.
        done!(self, Scope::House, work => tokens::rotate(&**work, presented, successor, now, grace_ms))
    }

    async fn revoke_refresh_token(&self, presented: &[u8; 32]) -> Result<Option<SignInOf>, StoreError> {
        // The token says whose it is.
        done!(self, Scope::House, work => tokens::revoke(&**work, presented))
    }

    async fn secret(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
        let client = get(&self.pool).await?;
        let sql = "INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        client.execute(sql, &[&name, &fresh]).await.map_err(Fault::from)?;
        let row = client.query_one("SELECT value FROM secret WHERE name = $1", &[&name]).await.map_err(Fault::from)?;
        Ok(row.get(0))
    }

    async fn demo_mark(&self) -> Result<Option<DemoMark>, StoreError> {
        let password = schema::meta(&**get(&self.pool).await?, "demo-password").await?;
        Ok(password.map(|password| DemoMark { password }))
    }

    async fn set_demo_mark(&self, mark: DemoMark) -> Result<(), StoreError> {
        Ok(schema::put_meta(&**get(&self.pool).await?, "demo-password", &mark.password).await?)
    }

    async fn work(&self, job: Arc<dyn Job>) -> Result<Box<dyn Any + Send>, StoreError> {
        let mut client = get(&self.pool).await?;
        sql::run(&mut client, &self.keys, &*job).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // A database that only reads answers too, but takes no counts.
        let sql = "UPDATE ledger SET last_seq = last_seq WHERE false";
        get(&self.pool).await?.execute(sql, &[]).await.map_err(Fault::from)?;
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.importer.close().await;
        self.changes.close();
        self.pool.close();
        Ok(())
    }

    async fn new_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        Ok(schema::put_meta(&**get(&self.pool).await?, "epoch", epoch.as_str()).await?)
    }
}

impl PostgresStore {
    async fn try_report_device(&self, access: &Access, report: &DeviceReport) -> Fallible<Reported> {
        let mut client = get(&self.pool).await?;
        let tenant = self.keys.need_tenant(&mut client, &access.tenant).await?;
        let person = self.keys.person(&mut client, tenant, &access.user).await?;
        let work = self.keys.begin(&mut client, Scope::Tenant(&access.tenant)).await?;
        let reported = standing::report_device(&**work, tenant, person, access, report).await?;
        work.commit().await?;
        Ok(reported)
    }

    async fn try_see_device(&self, tenant: &TenantId, seen: &DeviceSeen) -> Fallible<()> {
        let mut client = get(&self.pool).await?;
        // Made for itself: what is remembered must not be rolled back.
        let key = self.keys.need_tenant(&mut client, tenant).await?;
        let person = self.keys.person(&mut client, key, &seen.user).await?;
        let work = self.keys.begin(&mut client, Scope::Tenant(tenant)).await?;
        people::see_device(&**work, key, person, seen).await?;
        work.commit().await?;
        Ok(())
    }
}
