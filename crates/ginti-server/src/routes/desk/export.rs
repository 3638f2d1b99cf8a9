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
    // The full-width forms too: some spreadsheets take them for the others.
    const BEGINNINGS: &[char] = &['=', '+', '-', '@', '|', '%', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let begun = text.trim_start_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
    let is_risky = begun.starts_with(BEGINNINGS) || text.starts_with(['\t', '\r', '\n']);
    if is_risky { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use ginti_desk::Decision;

    use super::*;

    const RISKY: &[&str] = &[
        "=1+1",
        "=HYPERLINK(\"http://evil.example\",\"x\")",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1+1)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        " =1+1",
        "\u{a0}=1+1",
        "\u{feff}=1+1",
        "\u{ff1d}1+1",
        "|x",
        "%0A",
        "x\",=1+1,\"",
        "x\n=1+1",
        "'=1+1",
    ];

    #[test]
    fn what_a_spreadsheet_would_run_is_a_text() {
        for risky in
            ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(1)", "\t=1", " =1", "|x", "%0A", "\u{feff}=1", "\u{ff1d}1"]
        {
            assert_eq!(safe(risky), format!("'{risky}"));
        }
        for plain in ["Rice", "1=1", "A-7", "", "'=1"] {
            assert_eq!(safe(plain), plain);
        }
    }

    /// A line with that text wherever a line has a text.
    fn line(text: &str) -> ReviewLine {
        ReviewLine {
            facility: text.to_owned(),
            subject: format!("?{text}"),
            product: Some(text.to_owned()),
            name: Some(text.to_owned()),
            sku: Some(text.to_owned()),
            expected: Some(1_000_000),
            unit_cost: Some(-1),
            counted: Some(2_000_000),
            sessions: 1,
            devices: 1,
            is_contested: true,
            late: 0,
            difference: -1_000_000,
            value_difference: Some(-1_000_000),
            decision: Some(Decision::Accept),
            chosen: Some(0),
            reason: Some(text.to_owned()),
            decided_by: Some(text.to_owned()),
            decided_at: None,
        }
    }

    #[test]
    fn no_cell_of_an_export_is_a_formula_wherever_the_text_stands() {
        let lines: Vec<_> = RISKY.iter().map(|text| line(text)).collect();
        let file = csv_of(&lines).unwrap();
        let mut reader = csv::Reader::from_reader(&file[..]);
        let columns = reader.headers().unwrap().len();
        let mut rows = 0;
        for (record, risky) in reader.records().zip(RISKY) {
            let record = record.unwrap();
            assert_eq!(record.len(), columns, "{risky:?} makes no further cells");
            for cell in &record {
                let is_number = cell.parse::<f64>().is_ok();
                let first = cell.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').chars().next();
                assert!(is_number || !first.is_some_and(|c| "=+-@|%\u{ff1d}".contains(c)), "{risky:?} became {cell:?}");
            }
            rows += 1;
        }
        assert_eq!(rows, RISKY.len());
    }

    /// The same file in the real program, which says of each cell what it shows.
    /// `cargo xtask spreadsheet` brings the program and runs this.
    #[cfg(feature = "libreoffice")]
    #[test]
    fn libreoffice_calculates_nothing_in_an_export() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, file: &[u8]| {
            std::fs::write(folder.path().join(format!("{name}.csv")), file).unwrap();
            // As flat XML: a cell that is a formula says so in an attribute.
            let done = std::process::Command::new("soffice")
                .arg(format!("-env:UserInstallation=file://{}/profile", folder.path().display()))
                .args([
                    "--headless",
                    "--infilter=CSV:44,34,76,1,,0,false,true,false",
                    "--convert-to",
                    "fods",
                    "--outdir",
                ])
                .arg(folder.path())
                .arg(folder.path().join(format!("{name}.csv")))
                .output()
                .expect("soffice, of Debian's package libreoffice-calc-nogui");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            std::fs::read_to_string(folder.path().join(format!("{name}.fods"))).unwrap()
        };
        // It does calculate what is no text: else this test would say nothing.
        assert!(open("bare", b"a,b\n=1+1,x\n").contains("table:formula"));
        let lines: Vec<_> = RISKY.iter().map(|text| line(text)).collect();
        let opened = open("count", &csv_of(&lines).unwrap());
        assert!(opened.contains("decidedBy") && opened.contains("1+1"), "{opened}");
        assert!(!opened.contains("table:formula"), "a cell is a formula");
    }
}
