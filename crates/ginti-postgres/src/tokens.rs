//! Refresh tokens: families that rotate, and the devices that hold them. Only hashes are here, never a token.

use ginti_store::{NewRefreshToken, RefreshRotation, SignInOf};
use ginti_types::{TenantId, Timestamp, UserLoginId};
use tokio_postgres::{GenericClient, Row};

use crate::{
    error::{Fallible, corrupt},
    keys::need_tenant,
};

/// Ended families removed with each rotation: more than begin, so that the table stays small.
const PRUNE_FAMILIES: i64 = 8;

pub(crate) async fn add(client: &impl GenericClient, token: &NewRefreshToken) -> Fallible<bool> {
    let tenant = need_tenant(client, &token.tenant).await?;
    // The account is held: whoever disables it, or sets another password, comes before this or ends what begins here.
    let sql = "WITH person AS (
                   SELECT 1 FROM account WHERE tenant_key = $1 AND user_login_id = $2 AND disabled IS NULL
                       AND ($5::text IS NULL OR password_hash = $5) FOR SHARE
               ), family AS (
                   INSERT INTO refresh_family (tenant_key, user_login_id, expires) SELECT $1, $2, $3 FROM person RETURNING family
               ) INSERT INTO refresh_token (hash, family, of_tenant) SELECT $4, family, $1 FROM family";
    let (user, expires) = (token.user.as_str(), token.expires.unix_ms());
    let begun = client.execute(sql, &[&tenant, &user, &expires, &&token.hash[..], &token.password_hash]).await?;
    if begun == 0 {
        return Ok(false);
    }
    if let Some(former) = &token.replaces {
        revoke(client, former).await?;
    }
    Ok(true)
}

pub(crate) async fn rotate(
    client: &impl GenericClient,
    presented: &[u8; 32],
    successor: &[u8; 32],
    now: Timestamp,
    grace_ms: i64,
) -> Fallible<RefreshRotation> {
    // Locked: two that present it at once are decided one after the other.
    let sql = "SELECT family, used, revoked, tenant_id, user_login_id, expires
               FROM refresh_token JOIN refresh_family USING (family) JOIN tenant USING (tenant_key)
               WHERE hash = $1 FOR UPDATE OF refresh_family";
    let found = client.query_opt(sql, &[&&presented[..]]).await?;
    prune(client, now).await?;
    let Some(row) = found else { return Ok(RefreshRotation::Refused(None)) };
    let of = sign_in_of(&row, 3)?;
    if row.get(2) || now.unix_ms() >= row.get(5) {
        return Ok(RefreshRotation::Refused(Some(of)));
    }
    let family: i64 = row.get(0);
    // As it is now that the family is locked.
    let used: Option<i64> =
        client.query_one("SELECT used FROM refresh_token WHERE hash = $1", &[&&presented[..]]).await?.get(0);
    if used.is_some_and(|used| now.unix_ms().saturating_sub(used) > grace_ms) {
        revoke_family(client, family).await?;
        return Ok(RefreshRotation::Reused(of));
    }
    let sql = "UPDATE refresh_token SET used = $2 WHERE hash = $1 AND used IS NULL";
    client.execute(sql, &[&&presented[..], &now.unix_ms()]).await?;
    let sql = "INSERT INTO refresh_token (hash, family, of_tenant) SELECT $1, family, tenant_key FROM refresh_family
               WHERE family = $2";
    client.execute(sql, &[&&successor[..], &family]).await?;
    Ok(RefreshRotation::Rotated { tenant: of.tenant, user: of.user, expires: Timestamp::from_unix_ms(row.get(5)) })
}

/// From two columns of a row: tenant and user.
fn sign_in_of(row: &Row, first: usize) -> Fallible<SignInOf> {
    Ok(SignInOf {
        tenant: TenantId::new(row.get::<_, String>(first)).map_err(corrupt)?,
        user: UserLoginId::new(row.get::<_, String>(first + 1)).map_err(corrupt)?,
    })
}

pub(crate) async fn revoke(client: &impl GenericClient, presented: &[u8; 32]) -> Fallible<Option<SignInOf>> {
    let sql = "SELECT family, tenant_id, user_login_id
               FROM refresh_token JOIN refresh_family USING (family) JOIN tenant USING (tenant_key) WHERE hash = $1";
    let Some(row) = client.query_opt(sql, &[&&presented[..]]).await? else { return Ok(None) };
    revoke_family(client, row.get(0)).await?;
    sign_in_of(&row, 1).map(Some)
}

/// Notes that the device, by its key, holds the family of that token.
pub(crate) async fn tie_family(client: &impl GenericClient, token: &[u8; 32], device: i64) -> Fallible<()> {
    let sql = "INSERT INTO family_device (device_key, family, of_tenant)
               SELECT $1, family, tenant_key FROM refresh_token JOIN refresh_family USING (family)
               WHERE hash = $2 ON CONFLICT DO NOTHING";
    client.execute(sql, &[&device, &&token[..]]).await?;
    Ok(())
}

/// Ends the families that the device, by its key, holds.
pub(crate) async fn revoke_families_of(client: &impl GenericClient, tenant: i64, device: i64) -> Fallible<()> {
    let sql = "UPDATE refresh_family SET revoked = true
               WHERE tenant_key = $2 AND family IN (SELECT family FROM family_device WHERE device_key = $1)";
    client.execute(sql, &[&device, &tenant]).await?;
    Ok(())
}

async fn revoke_family(client: &impl GenericClient, family: i64) -> Fallible<()> {
    client.execute("UPDATE refresh_family SET revoked = true WHERE family = $1", &[&family]).await?;
    Ok(())
}

async fn prune(client: &impl GenericClient, now: Timestamp) -> Fallible<()> {
    let sql = "DELETE FROM refresh_family WHERE family IN (
                   SELECT family FROM refresh_family WHERE expires <= $1 ORDER BY expires LIMIT $2
                   FOR UPDATE SKIP LOCKED)";
    client.execute(sql, &[&now.unix_ms(), &PRUNE_FAMILIES]).await?;
    Ok(())
}
