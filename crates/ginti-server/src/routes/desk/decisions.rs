//! Deciding: accept, reject, choose, recount, take back, approve.

use axum::{Json, extract::State, http::StatusCode};
use ginti_desk::{
    Approval, ApproveRun, Blocking, Decide, Decided, Decision, LineRef, Plan, RecountLines, Recounted, UndoDecision,
};
use ginti_types::{Code, Object, Quantity, SessionId, UserLoginId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{no_run, refresh, refused, run, text};
use crate::{
    Deps,
    auth::Manager,
    problem::{Answer, ProblemResponse},
    request::{Large, Segments},
    routes::openapi::ManagerErrors,
    schema,
};

const LINES_MAX: usize = 1_000;
const REASON_CHARS_MAX: usize = 400;

/// A line.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = LineRef)]
pub(crate) struct LineRefDto {
    #[schema(value_type = schema::Id)]
    facility_id: String,
    /// A product id, or `?` and a code.
    #[schema(value_type = schema::Line)]
    subject: String,
    /// Accepted in the place of what was counted: one of a contested line's values.
    #[schema(value_type = Option<schema::Quantity>)]
    chosen_quantity: Option<Quantity>,
}

impl From<LineRefDto> for LineRef {
    fn from(line: LineRefDto) -> Self {
        Self { facility: line.facility_id, subject: line.subject, chosen: line.chosen_quantity.map(Quantity::micros) }
    }
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Decide)]
pub(crate) struct DecideDto {
    /// 1 to 1,000; all or none.
    #[schema(value_type = Vec<LineRefDto>, min_items = 1, max_items = 1000)]
    lines: Vec<Object<LineRefDto>>,
    /// `accept`, `reject` (needs a reason) or `recount`; null to have nothing decided.
    #[schema(value_type = Option<schema::Decision>)]
    decision: Option<String>,
    #[schema(value_type = Option<schema::Reason>)]
    reason: Option<String>,
    /// Of a recount: who counts; whoever counted before if left out.
    #[schema(value_type = Option<schema::Id>)]
    assigned_user_login_id: Option<UserLoginId>,
    /// Of a recount: what its sessions are called.
    #[schema(value_type = Option<schema::Name>)]
    count_import_name: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Decided)]
pub(crate) struct DecidedDto {
    /// To take it back by.
    decision_id: i64,
    /// Sessions made for a recount.
    #[schema(value_type = Vec<schema::Id>)]
    inventory_count_import_ids: Vec<SessionId>,
}

/// What is to be approved.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Approve)]
pub(crate) struct ApproveDto {
    /// Only this store; all of yours if left out.
    #[schema(value_type = Option<schema::Id>)]
    facility_id: Option<String>,
    /// Why, though contested or late lines are undecided: they are taken as they stand.
    #[schema(value_type = Option<schema::Reason>)]
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Approved)]
pub(crate) struct ApprovedDto {
    sessions_approved: u64,
}

/// Decide on lines
#[utoipa::path(
    post,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/decisions",
    operation_id = "decide",
    tag = "decide",
    params(("workEffortId" = schema::Id, Path, description = "The run.")),
    request_body = DecideDto,
    responses((status = 201, body = DecidedDto, description = "Decided, all of them."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn decide(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    Large(given): Large<DecideDto>,
) -> Answer<(StatusCode, Json<DecidedDto>)> {
    if !(1..=LINES_MAX).contains(&given.lines.len()) {
        return Err(ProblemResponse::new(Code::FieldInvalid, "\"lines\" must hold 1 to 1,000 of them."));
    }
    let decision = match given.decision.as_deref() {
        None => None,
        Some(name) => Some(Decision::from_name(name).ok_or_else(|| {
            ProblemResponse::new(Code::FieldInvalid, "\"decision\" must be accept, reject or recount.")
        })?),
    };
    let reason = given.reason.map(|reason| text("reason", &reason, REASON_CHARS_MAX)).transpose()?;
    if decision == Some(Decision::Reject) && reason.is_none() {
        return Err(ProblemResponse::new(Code::FieldInvalid, "Say in a few words why (\"reason\")."));
    }
    let lines: Vec<LineRef> = given.lines.into_iter().map(|Object(line)| line.into()).collect();
    let (access, now) = (caller.access.clone(), deps.now());
    if decision == Some(Decision::Recount) {
        if let Some(person) = &given.assigned_user_login_id {
            for line in &lines {
                let facility = ginti_types::FacilityId::new(line.facility.as_str()).map_err(|_| no_line(line))?;
                super::runs::works_there(&deps, &caller, person, &facility).await?;
            }
        }
        let name = text("countImportName", given.count_import_name.as_deref().unwrap_or("Recount"), 100)?;
        let recount =
            RecountLines { access, run: id, lines, assigned_to: given.assigned_user_login_id, reason, name, now };
        return match run(&deps, recount).await? {
            Recounted::Sent(sessions, number) => Ok(made(number, sessions)),
            Recounted::Refused(decided) => Err(problem(decided)),
            Recounted::NotPlanned(Plan::NoProduct(code)) => Err(ProblemResponse::new(
                Code::FieldInvalid,
                format!(
                    "\"{code}\" is no product's code and cannot be counted from a list. Match it to a product first."
                ),
            )),
            Recounted::NotPlanned(plan) => refused(plan).and_then(|()| Err(no_run())),
        };
    }
    match run(&deps, Decide { access, run: id, lines, decision, reason, now }).await? {
        Decided::Done(number) => Ok(made(number, Vec::new())),
        other => Err(problem(other)),
    }
}

fn made(decision_id: i64, sessions: Vec<SessionId>) -> (StatusCode, Json<DecidedDto>) {
    (StatusCode::CREATED, Json(DecidedDto { decision_id, inventory_count_import_ids: sessions }))
}

fn no_line(line: &LineRef) -> ProblemResponse {
    let detail =
        format!("The review has no line \"{}\" in store \"{}\". Nothing was decided.", line.subject, line.facility);
    ProblemResponse::new(Code::NotFound, detail)
}

fn problem(decided: Decided) -> ProblemResponse {
    match decided {
        Decided::NoLine(line) => no_line(&line),
        Decided::TooLate => ProblemResponse::new(
            Code::StatusNotAllowed,
            "These results are approved and have left the house. Plan a new count to correct them.",
        ),
        Decided::NotFound | Decided::Done(_) => ProblemResponse::new(
            Code::NotFound,
            "There is no such run that you may see, or nothing of that number to take back.",
        ),
    }
}

/// Take a decision back
#[utoipa::path(
    delete,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/decisions/{decisionId}",
    operation_id = "undoDecision",
    tag = "decide",
    params(
        ("workEffortId" = schema::Id, Path, description = "The run."),
        ("decisionId" = i64, Path, description = "What the decision answered."),
    ),
    responses((status = 204, description = "Every line of it stands as it did before."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn undo(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments((id, decision)): Segments<(String, i64)>,
) -> Answer<StatusCode> {
    let undo = UndoDecision { access: caller.access, run: id, decision, now: deps.now() };
    match run(&deps, undo).await? {
        Decided::Done(_) => Ok(StatusCode::NO_CONTENT),
        other => Err(problem(other)),
    }
}

/// Approve a run's results
///
/// Everything must be handed in or voided. Contested and late lines must be decided, or somebody answers for them with a reason.
/// What is approved stays, and is told to every receiver.
#[utoipa::path(
    post,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/approval",
    operation_id = "approveRun",
    tag = "decide",
    params(("workEffortId" = schema::Id, Path, description = "The run.")),
    request_body = ApproveDto,
    responses((status = 200, body = ApprovedDto, description = "Approved."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn approve(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    Large(given): Large<ApproveDto>,
) -> Answer<Json<ApprovedDto>> {
    let reason = given.reason.map(|reason| text("reason", &reason, REASON_CHARS_MAX)).transpose()?;
    loop {
        let approve = ApproveRun {
            access: caller.access.clone(),
            run: id.clone(),
            facility: given.facility_id.clone(),
            reason: reason.clone(),
            now: deps.now(),
        };
        return match run(&deps, approve).await? {
            Approval::Approved(sessions_approved) => Ok(Json(ApprovedDto { sessions_approved })),
            Approval::NotFound => Err(no_run()),
            Approval::Nothing => Err(ProblemResponse::new(
                Code::StatusNotAllowed,
                "There is nothing here that is handed in and not approved.",
            )),
            Approval::Blocked(blocking) => Err(blocked(&id, blocking)),
            Approval::Stale => {
                refresh(&deps, &caller, &id).await?;
                continue;
            }
        };
    }
}

pub(super) fn blocked(run: &str, blocking: Blocking) -> ProblemResponse {
    let Blocking { sessions_open, undecided, recounts } = blocking;
    if sessions_open > 0 {
        let detail =
            format!("{sessions_open} sessions are still open. Have them handed in, or void them, and approve then.");
        return ProblemResponse::new(Code::StatusNotAllowed, detail);
    }
    let detail = format!(
        "{undecided} contested or late lines are undecided, and {recounts} are to be counted again. Decide on them in the review of \
         the run \"{run}\", or give a \"reason\" to take them as they stand."
    );
    ProblemResponse::new(Code::StatusNotAllowed, detail)
}
