//! A person's own sign-ins: where they are, and ending one, on a phone that was lost as on a till that is in other hands.

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, StoreError, unexpected};
use ginti_types::Timestamp;
use serde_json::{Value as Json, json};

use crate::{Op, audit, scope::tenant_key};

/// A sign-in that lasts.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Its number.
    pub id: i64,
    /// The device that holds it, if it said who it is.
    pub device: Option<String>,
    /// What that device last said of itself.
    pub details: Option<Json>,
    /// When it was last renewed.
    pub renewed: Option<Timestamp>,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// The one that is asked from.
    pub is_here: bool,
}

/// Lists the sign-ins of whoever asks, those that end last first.
#[derive(Clone, Debug)]
pub struct ListSignIns {
    /// Who asks.
    pub access: Access,
    /// SHA-256 of the refresh token that is asked with.
    pub here: Option<[u8; 32]>,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for ListSignIns {
    type Out = Vec<SignIn>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<SignIn>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        // A device that gave up an id for another one holds it by both: the newer one counts.
        let text = "SELECT family, expires,
                 (SELECT max(used) FROM refresh_token WHERE refresh_token.family = refresh_family.family),
                 device_id, details,
                 CAST(family IN (SELECT family FROM refresh_token WHERE hash = ?4) AS integer)
             FROM refresh_family
             LEFT JOIN device ON device.device_key = (
                 SELECT holder.device_key FROM family_device JOIN device AS holder ON holder.device_key = family_device.device_key
                 WHERE family_device.family = refresh_family.family ORDER BY holder.last_seen DESC, holder.device_key DESC LIMIT 1)
             LEFT JOIN device_report ON device_report.device_key = device.device_key
             WHERE refresh_family.tenant_key = ?1 AND user_login_id = ?2 AND NOT refresh_family.revoked AND expires > ?3
             ORDER BY expires DESC, family DESC";
        let here = self.here.as_ref().map(|hash| &hash[..]);
        let values = vec![tenant.into(), self.access.user.as_str().into(), self.now.unix_ms().into(), here.into()];
        let mut found = Vec::new();
        for row in &sql.query(text, values).await? {
            found.push(SignIn {
                id: row.int(0)?,
                expires: Timestamp::from_unix_ms(row.int(1)?),
                renewed: row.maybe_int(2)?.map(Timestamp::from_unix_ms),
                device: row.maybe_text(3)?.map(str::to_owned),
                details: row.maybe_text(4)?.map(serde_json::from_str).transpose().map_err(unexpected)?,
                is_here: row.bool(5)?,
            });
        }
        Ok(found)
    }
}

/// Ends one of the sign-ins of whoever asks. False: there is none of that number that lasts.
#[derive(Clone, Debug)]
pub struct EndSignIn {
    /// Who asks.
    pub access: Access,
    /// Which.
    pub id: i64,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for EndSignIn {
    type Out = bool;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let user = self.access.user.as_str();
        let text = "UPDATE refresh_family SET revoked = true
                    WHERE family = ?3 AND tenant_key = ?1 AND user_login_id = ?2 AND NOT revoked AND expires > ?4";
        let values = vec![tenant.into(), user.into(), self.id.into(), self.now.unix_ms().into()];
        if sql.execute(text, values).await? == 0 {
            return Ok(false);
        }
        audit::note(sql, tenant, (self.now, user), "sign-in-ended", user, &json!({ "signInId": self.id })).await?;
        Ok(true)
    }
}
