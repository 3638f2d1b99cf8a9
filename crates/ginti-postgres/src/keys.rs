//! Integer keys for texts that repeat: tenants, people, sessions. They never change, so each server remembers what it looked up.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use deadpool_postgres::Object;
use ginti_store::{Scope, StoreError};
use ginti_types::{FacilityId, SessionId, TenantId, UserLoginId};
use tokio_postgres::GenericClient;

use crate::{
    error::{Fallible, corrupt},
    scope::{Whose, Work},
};

/// More than any real installation has; a bound all the same. What is forgotten is looked up again.
const REMEMBERED_MAX: usize = 100_000;

/// Keys looked up before. Only lookups by key: the order of these maps never shows.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    tenants: Remembered<TenantId, i64>,
    sessions: Remembered<(TenantId, SessionId), Place>,
    people: Remembered<(i64, UserLoginId), i64>,
    names: Remembered<i64, UserLoginId>,
    together: Remembered<(i64, i64), ()>,
}

/// Where a session is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) tenant: i64,
    pub(crate) session: i64,
    pub(crate) facility: FacilityId,
}

impl Keys {
    /// Forgets everything: the database is another one.
    pub(crate) fn forget(&self) {
        self.tenants.clear();
        self.sessions.clear();
        self.people.clear();
        self.names.clear();
        self.together.clear();
    }

    /// The tenant's key, if there is such a tenant.
    pub(crate) async fn tenant(&self, client: &mut Object, tenant: &TenantId) -> Fallible<Option<i64>> {
        if let Some(key) = self.tenants.get(tenant) {
            return Ok(Some(key));
        }
        // Nothing of a tenant is seen before its key is known.
        let work = Work::begin(client, &Whose::House);
        let Some(key) = tenant_key(&**work, tenant).await? else { return Ok(None) };
        self.tenants.put(tenant.clone(), key);
        Ok(Some(key))
    }

    /// The tenant's key; [`StoreError::Missing`] if there is no such tenant.
    pub(crate) async fn need_tenant(&self, client: &mut Object, tenant: &TenantId) -> Fallible<i64> {
        Ok(self.tenant(client, tenant).await?.ok_or_else(|| no_tenant(tenant))?)
    }

    /// The session, if the tenant has it.
    pub(crate) async fn place(
        &self,
        client: &mut Object,
        tenant: &TenantId,
        session: &SessionId,
    ) -> Fallible<Option<Place>> {
        let name = (tenant.clone(), session.clone());
        if let Some(place) = self.sessions.get(&name) {
            return Ok(Some(place));
        }
        let sql = "SELECT tenant_key, session_key, facility_id FROM session JOIN tenant USING (tenant_key)
                   WHERE tenant_id = $1 AND session_id = $2";
        let work = self.begin(client, Scope::Tenant(tenant)).await?;
        let Some(row) = work.query_opt(sql, &[&tenant.as_str(), &session.as_str()]).await? else { return Ok(None) };
        let facility = FacilityId::new(row.get::<_, String>(2)).map_err(corrupt)?;
        let place = Place { tenant: row.get(0), session: row.get(1), facility };
        self.sessions.put(name, place.clone());
        Ok(Some(place))
    }

    /// The person's key, made if there is none; for itself, as what is remembered must not be rolled back.
    pub(crate) async fn person(&self, client: &mut Object, tenant: i64, user: &UserLoginId) -> Fallible<i64> {
        let name = (tenant, user.clone());
        if let Some(key) = self.people.get(&name) {
            return Ok(key);
        }
        let sql = "INSERT INTO person (tenant_key, user_login_id) VALUES ($1, $2)
                   ON CONFLICT (tenant_key, user_login_id) DO UPDATE SET user_login_id = excluded.user_login_id
                   RETURNING person_key";
        let work = Work::begin(client, &Whose::Tenants(vec![tenant]));
        let key = work.query_one(sql, &[&tenant, &user.as_str()]).await?.get(0);
        work.commit().await?;
        self.people.put(name, key);
        Ok(key)
    }

    /// The people's names by key.
    pub(crate) async fn names(&self, client: &impl GenericClient, keys: &[i64]) -> Fallible<HashMap<i64, UserLoginId>> {
        let mut names: HashMap<_, _> = keys.iter().filter_map(|key| Some((*key, self.names.get(key)?))).collect();
        let missing: Vec<_> = keys.iter().filter(|key| !names.contains_key(*key)).collect();
        if !missing.is_empty() {
            let sql = "SELECT person_key, user_login_id FROM person WHERE person_key = ANY($1)";
            for row in client.query(sql, &[&missing]).await? {
                let (key, name) = (row.get(0), UserLoginId::new(row.get::<_, String>(1)).map_err(corrupt)?);
                self.names.put(key, name.clone());
                names.insert(key, name);
            }
        }
        Ok(names)
    }

    /// Whether the person is known to have signed in on the device.
    pub(crate) fn are_together(&self, device: i64, person: i64) -> bool {
        self.together.get(&(device, person)).is_some()
    }

    /// Notes what is in the database: call it after the commit.
    pub(crate) fn note_together(&self, device: i64, person: i64) {
        self.together.put((device, person), ());
    }
}

/// The tenant's key, if there is such a tenant.
pub(crate) async fn tenant_key(client: &impl GenericClient, tenant: &TenantId) -> Fallible<Option<i64>> {
    let row = client.query_opt("SELECT tenant_key FROM tenant WHERE tenant_id = $1", &[&tenant.as_str()]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// The tenant's key; [`StoreError::Missing`] if there is no such tenant.
pub(crate) async fn need_tenant(client: &impl GenericClient, tenant: &TenantId) -> Fallible<i64> {
    let key = tenant_key(client, tenant).await?;
    Ok(key.ok_or_else(|| no_tenant(tenant))?)
}

fn no_tenant(tenant: &TenantId) -> StoreError {
    StoreError::Missing(format!("tenant \"{tenant}\""))
}

#[derive(Debug)]
struct Remembered<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Remembered<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn put(&self, key: K, value: V) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= REMEMBERED_MAX {
            map.clear();
        }
        map.insert(key, value);
    }
}
