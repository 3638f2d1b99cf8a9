//! `GET …/{id}/items` and `…/items/{itemId}/history`: what the server holds of a session, for other devices, for a
//! reinstalled one, and for the reviewer.

use axum::{Json, extract::State};
use ginti_store::{HistoryEntry, ItemRow};
use ginti_types::{
    BatchId, Code, DeviceId, Epoch, ItemSeqId, LocationSeqId, Note, Outcome, ProductId, ProductIdentifier, Quantity,
    Requested, Revision, Timestamp, UserLoginId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    openapi::{PathErrors, SignedInErrors},
    page::limit_or,
    sessions::session_id,
};
use crate::{
    Deps,
    auth::Caller,
    problem::{Answer, ProblemResponse},
    request::{Params, Segments, Whole},
    schema,
};

/// A row's count.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Item)]
pub(super) struct ItemDto {
    #[schema(value_type = schema::Id)]
    import_item_seq_id: ItemSeqId,
    #[schema(value_type = Option<schema::Id>)]
    product_id: Option<ProductId>,
    #[schema(value_type = Option<String>)]
    product_identifier: Option<ProductIdentifier>,
    /// Exact, with at most 6 decimals.
    #[schema(value_type = f64, example = 12)]
    quantity: Quantity,
    #[schema(value_type = u64)]
    revision: Revision,
    #[schema(value_type = schema::Id)]
    device_id: DeviceId,
    #[schema(value_type = Option<schema::Time>)]
    counted_at: Option<Timestamp>,
    #[schema(value_type = Option<schema::Id>)]
    counted_by_user_login_id: Option<UserLoginId>,
    #[schema(value_type = Option<schema::Requested>, example = "Y")]
    is_requested: Option<Requested>,
    #[schema(value_type = Option<schema::Id>)]
    location_seq_id: Option<LocationSeqId>,
    /// What a person wrote beside the count.
    #[schema(value_type = Option<String>)]
    note: Option<Note>,
    /// `applied`; `late` for a count that waits for the manager. In history also `superseded` and `rejected`.
    #[schema(value_type = schema::Outcome, example = "applied")]
    outcome: Outcome,
    ledger_seq: u64,
    #[schema(value_type = schema::Time)]
    received_at: Timestamp,
    #[schema(value_type = String)]
    batch_id: BatchId,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ItemList)]
pub(super) struct ItemListDto {
    items: Vec<ItemDto>,
    /// Cursor for the next call; ask again until it no longer moves.
    ledger_seq: u64,
    #[schema(value_type = schema::Id)]
    epoch: Epoch,
    #[schema(value_type = schema::Time)]
    server_time: Timestamp,
}

/// One revision that arrived for a row.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HistoryEntry)]
pub(super) struct HistoryEntryDto {
    #[serde(flatten)]
    item: ItemDto,
    /// Who sent it; who counted it is `countedByUserLoginId`.
    #[schema(value_type = schema::Id)]
    sent_by: UserLoginId,
}

#[derive(Serialize, ToSchema)]
#[schema(as = History)]
pub(super) struct HistoryDto {
    items: Vec<HistoryEntryDto>,
}

impl From<ItemRow> for ItemDto {
    fn from(row: ItemRow) -> Self {
        let content = row.content;
        Self {
            import_item_seq_id: row.import_item_seq_id,
            product_id: content.product_id,
            product_identifier: content.product_identifier,
            quantity: content.quantity,
            revision: row.stamp.revision,
            device_id: row.stamp.device_id,
            counted_at: content.counted_at,
            counted_by_user_login_id: content.counted_by_user_login_id,
            is_requested: content.is_requested,
            location_seq_id: content.location_seq_id,
            note: content.note,
            outcome: row.outcome,
            ledger_seq: row.ledger_seq,
            received_at: row.received_at,
            batch_id: row.batch_id,
        }
    }
}

impl From<HistoryEntry> for HistoryEntryDto {
    fn from(entry: HistoryEntry) -> Self {
        Self { item: entry.row.into(), sent_by: entry.sent_by }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ItemsQuery {
    /// `ledgerSeq` of the previous answer; 0 to begin.
    #[serde(default)]
    #[param(value_type = u64, maximum = 9_007_199_254_740_991_u64)]
    after: Whole,
    /// Rows per answer, 1 to 1,000; 500 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Counts of a session that changed since a cursor
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}/items",
    operation_id = "listItems",
    tag = "sessions",
    params(("inventoryCountImportId" = schema::Id, Path, description = "The session."), ItemsQuery),
    responses(
        (status = 200, body = ItemListDto, description = "In ledger order. A page may be short, even empty, and the cursor still move."),
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
    Params(query): Params<ItemsQuery>,
) -> Answer<Json<ItemListDto>> {
    let limit = limit_or(query.limit, 500)?;
    let page = deps.store.items(&caller.access, &session_id(id)?, query.after.0, limit).await?;
    let page = page.ok_or_else(ProblemResponse::no_session)?;
    Ok(Json(ItemListDto {
        items: page.items.into_iter().map(ItemDto::from).collect(),
        ledger_seq: page.ledger_seq,
        epoch: page.epoch,
        server_time: deps.now(),
    }))
}

/// Every revision that arrived for one row, in order of arrival
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountImport/{inventoryCountImportId}/items/{importItemSeqId}/history",
    operation_id = "getItemHistory",
    tag = "sessions",
    params(
        ("inventoryCountImportId" = schema::Id, Path, description = "The session."),
        ("importItemSeqId" = schema::Id, Path, description = "The row.")
    ),
    responses(
        (status = 200, body = HistoryDto, description = "Superseded, late and rejected ones too."),
        (status = 404, body = schema::Problem, content_type = "application/problem+json",
            description = "`not-found`: unknown, or not yours to see."),
        PathErrors,
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn history(
    State(deps): State<Deps>,
    caller: Caller,
    Segments((session, item)): Segments<(String, String)>,
) -> Answer<Json<HistoryDto>> {
    let no_row = || ProblemResponse::new(Code::NotFound, "Nothing was ever counted in a row of that id.");
    let item = ItemSeqId::new(item).map_err(|_| no_row())?;
    let entries = deps.store.history(&caller.access, &session_id(session)?, &item).await?;
    let entries = entries.ok_or_else(ProblemResponse::no_session)?;
    if entries.is_empty() {
        return Err(no_row());
    }
    Ok(Json(HistoryDto { items: entries.into_iter().map(HistoryEntryDto::from).collect() }))
}
