//! Tokens that programs call with. Only their SHA-256 is kept; each acts under a name of its own, which is nobody else's ever.

use async_trait::async_trait;
use ginti_store::{Access, Facilities, Role, Scope, Sql, SqlRow, StoreError, unexpected};
use ginti_types::{FacilityId, TenantId, Timestamp, UserLoginId};
use serde_json::json;

use crate::{Op, audit, scope::tenant_key};

/// What the sign-in names of tokens begin with. No person's does.
pub const TOKEN_USER_PREFIX: &str = "token:";
/// How many tokens of one name there can have been.
const SAME_NAME_MAX: u32 = 999;
/// A token's last use is written at most so often, in milliseconds.
pub const TOKEN_USE_EVERY_MS: i64 = 60_000;

/// A token, without what it is called with.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// Its number.
    pub id: i64,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// As it stands in attributions and in the audit log.
    pub user: UserLoginId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub facilities: Facilities,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Until when it is good; none for ever.
    pub expires: Option<Timestamp>,
    /// When it was last called with, to the minute.
    pub last_used: Option<Timestamp>,
}

/// The columns of an [`ApiToken`].
const TOKEN: &str =
    "token_key, tenant_id, user_login_id, api_token.name, role, facilities, created, created_by, expires,
    last_used";

fn token(row: &SqlRow) -> Result<ApiToken, StoreError> {
    let time = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(Timestamp::from_unix_ms));
    let role = row.text(4)?;
    let facilities = row.maybe_text(5)?.map(serde_json::from_str::<Vec<FacilityId>>).transpose();
    Ok(ApiToken {
        id: row.int(0)?,
        tenant: TenantId::new(row.text(1)?).map_err(unexpected)?,
        user: UserLoginId::new(row.text(2)?).map_err(unexpected)?,
        name: row.text(3)?.to_owned(),
        role: Role::from_name(role).ok_or_else(|| unexpected(role))?,
        facilities: facilities.map_err(unexpected)?,
        created: Timestamp::from_unix_ms(row.int(6)?),
        created_by: row.text(7)?.to_owned(),
        expires: time(8)?,
        last_used: time(9)?,
    })
}

/// Makes a token.
#[derive(Clone, Debug)]
pub struct MakeApiToken {
    /// Who.
    pub access: Access,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub facilities: Facilities,
    /// SHA-256 of what it is called with.
    pub hash: [u8; 32],
    /// Until when it is good; none for ever.
    pub expires: Option<Timestamp>,
    /// The server's clock.
    pub now: Timestamp,
}

/// What became of a [`MakeApiToken`].
#[derive(Clone, Debug)]
pub enum TokenMade {
    /// It is there.
    Made(ApiToken),
    /// There is no store of that id.
    NoFacility(FacilityId),
    /// The name, with its numbers, is used up.
    NameUsedUp,
}

#[async_trait]
impl Op for MakeApiToken {
    type Out = TokenMade;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<TokenMade, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        for facility in self.facilities.iter().flatten() {
            let text = "SELECT 1 FROM facility WHERE tenant_key = ?1 AND facility_id = ?2";
            if sql.query(text, vec![tenant.into(), facility.as_str().into()]).await?.is_empty() {
                return Ok(TokenMade::NoFacility(facility.clone()));
            }
        }
        let facilities = self.facilities.as_ref().map(|all| json!(all).to_string());
        for number in 1..=SAME_NAME_MAX {
            let Some(user) = user_of(&self.name, number) else { break };
            let text = "SELECT 1 FROM account WHERE tenant_key = ?1 AND user_login_id = ?2";
            if !sql.query(text, vec![tenant.into(), user.as_str().into()]).await?.is_empty() {
                continue;
            }
            let text = "INSERT INTO api_token
                            (tenant_key, user_login_id, name, role, facilities, hash, created, created_by, expires)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                        ON CONFLICT (tenant_key, user_login_id) DO NOTHING RETURNING token_key";
            let values = vec![
                tenant.into(),
                user.as_str().into(),
                self.name.as_str().into(),
                self.role.as_str().into(),
                facilities.clone().into(),
                self.hash.as_slice().into(),
                self.now.unix_ms().into(),
                self.access.user.as_str().into(),
                self.expires.map(Timestamp::unix_ms).into(),
            ];
            let Some(row) = sql.query(text, values).await?.into_iter().next() else { continue };
            let details =
                json!({ "role": self.role.as_str(), "facilityIds": self.facilities, "expiresAt": self.expires });
            let by = (self.now, self.access.user.as_str());
            audit::note(sql, tenant, by, "api-token-made", user.as_str(), &details).await?;
            return Ok(TokenMade::Made(ApiToken {
                id: row.int(0)?,
                tenant: self.access.tenant.clone(),
                user,
                name: self.name.clone(),
                role: self.role,
                facilities: self.facilities.clone(),
                created: self.now,
                created_by: self.access.user.as_str().to_owned(),
                expires: self.expires,
                last_used: None,
            }));
        }
        Ok(TokenMade::NameUsedUp)
    }
}

/// The name that the n-th token of a name acts under; none if it would be too long.
fn user_of(name: &str, number: u32) -> Option<UserLoginId> {
    let user =
        if number == 1 { format!("{TOKEN_USER_PREFIX}{name}") } else { format!("{TOKEN_USER_PREFIX}{name}-{number}") };
    UserLoginId::new(user).ok()
}

/// Lists the tokens that were not revoked, oldest first.
#[derive(Clone, Debug)]
pub struct ListApiTokens {
    /// Who asks.
    pub access: Access,
}

#[async_trait]
impl Op for ListApiTokens {
    type Out = Vec<ApiToken>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<ApiToken>, StoreError> {
        let text = format!(
            "SELECT {TOKEN} FROM api_token JOIN tenant USING (tenant_key)
             WHERE tenant_id = ?1 AND revoked IS NULL ORDER BY token_key"
        );
        sql.query(&text, vec![self.access.tenant.as_str().into()]).await?.iter().map(token).collect()
    }
}

/// Ends a token. False: there is none of that number.
#[derive(Clone, Debug)]
pub struct RevokeApiToken {
    /// Who.
    pub access: Access,
    /// Its number.
    pub id: i64,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for RevokeApiToken {
    type Out = bool;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = "UPDATE api_token SET revoked = ?3 WHERE token_key = ?1 AND tenant_key = ?2 AND revoked IS NULL
                    RETURNING user_login_id";
        let values = vec![self.id.into(), tenant.into(), self.now.unix_ms().into()];
        let Some(row) = sql.query(text, values).await?.into_iter().next() else { return Ok(false) };
        let by = (self.now, self.access.user.as_str());
        audit::note(sql, tenant, by, "api-token-revoked", row.text(0)?, &json!({})).await?;
        Ok(true)
    }
}

/// The token of that hash, unless it was revoked.
#[derive(Clone, Debug)]
pub struct FindApiToken {
    /// SHA-256 of what was called with.
    pub hash: [u8; 32],
}

#[async_trait]
impl Op for FindApiToken {
    type Out = Option<ApiToken>;
    const WRITES: bool = false;

    /// The token says whose it is.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<ApiToken>, StoreError> {
        let text =
            format!("SELECT {TOKEN} FROM api_token JOIN tenant USING (tenant_key) WHERE hash = ?1 AND revoked IS NULL");
        sql.query(&text, vec![self.hash.as_slice().into()]).await?.first().map(token).transpose()
    }
}

/// Notes that a token was called with, unless that was noted a moment ago.
#[derive(Clone, Debug)]
pub struct NoteTokenUse {
    /// Its number.
    pub id: i64,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for NoteTokenUse {
    type Out = ();
    const WRITES: bool = true;

    /// The number alone says which token was shown.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let text = "UPDATE api_token SET last_used = ?2
                    WHERE token_key = ?1 AND (last_used IS NULL OR last_used <= ?3)";
        let now = self.now.unix_ms();
        sql.execute(text, vec![self.id.into(), now.into(), (now - TOKEN_USE_EVERY_MS).into()]).await.map(drop)
    }
}
