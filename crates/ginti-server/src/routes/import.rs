//! `POST /maarg/poorti/InventoryCountImport`: a batch of absolute counts in, a receipt per item out (DESIGN.md section 4).

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ginti_desk::{NoteRefusals, run_on};
use ginti_store::{Access, Import, ImportItem, Imported, Refusal};
use ginti_types::{
    BatchId, Code, FieldError, Outcome, ParsedBatch, ParsedItem, Problem, Receipt, ReceiptItem,
    limits::BATCH_BYTES_MAX, parse_batch,
};

use super::openapi::SignedInErrors;
use crate::{
    Deps,
    auth::Caller,
    digest::digest,
    problem::{Answer, ProblemResponse},
    request, schema,
};

/// Send a batch of counts
///
/// Each item is an absolute count of one row, stamped by its device. Delivering a batch again, in any order and any
/// number of times, has the effect of delivering it once. Items that cannot be taken are refused one by one; the good
/// ones beside them are stored. The body may be compressed (`Content-Encoding: gzip`); at most 1,000 items and 1 MiB
/// after decompression.
#[utoipa::path(
    post,
    path = "/maarg/poorti/InventoryCountImport",
    operation_id = "importCounts",
    tag = "counts",
    params(("Idempotency-Key" = Option<String>, Header, description = "If given, must equal `batchId`.")),
    request_body = schema::Batch,
    responses(
        (status = 200, body = schema::Receipt, description = "Every item is durable. A repeated batch is answered with the same receipt.",
            headers(("Idempotency-Replayed" = String, description = "`true` when the batch had been answered before."))),
        (status = 400, body = schema::Problem, content_type = "application/problem+json",
            description = "`malformed-json`, `invalid-parameter`: nothing stored."),
        (status = 403, body = schema::Problem, content_type = "application/problem+json",
            description = "`session-not-allowed`, `device-revoked`: nothing stored."),
        (status = 408, body = schema::Problem, content_type = "application/problem+json",
            description = "`body-incomplete`: the connection broke on the way; nothing stored. Send it again."),
        (status = 409, body = schema::Problem, content_type = "application/problem+json",
            description = "`batch-id-reused`: the batch id stands for other content already; nothing stored."),
        (status = 413, body = schema::Problem, content_type = "application/problem+json",
            description = "`body-too-large`, `too-many-items`: nothing stored."),
        (status = 415, body = schema::Problem, content_type = "application/problem+json",
            description = "`unsupported-media-type`, `unsupported-encoding`: nothing stored."),
        (status = 422, body = schema::Problem, content_type = "application/problem+json",
            description = "`items-refused`: some items were refused, the others are stored, `receipt` tells of each. \
                           `batch-invalid`, `no-items`: nothing stored."),
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn import(
    State(deps): State<Deps>,
    caller: Result<Caller, ProblemResponse>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let caller = match caller {
        Ok(caller) if !deps.drain.has_begun() => caller,
        refused => {
            request::discard(body).await;
            return Err(refused.err().unwrap_or_else(ProblemResponse::draining));
        }
    };
    let body = request::read(&headers, body, BATCH_BYTES_MAX).await?;
    let batch = parse_batch(&body)?;
    check_idempotency_key(&headers, batch.batch_id)?;
    let access = caller.access.clone();
    let imported = deps.store.import(to_import(&deps, caller, &batch)).await?;
    if let (Imported::Stored(_), Some(crash)) = (&imported, &deps.config.crash) {
        crash.committed();
    }
    match imported {
        Imported::Stored(receipt) => {
            note(&batch, &receipt);
            note_refusals(&deps, access, &batch, &receipt).await;
            answer(&batch, receipt, false)
        }
        Imported::Replayed(receipt) => answer(&batch, receipt, true),
        Imported::BatchIdReused => Err(ProblemResponse::new(
            Code::BatchIdReused,
            "This batch id was used before for other content. Nothing of this delivery was stored; send it under a new batch id.",
        )),
        Imported::SessionNotAllowed => Err(ProblemResponse::new(
            Code::SessionNotAllowed,
            format!(
                "There is no counting session {} that you may count in. Nothing was stored; choose a session of your store.",
                batch.inventory_count_import_id
            ),
        )),
        Imported::DeviceRevoked => Err(ProblemResponse::new(
            Code::DeviceRevoked,
            "This device was blocked by a manager. Nothing was stored; its counts stay on the device until it is let in again.",
        )),
    }
}

/// For `/metrics`: a few numbers for each batch, none for each count.
fn note(batch: &ParsedBatch, receipt: &Receipt) {
    const OUTCOMES: [(Outcome, &str); 5] = [
        (Outcome::Applied, "applied"),
        (Outcome::Duplicate, "duplicate"),
        (Outcome::Superseded, "superseded"),
        (Outcome::Late, "late"),
        (Outcome::Rejected, "rejected"),
    ];
    for (outcome, name) in OUTCOMES {
        let number = receipt.items.iter().filter(|item| item.outcome == outcome).count();
        if number > 0 {
            metrics::counter!("ginti_counts_total", "outcome" => name)
                .increment(u64::try_from(number).unwrap_or(u64::MAX));
        }
    }
    for code in receipt.items.iter().filter_map(|item| item.code.as_deref()) {
        metrics::counter!("ginti_refusals_total", "code" => code.to_owned()).increment(1);
    }
    let counted = batch.items.iter().flatten().filter_map(|item| item.content.counted_at).min();
    if let Some(oldest) = counted {
        let lag_ms = receipt.server_time.unix_ms().saturating_sub(oldest.unix_ms()).max(0);
        metrics::histogram!("ginti_count_lag_seconds").record(Duration::from_millis(lag_ms.unsigned_abs()));
    }
}

/// For whoever looks after the devices. The receipt is true whether this is written down or not.
async fn note_refusals(deps: &Deps, access: Access, batch: &ParsedBatch, receipt: &Receipt) {
    let mut codes = BTreeMap::new();
    for code in receipt.items.iter().filter_map(|item| item.code.clone()) {
        *codes.entry(code).or_default() += 1;
    }
    if codes.is_empty() {
        return;
    }
    let refusals = NoteRefusals {
        access,
        session: batch.inventory_count_import_id.clone(),
        device: batch.device_id.clone(),
        codes,
        now: receipt.server_time,
    };
    if let Err(error) = run_on(&*deps.store, refusals).await {
        tracing::warn!(%error, "refused counts could not be noted for the devices' page");
    }
}

/// The key may stand bare or quoted, as a structured header writes a text.
fn check_idempotency_key(headers: &HeaderMap, batch_id: BatchId) -> Answer<()> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(()) };
    let key = value.to_str().unwrap_or_default().trim_matches('"');
    if BatchId::parse(key) == Ok(batch_id) {
        return Ok(());
    }
    Err(ProblemResponse::new(
        Code::InvalidParameter,
        format!("The Idempotency-Key must equal the batch's id, {batch_id}. Nothing was stored."),
    ))
}

fn to_import(deps: &Deps, caller: Caller, batch: &ParsedBatch) -> Import {
    Import {
        access: caller.access,
        batch_id: batch.batch_id,
        digest: digest(batch),
        device_id: batch.device_id.clone(),
        session_id: batch.inventory_count_import_id.clone(),
        now: deps.now(),
        items: batch.items.iter().map(to_import_item).collect(),
    }
}

fn to_import_item(item: &ParsedItem) -> ImportItem {
    match item {
        Ok(item) => ImportItem::Count {
            item: item.import_item_seq_id.clone(),
            revision: item.revision,
            content: item.content.clone(),
        },
        Err(refusal) => ImportItem::Refused(Refusal {
            import_item_seq_id: refusal.import_item_seq_id.clone(),
            code: refusal.code,
            detail: refusal.detail.clone(),
        }),
    }
}

fn answer(batch: &ParsedBatch, receipt: Receipt, replayed: bool) -> Answer<Response> {
    let errors: Vec<_> = receipt
        .items
        .iter()
        .zip(&batch.items)
        .enumerate()
        .filter(|(_, (answer, _))| answer.outcome == Outcome::Rejected)
        .map(|(at, (answer, item))| field_error(at, answer, item))
        .collect();
    if !errors.is_empty() {
        let detail = refusals_said(&errors, receipt.items.len());
        let problem = Problem::new(Code::ItemsRefused, detail).with_errors(errors).with_receipt(receipt);
        return Err(ProblemResponse::from(problem).replayed(replayed));
    }
    let mut response = (StatusCode::OK, Json(receipt)).into_response();
    if replayed {
        response.headers_mut().insert("idempotency-replayed", axum::http::HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn field_error(at: usize, answer: &ReceiptItem, item: &ParsedItem) -> FieldError {
    let code = answer.code.clone().unwrap_or_default();
    let member = match item {
        Err(refusal) => refusal.member.as_deref(),
        Ok(_) => member_at_fault(&code),
    };
    let pointer = match member {
        Some(member) => format!("/items/{at}/{}", member.replace('~', "~0").replace('/', "~1")),
        None => format!("/items/{at}"),
    };
    FieldError { pointer, code, detail: answer.detail.clone().unwrap_or_default() }
}

/// Where the fault lies that only the store can find.
fn member_at_fault(code: &str) -> Option<&'static str> {
    match Code::from_name(code)? {
        Code::RevisionReused | Code::ClockSkew => Some("revision"),
        Code::AttributionNotAllowed => Some("countedByUserLoginId"),
        _ => None,
    }
}

fn refusals_said(errors: &[FieldError], items: usize) -> String {
    let (refused, stored) = (errors.len(), items - errors.len());
    let first = errors.first().map_or("", |error| error.detail.as_str());
    match stored {
        0 => format!("None of the {items} counts was taken. {first}"),
        _ => format!("{refused} of {items} counts refused, {stored} stored. {first}"),
    }
}
