//! Who decided what.

use axum::{Json, extract::State};
use ginti_desk::{AuditEntry, ListAudit};
use ginti_types::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::run;
use crate::{
    Deps,
    auth::Manager,
    problem::Answer,
    request::Params,
    routes::{openapi::ManagerErrors, page::limit_or},
    schema,
};

/// A decision, as it was written down.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(crate) struct EntryDto {
    audit_id: i64,
    #[schema(value_type = schema::Time)]
    at: Timestamp,
    user_login_id: String,
    /// Such as `run-created`, `sessions-planned`, `lines-decided`, `run-approved`, `device-revoked`, `user-put`,
    /// `api-token-made`, `user-invited`.
    #[schema(example = "run-approved")]
    action: String,
    /// The run, device, user, token or receiver.
    subject: String,
    #[schema(value_type = Object)]
    details: serde_json::Value,
    /// It was taken back.
    is_undone: bool,
}

impl From<AuditEntry> for EntryDto {
    fn from(entry: AuditEntry) -> Self {
        let mut details = entry.details;
        // What stood there before is for taking a decision back; it may be long.
        if let Some(details) = details.as_object_mut() {
            details.remove("before");
        }
        Self {
            audit_id: entry.id,
            at: entry.at,
            user_login_id: entry.by,
            action: entry.action,
            subject: entry.subject,
            details,
            is_undone: entry.is_undone,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(crate) struct PageDto {
    items: Vec<EntryDto>,
    /// `before` of the next call; null when there are no more.
    next: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// `next` of the previous answer.
    before: Option<i64>,
    /// Only what has to do with this run, device, user or receiver.
    #[param(value_type = Option<schema::Plain>)]
    subject: Option<String>,
    /// Entries per answer, 1 to 1,000; 100 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Who decided what, newest first
#[utoipa::path(
    get,
    path = "/maarg/poorti/Audit",
    operation_id = "listAudit",
    tag = "people",
    params(AuditQuery),
    responses((status = 200, body = PageDto, description = "Newest first."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn list(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Params(query): Params<AuditQuery>,
) -> Answer<Json<PageDto>> {
    let limit = limit_or(query.limit, 100)?;
    let asked = ListAudit {
        access: caller.access,
        before: query.before,
        subject: query.subject,
        limit: i64::try_from(limit).unwrap_or(i64::MAX),
    };
    let page = run(&deps, asked).await?;
    let next = page.entries.last().filter(|_| page.entries.len() == limit).map(|entry| entry.id);
    Ok(Json(PageDto { items: page.entries.into_iter().map(EntryDto::from).collect(), next }))
}
