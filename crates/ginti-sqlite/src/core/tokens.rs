//! Refresh tokens: families that rotate, and the devices that hold them. Only hashes are here, never a token.

use ginti_store::{NewRefreshToken, RefreshRotation, SignInOf};
use ginti_types::{TenantId, Timestamp, UserLoginId};
use rusqlite::{OptionalExtension, params};

use super::{
    Core,
    intern::{id, need_tenant},
};
use crate::error::Fallible;

/// Ended families removed with each rotation: more than begin, so that the table stays small.
const PRUNE_FAMILIES: u32 = 8;

struct Presented {
    family: i64,
    used: Option<i64>,
    revoked: bool,
    of: SignInOf,
    expires: Timestamp,
}

impl Core {
    pub(crate) fn add_refresh_token(&mut self, token: &NewRefreshToken) -> Fallible<bool> {
        let tenant = need_tenant(&self.conn, &token.tenant)?;
        let sql = "INSERT INTO refresh_family (tenant_key, user_login_id, expires)
                   SELECT tenant_key, user_login_id, ?3 FROM account
                   WHERE tenant_key = ?1 AND user_login_id = ?2 AND disabled IS NULL AND (?4 IS NULL OR password_hash = ?4)
                   RETURNING family";
        let values = params![tenant, token.user.as_str(), token.expires.unix_ms(), token.password_hash];
        let family = self.conn.prepare_cached(sql)?.query_row(values, |row| row.get::<_, i64>(0)).optional()?;
        let Some(family) = family else { return Ok(false) };
        self.conn.execute("INSERT INTO refresh_token (hash, family) VALUES (?1, ?2)", params![token.hash, family])?;
        if let Some(former) = &token.replaces {
            self.revoke_refresh_token(former)?;
        }
        Ok(true)
    }

    pub(crate) fn rotate_refresh_token(
        &mut self,
        presented: &[u8; 32],
        successor: &[u8; 32],
        now: Timestamp,
        grace_ms: i64,
    ) -> Fallible<RefreshRotation> {
        let found = self.presented(presented)?;
        self.prune_families(now)?;
        let Some(token) = found else { return Ok(RefreshRotation::Refused(None)) };
        if token.revoked || now >= token.expires {
            return Ok(RefreshRotation::Refused(Some(token.of)));
        }
        if token.used.is_some_and(|used| now.unix_ms().saturating_sub(used) > grace_ms) {
            self.revoke_family(token.family)?;
            return Ok(RefreshRotation::Reused(token.of));
        }
        self.conn.execute(
            "UPDATE refresh_token SET used = ?2 WHERE hash = ?1 AND used IS NULL",
            params![presented, now.unix_ms()],
        )?;
        self.conn
            .execute("INSERT INTO refresh_token (hash, family) VALUES (?1, ?2)", params![successor, token.family])?;
        let SignInOf { tenant, user } = token.of;
        Ok(RefreshRotation::Rotated { tenant, user, expires: token.expires })
    }

    pub(crate) fn revoke_refresh_token(&mut self, presented: &[u8; 32]) -> Fallible<Option<SignInOf>> {
        let Some(token) = self.presented(presented)? else { return Ok(None) };
        self.revoke_family(token.family)?;
        Ok(Some(token.of))
    }

    /// Notes that the device, by its key, holds the family of that token.
    pub(super) fn tie_family(&mut self, token: &[u8; 32], device: i64) -> Fallible<()> {
        let sql = "INSERT INTO family_device (device_key, family) SELECT ?1, family FROM refresh_token WHERE hash = ?2
                   ON CONFLICT DO NOTHING";
        self.conn.prepare_cached(sql)?.execute(params![device, token])?;
        Ok(())
    }

    /// Ends the families that the device, by its key, holds.
    pub(super) fn revoke_families_of(&mut self, tenant: i64, device: i64) -> Fallible<()> {
        let sql = "UPDATE refresh_family SET revoked = 1
                   WHERE tenant_key = ?2 AND family IN (SELECT family FROM family_device WHERE device_key = ?1)";
        self.conn.execute(sql, [device, tenant])?;
        Ok(())
    }

    fn presented(&self, hash: &[u8; 32]) -> Fallible<Option<Presented>> {
        let sql = "SELECT family, used, revoked, tenant_id, user_login_id, expires
                   FROM refresh_token JOIN refresh_family USING (family) JOIN tenant USING (tenant_key)
                   WHERE hash = ?1";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![hash])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Presented {
            family: row.get(0)?,
            used: row.get(1)?,
            revoked: row.get(2)?,
            of: SignInOf { tenant: id(row, 3, TenantId::new)?, user: id(row, 4, UserLoginId::new)? },
            expires: Timestamp::from_unix_ms(row.get(5)?),
        }))
    }

    fn revoke_family(&mut self, family: i64) -> Fallible<()> {
        self.conn.execute("UPDATE refresh_family SET revoked = 1 WHERE family = ?1", [family])?;
        Ok(())
    }

    fn prune_families(&mut self, now: Timestamp) -> Fallible<()> {
        let oldest: Option<i64> =
            self.conn.query_row("SELECT min(expires) FROM refresh_family", [], |row| row.get(0)).optional()?.flatten();
        if oldest.is_some_and(|oldest| oldest <= now.unix_ms()) {
            let sql = "DELETE FROM refresh_family WHERE family IN
                           (SELECT family FROM refresh_family WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";
            self.conn.execute(sql, params![now.unix_ms(), PRUNE_FAMILIES])?;
        }
        Ok(())
    }
}
