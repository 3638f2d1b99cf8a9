//! The devices.

use axum::{Json, extract::State, http::StatusCode};
use ginti_desk::{
    AlertKind, AlertRule, FindBatch, FleetDevice, ListAlertRules, ListFleet, Nudge, NudgeDevice, RevokeDevice,
};
use ginti_types::{BatchId, Code, DeviceId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::run;
use crate::{
    Deps,
    auth::Manager,
    problem::{Answer, ProblemResponse},
    request::{Large, Segments},
    routes::openapi::ManagerErrors,
    schema,
};

/// A device, as it last said and as it was last seen.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Device)]
pub(crate) struct DeviceDto {
    device_id: String,
    is_revoked: bool,
    #[schema(value_type = schema::Time)]
    first_seen_at: Timestamp,
    #[schema(value_type = schema::Time)]
    last_seen_at: Timestamp,
    #[schema(value_type = Option<schema::Time>)]
    reported_at: Option<Timestamp>,
    reported_by_user_login_id: Option<String>,
    /// What it said of itself: versions, browser, storage, courier.
    #[schema(value_type = Option<Object>)]
    details: Option<serde_json::Value>,
    /// Rows that it said were not confirmed.
    unsent_count: u64,
    #[schema(value_type = Option<schema::Time>)]
    oldest_unsent_at: Option<Timestamp>,
    /// Why counts of it were refused last, if it has not said since that all is well.
    #[schema(example = "clock-skew")]
    refused_code: Option<String>,
    /// What it is asked to do at its next contact.
    nudges: Vec<String>,
    /// What your company's rules say of it (see `/maarg/poorti/AlertRules`): `unsent-for-long`, `silent-with-unsent`,
    /// `counts-refused`. `revoked-with-unsent`: it is shut out and has counts that have not arrived.
    alerts: Vec<&'static str>,
}

impl DeviceDto {
    fn of(device: FleetDevice, rules: &[AlertRule], now: Timestamp) -> Self {
        let holds = |rule: &&AlertRule| {
            let since = match rule.kind {
                AlertKind::UnsentForLong => device.oldest_unsent.filter(|_| device.unsent > 0),
                AlertKind::SilentWithUnsent => (device.unsent > 0).then_some(device.last_seen),
                AlertKind::CountsRefused => device.refused.as_ref().map(|_| now),
                AlertKind::DeliveryDead => None,
            };
            let waited = since.map(|since| now.unix_ms() - since.unix_ms());
            rule.is_active && waited.is_some_and(|waited| waited >= rule.after_ms.unwrap_or(0))
        };
        let mut alerts: Vec<_> = rules.iter().filter(holds).map(|rule| rule.kind.as_str()).collect();
        if device.is_revoked && device.unsent > 0 {
            alerts.push("revoked-with-unsent");
        }
        Self {
            device_id: device.device,
            is_revoked: device.is_revoked,
            first_seen_at: device.first_seen,
            last_seen_at: device.last_seen,
            reported_at: device.reported_at,
            reported_by_user_login_id: device.reported_by,
            details: device.details,
            unsent_count: device.unsent,
            oldest_unsent_at: device.oldest_unsent,
            refused_code: device.refused,
            nudges: device.nudges,
            alerts,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeviceList)]
pub(crate) struct DevicesDto {
    items: Vec<DeviceDto>,
    #[schema(value_type = schema::Time)]
    server_time: Timestamp,
}

/// What is to become of a device; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DeviceUpdate)]
pub(crate) struct UpdateDto {
    /// Nothing of it is taken any more, or again. What it has not sent stays on it. The sign-ins on it end: its cookie gets
    /// `refresh-refused`, also when it is let in again. Sign-ins of its people on other devices last.
    is_revoked: Option<bool>,
    /// `flush` (send what you have) or `sign-in` (ask your person to sign in again), told at its next contact.
    #[schema(value_type = Option<schema::Nudge>)]
    nudge: Option<String>,
}

/// List the devices, those with something unsent for longest first
#[utoipa::path(
    get,
    path = "/maarg/poorti/Devices",
    operation_id = "listDevices",
    tag = "fleet",
    responses((status = 200, body = DevicesDto, description = "Devices that had to do with one of your stores."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn list(State(deps): State<Deps>, Manager(caller): Manager) -> Answer<Json<DevicesDto>> {
    let now = deps.now();
    let rules = run(&deps, ListAlertRules { access: caller.access.clone() }).await?;
    let devices = run(&deps, ListFleet { access: caller.access, now }).await?;
    let items = devices.into_iter().map(|device| DeviceDto::of(device, &rules, now)).collect();
    Ok(Json(DevicesDto { items, server_time: now }))
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BatchFound)]
pub(crate) struct BatchDto {
    inventory_count_import_id: String,
    count_import_name: String,
    device_id: String,
    sent_by_user_login_id: String,
    #[schema(value_type = schema::Time)]
    received_at: Timestamp,
    /// Counts of it that are in history.
    counts: u64,
}

/// Look for a batch by its id
#[utoipa::path(
    get,
    path = "/maarg/poorti/Batches/{batchId}",
    operation_id = "getBatch",
    tag = "fleet",
    params(("batchId" = String, Path, description = "As the device shows it.")),
    responses((status = 200, body = BatchDto, description = "It arrived."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn batch(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
) -> Answer<Json<BatchDto>> {
    let none = || {
        let detail = "No batch of that id has arrived that you may see. If the device still has it, it is on its way.";
        ProblemResponse::new(Code::NotFound, detail)
    };
    let batch = BatchId::parse(&id).map_err(|_| none())?;
    let found = run(&deps, FindBatch { access: caller.access, batch }).await?.ok_or_else(none)?;
    Ok(Json(BatchDto {
        inventory_count_import_id: found.session,
        count_import_name: found.session_name,
        device_id: found.device,
        sent_by_user_login_id: found.sent_by,
        received_at: found.received_at,
        counts: found.counts,
    }))
}

/// Ask a device to do something, shut it out, or let it in again
#[utoipa::path(
    put,
    path = "/maarg/poorti/Devices/{deviceId}",
    operation_id = "updateDevice",
    tag = "fleet",
    params(("deviceId" = schema::Id, Path, description = "The device.")),
    request_body = UpdateDto,
    responses((status = 204, description = "Done; a nudge waits for the device's next contact."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn update(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    Large(given): Large<UpdateDto>,
) -> Answer<StatusCode> {
    let no_device = || ProblemResponse::new(Code::NotFound, "There is no device of that id that you may see.");
    let device = DeviceId::new(id).map_err(|_| no_device())?;
    let nudge = given.nudge.as_deref().map(|name| {
        Nudge::from_name(name)
            .ok_or_else(|| ProblemResponse::new(Code::FieldInvalid, "\"nudge\" must be flush or sign-in."))
    });
    let nudge = nudge.transpose()?;
    if let Some(revoked) = given.is_revoked {
        let note = RevokeDevice { access: caller.access.clone(), device: device.clone(), revoked, now: deps.now() };
        if !run(&deps, note).await? {
            return Err(no_device());
        }
        deps.store.set_device_revoked(&caller.access.tenant, &device, revoked).await?;
    }
    if let Some(nudge) = nudge {
        let ask = NudgeDevice { access: caller.access, device, nudge, now: deps.now() };
        if !run(&deps, ask).await? {
            return Err(no_device());
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
