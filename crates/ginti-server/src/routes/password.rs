//! `/auth/password`: a person changes the own password, giving the one that holds.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ginti_desk::{ChangePassword, Desk, IsOnlyInvited};
use ginti_store::Login;
use ginti_types::Code;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{auth, desk::users::hash_of_new, openapi::PasswordErrors};
use crate::{
    Deps,
    auth::{
        Attempt, Attempts, Caller, ClientAddress, Place, RefreshCookie, RefreshToken, SameOrigin, account_disabled,
    },
    problem::{Answer, ProblemResponse},
    request,
};

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PasswordChange)]
pub(super) struct ChangeDto {
    /// The one that holds now.
    #[schema(format = Password, pattern = r"^[^\x00]*$")]
    current_password: String,
    /// At least 8 characters, and one that withstands a million guesses.
    #[schema(format = Password, min_length = 8, max_length = 200)]
    new_password: String,
}

/// Change your password
///
/// All your sign-ins end but the one whose refresh cookie comes with the request. Wrong current passwords count as wrong ones at
/// /auth/login do, per name and per address.
#[utoipa::path(
    post,
    path = "/auth/password",
    operation_id = "changePassword",
    tag = "auth",
    request_body = ChangeDto,
    responses(
        (status = 204, description = "Changed."),
        PasswordErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn change(
    State(deps): State<Deps>,
    _: SameOrigin,
    caller: Caller,
    Extension(attempts): Extension<Attempts>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    request::Json(given): request::Json<ChangeDto>,
) -> Answer<Response> {
    auth::refuse_while_draining(&deps)?;
    refuse_programs(&caller)?;
    let attempt = attempts.take(caller.access.user.as_str(), address, deps.now());
    let answer = match attempt.wait_seconds {
        None => try_it(&deps, caller, given, &headers, &attempt).await,
        Some(seconds) => Err(auth::too_many(seconds)),
    };
    Place { device: None, address }.password_change(answer.as_ref().err().map(ProblemResponse::code));
    let mut response = answer.map(|()| StatusCode::NO_CONTENT).into_response();
    attempt.write(response.headers_mut());
    Ok(response)
}

async fn try_it(deps: &Deps, caller: Caller, given: ChangeDto, headers: &HeaderMap, attempt: &Attempt) -> Answer<()> {
    let login = shown(deps, &caller, &given.current_password, attempt).await?;
    let access = caller.access;
    if given.new_password == given.current_password {
        let detail = "The new password is the one you have. Choose another one.";
        return Err(ProblemResponse::new(Code::FieldInvalid, detail));
    }
    let change = ChangePassword {
        from: login.password_hash,
        to: hash_of_new(given.new_password, &access.user).await?,
        keep: RefreshCookie::read(headers).as_ref().map(RefreshToken::hash),
        now: deps.now(),
        access,
    };
    // Somebody else set another one while this one was being looked at.
    if Desk::new(deps.store.clone()).run(change).await? { Ok(()) } else { Err(wrong(deps)) }
}

/// What asks for the own password is for people.
pub(super) fn refuse_programs(caller: &Caller) -> Answer<()> {
    if caller.is_program {
        let detail = "A program with an API token has no password. An admin makes it another token.";
        return Err(ProblemResponse::new(Code::NotAllowed, detail));
    }
    Ok(())
}

/// The caller's account, if the caller knows its password. A wrong one counts as at the front door.
pub(super) async fn shown(deps: &Deps, caller: &Caller, password: &str, attempt: &Attempt) -> Answer<Login> {
    let access = &caller.access;
    let desk = Desk::new(deps.store.clone());
    let login = deps.store.login(&access.user).await.inspect_err(|_| attempt.undone())?;
    let Some(login) = login.filter(|login| login.user.tenant == access.tenant) else {
        attempt.undone();
        return Err(ProblemResponse::new(Code::TokenInvalid, "This user is no more. Sign in again."));
    };
    let invited = IsOnlyInvited { tenant: access.tenant.clone(), user: access.user.clone() };
    if desk.run(invited).await.inspect_err(|_| attempt.undone())? {
        attempt.undone();
        let detail = "You have no password here yet. Choose one with the link of your invitation.";
        return Err(ProblemResponse::new(Code::StatusNotAllowed, detail));
    }
    let matches = deps.passwords.matches(password.to_owned(), Some(login.password_hash.clone())).await;
    if !matches.inspect_err(|_| attempt.undone())? {
        return Err(wrong(deps));
    }
    attempt.succeeded();
    if login.is_disabled { Err(account_disabled()) } else { Ok(login) }
}

fn wrong(deps: &Deps) -> ProblemResponse {
    let detail = if deps.config.oidc.is_some() {
        "The current password is wrong. Whoever signs in with the company's account may have none here: change it there, or ask an \
         admin to set one."
    } else {
        "The current password is wrong. If you do not know it any more, ask an admin to set another one."
    };
    ProblemResponse::new(Code::PasswordWrong, detail)
}
