//! Integer keys for texts that repeat: tenants, people, devices. The writer remembers what it looked up.

use std::collections::{HashMap, HashSet};

use ginti_store::StoreError;
use ginti_types::{DeviceId, TenantId, UserLoginId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::{Fallible, Fault, corrupt};

/// More than any real installation has; a bound all the same. What is forgotten is looked up again.
const REMEMBERED_MAX: usize = 100_000;

/// Keys looked up before. Only lookups by key: the order of these maps never shows.
#[derive(Debug, Default)]
pub(super) struct Interned {
    tenants: HashMap<TenantId, i64>,
    people: HashMap<(i64, UserLoginId), i64>,
    devices: HashMap<i64, DeviceId>,
    /// Devices and people who have signed in on them.
    together: HashSet<(i64, i64)>,
}

impl Interned {
    pub(super) fn tenant(&mut self, conn: &Connection, tenant: &TenantId) -> Fallible<Option<i64>> {
        if let Some(key) = self.tenants.get(tenant) {
            return Ok(Some(*key));
        }
        let key = tenant_key(conn, tenant)?;
        if let Some(key) = key {
            remember(&mut self.tenants, tenant.clone(), key);
        }
        Ok(key)
    }

    /// The person's key, made if there is none.
    pub(super) fn person(&mut self, conn: &Connection, tenant: i64, user: &UserLoginId) -> Fallible<i64> {
        let name = (tenant, user.clone());
        if let Some(key) = self.people.get(&name) {
            return Ok(*key);
        }
        let found = conn
            .prepare_cached("SELECT person_key FROM person WHERE tenant_key = ?1 AND user_login_id = ?2")?
            .query_row(params![tenant, user.as_str()], |row| row.get(0))
            .optional()?;
        let key = match found {
            Some(key) => key,
            None => conn
                .prepare_cached("INSERT INTO person (tenant_key, user_login_id) VALUES (?1, ?2)")?
                .insert(params![tenant, user.as_str()])?,
        };
        remember(&mut self.people, name, key);
        Ok(key)
    }

    /// Notes that the person has signed in on the device.
    pub(super) fn seen_together(&mut self, conn: &Connection, device: i64, person: i64) -> Fallible<()> {
        if !self.together.contains(&(device, person)) {
            let sql = "INSERT INTO device_person (device_key, person_key) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            conn.prepare_cached(sql)?.execute([device, person])?;
            if self.together.len() >= REMEMBERED_MAX {
                self.together.clear();
            }
            self.together.insert((device, person));
        }
        Ok(())
    }

    /// The device's id.
    pub(super) fn device_id(&mut self, conn: &Connection, key: i64) -> Fallible<DeviceId> {
        if let Some(id) = self.devices.get(&key) {
            return Ok(id.clone());
        }
        let id: String = conn
            .prepare_cached("SELECT device_id FROM device WHERE device_key = ?1")?
            .query_row([key], |row| row.get(0))?;
        let id = DeviceId::new(id).map_err(corrupt)?;
        remember(&mut self.devices, key, id.clone());
        Ok(id)
    }
}

fn remember<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= REMEMBERED_MAX {
        map.clear();
    }
    map.insert(key, value);
}

/// The tenant's key, if there is such a tenant.
pub(crate) fn tenant_key(conn: &Connection, tenant: &TenantId) -> Fallible<Option<i64>> {
    let mut statement = conn.prepare_cached("SELECT tenant_key FROM tenant WHERE tenant_id = ?1")?;
    Ok(statement.query_row([tenant.as_str()], |row| row.get(0)).optional()?)
}

/// The tenant's key; [`StoreError::Missing`] if there is no such tenant.
pub(super) fn need_tenant(conn: &Connection, tenant: &TenantId) -> Fallible<i64> {
    tenant_key(conn, tenant)?.ok_or_else(|| Fault::Store(StoreError::Missing(format!("tenant \"{tenant}\""))))
}

/// A column's text as one of our ids; these were checked before they were stored.
pub(super) fn id<T, E: std::fmt::Display>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> Fallible<T> {
    parse(row.get(column)?).map_err(corrupt)
}
