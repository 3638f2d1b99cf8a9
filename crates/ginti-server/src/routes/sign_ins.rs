//! `/auth/sign-ins`: where a person is signed in, and ending one of these sign-ins, giving the password.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ginti_desk::{Desk, EndSignIn, ListSignIns, SignIn};
use ginti_types::{Code, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth,
    openapi::{PasswordErrors, SignedInErrors},
    password::{refuse_programs, shown},
};
use crate::{
    Deps,
    auth::{Attempt, Attempts, Caller, ClientAddress, Place, RefreshCookie, RefreshToken, SameOrigin},
    problem::{Answer, ProblemResponse},
    request::{self, Segments},
    schema,
};

/// A sign-in that lasts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignIn)]
pub(super) struct SignInDto {
    sign_in_id: i64,
    /// The device that it is on; null: a program, or a browser that nobody counted with.
    #[schema(value_type = Option<schema::Id>)]
    device_id: Option<String>,
    /// What that device last said of itself: version, browser, language.
    #[schema(value_type = Option<Object>)]
    details: Option<serde_json::Value>,
    #[schema(value_type = schema::Time)]
    signed_in_date: Timestamp,
    /// When it was last renewed: in use, every few minutes; null: never yet.
    #[schema(value_type = Option<schema::Time>)]
    renewed_date: Option<Timestamp>,
    /// The one whose refresh cookie came with the request.
    is_here: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SignInList)]
pub(super) struct SignInsDto {
    items: Vec<SignInDto>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SignInEnd)]
pub(super) struct EndDto {
    /// Yours.
    #[schema(format = Password, pattern = r"^[^\x00]*$")]
    current_password: String,
}

/// List your sign-ins
///
/// The newest first. Each ends by itself thirty days after it began.
#[utoipa::path(
    get,
    path = "/auth/sign-ins",
    operation_id = "listSignIns",
    tag = "auth",
    responses(
        (status = 200, body = SignInsDto, description = "All that last."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-allowed`: asked for by a program."),
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn list(State(deps): State<Deps>, caller: Caller, headers: HeaderMap) -> Answer<Json<SignInsDto>> {
    refuse_programs(&caller)?;
    let here = RefreshCookie::read(&headers).as_ref().map(RefreshToken::hash);
    let list = ListSignIns { access: caller.access, here, now: deps.now() };
    let lasts_ms = deps.config.refresh_family_ms;
    let dto = |SignIn { id, device, details, renewed, expires, is_here }| SignInDto {
        sign_in_id: id,
        device_id: device,
        details,
        signed_in_date: Timestamp::from_unix_ms(expires.unix_ms() - lasts_ms),
        renewed_date: renewed,
        is_here,
    };
    let found = Desk::new(deps.store.clone()).run(list).await?;
    Ok(Json(SignInsDto { items: found.into_iter().map(dto).collect() }))
}

/// End one of your sign-ins
///
/// What was counted there and has not been sent stays there, and is sent once somebody signs in. Nothing else of you ends. Wrong
/// passwords count as wrong ones at /auth/login do, per name and per address.
#[utoipa::path(
    post,
    path = "/auth/sign-ins/{signInId}/end",
    operation_id = "endSignIn",
    tag = "auth",
    params(("signInId" = i64, Path, description = "Which.")),
    request_body = EndDto,
    responses(
        (status = 204, description = "It is good for nothing any more; an access token it gave lasts for a few minutes yet."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: you have no sign-in of that number that lasts."),
        PasswordErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn end(
    State(deps): State<Deps>,
    _: SameOrigin,
    caller: Caller,
    Extension(attempts): Extension<Attempts>,
    ClientAddress(address): ClientAddress,
    Segments(id): Segments<i64>,
    request::Json(given): request::Json<EndDto>,
) -> Answer<Response> {
    auth::refuse_while_draining(&deps)?;
    refuse_programs(&caller)?;
    let attempt = attempts.take(caller.access.user.as_str(), address, deps.now());
    let answer = match attempt.wait_seconds {
        None => try_it(&deps, caller, id, &given, &attempt).await,
        Some(seconds) => Err(auth::too_many(seconds)),
    };
    Place { device: None, address }.sign_in_ended(answer.as_ref().err().map(ProblemResponse::code));
    let mut response = answer.map(|()| StatusCode::NO_CONTENT).into_response();
    attempt.write(response.headers_mut());
    Ok(response)
}

async fn try_it(deps: &Deps, caller: Caller, id: i64, given: &EndDto, attempt: &Attempt) -> Answer<()> {
    shown(deps, &caller, &given.current_password, attempt).await?;
    let end = EndSignIn { access: caller.access, id, now: deps.now() };
    let none = || ProblemResponse::new(Code::NotFound, "You have no sign-in of that number any more.");
    if Desk::new(deps.store.clone()).run(end).await? { Ok(()) } else { Err(none()) }
}
