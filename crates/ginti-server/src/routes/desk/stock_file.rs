//! What should lie in a store, by a file: a Shopify export or any CSV with a SKU and a number.

use std::collections::BTreeMap;

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use ginti_desk::{NoteAudit, PutStock, StockLine};
use ginti_types::{Code, ProductId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    csv_files::{ColumnDto, FILE_BYTES_MAX, Field, File, Row, RowErrorDto, mapping},
    micros,
    plan_file::Catalogue,
    refused, run,
};
use crate::{
    Deps,
    auth::Manager,
    problem::{Answer, ProblemResponse},
    request::{self, Params},
    routes::openapi::ManagerErrors,
    schema,
};

pub(super) const FIELDS: &[Field] = &[
    Field { name: "productSku", others: &["sku", "Variant SKU"] },
    Field { name: "productId", others: &[] },
    Field { name: "barcode", others: &["Variant Barcode", "upc", "ean", "gtin"] },
    Field {
        name: "quantityOnHand",
        others: &[
            "quantity",
            "on hand",
            "onHand",
            "Variant Inventory Qty",
            "Inventory quantity",
            "systemQuantityOnHand",
        ],
    },
    Field { name: "unitCost", others: &["cost", "Cost per item"] },
];

/// Lines that one transaction takes, so that counts get their turn between them.
const LINES_AT_ONCE: usize = 5_000;

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct StockQuery {
    /// The store.
    #[param(value_type = schema::Plain)]
    facility_id: String,
    /// Only say what would be taken; true if left out.
    dry_run: Option<bool>,
    /// Which column a field is: `quantityOnHand:On shelf`. Columns are otherwise found by name.
    #[param(value_type = Option<schema::Plain>)]
    map: Option<String>,
}

/// What a file says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StockFile)]
pub(crate) struct StockFileDto {
    is_dry_run: bool,
    rows: usize,
    columns: Vec<ColumnDto>,
    /// The first rows, as they stand.
    preview: Vec<Vec<String>>,
    /// Products whose stock was taken, or would be.
    products: usize,
    error_count: usize,
    /// The first 1,000; their rows are left out.
    errors: Vec<RowErrorDto>,
}

/// Say what should lie in a store
///
/// Rows with errors are left out and named; several rows of one product add up. What the file does not name stays as it was.
#[utoipa::path(
    post,
    path = "/maarg/poorti/Stock",
    operation_id = "putStock",
    tag = "plan",
    params(StockQuery),
    request_body(content = String, content_type = "text/csv", description = "At most 32 MiB and 100,000 rows."),
    responses((status = 200, body = StockFileDto, description = "What was taken, or would be."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn put(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Params(query): Params<StockQuery>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<StockFileDto>> {
    let bytes = request::read_file(&headers, body, FILE_BYTES_MAX).await?;
    let catalogue = Catalogue::load(&deps, &caller).await?;
    let Some(facility) = catalogue.facility(&query.facility_id) else {
        return Err(refused(ginti_desk::Plan::NoFacility(query.facility_id)).err().unwrap_or_else(super::no_run));
    };
    let (mut file, lines) = read(&bytes, query.map.as_deref(), &catalogue)?;
    let is_dry_run = query.dry_run.unwrap_or(true);
    let products = lines.len();
    if !is_dry_run {
        if products == 0 {
            return Err(ProblemResponse::new(Code::FieldInvalid, "Nothing was taken: no row of the file can be used."));
        }
        let all: Vec<_> = lines.into_values().collect();
        for lines in all.chunks(LINES_AT_ONCE) {
            let (tenant, facility) = (caller.access.tenant.clone(), facility.clone());
            run(&deps, PutStock { tenant, facility, lines: lines.to_vec(), now: deps.now() }).await?;
        }
        let details = serde_json::json!({ "products": products, "rows": file.rows(), "errors": file.error_count });
        let subject = facility.as_str().to_owned();
        let note = NoteAudit { access: caller.access, action: "stock-put", subject, details, now: deps.now() };
        run(&deps, note).await?;
    }
    Ok(Json(StockFileDto {
        is_dry_run,
        rows: file.rows(),
        columns: file.columns(),
        preview: std::mem::take(&mut file.preview),
        products,
        error_count: file.error_count,
        errors: std::mem::take(&mut file.errors),
    }))
}

/// The lines of a file; what is wrong with it is in the file.
fn read<'a>(
    bytes: &'a [u8],
    map: Option<&str>,
    catalogue: &Catalogue,
) -> Answer<(File<'a>, BTreeMap<ProductId, StockLine>)> {
    let mut file = File::open(bytes, FIELDS, &mapping(map))?;
    file.need(&["productSku", "productId", "barcode"])?;
    file.need(&["quantityOnHand"])?;
    let mut lines: BTreeMap<ProductId, StockLine> = BTreeMap::new();
    while let Some(row) = file.next()? {
        match read_row(&file, &row, catalogue) {
            Ok(None) => {}
            Ok(Some(line)) => {
                let known = lines.entry(line.product.clone());
                known
                    .and_modify(|known| {
                        known.on_hand = known.on_hand.saturating_add(line.on_hand);
                        known.unit_cost = line.unit_cost.or(known.unit_cost);
                    })
                    .or_insert(line);
            }
            Err((field, code, detail)) => file.complain(row.number, Some(field), code, &detail),
        }
    }
    Ok((file, lines))
}

/// Reads a file for a store of one product.
pub(crate) fn rehearse(bytes: &[u8], map: Option<&str>) -> Answer<(usize, usize)> {
    let (file, lines) = read(bytes, map, &Catalogue::of_one())?;
    debug_assert!(lines.len() <= 1);
    Ok((file.rows(), file.error_count))
}

/// A row's line; none for a row that is about no variant (a picture's, in a Shopify export).
fn read_row(
    file: &File<'_>,
    row: &Row,
    catalogue: &Catalogue,
) -> Result<Option<StockLine>, (&'static str, &'static str, String)> {
    let codes = ["productId", "productSku", "barcode"].map(|field| (field, file.cell(row, field)));
    let on_hand = file.cell(row, "quantityOnHand");
    let Some((field, _)) = codes.iter().find(|(_, code)| !code.is_empty()) else {
        if on_hand.is_empty() {
            return Ok(None);
        }
        return Err(("productSku", "code-missing", "This row has a number and says of no product.".to_owned()));
    };
    // The first code that the catalogue knows; a SKU that it lacks may stand beside a barcode that it has.
    let found =
        codes.iter().map(|(_, code)| catalogue.products(code)).find(|found| !found.is_empty()).unwrap_or_default();
    let product = match found {
        [] => {
            let codes: Vec<_> = codes.iter().filter(|(_, code)| !code.is_empty()).map(|(_, code)| *code).collect();
            return Err((
                field,
                "product-unknown",
                format!("The catalogue has no product \"{}\".", codes.join("\", \"")),
            ));
        }
        [one] => one.clone(),
        several => {
            return Err((
                field,
                "product-ambiguous",
                format!("{} products have this code. Give the product id.", several.len()),
            ));
        }
    };
    let number = |field: &'static str, text: &str| {
        micros(text).ok_or_else(|| (field, "number-invalid", format!("\"{text}\" is no number like 12 or 1.5.")))
    };
    if on_hand.is_empty() {
        return Err(("quantityOnHand", "number-missing", "This row says of no number.".to_owned()));
    }
    let cost = file.cell(row, "unitCost");
    let unit_cost = if cost.is_empty() { None } else { Some(number("unitCost", cost)?) };
    Ok(Some(StockLine { product, on_hand: number("quantityOnHand", on_hand)?, unit_cost }))
}
