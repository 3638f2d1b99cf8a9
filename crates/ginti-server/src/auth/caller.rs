//! Extractor: who is calling, from the bearer token alone.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use ginti_store::{Access, Role};
use ginti_types::Code;

use super::{ApiTokens, TokenError};
use crate::{Deps, ProblemResponse};

/// A signed-in person, or a program with a token. The tenant never comes from anywhere else.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Tenant, person and facilities.
    pub access: Access,
    /// What the person may do.
    pub role: Role,
    /// A program with an API token, not a person.
    pub is_program: bool,
}

impl FromRequestParts<Deps> for Caller {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Self::Rejection> {
        let token = bearer(parts)?;
        let is_program = ApiTokens::is_one(token);
        let checked =
            if is_program { deps.api_tokens.check(deps, token).await? } else { deps.tokens.check(token, deps.now()) };
        match checked {
            Ok(granted) => {
                let (tenant, user) = (granted.access.tenant.as_str(), granted.access.user.as_str());
                tracing::record_all!(tracing::Span::current(), tenant = tenant, user = user);
                Ok(Self { access: granted.access, role: granted.role, is_program })
            }
            Err(TokenError::Expired) if is_program => {
                Err(ProblemResponse::new(Code::TokenExpired, "The API token has expired. Ask an admin for a new one."))
            }
            Err(TokenError::Invalid) if is_program => Err(ProblemResponse::new(
                Code::TokenInvalid,
                "There is no such API token, or it was revoked. Ask an admin for a new one.",
            )),
            Err(TokenError::Expired) => Err(ProblemResponse::new(
                Code::TokenExpired,
                "The sign-in has expired. Renew it at /auth/refresh, or sign in again.",
            )),
            Err(TokenError::Invalid) => Err(invalid()),
        }
    }
}

/// A signed-in person who plans and decides.
pub(crate) struct Manager(pub(crate) Caller);

/// A signed-in person who may do everything in the tenant. Looked up with each call, unlike others, so that somebody who was disabled,
/// or is no admin any more, does not undo that with an access token from before.
pub(crate) struct Admin(pub(crate) Caller);

impl FromRequestParts<Deps> for Manager {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, deps).await?;
        if caller.role.decides() {
            return Ok(Self(caller));
        }
        Err(ProblemResponse::new(
            Code::NotAllowed,
            "This is for managers. Ask one, or have an admin give you the role.",
        ))
    }
}

impl FromRequestParts<Deps> for Admin {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, deps).await?;
        let for_admins = || ProblemResponse::new(Code::NotAllowed, "This is for admins. Ask one of yours.");
        if caller.role != Role::Admin {
            return Err(for_admins());
        }
        let login = deps.store.login(&caller.access.user).await?;
        match login.filter(|login| login.user.tenant == caller.access.tenant) {
            Some(login) if login.is_disabled => Err(account_disabled()),
            Some(login) if login.user.role == Role::Admin => Ok(Self(caller)),
            _ => Err(for_admins()),
        }
    }
}

/// Said to whoever has shown to be that person, and to nobody else.
pub(crate) fn account_disabled() -> ProblemResponse {
    let detail = "Your account is disabled. Ask one of your company's admins. What you have counted on this device stays on it until \
                  you are let in again.";
    ProblemResponse::new(Code::AccountDisabled, detail)
}

fn bearer(parts: &Parts) -> Result<&str, ProblemResponse> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
        return Err(ProblemResponse::new(
            Code::TokenMissing,
            "Sign in first: this needs the header \"Authorization: Bearer …\" with a token from /auth/login.",
        ));
    };
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(invalid)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(invalid()) }
}

fn invalid() -> ProblemResponse {
    ProblemResponse::new(Code::TokenInvalid, "The token is not one of this server's. Sign in again at /auth/login.")
}
