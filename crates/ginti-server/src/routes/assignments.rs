//! `GET …/{id}/assignments`: the list a directed session asks to count.

use axum::{Json, extract::State};
use ginti_desk::{Expected, run_on};
use ginti_store::Assignment;
use ginti_types::{ItemSeqId, ProductId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{desk::number, openapi::SignedInErrors, page::limit_or, sessions::session_id};
use crate::{
    Deps,
    auth::Caller,
    problem::{Answer, ProblemResponse},
    request::{Params, Segments},
    schema,
};

/// One line of the list: an order to count, not a count.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Assignment)]
pub(super) struct AssignmentDto {
    #[schema(value_type = schema::Id)]
    import_item_seq_id: ItemSeqId,
    #[schema(value_type = schema::Id)]
    product_id: ProductId,
    /// What should lie there, if somebody said so and the count is not blind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    expected_quantity: Option<Box<RawValue>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AssignmentList)]
pub(super) struct AssignmentListDto {
    items: Vec<AssignmentDto>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AssignmentsQuery {
    /// `importItemSeqId` of the last line of the previous answer; left out to begin.
    #[serde(default)]
    #[param(value_type = schema::Plain)]
    after: String,
    /// Lines per answer, 1 to 1,000; 1,000 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The list of a directed session
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}/assignments",
    operation_id = "listAssignments",
    tag = "sessions",
    params(("inventoryCountImportId" = schema::Id, Path, description = "The session."), AssignmentsQuery),
    responses(
        (status = 200, body = AssignmentListDto, description = "By sequence id. Empty: there are no more."),
        (status = 400, body = schema::Problem, content_type = "application/problem+json", description = "`invalid-parameter`."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: unknown, or not yours to see."),
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Segments(id): Segments<String>,
    Params(query): Params<AssignmentsQuery>,
) -> Answer<Json<AssignmentListDto>> {
    let limit = limit_or(query.limit, 1_000)?;
    let session = session_id(id)?;
    let page = deps.store.assignments(&caller.access, &session, &query.after, limit).await?;
    let page = page.ok_or_else(ProblemResponse::no_session)?;
    let products = page.assignments.iter().map(|line| line.product_id.clone()).collect();
    let expected = run_on(&*deps.store, Expected { access: caller.access, session, products }).await?;
    let line = |line: Assignment| AssignmentDto {
        expected_quantity: expected.get(line.product_id.as_str()).copied().map(number),
        import_item_seq_id: line.import_item_seq_id,
        product_id: line.product_id,
    };
    Ok(Json(AssignmentListDto { items: page.assignments.into_iter().map(line).collect() }))
}
