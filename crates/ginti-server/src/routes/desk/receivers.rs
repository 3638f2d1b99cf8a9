//! Who is told of approved results and of alerts, and what became of each message.

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use ginti_desk::{
    Attempted, ListMessages, ListReceivers, PutReceiver, Receiver, ReceiverKind, RemoveReceiver, RetryMessage,
};
use ginti_types::{Code, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{run, text};
use crate::{
    Deps,
    auth::Admin,
    auth::Manager,
    deliver,
    problem::{Answer, ProblemResponse},
    request::{Large, Params, Segments},
    routes::{openapi::ManagerErrors, page::limit_or},
    schema,
};

/// Somebody who is told.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Receiver)]
pub(crate) struct ReceiverDto {
    receiver_id: String,
    /// `webhook` (results in Ginti's JSON), `moqui` (results as a Moqui/HotWax inventory import takes them) or `alerts` (alerts
    /// instead of results, in Ginti's JSON).
    #[schema(value_type = schema::ReceiverKind)]
    kind: &'static str,
    url: String,
    #[schema(value_type = schema::Time)]
    created_date: Timestamp,
}

impl From<Receiver> for ReceiverDto {
    fn from(receiver: Receiver) -> Self {
        Self {
            receiver_id: receiver.id,
            kind: receiver.kind.as_str(),
            url: receiver.url,
            created_date: receiver.created,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReceiverList)]
pub(crate) struct ReceiversDto {
    items: Vec<ReceiverDto>,
}

/// Somebody to tell.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewReceiver)]
pub(crate) struct NewReceiverDto {
    #[schema(value_type = schema::ReceiverKind, example = "alerts")]
    kind: String,
    /// `https://…`; an address on the internet.
    #[schema(max_length = 500, pattern = "^https://", example = "https://erp.example/counts")]
    url: String,
}

/// The key to check signatures with, told once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReceiverSecret)]
pub(crate) struct SecretDto {
    receiver_id: String,
    /// Base64. Messages are signed with it (HTTP Message Signatures, RFC 9421, `hmac-sha256`).
    secret: String,
}

/// A message and what became of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OutboxMessage)]
pub(crate) struct MessageDto {
    message_id: i64,
    /// The same with every attempt.
    idempotency_key: String,
    receiver_id: String,
    /// The run it tells of; null if it tells of an alert.
    work_effort_id: Option<String>,
    facility_id: Option<String>,
    /// The alert it tells of; null if it tells of results.
    alert_id: Option<i64>,
    /// `raised` or `cleared`; null if it tells of results.
    #[schema(example = "raised")]
    alert_state: Option<&'static str>,
    #[schema(value_type = schema::Time)]
    created_date: Timestamp,
    attempts: u64,
    /// Null: it has arrived, or waits for a person.
    #[schema(value_type = Option<schema::Time>)]
    next_attempt_at: Option<Timestamp>,
    #[schema(value_type = Option<schema::Time>)]
    delivered_at: Option<Timestamp>,
    last_error: Option<String>,
    /// `delivered`, `waiting`, or `dead`: it waits for a person.
    status: &'static str,
}

impl From<Attempted> for MessageDto {
    fn from(message: Attempted) -> Self {
        let status = match (&message.delivered, &message.next_attempt) {
            (Some(_), _) => "delivered",
            (None, Some(_)) => "waiting",
            (None, None) => "dead",
        };
        Self {
            message_id: message.key,
            idempotency_key: message.id,
            receiver_id: message.receiver,
            work_effort_id: message.run,
            facility_id: message.facility,
            alert_id: message.alert,
            alert_state: message.has_cleared.map(|has_cleared| if has_cleared { "cleared" } else { "raised" }),
            created_date: message.created,
            attempts: message.attempts,
            next_attempt_at: message.next_attempt,
            delivered_at: message.delivered,
            last_error: message.last_error,
            status,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = OutboxMessageList)]
pub(crate) struct MessagesDto {
    items: Vec<MessageDto>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessagesQuery {
    /// Messages per answer, 1 to 1,000; 100 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Who is told of approved results, and of alerts
#[utoipa::path(
    get,
    path = "/maarg/poorti/Receivers",
    operation_id = "listReceivers",
    tag = "downstream",
    responses((status = 200, body = ReceiversDto, description = "By id."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn list(State(deps): State<Deps>, Manager(caller): Manager) -> Answer<Json<ReceiversDto>> {
    let receivers = run(&deps, ListReceivers { access: caller.access }).await?;
    Ok(Json(ReceiversDto { items: receivers.into_iter().map(ReceiverDto::from).collect() }))
}

/// Tell somebody of approved results, or of alerts, from now on
///
/// The answer holds a fresh key, which is not told again.
#[utoipa::path(
    put,
    path = "/maarg/poorti/Receivers/{receiverId}",
    operation_id = "putReceiver",
    tag = "downstream",
    params(("receiverId" = schema::Id, Path, description = "What you call it.")),
    request_body = NewReceiverDto,
    responses((status = 200, body = SecretDto, description = "Added, or changed."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn put(
    State(deps): State<Deps>,
    Admin(caller): Admin,
    Segments(id): Segments<String>,
    Large(given): Large<NewReceiverDto>,
) -> Answer<Json<SecretDto>> {
    let id = text("receiverId", &id, 40)?;
    let kind = ReceiverKind::from_name(&given.kind)
        .ok_or_else(|| ProblemResponse::new(Code::FieldInvalid, "\"kind\" must be webhook, moqui or alerts."))?;
    let url = text("url", &given.url, 500)?;
    deliver::check_url(&url, deps.config.private_receivers)
        .map_err(|why| ProblemResponse::new(Code::FieldInvalid, why))?;
    let secret: [u8; 32] = deps.random();
    let receiver = Receiver { id: id.clone(), kind, url, secret: secret.to_vec(), created: deps.now() };
    run(&deps, PutReceiver { access: caller.access, receiver }).await?;
    Ok(Json(SecretDto { receiver_id: id, secret: STANDARD.encode(secret) }))
}

/// Tell somebody no longer
#[utoipa::path(
    delete,
    path = "/maarg/poorti/Receivers/{receiverId}",
    operation_id = "removeReceiver",
    tag = "downstream",
    params(("receiverId" = schema::Id, Path, description = "Which.")),
    responses((status = 204, description = "What waits for it is not sent any more."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn remove(
    State(deps): State<Deps>,
    Admin(caller): Admin,
    Segments(id): Segments<String>,
) -> Answer<StatusCode> {
    let removed = run(&deps, RemoveReceiver { access: caller.access, id, now: deps.now() }).await?;
    let none = || ProblemResponse::new(Code::NotFound, "There is no receiver of that id.");
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(none()) }
}

/// What was told, newest first
#[utoipa::path(
    get,
    path = "/maarg/poorti/Outbox",
    operation_id = "listOutbox",
    tag = "downstream",
    params(MessagesQuery),
    responses((status = 200, body = MessagesDto, description = "Of your stores; those that tell of alerts, if you manage every store."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn messages(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Params(query): Params<MessagesQuery>,
) -> Answer<Json<MessagesDto>> {
    let limit = i64::try_from(limit_or(query.limit, 100)?).unwrap_or(i64::MAX);
    let found = run(&deps, ListMessages { access: caller.access, limit }).await?;
    Ok(Json(MessagesDto { items: found.into_iter().map(MessageDto::from).collect() }))
}

/// Try a message again that has not arrived
#[utoipa::path(
    post,
    path = "/maarg/poorti/Outbox/{messageId}/retry",
    operation_id = "retryMessage",
    tag = "downstream",
    params(("messageId" = i64, Path, description = "Which.")),
    responses((status = 204, description = "It is tried at once."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn retry(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(key): Segments<i64>,
) -> Answer<StatusCode> {
    let none = || ProblemResponse::new(Code::NotFound, "There is no such message that still waits.");
    let retried = run(&deps, RetryMessage { access: caller.access, key, now: deps.now() }).await?;
    if retried { Ok(StatusCode::NO_CONTENT) } else { Err(none()) }
}
