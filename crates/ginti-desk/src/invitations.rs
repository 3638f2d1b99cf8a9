//! Invitations: an account is made with a password that nobody knows, and its person chooses one with a secret that works once.
//!
//! An invitation is open for as long as the account's password hash is the placeholder it was made with; so a password set in
//! any other way voids it.

use async_trait::async_trait;
use ginti_store::{Access, Role, Scope, Sql, StoreError, unexpected};
use ginti_types::{TenantId, Timestamp, UserLoginId};
use serde_json::{Value as Json, json};

use crate::{Op, audit, scope::tenant_key};

/// Invitations that wait for their person, whether in time or not.
const OPEN: &str = "invitation JOIN account ON account.tenant_key = invitation.tenant_key
        AND account.user_login_id = invitation.user_login_id AND account.password_hash = invitation.placeholder
        AND invitation.used IS NULL AND invitation.withdrawn IS NULL";

/// Writes an invitation down. It is open once the account has the placeholder for its password hash.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Who.
    pub access: Access,
    /// The sign-in name.
    pub user: UserLoginId,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// A password hash that no password belongs to.
    pub placeholder: String,
    /// Until when it can be used.
    pub expires: Timestamp,
    /// The particulars, for the log.
    pub details: Json,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for Invite {
    /// Its number; none if the sign-in name is somebody's who is no longer, or never was, invited by this tenant.
    type Out = Option<i64>;
    const WRITES: bool = true;

    /// Sign-in names are one space for all tenants: a name that another one uses is taken.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<i64>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let user = self.user.as_str();
        let has_account = sql.query("SELECT 1 FROM account WHERE user_login_id = ?1", vec![user.into()]).await?;
        let text = format!("SELECT 1 FROM {OPEN} WHERE invitation.tenant_key = ?1 AND invitation.user_login_id = ?2");
        let is_invited = !sql.query(&text, vec![tenant.into(), user.into()]).await?.is_empty();
        if !has_account.is_empty() && !is_invited {
            return Ok(None);
        }
        // A new one takes the place of what was sent before.
        let text = "UPDATE invitation SET withdrawn = ?3
                    WHERE tenant_key = ?1 AND user_login_id = ?2 AND used IS NULL AND withdrawn IS NULL";
        sql.execute(text, vec![tenant.into(), user.into(), self.now.unix_ms().into()]).await?;
        let text = "INSERT INTO invitation (tenant_key, user_login_id, hash, placeholder, created, created_by, expires)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING invitation_key";
        let values = vec![
            tenant.into(),
            user.into(),
            self.hash.as_slice().into(),
            self.placeholder.as_str().into(),
            self.now.unix_ms().into(),
            self.access.user.as_str().into(),
            self.expires.unix_ms().into(),
        ];
        let rows = sql.query(text, values).await?;
        let id = rows.first().ok_or_else(|| unexpected("no number for an invitation"))?.int(0)?;
        audit::note(sql, tenant, (self.now, self.access.user.as_str()), "user-invited", user, &self.details).await?;
        Ok(Some(id))
    }
}

/// An invitation that waits for its person.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its number.
    pub id: i64,
    /// The sign-in name.
    pub user: UserLoginId,
    /// What people call the person.
    pub name: String,
    /// What the person will be allowed to do.
    pub role: Role,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Until when it can be used; it may be past.
    pub expires: Timestamp,
}

/// Lists the open invitations, newest first; those whose time is over too, so that they can be renewed.
#[derive(Clone, Debug)]
pub struct ListInvitations {
    /// Who asks.
    pub access: Access,
}

#[async_trait]
impl Op for ListInvitations {
    type Out = Vec<Invitation>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<Invitation>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = format!(
            "SELECT invitation_key, invitation.user_login_id, name, role, created, created_by, expires
             FROM {OPEN} WHERE invitation.tenant_key = ?1 ORDER BY invitation_key DESC"
        );
        let mut found = Vec::new();
        for row in sql.query(&text, vec![tenant.into()]).await? {
            let role = row.text(3)?;
            found.push(Invitation {
                id: row.int(0)?,
                user: UserLoginId::new(row.text(1)?).map_err(unexpected)?,
                name: row.text(2)?.to_owned(),
                role: Role::from_name(role).ok_or_else(|| unexpected(role))?,
                created: Timestamp::from_unix_ms(row.int(4)?),
                created_by: row.text(5)?.to_owned(),
                expires: Timestamp::from_unix_ms(row.int(6)?),
            });
        }
        Ok(found)
    }
}

/// Takes an open invitation back, and the account with it. False: there is none of that number.
#[derive(Clone, Debug)]
pub struct WithdrawInvitation {
    /// Who.
    pub access: Access,
    /// Its number.
    pub id: i64,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for WithdrawInvitation {
    type Out = bool;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = format!(
            "SELECT invitation.user_login_id, placeholder FROM {OPEN}
             WHERE invitation.tenant_key = ?1 AND invitation_key = ?2"
        );
        let found = sql.query(&text, vec![tenant.into(), self.id.into()]).await?;
        let Some(row) = found.first() else { return Ok(false) };
        let user = row.text(0)?;
        // Only while nobody has chosen a password for it.
        let text = "DELETE FROM account WHERE tenant_key = ?1 AND user_login_id = ?2 AND password_hash = ?3";
        if sql.execute(text, vec![tenant.into(), user.into(), row.text(1)?.into()]).await? == 0 {
            return Ok(false);
        }
        let text = "UPDATE invitation SET withdrawn = ?2 WHERE invitation_key = ?1";
        sql.execute(text, vec![self.id.into(), self.now.unix_ms().into()]).await?;
        let by = (self.now, self.access.user.as_str());
        audit::note(sql, tenant, by, "invitation-withdrawn", user, &json!({})).await?;
        Ok(true)
    }
}

/// What a secret is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invited {
    /// To choose the password of this sign-in name.
    Open(UserLoginId),
    /// Nothing any more: a password was chosen with it.
    Used,
    /// Nothing any more: its time is over.
    Expired,
    /// Nothing: never made, taken back, or overtaken by a password that was set otherwise.
    Unknown,
}

/// Asks what a secret is good for.
#[derive(Clone, Debug)]
pub struct FindInvitation {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for FindInvitation {
    type Out = Invited;
    const WRITES: bool = false;

    /// The secret says whose it is.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Invited, StoreError> {
        let hash = || self.hash.as_slice().into();
        let used = sql.query("SELECT 1 FROM invitation WHERE hash = ?1 AND used IS NOT NULL", vec![hash()]).await?;
        if !used.is_empty() {
            return Ok(Invited::Used);
        }
        let text = format!("SELECT invitation.user_login_id, expires FROM {OPEN} WHERE hash = ?1");
        match sql.query(&text, vec![hash()]).await?.first() {
            None => Ok(Invited::Unknown),
            Some(row) if row.int(1)? <= self.now.unix_ms() => Ok(Invited::Expired),
            Some(row) => Ok(Invited::Open(UserLoginId::new(row.text(0)?).map_err(unexpected)?)),
        }
    }
}

/// Sets the password and uses the invitation up. False: it was not open any more.
#[derive(Clone, Debug)]
pub struct AcceptInvitation {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// PHC string of the password that was chosen.
    pub password_hash: String,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for AcceptInvitation {
    type Out = bool;
    const WRITES: bool = true;

    /// The secret says whose it is.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let now = self.now.unix_ms();
        let text = "UPDATE invitation SET used = ?2
                    WHERE hash = ?1 AND used IS NULL AND withdrawn IS NULL AND expires > ?2
                        AND EXISTS (SELECT 1 FROM account WHERE account.tenant_key = invitation.tenant_key
                            AND account.user_login_id = invitation.user_login_id
                            AND account.password_hash = invitation.placeholder)
                    RETURNING tenant_key, user_login_id, placeholder";
        let found = sql.query(text, vec![self.hash.as_slice().into(), now.into()]).await?;
        let Some(row) = found.first() else { return Ok(false) };
        let (tenant, user) = (row.int(0)?, row.text(1)?);
        let text = "UPDATE account SET password_hash = ?4
                    WHERE tenant_key = ?1 AND user_login_id = ?2 AND password_hash = ?3";
        let values = vec![tenant.into(), user.into(), row.text(2)?.into(), self.password_hash.as_str().into()];
        if sql.execute(text, values).await? == 0 {
            // A password was set in this very moment: that one stays.
            return Ok(false);
        }
        audit::note(sql, tenant, (self.now, user), "invitation-accepted", user, &json!({})).await?;
        Ok(true)
    }
}

/// Whether somebody was invited and has not chosen a password yet.
#[derive(Clone, Debug)]
pub struct IsOnlyInvited {
    /// The tenant.
    pub tenant: TenantId,
    /// The sign-in name.
    pub user: UserLoginId,
}

#[async_trait]
impl Op for IsOnlyInvited {
    type Out = bool;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let tenant = tenant_key(sql, &self.tenant).await?;
        let text = format!("SELECT 1 FROM {OPEN} WHERE invitation.tenant_key = ?1 AND invitation.user_login_id = ?2");
        Ok(!sql.query(&text, vec![tenant.into(), self.user.as_str().into()]).await?.is_empty())
    }
}
