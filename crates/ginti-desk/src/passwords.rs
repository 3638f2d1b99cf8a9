//! A person changes the own password: the sign-ins made with the old one end, but for the one it is done from.

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, StoreError};
use ginti_types::Timestamp;
use serde_json::json;

use crate::{Op, audit, scope::tenant_key};

/// Sets another password in the place of one that was shown to be known. False, and nothing is changed: the account is gone, is
/// disabled, or has another password by now.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// Whose.
    pub access: Access,
    /// PHC string of the one that was shown to be known.
    pub from: String,
    /// PHC string of the one that holds from now on.
    pub to: String,
    /// SHA-256 of a refresh token of the sign-in that lasts, if it is this person's.
    pub keep: Option<[u8; 32]>,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for ChangePassword {
    type Out = bool;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let user = self.access.user.as_str();
        // The account first, which is then held: a sign-in that begins meanwhile with the old password waits, and finds another one.
        let text = "UPDATE account SET password_hash = ?4
                    WHERE tenant_key = ?1 AND user_login_id = ?2 AND password_hash = ?3 AND disabled IS NULL";
        let values = vec![tenant.into(), user.into(), self.from.as_str().into(), self.to.as_str().into()];
        if sql.execute(text, values).await? == 0 {
            return Ok(false);
        }
        let text = "UPDATE refresh_family SET revoked = true WHERE tenant_key = ?1 AND user_login_id = ?2
                        AND family NOT IN (SELECT family FROM refresh_token WHERE hash = ?3)";
        let keep = self.keep.as_ref().map(|hash| &hash[..]);
        sql.execute(text, vec![tenant.into(), user.into(), keep.into()]).await?;
        audit::note(sql, tenant, (self.now, user), "password-changed", user, &json!({})).await?;
        Ok(true)
    }
}
