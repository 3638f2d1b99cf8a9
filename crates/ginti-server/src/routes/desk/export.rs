//! A run's lines as a file: CSV that a spreadsheet opens without running anything in it, or JSON.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use ginti_desk::{Adopt, Filter, Order, Refresh, ReviewLine, ReviewLines, ReviewPage, run_on};
use ginti_store::{Access, Store, StoreError};
use ginti_types::Code;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{decimal, no_run, review::LineDto};
use crate::{
    Deps,
    auth::Manager,
    problem::{Answer, ProblemResponse},
    request::{Params, Segments},
    routes::openapi::ManagerErrors,
    schema,
};

/// Lines read at a time.
const PAGE: i64 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `csv` or `json`; `csv` if left out.
    #[param(value_type = Option<schema::FileFormat>)]
    format: Option<String>,
}

/// A run's lines as a file
///
/// CSV: texts that a spreadsheet would take for a formula begin with an apostrophe.
#[utoipa::path(
    get,
    path = "/maarg/poorti/InventoryCountRun/{workEffortId}/export",
    operation_id = "exportRun",
    tag = "decide",
    params(("workEffortId" = schema::Id, Path, description = "The run."), ExportQuery),
    responses(
        (status = 200, description = "All lines, by store and product.", content((String = "text/csv"), (ExportDto = "application/json"))),
        ManagerErrors,
    ),
    security(("bearer" = []))
)]
pub(crate) async fn export(
    State(deps): State<Deps>,
    Manager(caller): Manager,
    Segments(id): Segments<String>,
    Params(query): Params<ExportQuery>,
) -> Answer<Response> {
    let format = match query.format.as_deref() {
        None | Some("csv") => ExportFormat::Csv,
        Some("json") => ExportFormat::Json,
        Some(_) => return Err(ProblemResponse::new(Code::InvalidParameter, "\"format\" must be csv or json.")),
    };
    let body = export_run(&*deps.store, &caller.access, &id, format).await?.ok_or_else(no_run)?;
    let (kind, name) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"count.csv\""),
        ExportFormat::Json => ("application/json", "attachment; filename=\"count.json\""),
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], body).into_response())
}

/// A run's lines for programs.
#[derive(Serialize, ToSchema)]
#[schema(as = RunExport)]
pub(crate) struct ExportDto {
    /// As `…/review` answers them, all of them.
    items: Vec<LineDto>,
}

/// How a run's lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// For spreadsheets.
    Csv,
    /// For programs: what `…/review` answers, all of it.
    Json,
}

/// A run's lines as a file; none if there is no such run that may be seen. Sessions made elsewhere get runs of their own first.
pub async fn export_run(
    store: &dyn Store,
    access: &Access,
    run: &str,
    format: ExportFormat,
) -> Result<Option<Vec<u8>>, StoreError> {
    run_on(store, Adopt { tenant: access.tenant.clone() }).await?;
    let mut lines: Vec<ReviewLine> = Vec::new();
    loop {
        let page = ReviewLines {
            access: access.clone(),
            run: run.to_owned(),
            facility: None,
            search: None,
            filter: Filter::All,
            order: Order::Subject,
            offset: i64::try_from(lines.len()).unwrap_or(i64::MAX),
            limit: PAGE,
        };
        match run_on(store, page).await? {
            ReviewPage::NotFound => return Ok(None),
            ReviewPage::Stale => {
                run_on(store, Refresh { access: access.clone(), run: run.to_owned() }).await?;
            }
            ReviewPage::Lines(found, has_more) => {
                lines.extend(found);
                if !has_more {
                    break;
                }
            }
        }
    }
    let failed = |error: String| StoreError::Failed(format!("the file could not be written: {error}"));
    let body = match format {
        ExportFormat::Csv => csv_of(&lines).map_err(|error| failed(error.to_string()))?,
        ExportFormat::Json => {
            let items = lines.into_iter().map(LineDto::from).collect();
            serde_json::to_vec(&ExportDto { items }).map_err(|error| failed(error.to_string()))?
        }
    };
    Ok(Some(body))
}

fn csv_of(lines: &[ReviewLine]) -> Result<Vec<u8>, csv::Error> {
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record([
        "facilityId",
        "productId",
        "sku",
        "productName",
        "identifier",
        "expected",
        "counted",
        "difference",
        "unitCost",
        "valueDifference",
        "contested",
        "lateCounts",
        "decision",
        "chosen",
        "reason",
        "decidedBy",
    ])?;
    for line in lines {
        let plain = |text: Option<&str>| safe(text.unwrap_or_default());
        let number = |micros: Option<i64>| micros.map(decimal).unwrap_or_default();
        file.write_record([
            safe(&line.facility),
            plain(line.product.as_deref()),
            plain(line.sku.as_deref()),
            plain(line.name.as_deref()),
            plain(line.subject.strip_prefix('?')),
            number(line.expected),
            number(line.counted),
            number(Some(line.difference)),
            number(line.unit_cost),
            number(line.value_difference),
            if line.is_contested { "Y" } else { "N" }.to_owned(),
            line.late.to_string(),
            line.decision.map(ginti_desk::Decision::as_str).unwrap_or_default().to_owned(),
            number(line.chosen),
            plain(line.reason.as_deref()),
            plain(line.decided_by.as_deref()),
        ])?;
    }
    file.into_inner().map_err(|error| error.into_error().into())
}

/// A text that no spreadsheet takes for a formula.
pub(crate) fn safe(text: &str) -> String {
    let is_risky =
        text.trim_start().starts_with(['=', '+', '-', '@', '|', '%']) || text.starts_with(['\t', '\r', '\n']);
    if is_risky { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_a_text() {
        for risky in ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(1)", "\t=1", " =1", "|x", "%0A"] {
            assert_eq!(safe(risky), format!("'{risky}"));
        }
        for plain in ["Rice", "1=1", "A-7", ""] {
            assert_eq!(safe(plain), plain);
        }
    }
}
