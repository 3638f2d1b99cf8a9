//! `/livez` and `/readyz`, for whatever watches the process.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Deps,
    problem::{Answer, ProblemResponse},
    schema,
};

/// How the server is.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthDto {
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Json<HealthDto> = Json(HealthDto { status: "ok" });

/// Whether the process runs
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "operators",
    responses((status = 200, body = HealthDto, description = "It does."))
)]
pub(super) async fn livez() -> Json<HealthDto> {
    OK
}

/// Whether to send requests here
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "operators",
    responses(
        (status = 200, body = HealthDto, description = "The database answers."),
        (status = 503, body = schema::Problem, content_type = "application/problem+json",
            description = "`draining`: shutting down. `storage-unavailable`, `busy`: the database does not answer."),
    )
)]
pub(super) async fn readyz(State(deps): State<Deps>) -> Answer<Json<HealthDto>> {
    if deps.drain.has_begun() {
        return Err(ProblemResponse::draining());
    }
    deps.store.ping().await?;
    Ok(OK)
}
