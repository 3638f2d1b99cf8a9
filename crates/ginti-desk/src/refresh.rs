//! Brings a run's review up to what its sessions hold. What was counted arrives without knowing of reviews; the review notices by
//! the number of a session's newest record in history, and then reads that session anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, SqlRow, StoreError, Value, entries};
use ginti_types::{Outcome, SessionStatus};

use crate::{
    Op, rows,
    scope::{RunRow, hold, is_approved, run_of},
};

/// Sessions that one transaction reads anew.
const SESSIONS_MAX: usize = 40;

/// How a run's review stands to its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// No such run for the caller.
    NotFound,
    /// It is up to date.
    No,
    /// It is not; [`Refresh`] it, several times if need be.
    Yes,
}

/// Sessions of run ?1 whose review is not what they hold: handed in and not read since the last count, or open again. Store by
/// store, so that a store's lines are put together once and not for each of its sessions.
const STALE: &str = "
    SELECT session_key, facility_id, purpose, is_recount, status,
        coalesce((SELECT max(last_seq) FROM arrival WHERE arrival.session_key = session.session_key), 0)
    FROM session
    WHERE run_key = ?1 AND (
        (status IN ('SESSION_SUBMITTED', 'SESSION_APPROVED') AND (reviewed_seq IS NULL OR reviewed_seq <
            coalesce((SELECT max(last_seq) FROM arrival WHERE arrival.session_key = session.session_key), 0)))
        OR (status NOT IN ('SESSION_SUBMITTED', 'SESSION_APPROVED') AND reviewed_seq IS NOT NULL))
    ORDER BY facility_id, session_key";

/// Whether a run's review is up to date.
pub(crate) async fn is_stale(sql: &mut dyn Sql, run: i64) -> Result<bool, StoreError> {
    Ok(!sql.query(&format!("{STALE} LIMIT 1"), vec![run.into()]).await?.is_empty())
}

/// Reads the sessions anew that changed, some at a time.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// Who asks.
    pub access: Access,
    /// The run.
    pub run: String,
}

#[async_trait]
impl Op for Refresh {
    type Out = Stale;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    fn weight(&self) -> usize {
        1_000
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Stale, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(Stale::NotFound) };
        hold(sql, run.key).await?;
        let stale = sql.query(&format!("{STALE} LIMIT {}", SESSIONS_MAX + 1), vec![run.key.into()]).await?;
        let mut touched: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for row in stale.iter().take(SESSIONS_MAX) {
            session(sql, &run, row, touched.entry(row.text(1)?).or_default()).await?;
        }
        for (facility, mut touched) in touched {
            let asked = asked(sql, &run, facility).await?;
            touched.extend(asked.iter().cloned());
            lines(sql, &run, facility, &touched, &asked).await?;
        }
        Ok(if stale.len() > SESSIONS_MAX { Stale::Yes } else { Stale::No })
    }
}

/// Reads one session anew; the subjects whose lines change are added.
async fn session(
    sql: &mut dyn Sql,
    run: &RunRow,
    row: &SqlRow,
    touched: &mut BTreeSet<String>,
) -> Result<(), StoreError> {
    let (key, facility, seq) = (row.int(0)?, row.text(1)?, row.int(5)?);
    let before = sql.query("SELECT subject FROM review_part WHERE session_key = ?1", vec![key.into()]).await?;
    for row in &before {
        touched.insert(row.text(0)?.to_owned());
    }
    sql.execute("DELETE FROM review_part WHERE session_key = ?1", vec![key.into()]).await?;
    let status = SessionStatus::from_name(row.text(4)?);
    let is_in_review = matches!(status, Some(SessionStatus::SessionSubmitted | SessionStatus::SessionApproved));
    if is_in_review {
        let parts = parts(sql, key).await?;
        let recount = if row.bool(3)? { key } else { 0 };
        let into =
            "review_part (session_key, subject, run_key, facility_id, product_id, counted, row_count, device_count,
                        contested, late, recount)";
        let of = |(subject, part): (&String, &Part)| {
            vec![
                key.into(),
                subject.as_str().into(),
                run.key.into(),
                facility.into(),
                part.product.as_deref().into(),
                part.counted.into(),
                part.rows.into(),
                i64::try_from(part.devices.len()).unwrap_or(i64::MAX).into(),
                part.is_contested().into(),
                part.late.into(),
                recount.into(),
            ]
        };
        rows::put(sql, into, "", parts.iter().map(of).collect()).await?;
        touched.extend(parts.into_keys());
    }
    let seq = if is_in_review { Value::Int(seq) } else { Value::Null };
    sql.execute("UPDATE session SET reviewed_seq = ?2 WHERE session_key = ?1", vec![key.into(), seq]).await?;
    Ok(())
}

/// What should have been counted in a store and stands in the review though nobody counted it: what lists in review ask for, and,
/// once every session of the store that counts everything is in, all that should lie there.
async fn asked(sql: &mut dyn Sql, run: &RunRow, facility: &str) -> Result<BTreeSet<String>, StoreError> {
    let store = vec![run.key.into(), facility.into()];
    let text = "SELECT DISTINCT product_id FROM assignment JOIN session USING (session_key)
                WHERE run_key = ?1 AND facility_id = ?2 AND is_recount = 0
                    AND status IN ('SESSION_SUBMITTED', 'SESSION_APPROVED')";
    let mut asked = sql.query(text, store.clone()).await?;
    let text = "SELECT count(*), coalesce(sum(CASE WHEN status IN ('SESSION_CREATED', 'SESSION_ASSIGNED') THEN 1 ELSE 0 END), 0)
                FROM session WHERE run_key = ?1 AND facility_id = ?2 AND purpose = 'HARD_COUNT'
                    AND is_recount = 0 AND status <> 'SESSION_VOIDED'";
    let hard = sql.query(text, store).await?;
    if let Some(row) = hard.first()
        && row.int(0)? > 0
        && row.int(1)? == 0
    {
        let text = "SELECT product_id FROM stock WHERE tenant_key = ?1 AND facility_id = ?2 AND on_hand <> 0";
        asked.extend(sql.query(text, vec![run.tenant.into(), facility.into()]).await?);
    }
    asked.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// What a session counted of a subject.
#[derive(Default)]
struct Part {
    product: Option<String>,
    counted: i64,
    rows: i64,
    late: i64,
    devices: BTreeSet<i64>,
    /// Devices by place: two that counted one product in one place may mean the same pieces.
    places: BTreeMap<Option<String>, BTreeSet<i64>>,
}

impl Part {
    fn is_contested(&self) -> bool {
        self.places.values().any(|devices| devices.len() > 1)
    }
}

async fn parts(sql: &mut dyn Sql, session: i64) -> Result<BTreeMap<String, Part>, StoreError> {
    let text = "SELECT item_seq, revision, device_key FROM item WHERE session_key = ?1";
    let mut held = HashMap::new();
    for row in sql.query(text, vec![session.into()]).await? {
        held.insert(row.text(0)?.to_owned(), (row.count(1)?, row.int(2)?));
    }
    let text = "SELECT device_key, entries FROM arrival WHERE session_key = ?1 ORDER BY last_seq";
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    let mut seen: BTreeSet<(String, u64, i64)> = BTreeSet::new();
    for row in sql.query(text, vec![session.into()]).await? {
        let device = row.int(0)?;
        for entry in entries(row.blob(1)?) {
            let entry = entry?;
            let stamp = (entry.revision, device);
            let holds = held.get(entry.item).copied();
            let outcome = entry.outcome()?;
            // By device id the merge rule orders equal revisions; a late count of the very revision that holds is no news.
            let is_late = outcome == Outcome::Late && holds.is_none_or(|(revision, _)| entry.revision > revision);
            let is_held = outcome == Outcome::Applied && holds == Some(stamp);
            if !(is_late || is_held) || !seen.insert((entry.item.to_owned(), entry.revision, device)) {
                continue;
            }
            let part = parts.entry(subject(entry.product_id, entry.product_identifier)).or_default();
            part.product = entry.product_id.map(str::to_owned);
            if is_late {
                part.late += 1;
                continue;
            }
            part.counted = part.counted.saturating_add(entry.quantity);
            part.rows += 1;
            part.devices.insert(device);
            part.places.entry(entry.location_seq_id.map(str::to_owned)).or_default().insert(device);
        }
    }
    Ok(parts)
}

/// What a line is about: a product, or a code that is none's.
pub(crate) fn subject(product: Option<&str>, identifier: Option<&str>) -> String {
    match product {
        Some(product) => product.to_owned(),
        None => format!("?{}", identifier.unwrap_or_default()),
    }
}

/// A line in the making.
#[derive(Default)]
struct Line {
    product: Option<String>,
    counted: Option<i64>,
    recount: i64,
    sessions: i64,
    devices: i64,
    late: i64,
    is_contested: bool,
}

/// Puts the lines of these subjects together again. A decision stays if what it was about is the same.
async fn lines(
    sql: &mut dyn Sql,
    run: &RunRow,
    facility: &str,
    touched: &BTreeSet<String>,
    asked: &BTreeSet<String>,
) -> Result<(), StoreError> {
    let mut lines = BTreeMap::new();
    for subject in touched {
        let product = (!subject.starts_with('?')).then(|| subject.clone());
        lines.insert(subject.clone(), Line { product, ..Line::default() });
    }
    let text = "SELECT subject, counted, device_count, contested, late, recount, row_count FROM review_part
                WHERE run_key = ?1 AND facility_id = ?2";
    for row in sql.query(text, vec![run.key.into(), facility.into()]).await? {
        let Some(line) = lines.get_mut(row.text(0)?) else { continue };
        add(line, &row)?;
    }
    let stock = stock(sql, run.tenant, facility).await?;
    let before = before(sql, run.key, facility).await?;
    let mut put = Vec::new();
    for (subject, line) in &lines {
        let before = before.get(subject);
        if line.sessions == 0 && line.late == 0 && !asked.contains(subject) {
            if before.is_some() {
                let text = "DELETE FROM review_line WHERE run_key = ?1 AND facility_id = ?2 AND subject = ?3";
                sql.execute(text, vec![run.key.into(), facility.into(), subject.as_str().into()]).await?;
            }
            continue;
        }
        let row = row(run.key, facility, subject, line, stock.get(subject.as_str()).copied());
        // Most of a store stays as it was.
        if before.is_none_or(|before| before[..] != row[KEY_COLUMNS..]) {
            put.push(row);
        }
    }
    let into = "review_line (run_key, facility_id, subject, product_id, expected, unit_cost, counted, session_count,
                    device_count, late, recount, attention, difference, value_difference, weight)";
    // Both databases compare nothing with nothing as unknown; -1 is no count.
    let same = "coalesce(review_line.counted, -1) = coalesce(excluded.counted, -1) AND review_line.late = excluded.late
                AND review_line.attention = excluded.attention AND review_line.recount = excluded.recount";
    let keep = ["decision", "chosen", "reason", "decided_by", "decided_at"]
        .map(|column| format!("{column} = CASE WHEN {same} THEN review_line.{column} ELSE NULL END"))
        .join(", ");
    let conflict = format!(
        "ON CONFLICT (run_key, facility_id, subject) DO UPDATE SET product_id = excluded.product_id,
             expected = excluded.expected, unit_cost = excluded.unit_cost, counted = excluded.counted,
             session_count = excluded.session_count, device_count = excluded.device_count, late = excluded.late,
             recount = excluded.recount, attention = excluded.attention, difference = excluded.difference,
             value_difference = excluded.value_difference, weight = excluded.weight, {keep}"
    );
    // What was approved has left the house, or is about to: it stays as it was, whatever comes late.
    let approved = "ON CONFLICT (run_key, facility_id, subject) DO UPDATE SET late = excluded.late";
    let conflict = if is_approved(sql, run.key, facility).await? { approved } else { &conflict };
    rows::put(sql, into, conflict, put).await
}

/// Several sessions of one product add up; a recount stands in the place of what was counted before it.
fn add(line: &mut Line, row: &SqlRow) -> Result<(), StoreError> {
    let recount = row.int(5)?;
    line.late += row.int(4)?;
    if row.int(6)? == 0 || recount < line.recount {
        return Ok(());
    }
    if recount > line.recount {
        let (product, late) = (line.product.take(), line.late);
        *line = Line { product, recount, late, ..Line::default() };
    }
    line.counted = Some(line.counted.unwrap_or(0).saturating_add(row.int(1)?));
    line.sessions += 1;
    line.devices += row.int(2)?;
    line.is_contested |= row.bool(3)?;
    Ok(())
}

/// Run, store and subject come before what a line says.
const KEY_COLUMNS: usize = 3;

/// What the lines of a store say now, by subject, in the order of a [`row`] after its key.
async fn before(sql: &mut dyn Sql, run: i64, facility: &str) -> Result<HashMap<String, Vec<Value>>, StoreError> {
    let text = "SELECT product_id, expected, unit_cost, counted, session_count, device_count, late, recount, attention,
                    difference, value_difference, weight, subject
                FROM review_line WHERE run_key = ?1 AND facility_id = ?2";
    let mut lines = HashMap::new();
    for SqlRow(mut row) in sql.query(text, vec![run.into(), facility.into()]).await? {
        if let Some(Value::Text(subject)) = row.pop() {
            lines.insert(subject, row);
        }
    }
    Ok(lines)
}

/// On hand and unit cost by product.
async fn stock(
    sql: &mut dyn Sql,
    tenant: i64,
    facility: &str,
) -> Result<HashMap<String, (i64, Option<i64>)>, StoreError> {
    let text = "SELECT product_id, on_hand, unit_cost FROM stock WHERE tenant_key = ?1 AND facility_id = ?2";
    let mut stock = HashMap::new();
    for row in sql.query(text, vec![tenant.into(), facility.into()]).await? {
        stock.insert(row.text(0)?.to_owned(), (row.int(1)?, row.maybe_int(2)?));
    }
    Ok(stock)
}

fn row(run: i64, facility: &str, subject: &str, line: &Line, held: Option<(i64, Option<i64>)>) -> Vec<Value> {
    let (expected, cost) = (held.map(|(on_hand, _)| on_hand), held.and_then(|(_, cost)| cost));
    // Not counted is not zero: nothing is known to differ, and what is at stake is all that should be there.
    let difference = line.counted.map_or(0, |counted| counted.saturating_sub(expected.unwrap_or(0)));
    let value = cost.filter(|_| line.counted.is_some()).map(|cost| value_of(difference, cost));
    let at_stake = if line.counted.is_some() { difference } else { expected.unwrap_or(0) };
    let weight = cost.map_or(at_stake, |cost| value_of(at_stake, cost)).saturating_abs();
    let attention = match line {
        Line { is_contested: true, .. } => 3,
        Line { late: 1.., .. } => 2,
        Line { counted: None, .. } => 1,
        _ => 0,
    };
    vec![
        run.into(),
        facility.into(),
        subject.into(),
        line.product.as_deref().into(),
        expected.into(),
        cost.into(),
        line.counted.into(),
        line.sessions.into(),
        line.devices.into(),
        line.late.into(),
        line.recount.into(),
        i64::from(attention).into(),
        difference.into(),
        value.into(),
        weight.into(),
    ]
}

/// Micro-units times millionths a piece, in millionths.
pub(crate) fn value_of(quantity: i64, unit_cost: i64) -> i64 {
    let exact = i128::from(quantity) * i128::from(unit_cost) / 1_000_000;
    i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_exact_and_never_overflows() {
        assert_eq!(value_of(1_500_000, 2_000_000), 3_000_000, "one and a half at two");
        assert_eq!(value_of(-1_000_000, 2_490_000), -2_490_000);
        assert_eq!(value_of(i64::MAX, i64::MAX), i64::MAX);
        assert_eq!(value_of(i64::MIN, i64::MAX), i64::MIN);
    }

    #[test]
    fn a_code_that_is_none_s_is_a_subject_of_its_own() {
        assert_eq!(subject(Some("P-1"), Some("123")), "P-1");
        assert_eq!(subject(None, Some("123")), "?123");
    }
}
