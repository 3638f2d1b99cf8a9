//! Accounts that may sign in and such that may not: an admin disables one, which ends its sign-ins, and enables it again.
//!
//! What a person has counted is not touched by it, and what waits on a device neither: it goes out when the person signs in there
//! again, or a colleague does.

use async_trait::async_trait;
use ginti_store::{Scope, Sql, StoreError, unexpected};
use ginti_types::{TenantId, Timestamp, UserLoginId};
use serde_json::json;

use crate::{Op, audit, scope::tenant_key};

/// What stands in the log in the place of a name where the operator did it.
const OPERATOR: &str = "ginti user";

/// Admins who could let somebody in again: enabled, and with a password that somebody knows. Others than ?2 of the tenant ?1.
const OTHER_ADMINS: &str = "SELECT 1 FROM account
    WHERE tenant_key = ?1 AND user_login_id <> ?2 AND role = 'admin' AND disabled IS NULL
        AND NOT EXISTS (SELECT 1 FROM invitation
            WHERE invitation.tenant_key = account.tenant_key AND invitation.user_login_id = account.user_login_id
                AND placeholder = password_hash AND used IS NULL AND withdrawn IS NULL)
    LIMIT 1";

/// Disables an account and ends its sign-ins, or enables it again; its former sign-ins stay ended.
#[derive(Clone, Debug)]
pub struct SetDisabled {
    /// The tenant.
    pub tenant: TenantId,
    /// Who does it; none: the operator, at the command line.
    pub by: Option<UserLoginId>,
    /// Whose account.
    pub user: UserLoginId,
    /// Disabled, or enabled again.
    pub disabled: bool,
    /// The server's clock.
    pub now: Timestamp,
}

/// What became of a [`SetDisabled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledSet {
    /// It is so now.
    Done,
    /// The tenant has nobody of that name.
    NoUser,
    /// Nobody disables the own account.
    Yourself,
    /// Nobody would be left to enable anybody.
    LastAdmin,
}

#[async_trait]
impl Op for SetDisabled {
    type Out = DisabledSet;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<DisabledSet, StoreError> {
        if self.disabled && self.by.as_ref() == Some(&self.user) {
            return Ok(DisabledSet::Yourself);
        }
        let tenant = tenant_key(sql, &self.tenant).await?;
        // One at a time in a tenant: two admins who disable each other do not both succeed.
        sql.execute("UPDATE tenant SET name = name WHERE tenant_key = ?1", vec![tenant.into()]).await?;
        let user = self.user.as_str();
        let text = "SELECT role, disabled FROM account WHERE tenant_key = ?1 AND user_login_id = ?2";
        let found = sql.query(text, vec![tenant.into(), user.into()]).await?;
        let Some(row) = found.first() else { return Ok(DisabledSet::NoUser) };
        if row.maybe_int(1)?.is_some() == self.disabled {
            return Ok(DisabledSet::Done);
        }
        if self.disabled
            && row.text(0)? == "admin"
            && sql.query(OTHER_ADMINS, vec![tenant.into(), user.into()]).await?.is_empty()
        {
            return Ok(DisabledSet::LastAdmin);
        }
        let since = self.disabled.then_some(self.now.unix_ms());
        let text = "UPDATE account SET disabled = ?3 WHERE tenant_key = ?1 AND user_login_id = ?2";
        sql.execute(text, vec![tenant.into(), user.into(), since.into()]).await?;
        if self.disabled {
            let text = "UPDATE refresh_family SET revoked = true WHERE tenant_key = ?1 AND user_login_id = ?2";
            sql.execute(text, vec![tenant.into(), user.into()]).await?;
        }
        let action = if self.disabled { "user-disabled" } else { "user-enabled" };
        let by = self.by.as_ref().map_or(OPERATOR, UserLoginId::as_str);
        audit::note(sql, tenant, (self.now, by), action, user, &json!({})).await?;
        Ok(DisabledSet::Done)
    }
}

/// Lists the accounts that are disabled, by name, each with since when.
#[derive(Clone, Debug)]
pub struct ListDisabled {
    /// The tenant.
    pub tenant: TenantId,
}

#[async_trait]
impl Op for ListDisabled {
    type Out = Vec<(UserLoginId, Timestamp)>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Out, StoreError> {
        let tenant = tenant_key(sql, &self.tenant).await?;
        let text = "SELECT user_login_id, disabled FROM account
                    WHERE tenant_key = ?1 AND disabled IS NOT NULL ORDER BY user_login_id";
        let mut found = Vec::new();
        for row in sql.query(text, vec![tenant.into()]).await? {
            let user = UserLoginId::new(row.text(0)?).map_err(unexpected)?;
            found.push((user, Timestamp::from_unix_ms(row.int(1)?)));
        }
        Ok(found)
    }
}
