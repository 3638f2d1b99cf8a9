//! How far a run is: once, or as a stream of server-sent events, which [`Rooms`] share out.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use ginti_desk::{AtWork, Progress, RunProgress, SessionProgress};
use ginti_store::Access;
use ginti_types::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{no_run, rooms::Rooms, run};
use crate::{Deps, auth::Manager, layers, problem::Answer, request::Segments, routes::openapi::ManagerErrors, schema};

/// How far one session is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionProgress)]
pub(crate) struct SessionProgressDto {
    inventory_count_import_id: String,
    count_import_name: String,
    facility_id: String,
    area_name: Option<String>,
    purpose_type: String,
    status_id: String,
    assigned_user_login_id: Option<String>,
    #[schema(value_type = Option<schema::Time>)]
    due_date: Option<Timestamp>,
    /// Rows that have a count.
    items_counted: u64,
    /// Rows on its list.
    items_requested: u64,
    devices: u64,
    #[schema(value_type = Option<schema::Time>)]
    last_arrival_at: Option<Timestamp>,
    is_recount: bool,
    is_blind: bool,
}

/// Who counts where.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AtWork)]
pub(crate) struct AtWorkDto {
    user_login_id: String,
    inventory_count_import_id: String,
    device_id: String,
    #[schema(value_type = schema::Time)]
    last_arrival_at: Timestamp,
    /// Counts that arrived of the device in the session.
    counts: u64,
}

/// Counts that arrived in a minute.
#[derive(Serialize, ToSchema)]
#[schema(as = Minute)]
pub(crate) struct MinuteDto {
    #[schema(value_type = schema::Time)]
    at: Timestamp,
    counts: u64,
}

/// How long counts took from the hand to the server's disk, in milliseconds, over the newest ones.
#[derive(Serialize, ToSchema)]
#[schema(as = Lag)]
pub(crate) struct LagDto {
    counts: u64,
    p50: Option<i64>,
    p95: Option<i64>,
    max: Option<i64>,
    /// How many took up to 1 s, 10 s, 1 min, 10 min, 1 h, and longer.
    buckets: [u64; 6],
}

/// How far a run is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Progress)]
pub(crate) struct ProgressDto {
    sessions: Vec<SessionProgressDto>,
    /// Latest first.
    people: Vec<AtWorkDto>,
    /// The last hour.
    per_minute: Vec<MinuteDto>,
    lag: LagDto,
    #[schema(value_type = schema::Time)]
    server_time: Timestamp,
}

const BUCKET_ENDS_MS: [i64; 5] = [1_000, 10_000, 60_000, 600_000, 3_600_000];

fn lag(lags: &[i64]) -> LagDto {
    let at = |percent: usize| lags.get((lags.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let mut buckets = [0; 6];
    for lag in lags {
        buckets[BUCKET_ENDS_MS.iter().position(|end| lag <= end).unwrap_or(BUCKET_ENDS_MS.len())] += 1;
    }
    let counts = u64::try_from(lags.len()).unwrap_or(u64::MAX);
    LagDto { counts, p50: at(50), p95: at(95), max: lags.last().copied(), buckets }
}

fn dto(progress: RunProgress, server_time: Timestamp) -> ProgressDto {
    let session = |session: SessionProgress| SessionProgressDto {
        inventory_count_import_id: session.id,
        count_import_name: session.name,
        facility_id: session.facility,
        area_name: session.area,
        purpose_type: session.purpose,
        status_id: session.status,
        assigned_user_login_id: session.assigned_to,
        due_date: session.due,
        items_counted: session.counted,
        items_requested: session.requested,
        devices: session.devices,
        last_arrival_at: session.last_arrival,
        is_recount: session.is_recount,
        is_blind: session.is_blind,
    };
    let at_work = |one: AtWork| AtWorkDto {
        user_login_id: one.person,
        inventory_count_import_id: one.session,
        device_id: one.device,
        last_arrival_at: one.last_arrival,
        counts: one.counts,
    };
    let minute = |(minute, counts): (i64, u64)| MinuteDto { at: Timestamp::from_unix_ms(minute * 60_000), counts };
    ProgressDto {
        sessions: progress.sessions.into_iter().map(session).collect(),
        people: progress.people.into_iter().map(at_work).collect(),
        per_minute: progress.per_minute.into_iter().map(minute).collect(),
        lag: lag(&progress.lags),
        server_time,
    }
}

pub(super) async fn look(deps: &Deps, rooms: &Rooms, access: &Access, id: &str) -> Answer<Option<ProgressDto>> {
    let now = deps.now();
    let known = rooms.known(access, id, now);
    let progress = run(deps, Progress { access: access.clone(), run: id.to_owned(), now, known }).await?;
    Ok(progress.map(|progress| dto(progress, now)))
}

/// How far a run is
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/progress",
    operation_id = "getProgress",
    tag = "watch",
    params(("workEffortId" = schema::Id, Path, description = "The run.")),
    responses((status = 200, body = ProgressDto, description = "As it is now."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn get(
    State(deps): State<Deps>,
    Extension(rooms): Extension<Rooms>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
) -> Answer<Json<ProgressDto>> {
    look(&deps, &rooms, &caller.access, &id).await?.map(Json).ok_or_else(no_run)
}

/// How far a run is, as it happens
///
/// Server-sent events: each `progress` event's data is what `…/progress` answers. A comment keeps the connection awake.
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/progress/stream",
    operation_id = "streamProgress",
    tag = "watch",
    params(("workEffortId" = schema::Id, Path, description = "The run.")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String, description = "Events, until either side goes."),
        ManagerErrors,
    ),
    security(("bearer" = []))
)]
pub(crate) async fn stream(
    State(deps): State<Deps>,
    Extension(rooms): Extension<Rooms>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let is_packed = layers::accepts_encoding(&headers, "gzip");
    let body = loop {
        if let Some(body) = rooms.enter(&deps, &caller.access, &id, is_packed).await {
            break body;
        }
        // What the room could not read is asked for once more, to say why.
        look(&deps, &rooms, &caller.access, &id).await?.ok_or_else(no_run)?;
    };
    let always = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept-encoding"),
    ];
    let mut response = (always, body).into_response();
    if is_packed {
        response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lags_are_told_by_rank_and_in_buckets() {
        let lags = [500, 1_000, 1_001, 59_000, 3_600_001];
        let told = lag(&lags);
        assert_eq!((told.p50, told.p95, told.max), (Some(1_001), Some(3_600_001), Some(3_600_001)));
        assert_eq!(told.buckets, [2, 1, 1, 0, 0, 1]);
        let none = lag(&[]);
        assert_eq!((none.p50, none.max, none.counts), (None, None, 0));
    }
}
