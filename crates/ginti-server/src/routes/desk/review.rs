//! Reading a run's review.

use axum::{Json, extract::State};
use ginti_desk::{Contribution, Filter, LineDetail, Order, ReviewLine, ReviewLines, ReviewPage, ReviewTotals, Totals};
use ginti_types::{Code, Outcome, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{no_run, number, refresh, run};
use crate::{
    Deps,
    auth::{Caller, Manager},
    problem::{Answer, ProblemResponse},
    request::{Params, Segments},
    routes::{openapi::ManagerErrors, page::limit_or},
    schema,
};

/// One product in one store, all of the run's sessions together.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReviewLine)]
pub(crate) struct LineDto {
    facility_id: String,
    /// A product id, or `?` and a code that is no product's.
    #[schema(example = "10440")]
    subject: String,
    product_id: Option<String>,
    product_name: Option<String>,
    sku: Option<String>,
    #[schema(value_type = Option<f64>)]
    expected_quantity: Option<Box<RawValue>>,
    #[schema(value_type = Option<f64>)]
    unit_cost: Option<Box<RawValue>>,
    /// Null: nobody counted it. Zero: somebody looked, and there was none.
    #[schema(value_type = Option<f64>)]
    counted_quantity: Option<Box<RawValue>>,
    /// Counted less expected; 0 of what was not counted.
    #[schema(value_type = f64)]
    difference: Box<RawValue>,
    #[schema(value_type = Option<f64>)]
    value_difference: Option<Box<RawValue>>,
    sessions: u64,
    devices: u64,
    /// Two devices counted it in one place: the same pieces, or different ones.
    is_contested: bool,
    /// Counts that came after their session was handed in.
    late_count: u64,
    /// `accept`, `reject` or `recount`.
    #[schema(value_type = Option<schema::Decision>)]
    decision: Option<&'static str>,
    #[schema(value_type = Option<f64>)]
    chosen_quantity: Option<Box<RawValue>>,
    reason: Option<String>,
    decided_by_user_login_id: Option<String>,
    #[schema(value_type = Option<schema::Time>)]
    decided_at: Option<Timestamp>,
}

impl From<ReviewLine> for LineDto {
    fn from(line: ReviewLine) -> Self {
        Self {
            facility_id: line.facility,
            subject: line.subject,
            product_id: line.product,
            product_name: line.name,
            sku: line.sku,
            expected_quantity: line.expected.map(number),
            unit_cost: line.unit_cost.map(number),
            counted_quantity: line.counted.map(number),
            difference: number(line.difference),
            value_difference: line.value_difference.map(number),
            sessions: line.sessions,
            devices: line.devices,
            is_contested: line.is_contested,
            late_count: line.late,
            decision: line.decision.map(ginti_desk::Decision::as_str),
            chosen_quantity: line.chosen.map(number),
            reason: line.reason,
            decided_by_user_login_id: line.decided_by,
            decided_at: line.decided_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReviewLineList)]
pub(crate) struct LinesDto {
    items: Vec<LineDto>,
    /// `offset` of the next call; null when there are no more.
    next: Option<i64>,
}

/// The numbers above a review.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReviewTotals)]
pub(crate) struct TotalsDto {
    lines: u64,
    undecided: u64,
    /// Not decided.
    contested: u64,
    /// Not decided.
    late: u64,
    not_counted: u64,
    different: u64,
    /// Units more than expected, summed.
    #[schema(value_type = f64)]
    over: Box<RawValue>,
    /// Units fewer than expected, summed.
    #[schema(value_type = f64)]
    short: Box<RawValue>,
    #[schema(value_type = f64)]
    value_difference: Box<RawValue>,
}

impl From<Totals> for TotalsDto {
    fn from(totals: Totals) -> Self {
        Self {
            lines: totals.lines,
            undecided: totals.open,
            contested: totals.contested,
            late: totals.late,
            not_counted: totals.not_counted,
            different: totals.different,
            over: number(totals.over),
            short: number(totals.short),
            value_difference: number(totals.value_difference),
        }
    }
}

/// One revision that arrived.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Contribution)]
pub(crate) struct ContributionDto {
    inventory_count_import_id: String,
    count_import_name: String,
    import_item_seq_id: String,
    device_id: String,
    counted_by_user_login_id: String,
    #[schema(value_type = schema::Time)]
    counted_at: Timestamp,
    #[schema(value_type = schema::Time)]
    received_at: Timestamp,
    #[schema(value_type = f64)]
    quantity: Box<RawValue>,
    location_seq_id: Option<String>,
    note: Option<String>,
    #[schema(value_type = schema::Outcome, example = "applied")]
    outcome: Outcome,
    /// It is what counts of its row.
    holds: bool,
}

impl From<Contribution> for ContributionDto {
    fn from(one: Contribution) -> Self {
        Self {
            inventory_count_import_id: one.session,
            count_import_name: one.session_name,
            import_item_seq_id: one.item,
            device_id: one.device,
            counted_by_user_login_id: one.counted_by,
            counted_at: one.counted_at,
            received_at: one.received_at,
            quantity: number(one.quantity),
            location_seq_id: one.location,
            note: one.note,
            outcome: one.outcome,
            holds: one.holds,
        }
    }
}

/// A line and everything that arrived for it.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewLineDetail)]
pub(crate) struct DetailDto {
    #[serde(flatten)]
    line: LineDto,
    /// Every revision, in order of arrival, those that were overtaken too.
    counts: Vec<ContributionDto>,
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct LinesQuery {
    /// Only this store.
    #[param(value_type = Option<schema::Plain>)]
    facility_id: Option<String>,
    /// Only with this in name, SKU or id.
    #[param(value_type = Option<schema::Plain>)]
    search: Option<String>,
    /// `all`, `undecided`, `different`, `contested`, `late`, `notCounted` or `unmatched`; `all` if left out.
    #[param(value_type = Option<schema::LineFilter>)]
    filter: Option<String>,
    /// `attention` (contested, late, not counted, then what is most at stake), `weight` or `subject`; `attention` if left out.
    #[param(value_type = Option<schema::LineOrder>)]
    sort: Option<String>,
    /// `next` of the previous answer.
    #[param(minimum = 0)]
    offset: Option<i64>,
    /// Lines per answer, 1 to 1,000; 100 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl LinesQuery {
    /// What is asked for.
    fn lines(self, caller: &Caller, run: String) -> Answer<ReviewLines> {
        let filter = match self.filter.as_deref() {
            None | Some("all") => Filter::All,
            Some("undecided") => Filter::Open,
            Some("different") => Filter::Different,
            Some("contested") => Filter::Contested,
            Some("late") => Filter::Late,
            Some("notCounted") => Filter::NotCounted,
            Some("unmatched") => Filter::Unmatched,
            Some(_) => {
                return Err(no_such("filter", "all, undecided, different, contested, late, notCounted or unmatched"));
            }
        };
        let order = match self.sort.as_deref() {
            None | Some("attention") => Order::Attention,
            Some("weight") => Order::Weight,
            Some("subject") => Order::Subject,
            Some(_) => return Err(no_such("sort", "attention, weight or subject")),
        };
        let offset = self.offset.unwrap_or(0);
        if offset < 0 {
            return Err(no_such("offset", "0 or more"));
        }
        let limit = i64::try_from(limit_or(self.limit, 100)?).unwrap_or(i64::MAX);
        let (access, facility) = (caller.access.clone(), self.facility_id);
        Ok(ReviewLines { access, run, facility, search: self.search, filter, order, offset, limit })
    }
}

fn no_such(name: &str, good: &str) -> ProblemResponse {
    ProblemResponse::new(Code::InvalidParameter, format!("\"{name}\" must be {good}."))
}

/// Lines as asked for, of a review that is up to date; and whether there are more.
pub(super) async fn read(deps: &Deps, caller: &Caller, lines: ReviewLines) -> Answer<(Vec<ReviewLine>, bool)> {
    loop {
        match run(deps, lines.clone()).await? {
            ReviewPage::Lines(lines, has_more) => return Ok((lines, has_more)),
            ReviewPage::NotFound => return Err(no_run()),
            ReviewPage::Stale => refresh(deps, caller, &lines.run).await?,
        }
    }
}

/// The lines of a review
///
/// What was counted in sessions that are handed in, summed over them, against what was expected. A recount stands in the place of
/// what was counted before it.
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/review",
    operation_id = "listReviewLines",
    tag = "decide",
    params(("workEffortId" = schema::Id, Path, description = "The run."), LinesQuery),
    responses((status = 200, body = LinesDto, description = "The lines."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn lines(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    Params(query): Params<LinesQuery>,
) -> Answer<Json<LinesDto>> {
    let asked = query.lines(&caller, id)?;
    let after = asked.offset.saturating_add(asked.limit);
    let (lines, has_more) = read(&deps, &caller, asked).await?;
    Ok(Json(LinesDto { items: lines.into_iter().map(LineDto::from).collect(), next: has_more.then_some(after) }))
}

/// The numbers above a review
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/review/totals",
    operation_id = "getReviewTotals",
    tag = "decide",
    params(("workEffortId" = schema::Id, Path, description = "The run.")),
    responses((status = 200, body = TotalsDto, description = "Over all of your stores."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn totals(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
) -> Answer<Json<TotalsDto>> {
    refresh_if_there(&deps, &caller, &id).await?;
    let totals = run(&deps, ReviewTotals { access: caller.access, run: id }).await?;
    Ok(Json(totals.ok_or_else(no_run)?.into()))
}

/// Brings the review up to date, if there is one that the caller may see.
async fn refresh_if_there(deps: &Deps, caller: &Caller, id: &str) -> Answer<()> {
    let one = ReviewLines {
        access: caller.access.clone(),
        run: id.to_owned(),
        facility: None,
        search: None,
        filter: Filter::All,
        order: Order::Subject,
        offset: 0,
        limit: 1,
    };
    read(deps, caller, one).await.map(drop)
}

/// A line and everything that arrived for it
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/review/{facilityId}/{subject}",
    operation_id = "getReviewLine",
    tag = "decide",
    params(
        ("workEffortId" = schema::Id, Path, description = "The run."),
        ("facilityId" = schema::Id, Path, description = "The store."),
        ("subject" = schema::Line, Path, description = "A product id, or `?` and a code."),
    ),
    responses((status = 200, body = DetailDto, description = "Who counted what, when, where, from which device."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn detail(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments((id, facility, subject)): Segments<(String, String, String)>,
) -> Answer<Json<DetailDto>> {
    refresh_if_there(&deps, &caller, &id).await?;
    let found = run(&deps, LineDetail { access: caller.access, run: id, facility, subject }).await?;
    let no_line = || ProblemResponse::new(Code::NotFound, "The review has no such line that you may see.");
    let (line, counts) = found.ok_or_else(no_line)?;
    Ok(Json(DetailDto { line: line.into(), counts: counts.into_iter().map(ContributionDto::from).collect() }))
}
