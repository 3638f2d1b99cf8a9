//! What a tenant is told of, and what was found; what went wrong, hour by hour.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use ginti_desk::{Alert, AlertKind, AlertRule, FleetHistory, ListAlertRules, ListAlerts, PutAlertRules};
use ginti_types::{Code, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::run;
use crate::{
    Deps, alerts,
    auth::Manager,
    problem::{Answer, ProblemResponse},
    request::{Large, Params},
    routes::{openapi::ManagerErrors, page::limit_or},
    schema,
};

const AFTER_SECONDS_MIN: i64 = 60;
const AFTER_SECONDS_MAX: i64 = 30 * 24 * 60 * 60;
const HOURS_MAX: i64 = 31 * 24;

/// A rule. A tenant has one of each kind.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AlertRule)]
pub(crate) struct RuleDto {
    /// `unsent-for-long`: a device's oldest unsent count is older than `afterSeconds`. `silent-with-unsent`: a device with unsent
    /// counts was not heard of for `afterSeconds`. `counts-refused`: counts were refused and the device has not said since that
    /// all have arrived. `delivery-dead`: messages to a receiver wait for a person.
    #[schema(example = "unsent-for-long")]
    kind: &'static str,
    is_active: bool,
    /// Null for kinds that wait for nothing.
    #[schema(example = 7200)]
    after_seconds: Option<i64>,
}

impl From<AlertRule> for RuleDto {
    fn from(rule: AlertRule) -> Self {
        Self { kind: rule.kind.as_str(), is_active: rule.is_active, after_seconds: rule.after_ms.map(|ms| ms / 1_000) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AlertRuleList)]
pub(crate) struct RulesDto {
    items: Vec<RuleDto>,
}

impl RulesDto {
    fn of(rules: Vec<AlertRule>) -> Json<Self> {
        Json(Self { items: rules.into_iter().map(RuleDto::from).collect() })
    }
}

/// A rule to set.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AlertRuleUpdate)]
pub(crate) struct PutRuleDto {
    /// `unsent-for-long`, `silent-with-unsent`, `counts-refused` or `delivery-dead`.
    #[schema(value_type = schema::AlertKind)]
    kind: String,
    is_active: bool,
    /// 60 seconds to 30 days, for the kinds that wait; left out: as the program comes.
    #[schema(example = 14400, minimum = 60, maximum = 2_592_000)]
    after_seconds: Option<i64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AlertRuleUpdates)]
pub(crate) struct PutRulesDto {
    /// Kinds that are not named stay as they are.
    items: Vec<PutRuleDto>,
}

/// An incident: raised once, cleared once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Alert)]
pub(crate) struct AlertDto {
    alert_id: i64,
    #[schema(example = "unsent-for-long")]
    kind: &'static str,
    /// A device's id, or a receiver's.
    subject: String,
    /// A sentence about how it stood when it was raised.
    detail: String,
    /// The same in parts.
    #[schema(value_type = Object)]
    details: serde_json::Value,
    #[schema(value_type = String, format = DateTime)]
    raised_at: Timestamp,
    /// Null: it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    cleared_at: Option<Timestamp>,
}

impl From<Alert> for AlertDto {
    fn from(alert: Alert) -> Self {
        Self {
            alert_id: alert.id,
            kind: alert.kind.as_str(),
            detail: alerts::said(&alert),
            subject: alert.subject,
            details: alert.details,
            raised_at: alert.raised,
            cleared_at: alert.cleared,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AlertList)]
pub(crate) struct AlertsDto {
    items: Vec<AlertDto>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertsQuery {
    /// Alerts per answer, 1 to 1,000; 100 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// What your company is alerted of
#[utoipa::path(
    get,
    path = "/maarg/poorti/AlertRules",
    operation_id = "listAlertRules",
    tag = "fleet",
    responses(
        (status = 200, body = RulesDto, description = "One of each kind.", example = json!({ "items": [
            { "kind": "unsent-for-long", "isActive": true, "afterSeconds": 7200 },
            { "kind": "silent-with-unsent", "isActive": true, "afterSeconds": 28800 },
            { "kind": "counts-refused", "isActive": true, "afterSeconds": null },
            { "kind": "delivery-dead", "isActive": true, "afterSeconds": null },
        ] })),
        ManagerErrors
    ),
    security(("bearer" = []))
)]
pub(crate) async fn rules(State(deps): State<Deps>, Manager(caller): Manager) -> Answer<Json<RulesDto>> {
    Ok(RulesDto::of(run(&deps, ListAlertRules { access: caller.access }).await?))
}

/// Set what your company is alerted of
///
/// For managers of every store: a rule holds for all of them. Receivers of the kind `alerts` are told, once when something begins and
/// once when it is over.
#[utoipa::path(
    put,
    path = "/maarg/poorti/AlertRules",
    operation_id = "putAlertRules",
    tag = "fleet",
    request_body(content = PutRulesDto, example = json!({ "items": [
        { "kind": "unsent-for-long", "isActive": true, "afterSeconds": 3600 },
        { "kind": "counts-refused", "isActive": false },
    ] })),
    responses((status = 200, body = RulesDto, description = "As they are now, one of each kind."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn put_rules(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Large(given): Large<PutRulesDto>,
) -> Answer<Json<RulesDto>> {
    if caller.access.facilities.is_some() {
        let detail =
            "A rule holds for every store, and you manage only some. Ask a manager of all stores, or an admin.";
        return Err(ProblemResponse::new(Code::NotAllowed, detail));
    }
    let rules = given.items.iter().map(rule).collect::<Answer<Vec<_>>>()?;
    Ok(RulesDto::of(run(&deps, PutAlertRules { access: caller.access, rules, now: deps.now() }).await?))
}

fn rule(given: &PutRuleDto) -> Answer<AlertRule> {
    let invalid = |detail: String| ProblemResponse::new(Code::FieldInvalid, detail);
    let kind = AlertKind::from_name(&given.kind).ok_or_else(|| {
        let names = AlertKind::ALL.map(AlertKind::as_str).join(", ");
        invalid(format!("\"kind\" must be one of {names}."))
    })?;
    let after_ms = match (given.after_seconds, kind.after_ms()) {
        (None, standard) => standard,
        (Some(_), None) => {
            return Err(invalid(format!("\"{}\" waits for nothing: leave \"afterSeconds\" out.", kind.as_str())));
        }
        (Some(seconds), Some(_)) if (AFTER_SECONDS_MIN..=AFTER_SECONDS_MAX).contains(&seconds) => Some(seconds * 1_000),
        (Some(_), Some(_)) => return Err(invalid("\"afterSeconds\" must be 60 to 2592000 (30 days).".to_owned())),
    };
    Ok(AlertRule { kind, is_active: given.is_active, after_ms })
}

/// Alerts: those that last first, then the newest
#[utoipa::path(
    get,
    path = "/maarg/poorti/Alerts",
    operation_id = "listAlerts",
    tag = "fleet",
    params(AlertsQuery),
    responses(
        (status = 200, body = AlertsDto, description = "Of devices that had to do with one of your stores, and of receivers.",
            example = json!({ "items": [{
                "alertId": 7, "kind": "unsent-for-long", "subject": "d-41",
                "detail": "Device d-41 (asha) has 12 counts that have not arrived, the oldest of 2026-11-22T07:00:00.000Z.",
                "details": { "userLoginId": "asha", "unsentCount": 12, "oldestUnsentAt": "2026-11-22T07:00:00.000Z",
                    "lastSeenAt": "2026-11-22T09:10:00.000Z", "afterSeconds": 7200 },
                "raisedAt": "2026-11-22T09:00:00.000Z", "clearedAt": null,
            }] })),
        ManagerErrors
    ),
    security(("bearer" = []))
)]
pub(crate) async fn list(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Params(query): Params<AlertsQuery>,
) -> Answer<Json<AlertsDto>> {
    let limit = i64::try_from(limit_or(query.limit, 100)?).unwrap_or(i64::MAX);
    let found = run(&deps, ListAlerts { access: caller.access, limit }).await?;
    Ok(Json(AlertsDto { items: found.into_iter().map(AlertDto::from).collect() }))
}

/// What went wrong in an hour.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TroubleHour)]
pub(crate) struct HourDto {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How often devices tried a delivery again, as they say.
    retries: u64,
    /// Counts that the server refused, by code.
    #[schema(example = json!({ "clock-skew": 3 }))]
    refusals: BTreeMap<String, u64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FleetHistory)]
pub(crate) struct HistoryDto {
    /// Oldest first; the last one has not ended.
    items: Vec<HourDto>,
    #[schema(value_type = String, format = DateTime)]
    server_time: Timestamp,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// How many hours back, 1 to 744; 48 if left out.
    #[param(minimum = 1, maximum = 744)]
    hours: Option<i64>,
}

/// Retries and refusals, hour by hour
#[utoipa::path(
    get,
    path = "/maarg/poorti/FleetHistory",
    operation_id = "getFleetHistory",
    tag = "fleet",
    params(HistoryQuery),
    responses(
        (status = 200, body = HistoryDto, description = "Of your stores, and of devices that had to do with one of them.",
            example = json!({
                "items": [
                    { "at": "2026-11-22T08:00:00.000Z", "retries": 0, "refusals": {} },
                    { "at": "2026-11-22T09:00:00.000Z", "retries": 4, "refusals": { "clock-skew": 3 } },
                ],
                "serverTime": "2026-11-22T09:14:04.000Z",
            })),
        ManagerErrors
    ),
    security(("bearer" = []))
)]
pub(crate) async fn history(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Params(query): Params<HistoryQuery>,
) -> Answer<Json<HistoryDto>> {
    let hours = query.hours.unwrap_or(48);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(ProblemResponse::new(Code::InvalidParameter, "\"hours\" must be 1 to 744."));
    }
    let now = deps.now();
    let found = run(&deps, FleetHistory { access: caller.access, hours, now }).await?;
    let hour = |(at, trouble): (Timestamp, ginti_desk::TroubleHour)| HourDto {
        at,
        retries: trouble.retries,
        refusals: trouble.refusals,
    };
    Ok(Json(HistoryDto { items: found.into_iter().map(hour).collect(), server_time: now }))
}
