//! `PUT …/{id}`: a session is handed in, handed over, opened again; and what is known of the devices that took part.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use ginti_desk::{Desk, HasNudges, ListDisabled, NoteRetries, TakeNudges};
use ginti_store::{
    Access, DeviceReport, DeviceStanding, Reported, SessionDevice, SessionEvent, SessionUpdate, SessionUpdated,
    Statement, User,
};
use ginti_types::{Code, DeviceId, Epoch, Manifest, Object, Problem, SessionId, SessionStatus, Timestamp, UserLoginId};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{
    desk::session_approval,
    openapi::{BodyErrors, PathErrors, SignedInErrors},
    sessions::{SessionAnswerDto, answer, session_id},
};
use crate::{
    Deps,
    auth::Caller,
    problem::{Answer, ProblemResponse},
    request::{self, Segments, Whole},
    schema,
};

const REPORT_BYTES_MAX: usize = 64 * 1_024;
const REPORT_SESSIONS_MAX: usize = 200;
const DETAILS_BYTES_MAX: usize = 16 * 1_024;
const REASON_CHARS_MAX: usize = 400;
const DIGEST_CHARS: usize = 32;
const RETRIES_MAX: usize = 48;
const RETRIES_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1_000;
const RETRIES_MS_AHEAD_MAX: i64 = 60 * 60 * 1_000;

/// What a device says it counted in a session.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Manifest)]
pub(super) struct ManifestDto {
    #[schema(value_type = schema::Id)]
    device_id: DeviceId,
    /// Rows whose present count is the device's own, sent or not.
    #[schema(value_type = u64, maximum = 9_007_199_254_740_991_u64)]
    item_count: Whole,
    /// SHA-256 over `importItemSeqId LF revision LF` of each row in the order of the ids' bytes; its first 32 hexadecimal digits.
    #[schema(min_length = 32, max_length = 32, pattern = "^[0-9a-fA-F]{32}$")]
    digest: String,
}

/// Somebody answers for what is missing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Override)]
pub(super) struct OverrideDto {
    /// Why; kept with the person's name.
    #[schema(value_type = schema::Reason)]
    reason: String,
}

/// What is to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SessionUpdate)]
pub(super) struct UpdateDto {
    #[schema(value_type = Option<schema::SessionStatus>, example = "SESSION_SUBMITTED")]
    status_id: Option<SessionStatus>,
    /// Whose work it is to be; null for anybody's of the store.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<schema::Id>)]
    assigned_user_login_id: Option<Assignee>,
    /// Of the device that hands the session in.
    #[schema(value_type = Option<ManifestDto>)]
    manifest: Option<Object<ManifestDto>>,
    #[serde(rename = "override")]
    #[schema(value_type = Option<OverrideDto>)]
    overriding: Option<Object<OverrideDto>>,
}

/// Somebody, or nobody in particular.
struct Assignee(Option<UserLoginId>);

/// Null is a value; left out is none.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Assignee>, D::Error> {
    Option::deserialize(deserializer).map(|user| Some(Assignee(user)))
}

/// A device that took part in a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionDevice)]
pub(super) struct SessionDeviceDto {
    #[schema(value_type = schema::Id)]
    device_id: DeviceId,
    #[schema(value_type = Option<schema::Id>)]
    counted_by_user_login_id: Option<UserLoginId>,
    counted_by_name: Option<String>,
    /// Rows that arrived of it.
    item_count: u64,
    /// Rows that it last said were not confirmed.
    unsent_count: Option<u64>,
    #[schema(value_type = Option<schema::Time>)]
    oldest_unsent_at: Option<Timestamp>,
    #[schema(value_type = Option<schema::Time>)]
    stated_at: Option<Timestamp>,
    #[schema(value_type = Option<schema::Time>)]
    last_seen_at: Option<Timestamp>,
    /// `complete`: what it said is here. `missing`: it said more, or other. `unknown`: it said nothing.
    #[schema(example = "complete")]
    standing: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SessionDeviceList)]
pub(super) struct SessionDeviceListDto {
    items: Vec<SessionDeviceDto>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Colleague)]
pub(super) struct ColleagueDto {
    #[schema(value_type = schema::Id)]
    user_login_id: UserLoginId,
    name: String,
    #[schema(value_type = schema::Role, example = "counter")]
    role: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ColleagueList)]
pub(super) struct ColleagueListDto {
    items: Vec<ColleagueDto>,
}

/// What happened to a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionEvent)]
pub(super) struct SessionEventDto {
    #[schema(value_type = schema::Time)]
    at: Timestamp,
    #[schema(value_type = schema::Id)]
    user_login_id: UserLoginId,
    #[schema(value_type = schema::SessionStatus)]
    from_status_id: SessionStatus,
    #[schema(value_type = schema::SessionStatus)]
    to_status_id: SessionStatus,
    #[schema(value_type = Option<schema::Id>)]
    assigned_user_login_id: Option<UserLoginId>,
    /// Why it was handed in though something was missing.
    reason: Option<String>,
    /// Devices of which something was missing then.
    #[schema(value_type = Vec<schema::Id>)]
    missing_device_ids: Vec<DeviceId>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SessionEventList)]
pub(super) struct SessionEventListDto {
    items: Vec<SessionEventDto>,
}

/// A device's report of itself.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CourierStatus)]
pub(super) struct ReportDto {
    #[schema(value_type = schema::Id)]
    device_id: DeviceId,
    /// Anything that helps to know how it stands: version, browser, storage, courier. At most 16 KB.
    #[serde(default)]
    #[schema(value_type = Object)]
    details: serde_json::Map<String, serde_json::Value>,
    /// At most 200.
    #[schema(value_type = Vec<StatedDto>, max_items = 200)]
    sessions: Vec<Object<StatedDto>>,
    /// How often it tried deliveries again, in each of its last hours in which it did. At most 48.
    #[serde(default)]
    #[schema(value_type = Vec<RetriesDto>, max_items = 48)]
    retries: Vec<Object<RetriesDto>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CourierStatusRetries)]
pub(super) struct RetriesDto {
    /// A moment in the hour.
    #[schema(value_type = schema::Time)]
    at: Timestamp,
    /// 1 to 100,000.
    #[schema(minimum = 1, maximum = 100_000)]
    count: i64,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CourierStatusSession)]
pub(super) struct StatedDto {
    #[schema(value_type = schema::Id)]
    inventory_count_import_id: SessionId,
    #[schema(value_type = u64, maximum = 9_007_199_254_740_991_u64)]
    item_count: Whole,
    #[schema(min_length = 32, max_length = 32, pattern = "^[0-9a-fA-F]{32}$")]
    digest: String,
    /// Rows that the server has not confirmed.
    #[schema(value_type = u64, maximum = 9_007_199_254_740_991_u64)]
    unsent_count: Whole,
    #[schema(value_type = Option<schema::Time>)]
    oldest_unsent_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CourierStatusAnswer)]
pub(super) struct ReportedDto {
    /// What a manager asks of the device, told once: `flush` (send what you have), `sign-in` (ask your person to sign in again).
    nudges: Vec<String>,
    #[schema(value_type = schema::Id)]
    epoch: Epoch,
    ledger_seq: u64,
    #[schema(value_type = schema::Time)]
    server_time: Timestamp,
}

/// Hand a session in, give it to somebody, or open it again
///
/// A session is handed in only if the server has everything that the session's devices say they counted (each says so at
/// `/maarg/poorti/CourierStatus`, the one that hands in by `manifest`); a lead or manager may override that by name. A
/// session that was handed in takes no more changes: what arrives later is kept as `late`. `SESSION_APPROVED` approves a session as
/// its run is approved, receivers are told of it, and contested or late lines must have been decided (or answered for by
/// `override`); where others count in the same store for the same run, the run is the place to approve them together.
#[utoipa::path(
    put,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}",
    operation_id = "updateSession",
    tag = "sessions",
    params(("inventoryCountImportId" = schema::Id, Path, description = "The session.")),
    request_body = UpdateDto,
    responses(
        (status = 200, body = SessionAnswerDto, description = "As it stands now."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-allowed`: the role may not do this."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: unknown, or not yours to see."),
        (status = 409, body = schema::Problem, content_type = "application/problem+json",
            description = "`session-incomplete`: `devices` says which device and how many. `status-not-allowed`."),
        BodyErrors,
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn update(
    State(deps): State<Deps>,
    caller: Caller,
    Segments(id): Segments<String>,
    request::Json(given): request::Json<UpdateDto>,
) -> Answer<Json<SessionAnswerDto>> {
    let session = session_id(id)?;
    if deps.drain.has_begun() {
        return Err(ProblemResponse::draining());
    }
    let reason = given.overriding.map(|Object(overriding)| overriding.reason.trim().to_owned());
    if reason.as_ref().is_some_and(|reason| !(1..=REASON_CHARS_MAX).contains(&reason.chars().count())) {
        let detail = "Say in a few words why (\"override.reason\", 1 to 400 characters).";
        return Err(ProblemResponse::new(Code::FieldInvalid, detail));
    }
    if reason.is_some() && !caller.role.leads() {
        let detail = "Only a lead or a manager can answer for what is missing. Ask one to submit this count.";
        return Err(ProblemResponse::new(Code::NotAllowed, detail));
    }
    let stated = given.manifest.map(|Object(given)| {
        check_digest(&given.digest)?;
        Ok::<_, ProblemResponse>((given.device_id, Manifest { item_count: given.item_count.0, digest: given.digest }))
    });
    if given.status_id == Some(SessionStatus::SessionApproved) {
        if given.assigned_user_login_id.is_some() || stated.is_some() {
            let detail = "A count is approved by itself: give \"statusId\" alone, or with \"override\".";
            return Err(ProblemResponse::new(Code::FieldInvalid, detail));
        }
        let updated = session_approval::approve(&deps, &caller, &session, reason.as_ref()).await?;
        return updated_answer(&deps, &caller, &session, updated).await;
    }
    let update = SessionUpdate {
        status: given.status_id,
        assigned_to: given.assigned_user_login_id.map(|Assignee(user)| user),
        stated: stated.transpose()?,
        reason,
        role: caller.role,
        now: deps.now(),
    };
    let updated = deps.store.update_session(&caller.access, &session, update).await?;
    updated_answer(&deps, &caller, &session, updated).await
}

async fn updated_answer(
    deps: &Deps,
    caller: &Caller,
    session: &SessionId,
    updated: SessionUpdated,
) -> Answer<Json<SessionAnswerDto>> {
    match updated {
        SessionUpdated::Done => answer(deps, caller, session).await,
        SessionUpdated::NotFound => Err(ProblemResponse::no_session()),
        SessionUpdated::RoleNotAllowed => Err(ProblemResponse::new(
            Code::NotAllowed,
            "Your role may not do this with a count. Ask a lead or a manager.",
        )),
        SessionUpdated::StatusNotAllowed(from) => Err(ProblemResponse::new(
            Code::StatusNotAllowed,
            format!("This count stands at {}: it cannot go from there to where you want it.", from.as_str()),
        )),
        SessionUpdated::NobodyThere => Err(ProblemResponse::new(
            Code::FieldInvalid,
            "There is nobody of that name who may count in this store. Choose one of …/colleagues.",
        )),
        SessionUpdated::Incomplete(devices) => Err(incomplete(deps, &caller.access, devices).await?),
    }
}

/// The devices that took part in a session
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}/devices",
    operation_id = "listSessionDevices",
    tag = "sessions",
    params(("inventoryCountImportId" = schema::Id, Path, description = "The session.")),
    responses(
        (status = 200, body = SessionDeviceListDto, description = "Each with what arrived of it and what it said."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: unknown, or not yours to see."),
        PathErrors,
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn devices(
    State(deps): State<Deps>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Answer<Json<SessionDeviceListDto>> {
    let devices = deps.store.session_devices(&caller.access, &session_id(id)?).await?;
    let devices = devices.ok_or_else(ProblemResponse::no_session)?;
    Ok(Json(SessionDeviceListDto { items: named(&deps, &caller.access, devices).await? }))
}

/// Who may count where the session counts
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}/colleagues",
    operation_id = "listColleagues",
    tag = "sessions",
    params(("inventoryCountImportId" = schema::Id, Path, description = "The session.")),
    responses(
        (status = 200, body = ColleagueListDto, description = "By name."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: unknown, or not yours to see."),
        PathErrors,
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn colleagues(
    State(deps): State<Deps>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Answer<Json<ColleagueListDto>> {
    let session = deps.store.session(&caller.access, &session_id(id)?).await?;
    let facility = session.ok_or_else(ProblemResponse::no_session)?.session.facility;
    let users = deps.store.users(&caller.access.tenant).await?;
    let disabled = Desk::new(deps.store.clone()).run(ListDisabled { tenant: caller.access.tenant.clone() }).await?;
    let is_enabled = |user: &User| disabled.iter().all(|(id, _)| *id != user.id);
    let works_there = |user: &User| user.facilities.as_ref().is_none_or(|all| all.contains(&facility));
    let mut items: Vec<_> = users
        .into_iter()
        .filter(|user| works_there(user) && is_enabled(user))
        .map(|user| ColleagueDto { user_login_id: user.id, name: user.name, role: user.role.as_str() })
        .collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(ColleagueListDto { items }))
}

/// What happened to a session, newest first
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}/events",
    operation_id = "listSessionEvents",
    tag = "sessions",
    params(("inventoryCountImportId" = schema::Id, Path, description = "The session.")),
    responses(
        (status = 200, body = SessionEventListDto, description = "Every change of status or person."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: unknown, or not yours to see."),
        PathErrors,
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn events(
    State(deps): State<Deps>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Answer<Json<SessionEventListDto>> {
    let events = deps.store.session_events(&caller.access, &session_id(id)?).await?;
    let events = events.ok_or_else(ProblemResponse::no_session)?;
    Ok(Json(SessionEventListDto { items: events.into_iter().map(SessionEventDto::from).collect() }))
}

/// A device says how it stands
///
/// Sent beside a flush, not as a heartbeat. What it says of a session decides whether that may be handed in.
#[utoipa::path(
    post,
    path = "/maarg/poorti/CourierStatus",
    operation_id = "reportCourierStatus",
    tag = "counts",
    request_body = ReportDto,
    responses(
        (status = 200, body = ReportedDto, description = "Taken. Sessions you may not see are passed over."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json", description = "`device-revoked`."),
        BodyErrors,
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn report(
    State(deps): State<Deps>,
    caller: Result<Caller, ProblemResponse>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<ReportedDto>> {
    let caller = match caller {
        Ok(caller) if !deps.drain.has_begun() => caller,
        refused => {
            request::discard(body).await;
            return Err(refused.err().unwrap_or_else(ProblemResponse::draining));
        }
    };
    let given: ReportDto = request::parse(&request::read(&headers, body, REPORT_BYTES_MAX).await?)?;
    let details = serde_json::Value::Object(given.details).to_string();
    if details.len() > DETAILS_BYTES_MAX || given.sessions.len() > REPORT_SESSIONS_MAX {
        let detail = "The report is too long: at most 16 KB of \"details\" and 200 \"sessions\". Leave the oldest out.";
        return Err(ProblemResponse::new(Code::FieldInvalid, detail));
    }
    let now = deps.now();
    let retries = retries(&given.retries, now)?;
    let stated = |Object(given): Object<StatedDto>| {
        check_digest(&given.digest)?;
        let statement = Statement {
            manifest: Manifest { item_count: given.item_count.0, digest: given.digest },
            unsent: given.unsent_count.0,
            oldest_unsent: given.oldest_unsent_at,
            stated: now,
        };
        Ok((given.inventory_count_import_id, statement))
    };
    let sessions = given.sessions.into_iter().map(stated).collect::<Answer<_>>()?;
    let asked = TakeNudges { tenant: caller.access.tenant.clone(), device: given.device_id.clone() };
    let report = DeviceReport { device: given.device_id, now, details, sessions };
    match deps.store.report_device(&caller.access, report).await? {
        Reported::Taken => {
            let ledger = deps.store.ledger().await?;
            let desk = Desk::new(deps.store.clone());
            if !retries.is_empty() {
                let retries = NoteRetries { access: caller.access, device: asked.device.clone(), hours: retries };
                desk.run(retries).await?;
            }
            let nudges = if desk.run(HasNudges(asked.clone())).await? { desk.run(asked).await? } else { Vec::new() };
            Ok(Json(ReportedDto { nudges, epoch: ledger.epoch, ledger_seq: ledger.ledger_seq, server_time: now }))
        }
        Reported::Revoked => Err(ProblemResponse::new(
            Code::DeviceRevoked,
            "This device was blocked by a manager. Its counts stay on the device until it is let in again.",
        )),
    }
}

/// Hours that the device may mean; what its clock makes up is passed over.
fn retries(given: &[Object<RetriesDto>], now: Timestamp) -> Answer<Vec<(Timestamp, i64)>> {
    if given.len() > RETRIES_MAX || given.iter().any(|Object(hour)| !(1..=100_000).contains(&hour.count)) {
        let detail = "\"retries\" must hold at most 48 hours, each with a \"count\" of 1 to 100000.";
        return Err(ProblemResponse::new(Code::FieldInvalid, detail));
    }
    let is_near = |at: Timestamp| (-RETRIES_MS_MAX..=RETRIES_MS_AHEAD_MAX).contains(&(at.unix_ms() - now.unix_ms()));
    Ok(given.iter().map(|Object(hour)| (hour.at, hour.count)).filter(|(at, _)| is_near(*at)).collect())
}

fn check_digest(digest: &str) -> Answer<()> {
    if digest.len() == DIGEST_CHARS && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(ProblemResponse::new(Code::FieldInvalid, "\"digest\" must be 32 hexadecimal digits."))
}

async fn incomplete(deps: &Deps, access: &Access, devices: Vec<SessionDevice>) -> Answer<ProblemResponse> {
    let devices = named(deps, access, devices).await?;
    let missing: Vec<_> = devices.iter().filter(|device| device.standing == "missing").map(said).collect();
    let detail = format!("Not handed in: something has not arrived. {}", missing.join(" "));
    let mut problem = Problem::new(Code::SessionIncomplete, detail);
    let as_json = |device: &SessionDeviceDto| serde_json::to_value(device).unwrap_or_default();
    problem.devices = devices.iter().map(as_json).collect();
    Ok(problem.into())
}

fn said(device: &SessionDeviceDto) -> String {
    let whose = device
        .counted_by_name
        .as_ref()
        .map_or_else(|| format!("Device {}", device.device_id), |name| format!("{name}'s device"));
    match device.unsent_count {
        Some(unsent) if unsent > 0 => format!("{whose} has {unsent} counts that have not arrived."),
        _ => format!("{whose} counted other rows than the {} that arrived.", device.item_count),
    }
}

async fn named(deps: &Deps, access: &Access, devices: Vec<SessionDevice>) -> Answer<Vec<SessionDeviceDto>> {
    let users = deps.store.users(&access.tenant).await?;
    let name_of = |person: &UserLoginId| users.iter().find(|user| user.id == *person).map(|user| user.name.clone());
    let device = |device: SessionDevice| {
        let (unsent, oldest, stated) = match &device.statement {
            Some(statement) => (Some(statement.unsent), statement.oldest_unsent, Some(statement.stated)),
            None => (None, None, None),
        };
        SessionDeviceDto {
            device_id: device.device,
            counted_by_name: device.person.as_ref().and_then(name_of),
            counted_by_user_login_id: device.person,
            item_count: device.items,
            unsent_count: unsent,
            oldest_unsent_at: oldest,
            stated_at: stated,
            last_seen_at: device.last_seen,
            standing: match device.standing {
                DeviceStanding::Complete => "complete",
                DeviceStanding::Missing => "missing",
                DeviceStanding::Unknown => "unknown",
            },
        }
    };
    Ok(devices.into_iter().map(device).collect())
}

impl From<SessionEvent> for SessionEventDto {
    fn from(event: SessionEvent) -> Self {
        Self {
            at: event.at,
            user_login_id: event.by,
            from_status_id: event.from,
            to_status_id: event.to,
            assigned_user_login_id: event.assigned_to,
            reason: event.reason,
            missing_device_ids: event.left_behind,
        }
    }
}
