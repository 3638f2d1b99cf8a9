//! People, and the devices they have signed in on.

use ginti_store::{DeviceSeen, Login, NewUser, Role, StoreError, User};
use ginti_types::{DeviceId, FacilityId, TenantId, UserLoginId};
use tokio_postgres::{GenericClient, Row};

use crate::{
    catalogue,
    error::{Fallible, corrupt},
    keys::need_tenant,
    tokens,
};

const SELECT_USER: &str = "SELECT user_login_id, tenant_id, account.name, role, facilities, password_hash,
                               disabled IS NOT NULL
                           FROM account JOIN tenant USING (tenant_key)";

pub(crate) async fn login(client: &impl GenericClient, user: &UserLoginId) -> Fallible<Option<Login>> {
    let row = client.query_opt(&format!("{SELECT_USER} WHERE user_login_id = $1"), &[&user.as_str()]).await?;
    row.map(|row| Ok(Login { user: read_user(&row)?, password_hash: row.get(5), is_disabled: row.get(6) })).transpose()
}

pub(crate) async fn users(client: &impl GenericClient, tenant: &TenantId) -> Fallible<Vec<User>> {
    let sql = format!("{SELECT_USER} WHERE tenant_id = $1 ORDER BY user_login_id");
    client.query(&sql, &[&tenant.as_str()]).await?.iter().map(read_user).collect()
}

fn read_user(row: &Row) -> Fallible<User> {
    let role: &str = row.get(3);
    let facilities = row.get::<_, Option<Vec<String>>>(4);
    let facilities = facilities.map(|ids| ids.into_iter().map(FacilityId::new).collect::<Result<_, _>>()).transpose();
    Ok(User {
        id: UserLoginId::new(row.get::<_, String>(0)).map_err(corrupt)?,
        tenant: TenantId::new(row.get::<_, String>(1)).map_err(corrupt)?,
        name: row.get(2),
        role: Role::from_name(role).ok_or_else(|| corrupt(role))?,
        facilities: facilities.map_err(corrupt)?,
    })
}

pub(crate) async fn put_user(client: &impl GenericClient, tenant: &TenantId, new: &NewUser) -> Fallible<()> {
    let user = &new.user;
    let key = need_tenant(client, tenant).await?;
    if user.tenant != *tenant {
        return Err(StoreError::Missing(format!("user \"{}\" of tenant \"{tenant}\"", user.id)).into());
    }
    for facility in user.facilities.iter().flatten() {
        catalogue::need_facility(client, key, facility).await?;
    }
    let id = user.id.as_str();
    // Held first, as whoever signs in holds it: none begins a sign-in with the old password behind our back.
    client.execute("SELECT 1 FROM account WHERE user_login_id = $1 FOR UPDATE", &[&id]).await?;
    // Another password ends the sign-ins made with the old one.
    let sql = "UPDATE refresh_family SET revoked = true WHERE tenant_key = $1 AND user_login_id = $2
                   AND EXISTS (SELECT 1 FROM account WHERE tenant_key = $1 AND user_login_id = $2 AND password_hash <> $3)";
    client.execute(sql, &[&key, &id, &new.password_hash]).await?;
    let sql = "INSERT INTO account (user_login_id, tenant_key, name, role, facilities, password_hash)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (user_login_id) DO UPDATE SET name = excluded.name, role = excluded.role,
                   facilities = excluded.facilities, password_hash = excluded.password_hash
                   WHERE account.tenant_key = excluded.tenant_key";
    let facilities: Option<Vec<_>> = user.facilities.as_ref().map(|all| all.iter().map(FacilityId::as_str).collect());
    let changed =
        client.execute(sql, &[&id, &key, &user.name, &user.role.as_str(), &facilities, &new.password_hash]).await?;
    if changed == 0 {
        return Err(StoreError::Exists(format!("user \"{}\"", user.id)).into());
    }
    Ok(())
}

/// `tenant` and `person` are keys.
pub(crate) async fn see_device(
    client: &impl GenericClient,
    tenant: i64,
    person: i64,
    seen: &DeviceSeen,
) -> Fallible<()> {
    let sql = "INSERT INTO device (tenant_key, device_id, first_seen, last_seen) VALUES ($1, $2, $3, $3)
               ON CONFLICT (tenant_key, device_id)
               DO UPDATE SET last_seen = greatest(device.last_seen, excluded.last_seen) RETURNING device_key";
    let now = seen.now.unix_ms();
    let device: i64 = client.query_one(sql, &[&tenant, &seen.device.as_str(), &now]).await?.get(0);
    let sql = "INSERT INTO device_person (device_key, person_key) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    client.execute(sql, &[&device, &person]).await?;
    if let Some(token) = &seen.refresh_token {
        tokens::tie_family(client, token, device).await?;
    }
    let Some(former) = &seen.former else { return Ok(()) };
    let sql = "SELECT device_key FROM device WHERE tenant_key = $1 AND device_id = $2 AND NOT revoked";
    let Some(row) = client.query_opt(sql, &[&tenant, &former.as_str()]).await? else { return Ok(()) };
    let former: i64 = row.get(0);
    let sql = "INSERT INTO device_person (device_key, person_key)
               SELECT $1, person_key FROM device_person WHERE device_key = $2
                   AND EXISTS (SELECT 1 FROM device_person WHERE device_key = $2 AND person_key = $3)
               ON CONFLICT DO NOTHING";
    client.execute(sql, &[&device, &former, &person]).await?;
    if let Some(above) = seen.retire_former_above {
        let above = i64::try_from(above.get()).map_err(corrupt)?;
        let sql = "UPDATE device SET believed_to = least(coalesce(believed_to, $2), $2)
                   WHERE device_key = $1
                       AND EXISTS (SELECT 1 FROM device_person WHERE device_key = $1 AND person_key = $3)";
        client.execute(sql, &[&former, &above, &person]).await?;
    }
    Ok(())
}

pub(crate) async fn set_device_revoked(
    client: &impl GenericClient,
    tenant: &TenantId,
    device: &DeviceId,
    revoked: bool,
) -> Fallible<()> {
    let tenant = need_tenant(client, tenant).await?;
    let sql = "UPDATE device SET revoked = $3 WHERE tenant_key = $1 AND device_id = $2 RETURNING device_key";
    let Some(row) = client.query_opt(sql, &[&tenant, &device.as_str(), &revoked]).await? else {
        return Err(StoreError::Missing(format!("device \"{device}\"")).into());
    };
    if revoked { tokens::revoke_families_of(client, tenant, row.get(0)).await } else { Ok(()) }
}
