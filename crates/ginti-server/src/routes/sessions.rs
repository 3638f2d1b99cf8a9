//! `GET /maarg/poorti/InventoryCountImport` and `GET …/{id}`: the counting sessions a person may see.

use axum::{Json, extract::State};
use ginti_store::{Ledger, SessionSummary};
use ginti_types::{Epoch, FacilityId, Purpose, SessionId, SessionStatus, Timestamp, UserLoginId};
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::{PathErrors, SignedInErrors};
use crate::{
    Deps,
    auth::Caller,
    problem::{Answer, ProblemResponse},
    request::Segments,
    schema,
};

/// A counting session with the numbers a list shows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub(super) struct SessionDto {
    #[schema(value_type = schema::Id, example = "M101428")]
    inventory_count_import_id: SessionId,
    #[schema(example = "Cycle count, aisle 3")]
    count_import_name: String,
    #[schema(value_type = schema::Id)]
    facility_id: FacilityId,
    facility_name: String,
    /// `HARD_COUNT` counts everything, `DIRECTED_COUNT` counts a list.
    #[schema(value_type = schema::Purpose, example = "DIRECTED_COUNT")]
    purpose_type: Purpose,
    #[schema(value_type = schema::SessionStatus, example = "SESSION_ASSIGNED")]
    status_id: SessionStatus,
    #[schema(value_type = Option<schema::Time>)]
    due_date: Option<Timestamp>,
    #[schema(value_type = schema::Time)]
    created_date: Timestamp,
    /// Rows that have a count.
    items_counted: u64,
    /// Rows on its list.
    items_requested: u64,
    /// Whose work it is; null: anybody's of the store.
    #[schema(value_type = Option<schema::Id>)]
    assigned_user_login_id: Option<UserLoginId>,
    assigned_user_name: Option<String>,
    /// When it was handed in.
    #[schema(value_type = Option<schema::Time>)]
    submitted_date: Option<Timestamp>,
    /// Where in the store.
    area_name: Option<String>,
    /// Whoever counts is not shown what is expected.
    is_blind: bool,
}

/// Where the server stands: compare `epoch` and `ledgerSeq` with what you saw last to notice a wiped or restored server.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Standing)]
pub(super) struct StandingDto {
    #[schema(value_type = schema::Id)]
    epoch: Epoch,
    ledger_seq: u64,
    #[schema(value_type = schema::Time)]
    server_time: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SessionList)]
pub(super) struct SessionListDto {
    items: Vec<SessionDto>,
    #[serde(flatten)]
    standing: StandingDto,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SessionAnswer)]
pub(super) struct SessionAnswerDto {
    #[serde(flatten)]
    session: SessionDto,
    #[serde(flatten)]
    standing: StandingDto,
}

impl From<SessionSummary> for SessionDto {
    fn from(summary: SessionSummary) -> Self {
        let session = summary.session;
        Self {
            inventory_count_import_id: session.id,
            count_import_name: session.name,
            facility_id: session.facility,
            facility_name: summary.facility_name,
            purpose_type: session.purpose,
            status_id: session.status,
            due_date: session.due,
            created_date: session.created,
            items_counted: summary.items_counted,
            items_requested: summary.items_requested,
            assigned_user_login_id: summary.assigned_to,
            assigned_user_name: summary.assigned_name,
            submitted_date: summary.submitted,
            area_name: summary.area,
            is_blind: summary.is_blind,
        }
    }
}

impl StandingDto {
    fn new(ledger: Ledger, server_time: Timestamp) -> Self {
        Self { epoch: ledger.epoch, ledger_seq: ledger.ledger_seq, server_time }
    }
}

/// List the sessions you may see
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountImport",
    operation_id = "listSessions",
    tag = "sessions",
    responses((status = 200, body = SessionListDto, description = "Oldest first."), SignedInErrors),
    security(("bearer" = []))
)]
pub(super) async fn list(State(deps): State<Deps>, caller: Caller) -> Answer<Json<SessionListDto>> {
    let sessions = deps.store.sessions(&caller.access).await?;
    let standing = StandingDto::new(deps.store.ledger().await?, deps.now());
    Ok(Json(SessionListDto { items: sessions.into_iter().map(SessionDto::from).collect(), standing }))
}

/// One session
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}",
    operation_id = "getSession",
    tag = "sessions",
    params(("inventoryCountImportId" = schema::Id, Path, description = "The session.")),
    responses(
        (status = 200, body = SessionAnswerDto, description = "The session."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: unknown, or not yours to see."),
        PathErrors,
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn one(
    State(deps): State<Deps>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Answer<Json<SessionAnswerDto>> {
    answer(&deps, &caller, &session_id(id)?).await
}

/// The session as it stands now.
pub(super) async fn answer(deps: &Deps, caller: &Caller, session: &SessionId) -> Answer<Json<SessionAnswerDto>> {
    let summary = deps.store.session(&caller.access, session).await?;
    let session = summary.ok_or_else(ProblemResponse::no_session)?.into();
    let standing = StandingDto::new(deps.store.ledger().await?, deps.now());
    Ok(Json(SessionAnswerDto { session, standing }))
}

/// A session id from a path. A text that cannot be an id names no session.
pub(super) fn session_id(text: String) -> Answer<SessionId> {
    SessionId::new(text).map_err(|_| ProblemResponse::no_session())
}
