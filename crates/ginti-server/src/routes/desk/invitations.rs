//! Invitations: an admin makes an account, and its person chooses the password.

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ginti_desk::{Invitation, Invite, ListInvitations, WithdrawInvitation};
use ginti_store::{NewUser, StoreError, User};
use ginti_types::{Code, FacilityId, Timestamp, UserLoginId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    run, text,
    users::{hashed, role_of, sign_in_name},
};
use crate::{
    Deps,
    auth::Admin,
    problem::{Answer, ProblemResponse},
    request::{self, Segments},
    routes::openapi::ManagerErrors,
    schema,
};

/// How long an invitation can be used, in milliseconds.
const GOOD_FOR_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// An invitation that waits for its person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Invitation)]
pub(crate) struct InvitationDto {
    invitation_id: i64,
    #[schema(value_type = schema::Id)]
    user_login_id: UserLoginId,
    name: String,
    /// `counter`, `lead`, `manager` or `admin`.
    #[schema(value_type = schema::Role, example = "counter")]
    role: &'static str,
    #[schema(value_type = schema::Time)]
    created_date: Timestamp,
    created_by_user_login_id: String,
    #[schema(value_type = schema::Time)]
    expires_at: Timestamp,
    /// It can no longer be used. Invite the person again, or withdraw it.
    is_expired: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = InvitationList)]
pub(crate) struct InvitationsDto {
    items: Vec<InvitationDto>,
}

/// A person to invite.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewInvitation)]
pub(crate) struct NewInvitationDto {
    /// The sign-in name.
    #[schema(value_type = schema::Id)]
    user_login_id: String,
    #[schema(value_type = schema::Name)]
    name: String,
    /// `counter`, `lead`, `manager` or `admin`.
    #[schema(value_type = schema::Role)]
    role: String,
    /// Null: every store (managers and admins only).
    #[schema(value_type = Option<Vec<schema::Id>>)]
    facility_ids: Option<Vec<FacilityId>>,
}

/// The link for the person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = InvitationMade)]
pub(crate) struct InvitationMadeDto {
    invitation_id: i64,
    #[schema(value_type = schema::Id)]
    user_login_id: UserLoginId,
    /// Put this server's address before it. It works once, and is not told again; what stands behind the `#` is the secret, which
    /// browsers send to no server.
    #[schema(example = "/invitation#…")]
    path: String,
    #[schema(value_type = schema::Time)]
    expires_at: Timestamp,
}

/// The invitations that wait for their person
#[utoipa::path(
    get,
    path = "/maarg/poorti/Invitations",
    operation_id = "listInvitations",
    tag = "people",
    responses((status = 200, body = InvitationsDto, description = "Newest first."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn list(State(deps): State<Deps>, Admin(caller): Admin) -> Answer<Json<InvitationsDto>> {
    let now = deps.now();
    let dto = |invitation: Invitation| InvitationDto {
        invitation_id: invitation.id,
        user_login_id: invitation.user,
        name: invitation.name,
        role: invitation.role.as_str(),
        created_date: invitation.created,
        created_by_user_login_id: invitation.created_by,
        expires_at: invitation.expires,
        is_expired: invitation.expires <= now,
    };
    let found = run(&deps, ListInvitations { access: caller.access }).await?;
    Ok(Json(InvitationsDto { items: found.into_iter().map(dto).collect() }))
}

/// Invite a person, who then chooses a password
///
/// The person is there at once and can be given counts, and can sign in when the password is chosen. The link is good for 7 days.
/// Inviting the same person again makes a new link; the one before is good for nothing then.
#[utoipa::path(
    post,
    path = "/maarg/poorti/Invitations",
    operation_id = "invite",
    tag = "people",
    request_body = NewInvitationDto,
    responses((status = 201, body = InvitationMadeDto, description = "Invited."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn invite(
    State(deps): State<Deps>,
    Admin(caller): Admin,
    request::Json(given): request::Json<NewInvitationDto>,
) -> Answer<(StatusCode, Json<InvitationMadeDto>)> {
    let invalid = |detail: &str| ProblemResponse::new(Code::FieldInvalid, detail);
    let taken = || {
        invalid(
            "That sign-in name is taken. Choose another one, or set that person a new password at /maarg/poorti/Users.",
        )
    };
    let id = sign_in_name(given.user_login_id)?;
    let role = role_of(&given.role, given.facility_ids.as_deref())?;
    let name = text("name", &given.name, 100)?;
    let tenant = caller.access.tenant.clone();
    let stores = deps.store.facilities(&tenant).await?;
    let is_unknown = |id: &&FacilityId| stores.iter().all(|store| store.id != **id);
    if let Some(unknown) = given.facility_ids.iter().flatten().find(is_unknown) {
        return Err(invalid(&format!("There is no store \"{unknown}\". See /maarg/poorti/Facilities.")));
    }
    let (secret, now) = (deps.random::<32>(), deps.now());
    let expires = Timestamp::from_unix_ms(now.unix_ms() + GOOD_FOR_MS);
    let placeholder = hashed(URL_SAFE_NO_PAD.encode(deps.random::<32>())).await?;
    let wanted = Invite {
        access: caller.access,
        user: id.clone(),
        hash: Sha256::digest(secret).into(),
        placeholder: placeholder.clone(),
        expires,
        details: serde_json::json!({ "role": role.as_str(), "facilityIds": given.facility_ids }),
        now,
    };
    let invitation_id = run(&deps, wanted).await?.ok_or_else(taken)?;
    let user = User { id: id.clone(), tenant: tenant.clone(), name, role, facilities: given.facility_ids };
    match deps.store.put_user(&tenant, NewUser { user, password_hash: placeholder }).await {
        Ok(()) => {}
        Err(StoreError::Exists(_)) => return Err(taken()),
        Err(error) => return Err(error.into()),
    }
    let path = format!("/invitation#{}", URL_SAFE_NO_PAD.encode(secret));
    Ok((StatusCode::CREATED, Json(InvitationMadeDto { invitation_id, user_login_id: id, path, expires_at: expires })))
}

/// Withdraw an invitation
#[utoipa::path(
    delete,
    path = "/maarg/poorti/Invitations/{invitationId}",
    operation_id = "withdrawInvitation",
    tag = "people",
    params(("invitationId" = i64, Path, description = "Which.")),
    responses((status = 204, description = "The link is good for nothing any more, and the person is gone."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn withdraw(
    State(deps): State<Deps>,
    Admin(caller): Admin,
    Segments(id): Segments<i64>,
) -> Answer<StatusCode> {
    let withdrawn = run(&deps, WithdrawInvitation { access: caller.access, id, now: deps.now() }).await?;
    let none = || ProblemResponse::new(Code::NotFound, "There is no invitation of that number that still waits.");
    if withdrawn { Ok(StatusCode::NO_CONTENT) } else { Err(none()) }
}
