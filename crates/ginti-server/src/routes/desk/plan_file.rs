//! Planning by a file: each name and store of it becomes a session, its SKUs the list.

use std::collections::{BTreeMap, HashMap};

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use ginti_desk::{PlanRun, PlannedSession};
use ginti_types::{Code, FacilityId, ProductId, Purpose, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    csv_files::{ColumnDto, FILE_BYTES_MAX, Field, File, RowErrorDto, mapping},
    no_run, refused, run,
    runs::fresh_id,
};
use crate::{
    Deps,
    auth::{Caller, Manager},
    problem::{Answer, ProblemResponse},
    request::{self, Params, Segments},
    routes::openapi::ManagerErrors,
    schema,
};

pub(super) const FIELDS: &[Field] = &[
    Field { name: "countImportName", others: &["name", "count name"] },
    Field { name: "productSku", others: &["sku", "Variant SKU", "productId"] },
    Field { name: "purposeType", others: &["purpose"] },
    Field { name: "facility", others: &["facilityId"] },
    Field { name: "externalFacility", others: &["externalFacilityId"] },
    Field { name: "estimatedStartDate", others: &[] },
    Field { name: "estimatedCompletionDate", others: &["dueDate"] },
];

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct PlanQuery {
    /// Only say what would be made; true if left out.
    dry_run: Option<bool>,
    /// Rows with errors are left out, and the rest is made; without it, one error and nothing is made.
    skip_errors: Option<bool>,
    /// Which column a field is: `productSku:Article,facility:Shop`. Columns are otherwise found by name.
    #[param(value_type = Option<schema::Plain>)]
    map: Option<String>,
    /// For rows that name no store.
    #[param(value_type = Option<schema::Plain>)]
    facility_id: Option<String>,
}

/// A session that the file makes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PlannedFromFile)]
pub(crate) struct PlannedDto {
    #[schema(value_type = Option<schema::Id>)]
    inventory_count_import_id: Option<SessionId>,
    count_import_name: String,
    #[schema(value_type = schema::Id)]
    facility_id: FacilityId,
    #[schema(value_type = schema::Purpose)]
    purpose_type: Purpose,
    #[schema(value_type = Option<schema::Time>)]
    due_date: Option<Timestamp>,
    product_count: usize,
}

/// What a file says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PlanFile)]
pub(crate) struct PlanFileDto {
    is_dry_run: bool,
    rows: usize,
    columns: Vec<ColumnDto>,
    /// The first rows, as they stand.
    preview: Vec<Vec<String>>,
    sessions: Vec<PlannedDto>,
    error_count: usize,
    /// The first 1,000.
    errors: Vec<RowErrorDto>,
}

/// Plan sessions by a file
///
/// Columns `countImportName`, `productSku`, `purposeType`, `facility` (or `externalFacility`), `estimatedCompletionDate`
/// (`MM-dd-yyyy HH:mm:ss`, or ISO 8601). Ask without `dryRun=false` first: the answer shows what would be made.
#[utoipa::path(
    post,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/sessions.csv",
    operation_id = "planByFile",
    tag = "plan",
    params(("workEffortId" = schema::Id, Path, description = "The run."), PlanQuery),
    request_body(content = String, content_type = "text/csv", description = "At most 32 MiB and 100,000 rows."),
    responses((status = 200, body = PlanFileDto, description = "What was made, or would be."), ManagerErrors),
    security(("bearer" = []))
)]
pub(crate) async fn plan(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    Params(query): Params<PlanQuery>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<PlanFileDto>> {
    let bytes = request::read_file(&headers, body, FILE_BYTES_MAX).await?;
    let catalogue = Catalogue::load(&deps, &caller).await?;
    let mut file = open(&bytes, query.map.as_deref())?;
    let mut sessions: BTreeMap<(String, FacilityId), PlannedSession> = BTreeMap::new();
    while let Some(read) = next(&mut file, &catalogue, query.facility_id.as_deref())? {
        add(&deps, &mut sessions, read)?;
    }
    let is_dry_run = query.dry_run.unwrap_or(true);
    let is_made = !is_dry_run && (file.error_count == 0 || query.skip_errors == Some(true)) && !sessions.is_empty();
    let mut planned: Vec<_> = sessions.into_values().collect();
    for session in &mut planned {
        session.products.sort();
        session.products.dedup();
    }
    if is_made {
        let plan = PlanRun { access: caller.access.clone(), run: id, sessions: planned.clone(), now: deps.now() };
        refused(run(&deps, plan).await?)?;
    } else if !is_dry_run {
        let detail = format!(
            "Nothing was made: {} rows have errors. Ask with dryRun=true to see them, mend the file, or leave them out with \
             skipErrors=true.",
            file.error_count
        );
        return Err(ProblemResponse::new(Code::FieldInvalid, detail));
    }
    let dto = |session: PlannedSession| PlannedDto {
        inventory_count_import_id: is_made.then_some(session.id),
        count_import_name: session.name,
        facility_id: session.facility,
        purpose_type: session.purpose,
        due_date: session.due,
        product_count: session.products.len(),
    };
    Ok(Json(PlanFileDto {
        is_dry_run,
        rows: file.rows(),
        columns: file.columns(),
        preview: std::mem::take(&mut file.preview),
        sessions: planned.into_iter().map(dto).collect(),
        error_count: file.error_count,
        errors: std::mem::take(&mut file.errors),
    }))
}

fn open<'a>(bytes: &'a [u8], map: Option<&str>) -> Answer<File<'a>> {
    let file = File::open(bytes, FIELDS, &mapping(map))?;
    file.need(&["countImportName"])?;
    Ok(file)
}

/// The next row that can be used; what is wrong with the others is in the file.
fn next(file: &mut File<'_>, catalogue: &Catalogue, default_facility: Option<&str>) -> Answer<Option<RowRead>> {
    while let Some(row) = file.next()? {
        match read_row(file, &row, catalogue, default_facility) {
            Ok(read) => return Ok(Some(read)),
            Err((field, code, detail)) => file.complain(row.number, Some(field), code, &detail),
        }
    }
    Ok(None)
}

/// Reads a file for a house of one store and one product.
pub(crate) fn rehearse(bytes: &[u8], map: Option<&str>) -> Answer<(usize, usize)> {
    let (mut file, catalogue) = (open(bytes, map)?, Catalogue::of_one());
    while let Some(read) = next(&mut file, &catalogue, Some("STORE_1"))? {
        debug_assert!(!read.name.is_empty() && !read.name.chars().any(char::is_control));
    }
    Ok((file.rows(), file.error_count))
}

struct RowRead {
    name: String,
    facility: FacilityId,
    purpose: Purpose,
    due: Option<Timestamp>,
    product: Option<ProductId>,
}

type RowFault = (&'static str, &'static str, String);

fn read_row(
    file: &File<'_>,
    row: &super::csv_files::Row,
    catalogue: &Catalogue,
    default_facility: Option<&str>,
) -> Result<RowRead, RowFault> {
    let name = file.cell(row, "countImportName");
    if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err((
            "countImportName",
            "name-missing",
            "The count needs a name of 1 to 100 characters, on one line.".to_owned(),
        ));
    }
    let own = file.cell(row, "facility");
    let own = if own.is_empty() { file.cell(row, "externalFacility") } else { own };
    let named = if own.is_empty() { default_facility.unwrap_or_default() } else { own };
    let facility = catalogue.facility(named).ok_or_else(|| {
        ("facility", "facility-unknown", format!("There is no store \"{named}\" that you may plan for."))
    })?;
    let sku = file.cell(row, "productSku");
    let purpose = match file.cell(row, "purposeType") {
        "" if sku.is_empty() => Purpose::HardCount,
        "" => Purpose::DirectedCount,
        text => Purpose::from_name(text).ok_or_else(|| {
            ("purposeType", "purpose-unknown", format!("\"{text}\" is neither HARD_COUNT nor DIRECTED_COUNT."))
        })?,
    };
    let product = match sku {
        "" if purpose == Purpose::HardCount => None,
        "" => return Err(("productSku", "sku-missing", "A directed count needs a SKU in each row.".to_owned())),
        sku => match catalogue.products(sku) {
            [] => return Err(("productSku", "sku-unknown", format!("The catalogue has no product \"{sku}\"."))),
            [one] => Some(one.clone()).filter(|_| purpose == Purpose::DirectedCount),
            several => {
                let detail = format!("{} products have the SKU \"{sku}\". Give the product id instead.", several.len());
                return Err(("productSku", "sku-ambiguous", detail));
            }
        },
    };
    let due = match file.cell(row, "estimatedCompletionDate") {
        "" => None,
        text => Some(date(text).ok_or_else(|| {
            let detail = format!("\"{text}\" is no date like 11-30-2026 18:00:00 or 2026-11-30T18:00:00Z.");
            ("estimatedCompletionDate", "date-invalid", detail)
        })?),
    };
    Ok(RowRead { name: name.to_owned(), facility, purpose, due, product })
}

fn add(deps: &Deps, sessions: &mut BTreeMap<(String, FacilityId), PlannedSession>, row: RowRead) -> Answer<()> {
    let key = (row.name.clone(), row.facility.clone());
    if let Some(session) = sessions.get_mut(&key) {
        session.products.extend(row.product);
        return Ok(());
    }
    let session = PlannedSession {
        id: SessionId::new(fresh_id(deps, "count")).map_err(|_| no_run())?,
        name: row.name,
        facility: row.facility,
        area: None,
        purpose: row.purpose,
        due: row.due,
        assigned_to: None,
        is_blind: true,
        is_recount: false,
        products: row.product.into_iter().collect(),
    };
    sessions.insert(key, session);
    Ok(())
}

/// `MM-dd-yyyy HH:mm:ss` (taken as UTC), or ISO 8601.
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    if text.len() == 19 && text.as_bytes()[2] == b'-' && text.is_ascii() {
        let (month, day, year) = (number(0..2)?, number(3..5)?, number(6..10)?);
        let clock = text.get(11..19)?;
        return Timestamp::parse(&format!("{year:04}-{month:02}-{day:02}T{clock}Z")).ok();
    }
    Timestamp::parse(text).ok()
}

/// What rows refer to, looked up once.
pub(super) struct Catalogue {
    by_code: HashMap<String, Vec<ProductId>>,
    facilities: Vec<FacilityId>,
}

impl Catalogue {
    pub(super) async fn load(deps: &Deps, caller: &Caller) -> Answer<Self> {
        const PAGE: usize = 5_000;
        let mut by_code: HashMap<String, Vec<ProductId>> = HashMap::new();
        let mut after = String::new();
        loop {
            let page = deps.store.products(&caller.access.tenant, &after, PAGE).await?;
            let Some(last) = page.products.last() else { break };
            last.id.as_str().clone_into(&mut after);
            for product in page.products {
                let mut codes: Vec<_> = product.sku.into_iter().chain(product.barcodes).collect();
                codes.push(product.id.as_str().to_owned());
                codes.sort();
                codes.dedup();
                for code in codes {
                    by_code.entry(code).or_default().push(product.id.clone());
                }
            }
        }
        let own = |id: &FacilityId| caller.access.facilities.as_ref().is_none_or(|own| own.contains(id));
        let facilities = deps.store.facilities(&caller.access.tenant).await?;
        let facilities = facilities.into_iter().map(|facility| facility.id).filter(own).collect();
        Ok(Self { by_code, facilities })
    }

    /// One store and one product.
    pub(super) fn of_one() -> Self {
        let products: Vec<_> = ProductId::new("P1").into_iter().collect();
        let by_code = ["P1", "A-1"].map(|code| (code.to_owned(), products.clone())).into();
        Self { by_code, facilities: FacilityId::new("STORE_1").into_iter().collect() }
    }

    /// Products of that SKU, barcode or id; an id wins over all else.
    pub(super) fn products(&self, code: &str) -> &[ProductId] {
        let found = self.by_code.get(code).map_or(&[] as &[ProductId], Vec::as_slice);
        match found.iter().position(|product| product.as_str() == code) {
            Some(own) => &found[own..=own],
            None => found,
        }
    }

    pub(super) fn facility(&self, id: &str) -> Option<FacilityId> {
        self.facilities.iter().find(|facility| facility.as_str() == id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_as_integrators_write_them() {
        assert_eq!(date("11-30-2026 18:05:00"), Timestamp::parse("2026-11-30T18:05:00Z").ok());
        assert!(date("11-30-2026 18:05:00").is_some());
        assert_eq!(date("2026-11-30T18:05:00+01:00"), Timestamp::parse("2026-11-30T17:05:00Z").ok());
        for bad in ["30-11-2026 18:05:00", "tomorrow", "11/30/2026", "11-30-2026 99:05:00"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
