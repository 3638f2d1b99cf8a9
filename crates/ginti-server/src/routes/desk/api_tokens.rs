//! API tokens: what programs call with in the place of a sign-in.

use axum::{Json, extract::State, http::StatusCode};
use ginti_desk::{ApiToken, ListApiTokens, MakeApiToken, RevokeApiToken, TokenMade};
use ginti_store::Role;
use ginti_types::{Code, FacilityId, Timestamp, UserLoginId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{run, text};
use crate::{
    Deps,
    auth::{Admin, ApiTokenText},
    problem::{Answer, ProblemResponse},
    request::{self, Segments},
    routes::openapi::ManagerErrors,
    schema,
};

/// A token's name has to fit into a sign-in name.
const NAME_CHARS_MAX: usize = 30;

/// A token, without the secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiToken)]
pub(crate) struct ApiTokenDto {
    api_token_id: i64,
    name: String,
    /// The name that stands in attributions and in the audit log for what is done with it: `token:` and its own, and a number if
    /// there was one of that name before.
    #[schema(value_type = schema::Id, example = "token:erp")]
    user_login_id: UserLoginId,
    /// `counter`, `lead` or `manager`.
    #[schema(value_type = schema::TokenRole, example = "manager")]
    role: &'static str,
    /// Null: every store.
    #[schema(value_type = Option<Vec<schema::Id>>)]
    facility_ids: Option<Vec<FacilityId>>,
    #[schema(value_type = schema::Time)]
    created_date: Timestamp,
    created_by_user_login_id: String,
    /// Null: good until it is revoked.
    #[schema(value_type = Option<schema::Time>)]
    expires_at: Option<Timestamp>,
    /// To the minute. Null: never used.
    #[schema(value_type = Option<schema::Time>)]
    last_used_at: Option<Timestamp>,
}

impl From<ApiToken> for ApiTokenDto {
    fn from(token: ApiToken) -> Self {
        Self {
            api_token_id: token.id,
            name: token.name,
            user_login_id: token.user,
            role: token.role.as_str(),
            facility_ids: token.facilities,
            created_date: token.created,
            created_by_user_login_id: token.created_by,
            expires_at: token.expires,
            last_used_at: token.last_used,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiTokenList)]
pub(crate) struct ApiTokensDto {
    items: Vec<ApiTokenDto>,
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewApiToken)]
pub(crate) struct NewApiTokenDto {
    /// What it is for.
    #[schema(value_type = schema::ShortName, example = "erp")]
    name: String,
    /// `counter`, `lead` or `manager`; no token is an admin.
    #[schema(value_type = schema::TokenRole, example = "manager")]
    role: String,
    /// Null: every store.
    #[schema(value_type = Option<Vec<schema::Id>>)]
    facility_ids: Option<Vec<FacilityId>>,
    /// Null: good until it is revoked.
    #[schema(value_type = Option<schema::Time>)]
    expires_at: Option<Timestamp>,
}

/// A token that was made just now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiTokenMade)]
pub(crate) struct ApiTokenMadeDto {
    /// For `Authorization: Bearer …`. It is not told again.
    #[schema(example = "gt_…")]
    token: String,
    #[serde(flatten)]
    made: ApiTokenDto,
}

/// The API tokens
#[utoipa::path(
    get,
    path = "/maarg/poorti/ApiTokens",
    operation_id = "listApiTokens",
    tag = "people",
    responses((status = 200, body = ApiTokensDto, description = "Those that were not revoked, oldest first."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn list(State(deps): State<Deps>, Admin(caller): Admin) -> Answer<Json<ApiTokensDto>> {
    let tokens = run(&deps, ListApiTokens { access: caller.access }).await?;
    Ok(Json(ApiTokensDto { items: tokens.into_iter().map(ApiTokenDto::from).collect() }))
}

/// Make an API token for a program
///
/// The answer holds the token, which is not told again: the server keeps only its SHA-256. It is good for every route that its role
/// may use, in the place of an access token.
#[utoipa::path(
    post,
    path = "/maarg/poorti/ApiTokens",
    operation_id = "makeApiToken",
    tag = "people",
    request_body = NewApiTokenDto,
    responses((status = 201, body = ApiTokenMadeDto, description = "Made."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn make(
    State(deps): State<Deps>,
    Admin(caller): Admin,
    request::Json(given): request::Json<NewApiTokenDto>,
) -> Answer<(StatusCode, Json<ApiTokenMadeDto>)> {
    let invalid = |detail: &str| ProblemResponse::new(Code::FieldInvalid, detail);
    let role = Role::from_name(&given.role).filter(|role| *role != Role::Admin);
    let role = role.ok_or_else(|| invalid("\"role\" must be counter, lead or manager. No token is an admin."))?;
    let now = deps.now();
    if given.expires_at.is_some_and(|expires| expires <= now) {
        return Err(invalid("\"expiresAt\" is in the past. Give a later time, or none."));
    }
    let token = ApiTokenText::new(deps.random());
    let wanted = MakeApiToken {
        access: caller.access,
        name: text("name", &given.name, NAME_CHARS_MAX)?,
        role,
        facilities: given.facility_ids,
        hash: token.hash(),
        expires: given.expires_at,
        now,
    };
    match run(&deps, wanted).await? {
        TokenMade::Made(made) => {
            Ok((StatusCode::CREATED, Json(ApiTokenMadeDto { token: token.into_text(), made: made.into() })))
        }
        TokenMade::NoFacility(id) => {
            Err(invalid(&format!("There is no store \"{id}\". See /maarg/poorti/Facilities.")))
        }
        TokenMade::NameUsedUp => Err(invalid("There were too many tokens of that name. Choose another one.")),
    }
}

/// Revoke an API token
///
/// Other servers of the same database may still take it for half a minute.
#[utoipa::path(
    delete,
    path = "/maarg/poorti/ApiTokens/{apiTokenId}",
    operation_id = "revokeApiToken",
    tag = "people",
    params(("apiTokenId" = i64, Path, description = "Which.")),
    responses((status = 204, description = "It is good for nothing any more."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn revoke(
    State(deps): State<Deps>,
    Admin(caller): Admin,
    Segments(id): Segments<i64>,
) -> Answer<StatusCode> {
    let revoked = run(&deps, RevokeApiToken { access: caller.access, id, now: deps.now() }).await?;
    deps.api_tokens.forget(id);
    let none = || ProblemResponse::new(Code::NotFound, "There is no API token of that number.");
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(none()) }
}
