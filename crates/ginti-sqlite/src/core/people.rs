//! People, and the devices they have signed in on.

use ginti_store::{DeviceSeen, Login, NewUser, Role, StoreError, User};
use ginti_types::{DeviceId, FacilityId, Revision, TenantId, Timestamp, UserLoginId};
use rusqlite::{Connection, Row, params};

use super::{
    Core, catalogue,
    intern::{id, need_tenant},
    sessions::facilities_json,
};
use crate::error::{Fallible, corrupt};

/// A device as an import needs it.
#[derive(Clone, Copy)]
pub(super) struct KnownDevice {
    pub(super) key: i64,
    pub(super) revoked: bool,
    /// The last revision believed of an id that was given up because its clock ran ahead.
    pub(super) believed_to: Option<Revision>,
    /// The newest revision in its history, 0 if there is none.
    pub(super) newest: u64,
}

pub(crate) fn login(conn: &Connection, user: &UserLoginId) -> Fallible<Option<Login>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT_USER} WHERE user_login_id = ?1"))?;
    let mut rows = statement.query([user.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Login { user: read_user(row)?, password_hash: row.get(5)?, is_disabled: row.get(6)? }))
}

pub(crate) fn users(conn: &Connection, tenant: &TenantId) -> Fallible<Vec<User>> {
    let mut statement = conn.prepare_cached(&format!("{SELECT_USER} WHERE tenant_id = ?1 ORDER BY user_login_id"))?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut users = Vec::new();
    while let Some(row) = rows.next()? {
        users.push(read_user(row)?);
    }
    Ok(users)
}

pub(crate) fn user(conn: &Connection, tenant: &TenantId, user: &UserLoginId) -> Fallible<Option<User>> {
    Ok(login(conn, user)?.map(|login| login.user).filter(|user| user.tenant == *tenant))
}

const SELECT_USER: &str = "SELECT user_login_id, tenant_id, account.name, role, facilities, password_hash,
                               disabled IS NOT NULL
                           FROM account JOIN tenant USING (tenant_key)";

fn read_user(row: &Row<'_>) -> Fallible<User> {
    let role: String = row.get(3)?;
    let facilities: Option<String> = row.get(4)?;
    Ok(User {
        id: id(row, 0, UserLoginId::new)?,
        tenant: id(row, 1, TenantId::new)?,
        name: row.get(2)?,
        role: Role::from_name(&role).ok_or_else(|| corrupt(&role))?,
        facilities: facilities
            .map(|json| serde_json::from_str::<Vec<FacilityId>>(&json))
            .transpose()
            .map_err(corrupt)?,
    })
}

impl Core {
    pub(crate) fn put_user(&mut self, tenant: &TenantId, new: &NewUser) -> Fallible<()> {
        let user = &new.user;
        let key = need_tenant(&self.conn, tenant)?;
        if user.tenant != *tenant {
            return Err(StoreError::Missing(format!("user \"{}\" of tenant \"{tenant}\"", user.id)).into());
        }
        for facility in user.facilities.iter().flatten() {
            catalogue::need_facility(&self.conn, key, facility)?;
        }
        self.end_sign_ins_of_another_password(key, new)?;
        let sql = "INSERT INTO account (user_login_id, tenant_key, name, role, facilities, password_hash)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT DO UPDATE SET name = excluded.name, role = excluded.role,
                       facilities = excluded.facilities, password_hash = excluded.password_hash
                       WHERE tenant_key = excluded.tenant_key";
        let changed = self.conn.execute(
            sql,
            params![
                user.id.as_str(),
                key,
                user.name,
                user.role.as_str(),
                facilities_json(user.facilities.as_deref()),
                new.password_hash
            ],
        )?;
        if changed == 0 {
            return Err(StoreError::Exists(format!("user \"{}\"", user.id)).into());
        }
        Ok(())
    }

    fn end_sign_ins_of_another_password(&mut self, tenant: i64, new: &NewUser) -> Fallible<()> {
        let sql = "UPDATE refresh_family SET revoked = 1 WHERE tenant_key = ?1 AND user_login_id = ?2
                       AND EXISTS (SELECT 1 FROM account WHERE tenant_key = ?1 AND user_login_id = ?2 AND password_hash <> ?3)";
        self.conn.execute(sql, params![tenant, new.user.id.as_str(), new.password_hash])?;
        Ok(())
    }

    pub(crate) fn see_device(&mut self, tenant: &TenantId, seen: &DeviceSeen) -> Fallible<()> {
        let tenant = need_tenant(&self.conn, tenant)?;
        let found = self.device(tenant, &seen.device)?;
        let device = self.known_device(tenant, &seen.device, found, seen.now)?.key;
        self.note_contact(device, seen.now, 0)?;
        let person = self.interned.person(&self.conn, tenant, &seen.user)?;
        self.interned.seen_together(&self.conn, device, person)?;
        if let Some(token) = &seen.refresh_token {
            self.tie_family(token, device)?;
        }
        let Some(former) = &seen.former else { return Ok(()) };
        let Some(KnownDevice { key: former, revoked: false, .. }) = self.device(tenant, former)? else { return Ok(()) };
        let sql = "INSERT INTO device_person (device_key, person_key)
                   SELECT ?1, person_key FROM device_person WHERE device_key = ?2
                       AND EXISTS (SELECT 1 FROM device_person WHERE device_key = ?2 AND person_key = ?3)
                   ON CONFLICT DO NOTHING";
        self.conn.execute(sql, [device, former, person])?;
        if let Some(above) = seen.retire_former_above {
            let sql = "UPDATE device SET believed_to = min(coalesce(believed_to, ?2), ?2)
                       WHERE device_key = ?1
                           AND EXISTS (SELECT 1 FROM device_person WHERE device_key = ?1 AND person_key = ?3)";
            self.conn.execute(sql, params![former, above.get(), person])?;
        }
        Ok(())
    }

    pub(crate) fn set_device_revoked(&mut self, tenant: &TenantId, device: &DeviceId, revoked: bool) -> Fallible<()> {
        let tenant = need_tenant(&self.conn, tenant)?;
        let Some(known) = self.device(tenant, device)? else {
            return Err(StoreError::Missing(format!("device \"{device}\"")).into());
        };
        self.conn.execute("UPDATE device SET revoked = ?2 WHERE device_key = ?1", params![known.key, revoked])?;
        if revoked { self.revoke_families_of(tenant, known.key) } else { Ok(()) }
    }

    /// The device, if it was ever seen.
    pub(super) fn device(&self, tenant: i64, device: &DeviceId) -> Fallible<Option<KnownDevice>> {
        let sql =
            "SELECT device_key, revoked, believed_to, newest FROM device WHERE tenant_key = ?1 AND device_id = ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![tenant, device.as_str()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let believed_to: Option<u64> = row.get(2)?;
        let believed_to = believed_to.map(Revision::new).transpose().map_err(corrupt)?;
        Ok(Some(KnownDevice { key: row.get(0)?, revoked: row.get(1)?, believed_to, newest: row.get(3)? }))
    }

    /// The device as it was found, added if it is new.
    pub(super) fn known_device(
        &mut self,
        tenant: i64,
        device: &DeviceId,
        found: Option<KnownDevice>,
        now: Timestamp,
    ) -> Fallible<KnownDevice> {
        if let Some(known) = found {
            return Ok(known);
        }
        let sql = "INSERT INTO device (tenant_key, device_id, first_seen, last_seen) VALUES (?1, ?2, ?3, ?3)";
        let key = self.conn.prepare_cached(sql)?.insert(params![tenant, device.as_str(), now.unix_ms()])?;
        Ok(KnownDevice { key, revoked: false, believed_to: None, newest: 0 })
    }

    /// Notes the device's contact, and the newest revision that came with it.
    pub(super) fn note_contact(&mut self, device: i64, now: Timestamp, newest: u64) -> Fallible<()> {
        let sql = "UPDATE device SET last_seen = max(last_seen, ?2), newest = max(newest, ?3) WHERE device_key = ?1";
        self.conn.prepare_cached(sql)?.execute(params![device, now.unix_ms(), newest])?;
        Ok(())
    }
}
