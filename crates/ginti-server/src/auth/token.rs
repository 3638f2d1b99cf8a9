//! Access tokens: HS256 JWTs that carry who, which tenant, which role and which facilities.
//!
//! The claims are all a request needs, so no database is read to authorise one. The price: a change of role or
//! facilities takes effect when the token is renewed ([`crate::Config::access_token_seconds`]).

use std::{collections::HashSet, fmt};

use ginti_desk::TOKEN_KEY;
use ginti_store::{Access, Role, Store, StoreError, User};
use ginti_types::{FacilityId, TenantId, Timestamp, UserLoginId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::algorithms;

const ISSUER: &str = "ginti";
const AUDIENCE: &str = "ginti-api";
/// RFC 9068's type for access tokens: no other kind of token passes for one.
const TYPE: &str = "at+jwt";

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// It is no access token of this server.
    #[error("the token is not valid")]
    Invalid,
}

/// What signs and checks access tokens.
pub struct TokenKeys {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
}

impl TokenKeys {
    /// From a secret of at least 32 bytes.
    pub fn new(secret: &[u8]) -> Self {
        algorithms::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.required_spec_claims = HashSet::from(["iss", "aud", "exp", "sub"].map(str::to_owned));
        // Expiry is compared with the server's own injected clock, below.
        validation.validate_exp = false;
        Self { signing: EncodingKey::from_secret(secret), checking: DecodingKey::from_secret(secret), validation }
    }

    /// The database's own key, made from `fresh` at the first start.
    pub async fn from_store(store: &dyn Store, fresh: [u8; 32]) -> Result<Self, StoreError> {
        Ok(Self::new(&store.secret(TOKEN_KEY, &fresh).await?))
    }

    /// A token for that user, good for `seconds` from `now`.
    pub fn issue(&self, user: &User, now: Timestamp, seconds: u32) -> String {
        let issued = now.unix_ms() / 1_000;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.clone(),
            tenant: user.tenant.clone(),
            role: user.role.as_str().to_owned(),
            facilities: user.facilities.clone(),
            iat: issued,
            nbf: None,
            exp: issued + i64::from(seconds),
        };
        let header = Header { typ: Some(TYPE.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &self.signing).expect("claims are always JSON and the key is an HMAC key")
    }

    /// What a token allows, if it is one of ours and still good at `now`.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Result<Granted, TokenError> {
        let data = decode::<Claims>(token, &self.checking, &self.validation).map_err(|_| TokenError::Invalid)?;
        if data.header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Invalid);
        }
        let claims = data.claims;
        let role = Role::from_name(&claims.role).ok_or(TokenError::Invalid)?;
        if now.unix_ms() / 1_000 >= claims.exp {
            return Err(TokenError::Expired);
        }
        if claims.nbf.is_some_and(|from| now.unix_ms() / 1_000 < from) {
            return Err(TokenError::Invalid);
        }
        Ok(Granted { access: Access { tenant: claims.tenant, user: claims.sub, facilities: claims.facilities }, role })
    }
}

impl TokenKeys {
    /// A signed text that only this server makes and reads. `kind` tells it from others; access tokens have another one.
    pub(crate) fn seal<T: Serialize>(&self, kind: &'static str, what: &T) -> String {
        let header = Header { typ: Some(kind.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, what, &self.signing).expect("it is always JSON and the key is an HMAC key")
    }

    /// What was sealed as that kind; none if it was not, or not by this server. How long it is good is for the caller to say.
    pub(crate) fn unseal<T: DeserializeOwned>(&self, kind: &'static str, text: &str) -> Option<T> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims = HashSet::new();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let data = decode::<T>(text, &self.checking, &validation).ok()?;
        (data.header.typ.as_deref() == Some(kind)).then_some(data.claims)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKeys")
    }
}

/// What a good token says.
pub(crate) struct Granted {
    pub(crate) access: Access,
    pub(crate) role: Role,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserLoginId,
    tenant: TenantId,
    role: String,
    /// Null: all of the tenant's.
    facilities: Option<Vec<FacilityId>>,
    iat: i64,
    /// Never issued; honoured all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    exp: i64,
}
