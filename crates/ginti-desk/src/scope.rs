//! What a caller may see: the tenant's runs with something in the caller's stores, and of these only those stores.

use ginti_store::{Access, Sql, SqlRow, StoreError, Value, unexpected};
use ginti_types::{FacilityId, TenantId};

/// The tenant's key.
pub(crate) async fn tenant_key(sql: &mut dyn Sql, tenant: &TenantId) -> Result<i64, StoreError> {
    let rows = sql.query("SELECT tenant_key FROM tenant WHERE tenant_id = ?1", vec![tenant.as_str().into()]).await?;
    rows.first().ok_or_else(|| StoreError::Missing(format!("tenant \"{tenant}\"")))?.int(0)
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct RunRow {
    pub(crate) key: i64,
    pub(crate) tenant: i64,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) due: Option<i64>,
    pub(crate) created: i64,
    pub(crate) created_by: Option<String>,
}

/// The columns of a [`RunRow`].
pub(crate) const RUN: &str = "run.run_key, run.tenant_key, run.run_id, run.name, run.due, run.created, run.created_by";

impl RunRow {
    pub(crate) fn of(row: &SqlRow) -> Result<Self, StoreError> {
        Ok(Self {
            key: row.int(0)?,
            tenant: row.int(1)?,
            id: row.text(2)?.to_owned(),
            name: row.text(3)?.to_owned(),
            due: row.maybe_int(4)?,
            created: row.int(5)?,
            created_by: row.maybe_text(6)?.map(str::to_owned),
        })
    }
}

/// The run of that id, if the caller may see any of it. One without sessions is everybody's who plans.
pub(crate) async fn run_of(sql: &mut dyn Sql, access: &Access, run: &str) -> Result<Option<RunRow>, StoreError> {
    let text = format!(
        "SELECT {RUN} FROM run JOIN tenant ON tenant.tenant_key = run.tenant_key WHERE tenant_id = ?1 AND run_id = ?2"
    );
    let rows = sql.query(&text, vec![access.tenant.as_str().into(), run.into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let run = RunRow::of(row)?;
    if access.facilities.is_none() {
        return Ok(Some(run));
    }
    let text = "SELECT DISTINCT facility_id FROM session WHERE run_key = ?1";
    let stores = sql.query(text, vec![run.key.into()]).await?;
    let mut is_seen = stores.is_empty();
    for store in &stores {
        is_seen |= may_see(access, store.text(0)?);
    }
    Ok(is_seen.then_some(run))
}

/// Whether the caller works in that store.
pub(crate) fn may_see(access: &Access, facility: &str) -> bool {
    access.facilities.as_ref().is_none_or(|all| all.iter().any(|one| one.as_str() == facility))
}

/// A condition on a column: one of the caller's stores. Adds its parameters.
pub(crate) fn in_stores(access: &Access, column: &str, parameters: &mut Vec<Value>) -> String {
    let Some(facilities) = &access.facilities else { return "1 = 1".to_owned() };
    let places: Vec<_> = facilities
        .iter()
        .map(|facility: &FacilityId| {
            parameters.push(facility.as_str().into());
            format!("?{}", parameters.len())
        })
        .collect();
    if places.is_empty() { "1 = 0".to_owned() } else { format!("{column} IN ({})", places.join(", ")) }
}

/// Holds the run until the transaction ends: one at a time writes to its review.
pub(crate) async fn hold(sql: &mut dyn Sql, run: i64) -> Result<(), StoreError> {
    let changed = sql.execute("UPDATE run SET version = version + 1 WHERE run_key = ?1", vec![run.into()]).await?;
    if changed == 1 { Ok(()) } else { Err(unexpected("a run that is gone")) }
}

/// Whether a store's results of a run have been approved: nothing of it is in review any more.
pub(crate) async fn is_approved(sql: &mut dyn Sql, run: i64, facility: &str) -> Result<bool, StoreError> {
    let text =
        "SELECT count(*), coalesce(sum(CASE WHEN status = 'SESSION_SUBMITTED' THEN 1 ELSE 0 END), 0) FROM session
                WHERE run_key = ?1 AND facility_id = ?2 AND status IN ('SESSION_SUBMITTED', 'SESSION_APPROVED')";
    let rows = sql.query(text, vec![run.into(), facility.into()]).await?;
    let row = rows.first().ok_or_else(|| unexpected("no count"))?;
    Ok(row.int(0)? > 0 && row.int(1)? == 0)
}
