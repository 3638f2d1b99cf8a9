//! The wire's shapes as the OpenAPI document describes them. The types that parse and print them live in `ginti-types`,
//! which knows nothing of OpenAPI; a test holds both against each other.

mod values;

use utoipa::ToSchema;

pub use values::{
    AlertKind, Decision, FileFormat, Id, Line, LineFilter, LineOrder, Name, Nudge, Outcome, Plain, Purpose, Quantity,
    Reason, ReceiverKind, Requested, Role, SessionStatus, ShortName, Time, TokenRole,
};

/// A batch of counts, all of one session and one device.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "batchId": "019aab7e-0000-7000-8000-000000000001",
    "deviceId": "6f0c",
    "inventoryCountImportId": "M101428",
    "items": [{
        "importItemSeqId": "00017", "productId": "10440", "productIdentifier": "030955168517", "quantity": 12,
        "revision": 893_254_217_728_001_u64, "countedAt": "2026-11-22T09:14:03.120Z", "countedByUserLoginId": "counter",
        "isRequested": "Y", "locationSeqId": null, "note": "Box torn"
    }]
}))]
pub struct Batch {
    /// A UUID (version 7 keeps the server's receipts in time order). The same id never carries other content.
    #[schema(pattern = r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$")]
    pub batch_id: String,
    /// The device whose stamps these are.
    #[schema(value_type = Id)]
    pub device_id: String,
    /// The session all of the items belong to.
    #[schema(value_type = Id)]
    pub inventory_count_import_id: String,
    /// The counts.
    #[schema(min_items = 1, max_items = 1000)]
    pub items: Vec<CountItem>,
}

/// One absolute count of one row.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CountItem {
    /// The row within the session. A device that discovers an item makes an id that no other device makes.
    #[schema(value_type = Id)]
    pub import_item_seq_id: String,
    /// The product; may be null for a barcode that matches none.
    #[schema(value_type = Option<Id>)]
    pub product_id: Option<String>,
    /// What was scanned or typed; needed when `productId` is null.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$")]
    pub product_identifier: Option<String>,
    /// Zero or more, with at most 6 decimals; kept exactly.
    #[schema(minimum = 0.0, maximum = 999_999_999.999_999)]
    pub quantity: f64,
    /// Grows with every change of the row: milliseconds since 2020 above, a 12-bit counter below. `1` will do by hand.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub revision: u64,
    /// When it was counted (not sent); the time of arrival if left out.
    #[schema(value_type = Option<Time>)]
    pub counted_at: Option<String>,
    /// Who counted it (not who sends it); the signed-in person if left out.
    #[schema(value_type = Option<Id>)]
    pub counted_by_user_login_id: Option<String>,
    /// `Y` if a list asked for it, `N` if not.
    #[schema(value_type = Option<Requested>)]
    pub is_requested: Option<String>,
    /// Where in the facility.
    #[schema(value_type = Option<Id>)]
    pub location_seq_id: Option<String>,
    /// What a person wrote beside the count: no control characters but line feeds, and white space around it is dropped.
    #[schema(min_length = 1, max_length = 500, pattern = r"[^\s\x00-\x1F\x7F-\x9F]")]
    pub note: Option<String>,
}

/// The server's durable answer to a batch; entries stand in the order of the batch's items.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "batchId": "019aab7e-0000-7000-8000-000000000001",
    "epoch": "5a31",
    "ledgerSeq": 90412,
    "serverTime": "2026-11-22T09:14:04.002Z",
    "items": [{ "importItemSeqId": "00017", "outcome": "applied", "revision": 893_254_217_728_001_u64, "deviceId": "6f0c" }]
}))]
pub struct Receipt {
    /// The batch answered.
    pub batch_id: String,
    /// Identity of the server's history; a wiped or restored server has another.
    pub epoch: String,
    /// Length of the server's ledger when the batch was committed.
    pub ledger_seq: u64,
    /// The server's clock at commit, to correct a device's skew with.
    #[schema(format = DateTime)]
    pub server_time: String,
    /// One entry per item.
    pub items: Vec<ReceiptItem>,
}

/// What became of one item, and the stamp that now holds in its row.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ReceiptItem {
    /// The row; null only when the item named none that can be read.
    #[schema(required = true)]
    pub import_item_seq_id: Option<String>,
    /// `applied`, `duplicate`, `superseded`, `late`, or `rejected`.
    #[schema(value_type = Outcome)]
    pub outcome: String,
    /// Revision that holds in the row now.
    #[schema(nullable = false)]
    pub revision: Option<u64>,
    /// Device of the stamp that holds now.
    #[schema(nullable = false)]
    pub device_id: Option<String>,
    /// Why it was refused: a stable code.
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// Why it was refused: a sentence.
    #[schema(nullable = false)]
    pub detail: Option<String>,
}

/// An error answer (RFC 9457).
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "type": "urn:ginti:problem:token-expired",
    "title": "The sign-in has expired",
    "status": 401,
    "detail": "The sign-in has expired. Renew it at /auth/refresh, or sign in again.",
    "code": "token-expired"
}))]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[schema(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This occurrence, in a sentence somebody can act on.
    pub detail: String,
    /// The stable machine-readable code.
    pub code: String,
    /// What is wrong where in the body.
    #[schema(nullable = false)]
    pub errors: Option<Vec<FieldError>>,
    /// The receipt of all items, when some of a batch's items were refused.
    #[schema(nullable = false)]
    pub receipt: Option<Receipt>,
    /// Of a session that cannot be handed in: its devices, as `…/devices` lists them.
    pub devices: Option<Vec<serde_json::Value>>,
}

/// One thing wrong in a body.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The stable machine-readable code.
    pub code: String,
    /// What is wrong, in a sentence.
    pub detail: String,
}
