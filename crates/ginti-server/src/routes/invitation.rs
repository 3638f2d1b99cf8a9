//! `/auth/invitation`: an invited person chooses a password.

use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ginti_desk::{AcceptInvitation, Desk, FindInvitation, Invited};
use ginti_types::{Code, UserLoginId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{desk::users::hash_of_new, openapi::BodyErrors};
use crate::{
    Deps,
    auth::SameOrigin,
    problem::{Answer, ProblemResponse},
    request, schema,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcceptInvitation)]
pub(super) struct AcceptDto {
    /// What stands behind the `#` of the link.
    #[schema(value_type = schema::Plain)]
    secret: String,
    /// At least 8 characters, and one that withstands a million guesses.
    #[schema(format = Password, min_length = 8, max_length = 200)]
    password: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InvitationAccepted)]
pub(super) struct AcceptedDto {
    /// To sign in with at /auth/login.
    #[schema(value_type = schema::Id)]
    user_login_id: UserLoginId,
}

/// Choose a password with an invitation
///
/// This uses the invitation up. A password that is refused does not.
#[utoipa::path(
    post,
    path = "/auth/invitation",
    operation_id = "acceptInvitation",
    tag = "auth",
    request_body = AcceptDto,
    responses(
        (status = 200, body = AcceptedDto, description = "The password is set; sign in with it."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-allowed`: asked for by another site's page."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: there is no such invitation, or it was withdrawn."),
        (status = 409, body = schema::Problem, content_type = "application/problem+json",
            description = "`status-not-allowed`: it was used before, or its time is over."),
        BodyErrors,
        (status = 503, body = schema::Problem, content_type = "application/problem+json",
            description = "`busy`, `draining`, `storage-unavailable`: come back after `Retry-After`."),
    )
)]
pub(super) async fn accept(
    State(deps): State<Deps>,
    _: SameOrigin,
    request::Json(given): request::Json<AcceptDto>,
) -> Answer<Json<AcceptedDto>> {
    super::auth::refuse_while_draining(&deps)?;
    let desk = Desk::new(deps.store.clone());
    let secret = URL_SAFE_NO_PAD.decode(given.secret.trim()).unwrap_or_default();
    let hash: [u8; 32] = Sha256::digest(secret).into();
    // Looked up first: a password is hashed, which is slow on purpose, only for whoever knows a secret.
    let user = match desk.run(FindInvitation { hash, now: deps.now() }).await? {
        Invited::Open(user) => user,
        Invited::Used => return Err(used()),
        Invited::Expired => {
            let detail = "This invitation was good for 7 days, which are over. Ask your admin for a new one.";
            return Err(ProblemResponse::new(Code::StatusNotAllowed, detail));
        }
        Invited::Unknown => {
            let detail =
                "There is no such invitation, or it was withdrawn. Check the link, or ask your admin for a new one.";
            return Err(ProblemResponse::new(Code::NotFound, detail));
        }
    };
    let password_hash = hash_of_new(given.password, &user).await?;
    if desk.run(AcceptInvitation { hash, password_hash, now: deps.now() }).await? {
        return Ok(Json(AcceptedDto { user_login_id: user }));
    }
    Err(used())
}

fn used() -> ProblemResponse {
    let detail =
        "This invitation was used before. Sign in with the password that was chosen, or ask your admin for a new one.";
    ProblemResponse::new(Code::StatusNotAllowed, detail)
}
