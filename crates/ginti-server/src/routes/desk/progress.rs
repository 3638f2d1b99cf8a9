//! How far a run is: once, or as a stream of server-sent events.
//!
//! However many look, each state is computed once: viewers of the same run with the same stores share what one task finds out,
//! at most once a second, and only while somebody looks. Counts of every server of the database wake it.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension, Json,
    extract::State,
    response::{Sse, sse::Event},
};
use futures_util::{Stream, stream};
use ginti_desk::{AtWork, Progress, RunProgress, SessionProgress};
use ginti_store::Access;
use ginti_types::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::{no_run, run};
use crate::{Deps, auth::Manager, problem::Answer, request::Segments, routes::openapi::ManagerErrors};

/// A state is shown for so long at least.
const CALM: Duration = Duration::from_secs(1);
/// So often somebody looks though no count came: sessions move and people come without one.
const LOOK_EVERY: Duration = Duration::from_secs(4);

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
    #[schema(value_type = Option<String>, format = DateTime)]
    due_date: Option<Timestamp>,
    /// Rows that have a count.
    items_counted: u64,
    /// Rows on its list.
    items_requested: u64,
    devices: u64,
    #[schema(value_type = Option<String>, format = DateTime)]
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
    #[schema(value_type = String, format = DateTime)]
    last_arrival_at: Timestamp,
    /// Counts that arrived of the device in the session.
    counts: u64,
}

/// Counts that arrived in a minute.
#[derive(Serialize, ToSchema)]
#[schema(as = Minute)]
pub(crate) struct MinuteDto {
    #[schema(value_type = String, format = DateTime)]
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
    #[schema(value_type = String, format = DateTime)]
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

async fn look(deps: &Deps, access: &Access, id: &str) -> Answer<Option<ProgressDto>> {
    let now = deps.now();
    let progress = run(deps, Progress { access: access.clone(), run: id.to_owned(), now }).await?;
    Ok(progress.map(|progress| dto(progress, now)))
}

/// How far a run is
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/progress",
    operation_id = "getProgress",
    tag = "watch",
    params(("workEffortId" = String, Path, description = "The run.")),
    responses((status = 200, body = ProgressDto, description = "As it is now."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn get(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
) -> Answer<Json<ProgressDto>> {
    look(&deps, &caller.access, &id).await?.map(Json).ok_or_else(no_run)
}

/// How far a run is, as it happens
///
/// Server-sent events: each `progress` event's data is what `…/progress` answers. A comment keeps the connection awake.
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/progress/stream",
    operation_id = "streamProgress",
    tag = "watch",
    params(("workEffortId" = String, Path, description = "The run.")),
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
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let first = look(&deps, &caller.access, &id).await?.ok_or_else(no_run)?;
    let states = rooms.enter(&deps, caller.access, &id, &first);
    let events = stream::unfold((states, true), |(mut states, is_first)| async move {
        // The state of the moment first, then each new one; the end of the room ends the stream.
        if !is_first {
            states.changed().await.ok()?;
        }
        let state = Arc::clone(&states.borrow_and_update());
        Some((Ok(Event::default().event("progress").data(&*state)), (states, false)))
    });
    Ok(Sse::new(events).keep_alive(axum::response::sse::KeepAlive::default()))
}

type Shown = Arc<str>;
type Key = (Access, String);

/// Viewers that see the same share a room.
#[derive(Clone, Default)]
pub(crate) struct Rooms {
    of: Arc<Mutex<HashMap<Key, watch::Sender<Shown>>>>,
}

impl Rooms {
    /// The states of a run as this caller may see them, beginning with `first` if nobody looks yet.
    fn enter(&self, deps: &Deps, access: Access, id: &str, first: &ProgressDto) -> watch::Receiver<Shown> {
        // Who looks makes no difference, only what they may see.
        let key = (Access { user: nobody(), ..access.clone() }, id.to_owned());
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = of.get(&key) {
            return room.subscribe();
        }
        let room = watch::Sender::new(text(first));
        let states = room.subscribe();
        of.insert(key.clone(), room.clone());
        drop(of);
        tokio::spawn(self.clone().keep(deps.clone(), key, access, room));
        states
    }

    /// Keeps a room's state new until the last viewer has gone.
    async fn keep(self, deps: Deps, key: Key, access: Access, room: watch::Sender<Shown>) {
        let mut counts = deps.store.changes();
        loop {
            tokio::time::sleep(CALM).await;
            // Counts, or time: either is a reason to look again.
            let _ = tokio::time::timeout(LOOK_EVERY, counts.changed()).await;
            if self.is_left(&key, &room) || deps.drain.has_begun() {
                break;
            }
            match look(&deps, &access, &key.1).await {
                Ok(Some(progress)) => {
                    room.send_replace(text(&progress));
                }
                Ok(None) => break,
                // The database is away: viewers keep what they saw, and the next look may succeed.
                Err(_) => tracing::debug!("progress could not be read"),
            }
        }
        self.of.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }

    fn is_left(&self, key: &Key, room: &watch::Sender<Shown>) -> bool {
        // Under the lock, so that nobody enters a room that is being closed.
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let is_left = room.receiver_count() == 0;
        if is_left {
            of.remove(key);
        }
        is_left
    }
}

fn text(progress: &ProgressDto) -> Shown {
    serde_json::to_string(progress).unwrap_or_default().into()
}

fn nobody() -> ginti_types::UserLoginId {
    ginti_types::UserLoginId::new("-").expect("an id")
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
