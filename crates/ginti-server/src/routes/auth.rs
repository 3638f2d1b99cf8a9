//! `/auth`: sign in, renew, sign out, and who one is.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use ginti_store::{Access, DeviceSeen, Login, NewRefreshToken, RefreshRotation, User};
use ginti_types::{Code, DeviceId, FacilityId, Revision, TenantId, Timestamp, UserLoginId, limits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::openapi::{BodyErrors, SignedInErrors};
use crate::{
    Deps,
    auth::{
        Attempt, Attempts, Caller, ClientAddress, Place, RefreshCookie, RefreshToken, SameOrigin, Way, account_disabled,
    },
    problem::{Answer, ProblemResponse},
    request::{self, OptionalJson},
    schema,
};

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Login)]
pub(super) struct LoginDto {
    #[schema(value_type = schema::Plain, example = "counter")]
    username: String,
    #[schema(format = Password, pattern = r"^[^\x00]*$")]
    password: String,
    /// The device that is signed in on: from now on it may carry this person's counts.
    #[schema(value_type = Option<schema::Id>)]
    device_id: Option<DeviceId>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Refresh)]
pub(super) struct RefreshDto {
    /// The device that is signed in on.
    #[schema(value_type = Option<schema::Id>)]
    device_id: Option<DeviceId>,
    /// The id it had before it had to take a new one.
    #[schema(value_type = Option<schema::Id>)]
    former_device_id: Option<DeviceId>,
    /// The former id's clock ran ahead: from now on, what it stamped in the future is refused for ever.
    #[serde(default)]
    retire_former: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignedIn)]
pub(super) struct SignedInDto {
    /// For `Authorization: Bearer …`.
    access_token: String,
    /// Seconds that the token is good for.
    #[schema(example = 600)]
    expires_in: u32,
    /// The server's clock.
    #[schema(value_type = schema::Time)]
    server_time: Timestamp,
    user: UserDto,
}

/// A person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(super) struct UserDto {
    #[schema(value_type = schema::Id, example = "counter")]
    user_login_id: UserLoginId,
    #[schema(value_type = schema::Id)]
    tenant_id: TenantId,
    name: String,
    /// `counter`, `lead`, `manager` or `admin`.
    #[schema(value_type = schema::Role, example = "counter")]
    role: &'static str,
    /// Where the person works; null: in all of the tenant's facilities.
    #[schema(value_type = Option<Vec<schema::Id>>)]
    facility_ids: Option<Vec<FacilityId>>,
}

impl From<User> for UserDto {
    fn from(user: User) -> Self {
        Self {
            user_login_id: user.id,
            tenant_id: user.tenant,
            name: user.name,
            role: user.role.as_str(),
            facility_ids: user.facilities,
        }
    }
}

/// Sign in
///
/// Sets a refresh cookie (`__Host-ginti-refresh`) that no script can read. The sign-in of the cookie that it overwrites, whoever's that
/// was, ends.
#[utoipa::path(
    post,
    path = "/auth/login",
    operation_id = "login",
    tag = "auth",
    request_body = LoginDto,
    responses(
        (status = 200, body = SignedInDto, description = "Signed in."),
        (status = 401, body = schema::Problem, content_type = "application/problem+json", description = "`credentials-wrong`."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-allowed`: asked for by another site's page. `account-disabled`: the password is right, and an admin has disabled the account."),
        BodyErrors,
        (status = 429, body = schema::Problem, content_type = "application/problem+json",
            description = "`too-many-requests`: too many wrong passwords for this name or from this address. `Retry-After`, `RateLimit` and `RateLimit-Policy` say when to come back."),
        (status = 503, body = schema::Problem, content_type = "application/problem+json",
            description = "`busy`, `draining`, `storage-unavailable`: come back after `Retry-After`."),
    )
)]
pub(super) async fn login(
    State(deps): State<Deps>,
    _: SameOrigin,
    Extension(attempts): Extension<Attempts>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    request::Json(login): request::Json<LoginDto>,
) -> Answer<Response> {
    refuse_while_draining(&deps)?;
    let attempt = attempts.take(&login.username, address, deps.now());
    let place = Place { device: login.device_id.clone(), address };
    let answer = match attempt.wait_seconds {
        None => sign_in(&deps, login, &attempt, &headers, &place).await,
        Some(seconds) => {
            place.sign_in_failed(Code::TooManyRequests, None);
            Err(too_many(seconds))
        }
    };
    let mut response = answer.into_response();
    attempt.write(response.headers_mut());
    Ok(response)
}

/// The tries are used up for so long.
pub(super) fn too_many(seconds: u32) -> ProblemResponse {
    let said = match seconds {
        0..120 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    };
    let detail = format!("There were too many wrong passwords. Try it again in {said}.");
    ProblemResponse::new(Code::TooManyRequests, detail).retry_after(seconds)
}

async fn sign_in(
    deps: &Deps,
    login: LoginDto,
    attempt: &Attempt,
    headers: &HeaderMap,
    place: &Place,
) -> Answer<Response> {
    let known = match UserLoginId::new(login.username) {
        Ok(name) => deps.store.login(&name).await.inspect_err(|_| attempt.undone())?,
        Err(_) => None,
    };
    let hash = known.as_ref().map(|known| known.password_hash.clone());
    let matches = deps.passwords.matches(login.password, hash).await.inspect_err(|_| attempt.undone())?;
    let failed = |code, user| place.sign_in_failed(code, user);
    let Some(Login { user, password_hash, is_disabled }) = known.as_ref().filter(|_| matches).cloned() else {
        failed(Code::CredentialsWrong, known.as_ref().map(|known| &known.user));
        return Err(credentials_wrong());
    };
    attempt.succeeded();
    if is_disabled {
        failed(Code::AccountDisabled, Some(&user));
        return Err(account_disabled());
    }
    let now = deps.now();
    let token = RefreshToken::new(deps.random());
    let expires = Timestamp::from_unix_ms(now.unix_ms() + deps.config.refresh_family_ms);
    let family = NewRefreshToken {
        hash: token.hash(),
        tenant: user.tenant.clone(),
        user: user.id.clone(),
        password_hash: Some(password_hash),
        expires,
        replaces: RefreshCookie::read(headers).as_ref().map(RefreshToken::hash),
    };
    if !deps.store.add_refresh_token(family).await? {
        // Disabled, or given another password, while this one was being checked.
        failed(Code::CredentialsWrong, Some(&user));
        return Err(credentials_wrong());
    }
    let device = RefreshDto { device_id: login.device_id, ..RefreshDto::default() };
    note_device(deps, &user, &token, device, now).await?;
    place.signed_in(Way::Password, &user);
    Ok(signed_in(deps, user, &token, expires, now))
}

fn credentials_wrong() -> ProblemResponse {
    ProblemResponse::new(Code::CredentialsWrong, "The user name or the password is wrong.")
}

/// A new access token from the refresh cookie
///
/// The cookie is exchanged for its successor. For a minute after that the old one works too, because its answer may have
/// been lost; used later, the whole sign-in ends.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    operation_id = "refresh",
    tag = "auth",
    request_body(content = Option<RefreshDto>, description = "May be left out."),
    responses(
        (status = 200, body = SignedInDto, description = "Renewed."),
        (status = 401, body = schema::Problem, content_type = "application/problem+json",
            description = "`refresh-refused`: the cookie is missing, expired, revoked or was used before. Sign in again."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-allowed`: asked for by another site's page."),
        BodyErrors,
        (status = 503, body = schema::Problem, content_type = "application/problem+json",
            description = "`busy`, `draining`, `storage-unavailable`: come back after `Retry-After`."),
    )
)]
pub(super) async fn refresh(
    State(deps): State<Deps>,
    _: SameOrigin,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    OptionalJson(refresh): OptionalJson<RefreshDto>,
) -> Answer<Response> {
    refuse_while_draining(&deps)?;
    let place = Place { device: refresh.device_id.clone(), address };
    let Some(presented) = RefreshCookie::read(&headers) else {
        place.refresh_refused("no-cookie", None);
        return Err(refused("Nobody is signed in here. Sign in first."));
    };
    let (successor, now) = (RefreshToken::new(deps.random()), deps.now());
    let rotation = deps
        .store
        .rotate_refresh_token(&presented.hash(), &successor.hash(), now, deps.config.refresh_grace_ms)
        .await?;
    let (tenant, user, expires) = match rotation {
        RefreshRotation::Rotated { tenant, user, expires } => (tenant, user, expires),
        RefreshRotation::Refused(of) => {
            place.refresh_refused(if of.is_some() { "ended" } else { "unknown" }, of.as_ref());
            return Err(refused("The sign-in has ended. Sign in again."));
        }
        RefreshRotation::Reused(of) => {
            place.refresh_refused("reused", Some(&of));
            return Err(refused("The sign-in was used twice, so it was ended to be safe. Sign in again."));
        }
    };
    let user = deps.store.user(&tenant, &user).await?.ok_or_else(|| refused("This user is no more. Sign in again."))?;
    note_device(&deps, &user, &successor, refresh, now).await?;
    Ok(signed_in(&deps, user, &successor, expires, now))
}

/// Sign out
#[utoipa::path(
    post,
    path = "/auth/logout",
    operation_id = "logout",
    tag = "auth",
    responses(
        (status = 204, description = "Signed out; the cookie is taken away. Access tokens run out by themselves."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-allowed`: asked for by another site's page."),
        BodyErrors,
        (status = 503, body = schema::Problem, content_type = "application/problem+json",
            description = "`busy`, `draining`, `storage-unavailable`: come back after `Retry-After`."),
    )
)]
pub(super) async fn logout(
    State(deps): State<Deps>,
    _: SameOrigin,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    _: OptionalJson<Nothing>,
) -> Answer<impl IntoResponse> {
    if let Some(presented) = RefreshCookie::read(&headers)
        && let Some(of) = deps.store.revoke_refresh_token(&presented.hash()).await?
    {
        Place { device: None, address }.signed_out(&of);
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, RefreshCookie::clear())]))
}

/// Signing out says nothing; a body, if there is one, must still be JSON.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Who you are
///
/// A program with an API token is told the name that it acts under.
#[utoipa::path(
    get,
    path = "/auth/me",
    operation_id = "me",
    tag = "auth",
    responses(
        (status = 200, body = UserDto, description = "As the database has it now."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json",
            description = "`account-disabled`: an admin has disabled the account."),
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn me(State(deps): State<Deps>, caller: Caller) -> Answer<Json<UserDto>> {
    if caller.is_program {
        let Access { tenant: tenant_id, user, facilities: facility_ids } = caller.access;
        let name = user.as_str().to_owned();
        return Ok(Json(UserDto { user_login_id: user, tenant_id, name, role: caller.role.as_str(), facility_ids }));
    }
    let login = deps.store.login(&caller.access.user).await?;
    match login.filter(|login| login.user.tenant == caller.access.tenant) {
        Some(login) if login.is_disabled => Err(account_disabled()),
        Some(login) => Ok(Json(login.user.into())),
        None => Err(ProblemResponse::new(Code::TokenInvalid, "This user is no more. Sign in again.")),
    }
}

pub(super) fn refuse_while_draining(deps: &Deps) -> Answer<()> {
    if deps.drain.has_begun() { Err(ProblemResponse::draining()) } else { Ok(()) }
}

fn refused(detail: &str) -> ProblemResponse {
    ProblemResponse::new(Code::RefreshRefused, detail)
}

/// `token` is what the device holds from now on.
async fn note_device(deps: &Deps, user: &User, token: &RefreshToken, told: RefreshDto, now: Timestamp) -> Answer<()> {
    let Some(device) = told.device_id else { return Ok(()) };
    let bound_ms = i64::try_from(limits::CLOCK_AHEAD_MS_MAX).unwrap_or(i64::MAX);
    let bound = || Revision::last_of_unix_ms(now.unix_ms().saturating_add(bound_ms));
    let seen = DeviceSeen {
        device,
        former: told.former_device_id,
        retire_former_above: told.retire_former.then(bound),
        user: user.id.clone(),
        refresh_token: Some(token.hash()),
        now,
    };
    Ok(deps.store.see_device(&user.tenant, seen).await?)
}

fn signed_in(deps: &Deps, user: User, refresh: &RefreshToken, expires: Timestamp, now: Timestamp) -> Response {
    let seconds = deps.config.access_token_seconds;
    let access_token = deps.tokens.issue(&user, now, seconds);
    let answer = SignedInDto { access_token, expires_in: seconds, server_time: now, user: user.into() };
    let cookie = RefreshCookie::set(refresh, expires.unix_ms() - now.unix_ms());
    ([(header::SET_COOKIE, cookie)], Json(answer)).into_response()
}
