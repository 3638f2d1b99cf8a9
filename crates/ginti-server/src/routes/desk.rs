//! The manager's side: what `ginti-desk` does, over HTTP. Every route here is for whoever plans and decides.

pub(super) mod alerts;
pub(super) mod api_tokens;
pub(super) mod audit;
pub(super) mod csv_files;
pub(super) mod decisions;
pub(super) mod export;
pub(super) mod fleet;
pub(super) mod invitations;
pub(super) mod plan_file;
pub(super) mod progress;
pub(super) mod receivers;
pub(super) mod review;
pub(super) mod rooms;
pub(super) mod runs;
pub(super) mod session_approval;
pub(super) mod stock_file;
pub(super) mod users;

use ginti_desk::{Adopt, Desk, ListRuns, Op, Plan, Refresh, Stale};
use ginti_types::{Code, Quantity};
use serde_json::value::RawValue;

use crate::{
    Deps,
    auth::Caller,
    problem::{Answer, ProblemResponse},
};

/// The files that are handed in: path, and the names that columns have with us.
pub(super) fn csv_columns() -> [(&'static str, Vec<&'static str>); 2] {
    let names = |fields: &[csv_files::Field]| fields.iter().map(|field| field.name).collect();
    [
        ("/maarg/poorti/InventoryCountRun/{workEffortId}/sessions.csv", names(plan_file::FIELDS)),
        ("/maarg/poorti/Stock", names(stock_file::FIELDS)),
    ]
}

/// Does it.
async fn run<O: Op>(deps: &Deps, op: O) -> Answer<O::Out> {
    Ok(Desk::new(deps.store.clone()).run(op).await?)
}

/// The runs; sessions that are in none get theirs before.
async fn runs_of(deps: &Deps, caller: &Caller, only: Option<&str>) -> Answer<Vec<ginti_desk::RunSummary>> {
    loop {
        let list = ListRuns { access: caller.access.clone(), only: only.map(str::to_owned) };
        if let Some(runs) = run(deps, list).await? {
            return Ok(runs);
        }
        run(deps, Adopt { tenant: caller.access.tenant.clone() }).await?;
    }
}

/// Brings a run's review up to date.
async fn refresh(deps: &Deps, caller: &Caller, id: &str) -> Answer<()> {
    loop {
        match run(deps, Refresh { access: caller.access.clone(), run: id.to_owned() }).await? {
            Stale::No => return Ok(()),
            Stale::NotFound => return Err(no_run()),
            Stale::Yes => {}
        }
    }
}

fn no_run() -> ProblemResponse {
    ProblemResponse::new(Code::NotFound, "There is no run of that id that you may see.")
}

/// What a refused plan is told.
fn refused(plan: Plan) -> Answer<()> {
    Err(match plan {
        Plan::Made => return Ok(()),
        Plan::NotFound => no_run(),
        Plan::Exists(id) => ProblemResponse::new(
            Code::FieldInvalid,
            format!("There is something of the id \"{id}\" already. Choose another one."),
        ),
        Plan::NoFacility(id) => ProblemResponse::new(
            Code::FieldInvalid,
            format!("There is no store \"{id}\" that you may plan for. See /maarg/poorti/Facilities."),
        ),
        Plan::NobodyThere(id) => {
            ProblemResponse::new(Code::FieldInvalid, format!("\"{id}\" is nobody who may count in that store."))
        }
        Plan::NoProduct(id) => ProblemResponse::new(
            Code::FieldInvalid,
            format!("The catalogue has no product \"{id}\". Import it first, or leave it out."),
        ),
        Plan::TooLate => ProblemResponse::new(
            Code::StatusNotAllowed,
            "It is too late for that: counting has begun, or the run is closed.",
        ),
    })
}

/// A text of a bounded length, trimmed.
fn text(name: &str, text: &str, chars_max: usize) -> Answer<String> {
    let text = text.trim();
    let is_good = (1..=chars_max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_good {
        return Ok(text.to_owned());
    }
    let detail = format!("\"{name}\" must have 1 to {chars_max} characters.");
    Err(ProblemResponse::new(Code::FieldInvalid, detail))
}

/// Micro-units as an exact JSON number.
pub(super) fn number(micros: i64) -> Box<RawValue> {
    RawValue::from_string(decimal(micros)).expect("a decimal is JSON")
}

/// Micro-units as a decimal.
pub(crate) fn decimal(micros: i64) -> String {
    let unit = Quantity::ONE.micros().unsigned_abs();
    let (whole, fraction) = (micros.unsigned_abs() / unit, micros.unsigned_abs() % unit);
    let sign = if micros < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:06}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

/// Micro-units from a decimal; none if it is no number, has more than six decimals, or is too large.
pub(super) fn micros(text: &str) -> Option<i64> {
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let quantity: Quantity = digits.parse().ok()?;
    Some(if is_negative { -quantity.micros() } else { quantity.micros() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_both_ways() {
        for (micros, text) in [(0, "0"), (-1_500_000, "-1.5"), (1, "0.000001"), (12_000_000, "12"), (-1, "-0.000001")] {
            assert_eq!(decimal(micros), text);
            assert_eq!(super::micros(text), Some(micros));
        }
        assert_eq!(micros("1.0000001"), None);
        assert_eq!(micros("--1"), None);
        assert_eq!(micros("many"), None);
    }
}
