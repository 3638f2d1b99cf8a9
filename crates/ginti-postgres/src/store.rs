//! The [`Store`] trait: each method on a connection of the pool, in a transaction where it takes more than one statement.

use std::{any::Any, sync::Arc};

use ginti_store::{
    Access, AssignmentPage, Catalogue, DemoMark, DeviceReport, DeviceSeen, Facility, HistoryEntry, Import, Imported,
    ItemPage, Job, Ledger, Login, NewRefreshToken, NewSession, NewUser, ProductPage, RefreshRotation, Reported,
    SessionDevice, SessionEvent, SessionSummary, SessionUpdate, SessionUpdated, Store, StoreError, User, async_trait,
};
use ginti_types::{DeviceId, Epoch, ItemSeqId, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId};
use tokio::sync::watch;

use crate::{
    PostgresStore, catalogue,
    error::{Fallible, Fault, corrupt},
    get, items, keys, people, schema, sessions, sql, standing, tokens,
};

/// Runs it in a transaction: all or nothing.
macro_rules! in_transaction {
    ($store:expr, $transaction:ident => $work:expr) => {{
        let mut client = get(&$store.pool).await?;
        let $transaction = client.transaction().await.map_err(Fault::from)?;
        let value = $work.await?;
        $transaction.commit().await.map_err(Fault::from)?;
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
        Ok(sessions::sessions(&**get(&self.pool).await?, access).await?)
    }

    async fn session(&self, access: &Access, session: &SessionId) -> Result<Option<SessionSummary>, StoreError> {
        Ok(sessions::session(&**get(&self.pool).await?, access, session).await?)
    }

    async fn update_session(
        &self,
        access: &Access,
        session: &SessionId,
        update: SessionUpdate,
    ) -> Result<SessionUpdated, StoreError> {
        in_transaction!(self, transaction => standing::update_session(&*transaction, access, session, &update))
    }

    async fn session_devices(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionDevice>>, StoreError> {
        in_transaction!(self, transaction => standing::session_devices(&*transaction, access, session))
    }

    async fn session_events(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionEvent>>, StoreError> {
        Ok(standing::session_events(&**get(&self.pool).await?, access, session).await?)
    }

    async fn items(
        &self,
        access: &Access,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Option<ItemPage>, StoreError> {
        Ok(items::items(&**get(&self.pool).await?, &self.keys, access, session, after, limit).await?)
    }

    async fn history(
        &self,
        access: &Access,
        session: &SessionId,
        item: &ItemSeqId,
    ) -> Result<Option<Vec<HistoryEntry>>, StoreError> {
        Ok(items::history(&**get(&self.pool).await?, &self.keys, access, session, item).await?)
    }

    async fn assignments(
        &self,
        access: &Access,
        session: &SessionId,
        after: &str,
        limit: usize,
    ) -> Result<Option<AssignmentPage>, StoreError> {
        Ok(sessions::assignments(&**get(&self.pool).await?, access, session, after, limit).await?)
    }

    async fn products(&self, tenant: &TenantId, after: &str, limit: usize) -> Result<ProductPage, StoreError> {
        Ok(catalogue::products(&**get(&self.pool).await?, tenant, after, limit).await?)
    }

    async fn put_products(&self, tenant: &TenantId, catalogue: Catalogue) -> Result<(), StoreError> {
        in_transaction!(self, transaction => catalogue::put_products(&*transaction, tenant, &catalogue))
    }

    async fn put_tenant(&self, tenant: &TenantId, name: &str) -> Result<(), StoreError> {
        Ok(catalogue::put_tenant(&**get(&self.pool).await?, tenant, name).await?)
    }

    async fn put_facility(&self, tenant: &TenantId, facility: &Facility) -> Result<(), StoreError> {
        in_transaction!(self, transaction => catalogue::put_facility(&*transaction, tenant, facility))
    }

    async fn facilities(&self, tenant: &TenantId) -> Result<Vec<Facility>, StoreError> {
        Ok(catalogue::facilities(&**get(&self.pool).await?, tenant).await?)
    }

    async fn create_session(&self, tenant: &TenantId, session: NewSession) -> Result<(), StoreError> {
        in_transaction!(self, transaction => sessions::create_session(&*transaction, tenant, &session))
    }

    async fn set_session_status(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        status: SessionStatus,
    ) -> Result<bool, StoreError> {
        Ok(sessions::set_session_status(&**get(&self.pool).await?, tenant, session, status).await?)
    }

    async fn put_user(&self, tenant: &TenantId, user: NewUser) -> Result<(), StoreError> {
        in_transaction!(self, transaction => people::put_user(&*transaction, tenant, &user))
    }

    async fn login(&self, user: &UserLoginId) -> Result<Option<Login>, StoreError> {
        Ok(people::login(&**get(&self.pool).await?, user).await?)
    }

    async fn user(&self, tenant: &TenantId, user: &UserLoginId) -> Result<Option<User>, StoreError> {
        let login = people::login(&**get(&self.pool).await?, user).await?;
        Ok(login.map(|login| login.user).filter(|user| user.tenant == *tenant))
    }

    async fn users(&self, tenant: &TenantId) -> Result<Vec<User>, StoreError> {
        Ok(people::users(&**get(&self.pool).await?, tenant).await?)
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
        in_transaction!(self, transaction => people::set_device_revoked(&*transaction, tenant, device, revoked))
    }

    async fn add_refresh_token(&self, token: NewRefreshToken) -> Result<(), StoreError> {
        in_transaction!(self, transaction => tokens::add(&*transaction, &token))
    }

    async fn rotate_refresh_token(
        &self,
        presented: &[u8; 32],
        successor: &[u8; 32],
        now: Timestamp,
        grace_ms: i64,
    ) -> Result<RefreshRotation, StoreError> {
        in_transaction!(self, transaction => tokens::rotate(&*transaction, presented, successor, now, grace_ms))
    }

    async fn revoke_refresh_token(&self, presented: &[u8; 32]) -> Result<(), StoreError> {
        Ok(tokens::revoke(&**get(&self.pool).await?, presented).await?)
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
        sql::run(&mut client, &*job).await
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
        let tenant = keys::need_tenant(&**client, &access.tenant).await?;
        let person = self.keys.person(&**client, tenant, &access.user).await?;
        let transaction = client.transaction().await?;
        let reported = standing::report_device(&*transaction, tenant, person, access, report).await?;
        transaction.commit().await?;
        Ok(reported)
    }

    async fn try_see_device(&self, tenant: &TenantId, seen: &DeviceSeen) -> Fallible<()> {
        let mut client = get(&self.pool).await?;
        // Made for itself: what is remembered must not be rolled back.
        let tenant = keys::need_tenant(&**client, tenant).await?;
        let person = self.keys.person(&**client, tenant, &seen.user).await?;
        let transaction = client.transaction().await?;
        people::see_device(&*transaction, tenant, person, seen).await?;
        transaction.commit().await?;
        Ok(())
    }
}
