//! Runs and their sessions: list, make, add, divide, copy.

use axum::{Json, extract::State, http::StatusCode};
use ginti_desk::{CloneRun, CreateRun, PlanRun, PlannedSession, RunSummary, SessionNumbers, SplitSession};
use ginti_types::{Code, FacilityId, Object, ProductId, Purpose, SessionId, Timestamp, UserLoginId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{no_run, refused, run, runs_of, text};
use crate::{
    Deps,
    auth::{Caller, Manager},
    problem::{Answer, ProblemResponse},
    request::{Large, Segments},
    routes::{openapi::ManagerErrors, sessions::session_id},
    schema,
};

const NAME_CHARS_MAX: usize = 100;
const SESSIONS_MAX: usize = 500;
const LIST_MAX: usize = 100_000;

/// How many sessions stand where.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionNumbers)]
pub(crate) struct NumbersDto {
    created: u64,
    assigned: u64,
    submitted: u64,
    approved: u64,
    voided: u64,
}

/// A count over one or many stores.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Run)]
pub(crate) struct RunDto {
    #[schema(example = "R2026-11")]
    work_effort_id: String,
    #[schema(example = "November cycle count")]
    work_effort_name: String,
    /// `CYCLE_CNT_CREATED`, `CYCLE_CNT_IN_PRGS`, `CYCLE_CNT_CMPLTD` (all handed in) or `CYCLE_CNT_CLOSED` (all approved).
    #[schema(value_type = String, example = "CYCLE_CNT_IN_PRGS")]
    status_id: &'static str,
    #[schema(value_type = Option<schema::Time>)]
    estimated_completion_date: Option<Timestamp>,
    #[schema(value_type = schema::Time)]
    created_date: Timestamp,
    created_by_user_login_id: Option<String>,
    facility_ids: Vec<String>,
    sessions: NumbersDto,
}

impl From<RunSummary> for RunDto {
    fn from(run: RunSummary) -> Self {
        let SessionNumbers { created, assigned, submitted, approved, voided } = run.sessions;
        Self {
            work_effort_id: run.id,
            work_effort_name: run.name,
            status_id: run.status,
            estimated_completion_date: run.due,
            created_date: run.created,
            created_by_user_login_id: run.created_by,
            facility_ids: run.facilities,
            sessions: NumbersDto { created, assigned, submitted, approved, voided },
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = RunList)]
pub(crate) struct RunListDto {
    items: Vec<RunDto>,
}

/// A run to make.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewRun)]
pub(crate) struct NewRunDto {
    /// Made up if left out.
    #[schema(value_type = Option<schema::ShortName>)]
    work_effort_id: Option<String>,
    #[schema(value_type = schema::Name)]
    work_effort_name: String,
    #[schema(value_type = Option<schema::Time>)]
    estimated_completion_date: Option<Timestamp>,
    /// A run whose sessions and lists are copied, without its counts.
    #[schema(value_type = Option<schema::Id>)]
    copy_of_work_effort_id: Option<String>,
}

/// A session to make.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewSession)]
pub(crate) struct NewSessionDto {
    /// Made up if left out.
    #[schema(value_type = Option<schema::Id>)]
    inventory_count_import_id: Option<SessionId>,
    #[schema(value_type = schema::Name)]
    count_import_name: String,
    #[schema(value_type = schema::Id)]
    facility_id: FacilityId,
    /// `HARD_COUNT` counts everything, `DIRECTED_COUNT` counts a list.
    #[schema(value_type = schema::Purpose)]
    purpose_type: Purpose,
    #[schema(value_type = Option<schema::Time>)]
    due_date: Option<Timestamp>,
    /// Where in the store.
    #[schema(value_type = Option<schema::Name>)]
    area_name: Option<String>,
    #[schema(value_type = Option<schema::Id>)]
    assigned_user_login_id: Option<UserLoginId>,
    /// Whoever counts is not shown what is expected; true if left out.
    is_blind: Option<bool>,
    /// The list of a directed count, by product id.
    #[serde(default)]
    #[schema(value_type = Vec<schema::Id>, max_items = 100_000)]
    product_ids: Vec<ProductId>,
    /// All products with this in name or SKU stand on the list too.
    #[schema(value_type = Option<schema::Name>)]
    product_filter: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSessions)]
pub(crate) struct NewSessionsDto {
    /// At most 500.
    #[schema(value_type = Vec<NewSessionDto>, min_items = 1, max_items = 500)]
    sessions: Vec<Object<NewSessionDto>>,
}

/// What was made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Made)]
pub(crate) struct MadeDto {
    work_effort_id: String,
    #[schema(value_type = Vec<schema::Id>)]
    inventory_count_import_ids: Vec<SessionId>,
}

/// How a list is divided.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Split)]
pub(crate) struct SplitDto {
    /// Who counts, 2 to 50 people; each gets an equal part, the first keeps the session.
    #[schema(value_type = Vec<schema::Id>, min_items = 2, max_items = 50)]
    user_login_ids: Vec<UserLoginId>,
}

/// List the runs you may see, newest first
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun",
    operation_id = "listRuns",
    tag = "plan",
    responses((status = 200, body = RunListDto, description = "Newest first."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn list(State(deps): State<Deps>, Manager(caller): Manager) -> Answer<Json<RunListDto>> {
    let runs = runs_of(&deps, &caller, None).await?;
    Ok(Json(RunListDto { items: runs.into_iter().map(RunDto::from).collect() }))
}

/// One run
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}",
    operation_id = "getRun",
    tag = "plan",
    params(("workEffortId" = schema::Id, Path, description = "The run.")),
    responses((status = 200, body = RunDto, description = "The run."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn one(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
) -> Answer<Json<RunDto>> {
    let found = runs_of(&deps, &caller, Some(&id)).await?.pop();
    Ok(Json(found.ok_or_else(no_run)?.into()))
}

/// Make a run, empty or as a copy
#[utoipa::path(
    post,
    path = "/maarg/poorti/InventoryCountRun",
    operation_id = "createRun",
    tag = "plan",
    request_body = NewRunDto,
    responses((status = 201, body = MadeDto, description = "Made."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn create(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Large(given): Large<NewRunDto>,
) -> Answer<(StatusCode, Json<MadeDto>)> {
    let id = match given.work_effort_id {
        Some(id) => text("workEffortId", &id, 30)?,
        None => fresh_id(&deps, "run"),
    };
    let name = text("workEffortName", &given.work_effort_name, NAME_CHARS_MAX)?;
    let (access, due, now) = (caller.access, given.estimated_completion_date, deps.now());
    let plan = match given.copy_of_work_effort_id {
        Some(from) => run(&deps, CloneRun { access, from, id: id.clone(), name, due, now }).await?,
        None => run(&deps, CreateRun { access, id: id.clone(), name, due, now }).await?,
    };
    refused(plan)?;
    Ok((StatusCode::CREATED, Json(MadeDto { work_effort_id: id, inventory_count_import_ids: Vec::new() })))
}

/// Add sessions to a run, all or none
#[utoipa::path(
    post,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/sessions",
    operation_id = "createSessions",
    tag = "plan",
    params(("workEffortId" = schema::Id, Path, description = "The run.")),
    request_body = NewSessionsDto,
    responses((status = 201, body = MadeDto, description = "Made."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn add(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    Large(given): Large<NewSessionsDto>,
) -> Answer<(StatusCode, Json<MadeDto>)> {
    if !(1..=SESSIONS_MAX).contains(&given.sessions.len()) {
        return Err(ProblemResponse::new(Code::FieldInvalid, "\"sessions\" must hold 1 to 500 of them."));
    }
    let mut sessions = Vec::with_capacity(given.sessions.len());
    for Object(session) in given.sessions {
        sessions.push(planned(&deps, &caller, session).await?);
    }
    let ids: Vec<_> = sessions.iter().map(|session| session.id.clone()).collect();
    let plan = PlanRun { access: caller.access.clone(), run: id.clone(), sessions, now: deps.now() };
    refused(run(&deps, plan).await?)?;
    Ok((StatusCode::CREATED, Json(MadeDto { work_effort_id: id, inventory_count_import_ids: ids })))
}

async fn planned(deps: &Deps, caller: &Caller, given: NewSessionDto) -> Answer<PlannedSession> {
    let mut products = given.product_ids;
    if let Some(filter) = given.product_filter {
        products.extend(filtered(deps, caller, &text("productFilter", &filter, NAME_CHARS_MAX)?).await?);
    }
    products.sort();
    products.dedup();
    let is_directed = given.purpose_type == Purpose::DirectedCount;
    if products.is_empty() && is_directed {
        let detail = "A directed count needs a list: \"productIds\", or a \"productFilter\" that finds something.";
        return Err(ProblemResponse::new(Code::FieldInvalid, detail));
    }
    if (!products.is_empty() && !is_directed) || products.len() > LIST_MAX {
        let detail = "A list is for a directed count, and has at most 100,000 products.";
        return Err(ProblemResponse::new(Code::FieldInvalid, detail));
    }
    if let Some(person) = &given.assigned_user_login_id {
        works_there(deps, caller, person, &given.facility_id).await?;
    }
    let id = match given.inventory_count_import_id {
        Some(id) => id,
        None => SessionId::new(fresh_id(deps, "count")).map_err(|_| no_run())?,
    };
    Ok(PlannedSession {
        id,
        name: text("countImportName", &given.count_import_name, NAME_CHARS_MAX)?,
        facility: given.facility_id,
        area: given.area_name.map(|area| text("areaName", &area, NAME_CHARS_MAX)).transpose()?,
        purpose: given.purpose_type,
        due: given.due_date,
        assigned_to: given.assigned_user_login_id,
        is_blind: given.is_blind.unwrap_or(true),
        is_recount: false,
        products,
    })
}

/// Somebody who may count in that store.
pub(super) async fn works_there(
    deps: &Deps,
    caller: &Caller,
    person: &UserLoginId,
    facility: &FacilityId,
) -> Answer<()> {
    let user = deps.store.user(&caller.access.tenant, person).await?;
    if user.is_some_and(|user| user.facilities.is_none_or(|all| all.contains(facility))) {
        return Ok(());
    }
    refused(ginti_desk::Plan::NobodyThere(person.as_str().to_owned()))
}

/// Products with that in name or SKU.
async fn filtered(deps: &Deps, caller: &Caller, filter: &str) -> Answer<Vec<ProductId>> {
    const PAGE: usize = 2_000;
    let wanted = filter.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = deps.store.products(&caller.access.tenant, &after, PAGE).await?;
        let Some(last) = page.products.last() else { return Ok(found) };
        last.id.as_str().clone_into(&mut after);
        let matching =
            page.products.into_iter().filter(|product| has(&product.name) || product.sku.as_deref().is_some_and(has));
        found.extend(matching.map(|product| product.id));
        if found.len() > LIST_MAX {
            return Ok(found);
        }
    }
}

/// Divide a list that nobody has begun with between people
#[utoipa::path(
    post,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}/split",
    operation_id = "splitSession",
    tag = "plan",
    params(("inventoryCountImportId" = schema::Id, Path, description = "The session.")),
    request_body = SplitDto,
    responses((status = 201, body = MadeDto, description = "The sessions, in the order of the people."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn split(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    Large(given): Large<SplitDto>,
) -> Answer<(StatusCode, Json<MadeDto>)> {
    let session = session_id(id)?;
    if !(2..=50).contains(&given.user_login_ids.len()) {
        return Err(ProblemResponse::new(Code::FieldInvalid, "Name 2 to 50 people in \"userLoginIds\"."));
    }
    let there = deps.store.session(&caller.access, &session).await?.ok_or_else(ProblemResponse::no_session)?;
    let mut people = Vec::new();
    for person in given.user_login_ids {
        works_there(&deps, &caller, &person, &there.session.facility).await?;
        let own = if people.is_empty() {
            session.clone()
        } else {
            SessionId::new(fresh_id(&deps, "count")).map_err(|_| no_run())?
        };
        people.push((person, own));
    }
    let ids = people.iter().map(|(_, id)| id.clone()).collect();
    let split = SplitSession { access: caller.access.clone(), session, people, now: deps.now() };
    refused(run(&deps, split).await?)?;
    Ok((StatusCode::CREATED, Json(MadeDto { work_effort_id: String::new(), inventory_count_import_ids: ids })))
}

/// An id that nothing has.
pub(super) fn fresh_id(deps: &Deps, kind: &str) -> String {
    format!("{kind}-{:012x}", u64::from_be_bytes(deps.random()) >> 16)
}
