//! People: who they are, what they may do, where; and passwords set for them.

use std::collections::HashMap;

use axum::{Json, extract::State, http::StatusCode};
use ginti_desk::{DisabledSet, ListDisabled, NoteAudit, SetDisabled, TOKEN_USER_PREFIX};
use ginti_store::{NewUser, Role, StoreError, User};
use ginti_types::{Code, FacilityId, Timestamp, UserLoginId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{run, text};
use crate::{
    Deps,
    auth::{Admin, Manager, check_new_password, hash_password},
    problem::{Answer, ProblemResponse},
    request::{self, Large, Segments},
    routes::openapi::ManagerErrors,
    schema,
};

/// A person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Person)]
pub(crate) struct UserDto {
    #[schema(value_type = schema::Id)]
    user_login_id: UserLoginId,
    name: String,
    /// `counter`, `lead`, `manager` or `admin`.
    #[schema(value_type = schema::Role, example = "counter")]
    role: &'static str,
    /// Null: every store.
    #[schema(value_type = Option<Vec<schema::Id>>)]
    facility_ids: Option<Vec<FacilityId>>,
    /// Since when the account is disabled; null: the person may sign in.
    #[schema(value_type = Option<schema::Time>)]
    disabled_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UserList)]
pub(crate) struct UsersDto {
    items: Vec<UserDto>,
}

/// A store.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Facility)]
pub(crate) struct FacilityDto {
    #[schema(value_type = schema::Id)]
    facility_id: FacilityId,
    facility_name: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FacilityList)]
pub(crate) struct FacilitiesDto {
    items: Vec<FacilityDto>,
}

/// A person to add, or to change.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PutUser)]
pub(crate) struct PutUserDto {
    #[schema(value_type = schema::Name)]
    name: String,
    #[schema(value_type = schema::Role)]
    role: String,
    /// Null: every store (managers and admins only).
    #[schema(value_type = Option<Vec<schema::Id>>)]
    facility_ids: Option<Vec<FacilityId>>,
    /// At least 8 characters, and one that withstands a million guesses. Needed for a new person; changing it ends all sign-ins.
    #[schema(min_length = 8, max_length = 200)]
    password: Option<String>,
}

/// The stores you work in
#[utoipa::path(
    get,
    path = "/maarg/poorti/Facilities",
    operation_id = "listFacilities",
    tag = "plan",
    responses((status = 200, body = FacilitiesDto, description = "By id."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn facilities(State(deps): State<Deps>, Manager(caller): Manager) -> Answer<Json<FacilitiesDto>> {
    let all = deps.store.facilities(&caller.access.tenant).await?;
    let own = |facility: &ginti_store::Facility| {
        caller.access.facilities.as_ref().is_none_or(|own| own.contains(&facility.id))
    };
    let items = all.into_iter().filter(own);
    let items = items.map(|facility| FacilityDto { facility_id: facility.id, facility_name: facility.name }).collect();
    Ok(Json(FacilitiesDto { items }))
}

/// The people of your stores
#[utoipa::path(
    get,
    path = "/maarg/poorti/Users",
    operation_id = "listUsers",
    tag = "people",
    responses((status = 200, body = UsersDto, description = "By sign-in name."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn list(State(deps): State<Deps>, Manager(caller): Manager) -> Answer<Json<UsersDto>> {
    let users = deps.store.users(&caller.access.tenant).await?;
    let disabled: HashMap<_, _> =
        run(&deps, ListDisabled { tenant: caller.access.tenant.clone() }).await?.into_iter().collect();
    let is_seen = |user: &User| match (&caller.access.facilities, &user.facilities) {
        (Some(own), Some(theirs)) => theirs.iter().any(|one| own.contains(one)),
        _ => true,
    };
    let dto = |user: User| UserDto {
        disabled_at: disabled.get(&user.id).copied(),
        user_login_id: user.id,
        name: user.name,
        role: user.role.as_str(),
        facility_ids: user.facilities,
    };
    Ok(Json(UsersDto { items: users.into_iter().filter(is_seen).map(dto).collect() }))
}

/// Whether somebody may sign in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UserDisabled)]
pub(crate) struct DisabledDto {
    /// The person's sign-ins end and none begins until it is false again; those that ended stay so. Access tokens run out within minutes
    /// (an admin's are no admin's any more at once). What the person has counted stays; what waits on a device is delivered when the
    /// person, or a colleague, has signed in there. API tokens that the person made are the company's, and go on.
    is_disabled: bool,
}

/// Disable a person's account, or enable it again
#[utoipa::path(
    put,
    path = "/maarg/poorti/Users/{userLoginId}/disabled",
    operation_id = "setUserDisabled",
    tag = "people",
    params(("userLoginId" = schema::Id, Path, description = "The sign-in name.")),
    request_body = DisabledDto,
    responses((status = 204, description = "It is so now."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn set_disabled(
    State(deps): State<Deps>,
    Admin(caller): Admin,
    Segments(id): Segments<String>,
    request::Json(given): request::Json<DisabledDto>,
) -> Answer<StatusCode> {
    let invalid = |detail: &str| Err(ProblemResponse::new(Code::FieldInvalid, detail));
    let nobody = || ProblemResponse::new(Code::NotFound, "There is nobody of that sign-in name in your company.");
    let set = SetDisabled {
        tenant: caller.access.tenant,
        by: Some(caller.access.user),
        user: UserLoginId::new(id).map_err(|_| nobody())?,
        disabled: given.is_disabled,
        now: deps.now(),
    };
    match run(&deps, set).await? {
        DisabledSet::Done => Ok(StatusCode::NO_CONTENT),
        DisabledSet::NoUser => Err(nobody()),
        DisabledSet::Yourself => invalid("You cannot disable your own account. Ask another admin."),
        DisabledSet::LastAdmin => invalid(
            "This is the last admin who can sign in; nobody could enable anybody again. Make another admin first.",
        ),
    }
}

/// Add a person, or change name, role, stores or password
#[utoipa::path(
    put,
    path = "/maarg/poorti/Users/{userLoginId}",
    operation_id = "putUser",
    tag = "people",
    params(("userLoginId" = schema::Id, Path, description = "The sign-in name.")),
    request_body = PutUserDto,
    responses((status = 204, description = "Done."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn put(
    State(deps): State<Deps>,
    Admin(caller): Admin,
    Segments(id): Segments<String>,
    Large(given): Large<PutUserDto>,
) -> Answer<StatusCode> {
    let invalid = |detail: &str| ProblemResponse::new(Code::FieldInvalid, detail);
    let id = sign_in_name(id)?;
    let role = role_of(&given.role, given.facility_ids.as_deref())?;
    let tenant = &caller.access.tenant;
    let known = deps.store.login(&id).await?;
    if known.as_ref().is_some_and(|login| login.user.tenant != *tenant) {
        return Err(invalid("That sign-in name is taken. Choose another one."));
    }
    if id == caller.access.user && role != Role::Admin {
        return Err(invalid("You cannot take the admin's role from yourself. Ask another admin."));
    }
    let password_hash = match (&given.password, &known) {
        (Some(password), _) => hash_of_new(password.clone(), &id).await?,
        (None, Some(login)) => login.password_hash.clone(),
        (None, None) => return Err(invalid("A new person needs a \"password\" to begin with.")),
    };
    let user = User {
        id: id.clone(),
        tenant: tenant.clone(),
        name: text("name", &given.name, 100)?,
        role,
        facilities: given.facility_ids,
    };
    let details = serde_json::json!({
        "role": role.as_str(), "facilityIds": user.facilities, "passwordChanged": given.password.is_some(),
    });
    match deps.store.put_user(tenant, NewUser { user, password_hash }).await {
        Ok(()) => {}
        Err(StoreError::Missing(what)) => return Err(invalid(&format!("There is no {what}."))),
        Err(StoreError::Exists(_)) => return Err(invalid("That sign-in name is taken. Choose another one.")),
        Err(error) => return Err(error.into()),
    }
    let note = NoteAudit {
        access: caller.access.clone(),
        action: "user-put",
        subject: id.as_str().to_owned(),
        details,
        now: deps.now(),
    };
    run(&deps, note).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A person's sign-in name.
pub(super) fn sign_in_name(id: String) -> Answer<UserLoginId> {
    let invalid = |detail: String| ProblemResponse::new(Code::FieldInvalid, detail);
    let id = UserLoginId::new(id).map_err(|error| invalid(format!("The sign-in name {error}.")))?;
    if id.as_str().starts_with(TOKEN_USER_PREFIX) {
        return Err(invalid(format!(
            "Names that begin with \"{TOKEN_USER_PREFIX}\" are for programs. Choose another one."
        )));
    }
    Ok(id)
}

/// A person's role, given where the person works.
pub(super) fn role_of(role: &str, facilities: Option<&[FacilityId]>) -> Answer<Role> {
    let invalid = |detail: &str| ProblemResponse::new(Code::FieldInvalid, detail);
    let role = Role::from_name(role).ok_or_else(|| invalid("\"role\" must be counter, lead, manager or admin."))?;
    if facilities.is_none() && !role.decides() {
        return Err(invalid("Name the stores (\"facilityIds\") that this person works in."));
    }
    Ok(role)
}

/// The hash of a password that somebody chose for that person, if it is good enough; else why not.
pub(crate) async fn hash_of_new(password: String, user: &UserLoginId) -> Answer<String> {
    let user = user.clone();
    let checked = tokio::task::spawn_blocking(move || check_new_password(&password, user.as_str()).map(|()| password));
    let password = checked.await.map_err(|_| not_kept())?;
    hashed(password.map_err(|why| ProblemResponse::new(Code::FieldInvalid, why))?).await
}

/// Hashes a password that was found good, away from the async workers.
pub(crate) async fn hashed(password: String) -> Answer<String> {
    let hashed = tokio::task::spawn_blocking(move || hash_password(&password)).await;
    hashed.ok().and_then(Result::ok).ok_or_else(not_kept)
}

fn not_kept() -> ProblemResponse {
    ProblemResponse::new(Code::InternalError, "The password could not be kept. Try again.")
}
