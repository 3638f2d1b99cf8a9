//! Planning: runs, their sessions, and the lists.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, SqlRow, StoreError, Value, unexpected};
use ginti_types::{FacilityId, ProductId, Purpose, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId};
use serde_json::json;

use crate::{
    Op, audit, rows,
    scope::{RUN, RunRow, hold, in_stores, is_approved, may_see, run_of, tenant_key},
};

/// A run that is being made ready.
const CREATED: &str = "CYCLE_CNT_CREATED";
/// Counting has begun.
const IN_PROGRESS: &str = "CYCLE_CNT_IN_PRGS";
/// Everything is handed in.
const COMPLETED: &str = "CYCLE_CNT_CMPLTD";
/// Everything is decided.
const CLOSED: &str = "CYCLE_CNT_CLOSED";

/// A session to make.
#[derive(Clone, Debug)]
pub struct PlannedSession {
    /// Its id within the tenant.
    pub id: SessionId,
    /// What people call it.
    pub name: String,
    /// Where it counts.
    pub facility: FacilityId,
    /// Where in the store.
    pub area: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// Whose work it is.
    pub assigned_to: Option<UserLoginId>,
    /// Whoever counts is not shown what is expected.
    pub is_blind: bool,
    /// It counts again what the run's others counted, and stands in their place.
    pub is_recount: bool,
    /// The list of a directed count.
    pub products: Vec<ProductId>,
}

/// What became of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Made.
    Made,
    /// No such run, or session.
    NotFound,
    /// The id is taken.
    Exists(String),
    /// No such store for the caller.
    NoFacility(String),
    /// No such person who may count there.
    NobodyThere(String),
    /// No such product.
    NoProduct(String),
    /// The store's results are approved, or counting has begun where that is not possible.
    TooLate,
}

/// Makes a run without sessions.
#[derive(Clone, Debug)]
pub struct CreateRun {
    /// Who.
    pub access: Access,
    /// Its id within the tenant.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for CreateRun {
    type Out = Plan;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Plan, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = "INSERT INTO run (tenant_key, run_id, name, due, created, created_by)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant_key, run_id) DO NOTHING";
        let by = self.access.user.as_str();
        let values = vec![
            tenant.into(),
            self.id.as_str().into(),
            self.name.as_str().into(),
            self.due.map(Timestamp::unix_ms).into(),
            self.now.unix_ms().into(),
            by.into(),
        ];
        if sql.execute(text, values).await? == 0 {
            return Ok(Plan::Exists(self.id.clone()));
        }
        audit::note(sql, tenant, (self.now, by), "run-created", &self.id, &json!({ "name": self.name })).await?;
        Ok(Plan::Made)
    }
}

/// Adds sessions to a run, all or none.
#[derive(Clone, Debug)]
pub struct PlanRun {
    /// Who.
    pub access: Access,
    /// The run.
    pub run: String,
    /// The sessions.
    pub sessions: Vec<PlannedSession>,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for PlanRun {
    type Out = Plan;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    fn weight(&self) -> usize {
        self.sessions.iter().map(|session| 1 + session.products.len()).sum()
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Plan, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(Plan::NotFound) };
        if let Some(refused) = check(sql, &self.access, &run, &self.sessions).await? {
            return Ok(refused);
        }
        for session in &self.sessions {
            make(sql, &run, session, self.now).await?;
        }
        let ids: Vec<_> = self.sessions.iter().map(|session| session.id.as_str()).collect();
        let by = (self.now, self.access.user.as_str());
        audit::note(sql, run.tenant, by, "sessions-planned", &run.id, &json!({ "sessions": ids })).await?;
        Ok(Plan::Made)
    }
}

/// Why the sessions cannot be made; nothing is written before all of them can.
async fn check(
    sql: &mut dyn Sql,
    access: &Access,
    run: &RunRow,
    sessions: &[PlannedSession],
) -> Result<Option<Plan>, StoreError> {
    let tenant = run.tenant;
    let mut ids = BTreeSet::new();
    let mut products = Vec::new();
    for session in sessions {
        let facility = session.facility.as_str();
        let text = "SELECT 1 FROM facility WHERE tenant_key = ?1 AND facility_id = ?2";
        let found = sql.query(text, vec![tenant.into(), facility.into()]).await?;
        if found.is_empty() || !may_see(access, facility) {
            return Ok(Some(Plan::NoFacility(facility.to_owned())));
        }
        if is_approved(sql, run.key, facility).await? {
            return Ok(Some(Plan::TooLate));
        }
        let text = "SELECT 1 FROM session WHERE tenant_key = ?1 AND session_id = ?2";
        let taken = sql.query(text, vec![tenant.into(), session.id.as_str().into()]).await?;
        if !taken.is_empty() || !ids.insert(session.id.as_str()) {
            return Ok(Some(Plan::Exists(session.id.as_str().to_owned())));
        }
        products.extend(session.products.iter().map(ProductId::as_str));
    }
    Ok(unknown_product(sql, tenant, products).await?.map(Plan::NoProduct))
}

/// One that the catalogue lacks.
async fn unknown_product(
    sql: &mut dyn Sql,
    tenant: i64,
    mut products: Vec<&str>,
) -> Result<Option<String>, StoreError> {
    const AT_ONCE: usize = 200;
    products.sort_unstable();
    products.dedup();
    let places: Vec<_> = (2..=AT_ONCE + 1).map(|place| format!("?{place}")).collect();
    let text =
        format!("SELECT product_id FROM product WHERE tenant_key = ?1 AND product_id IN ({})", places.join(", "));
    for chunk in products.chunks(AT_ONCE) {
        let mut values: Vec<Value> = vec![tenant.into()];
        values.extend(chunk.iter().map(|product| Value::from(*product)));
        values.resize(AT_ONCE + 1, Value::Null);
        let found = sql.query(&text, values).await?;
        let mut known = Vec::with_capacity(found.len());
        for row in &found {
            known.push(row.text(0)?);
        }
        known.sort_unstable();
        if let Some(missing) = chunk.iter().find(|product| known.binary_search(*product).is_err()) {
            return Ok(Some((*missing).to_owned()));
        }
    }
    Ok(None)
}

async fn make(sql: &mut dyn Sql, run: &RunRow, session: &PlannedSession, now: Timestamp) -> Result<(), StoreError> {
    let text =
        "INSERT INTO session (tenant_key, session_id, name, facility_id, purpose, status, due, created, assigned_to,
                    run_key, is_blind, is_recount, area)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) RETURNING session_key";
    let status = match session.assigned_to {
        Some(_) => SessionStatus::SessionAssigned,
        None => SessionStatus::SessionCreated,
    };
    let values = vec![
        run.tenant.into(),
        session.id.as_str().into(),
        session.name.as_str().into(),
        session.facility.as_str().into(),
        session.purpose.as_str().into(),
        status.as_str().into(),
        session.due.map(Timestamp::unix_ms).into(),
        now.unix_ms().into(),
        session.assigned_to.as_ref().map(UserLoginId::as_str).into(),
        run.key.into(),
        session.is_blind.into(),
        session.is_recount.into(),
        session.area.as_deref().into(),
    ];
    let made = sql.query(text, values).await?;
    let key = made.first().ok_or_else(|| unexpected("no key for a session"))?.int(0)?;
    let lines = session.products.iter().zip(1_u32..);
    let lines = lines.map(|(product, line)| vec![key.into(), format!("{line:05}").into(), product.as_str().into()]);
    rows::put(sql, "assignment (session_key, item_seq, product_id)", "", lines.collect()).await
}

/// Divides a list that nobody has begun with between people: each gets a session with an equal part of it.
#[derive(Clone, Debug)]
pub struct SplitSession {
    /// Who.
    pub access: Access,
    /// The session with the list.
    pub session: SessionId,
    /// Who counts; the first keeps the session. Each other one's gets this id.
    pub people: Vec<(UserLoginId, SessionId)>,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for SplitSession {
    type Out = Plan;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Plan, StoreError> {
        let Some(row) = session_row(sql, &self.access, &self.session).await? else { return Ok(Plan::NotFound) };
        let (key, tenant) = (row.int(0)?, row.int(1)?);
        let is_open = SessionStatus::from_name(row.text(3)?).is_some_and(SessionStatus::takes_counts);
        let begun = sql.query("SELECT 1 FROM item WHERE session_key = ?1 LIMIT 1", vec![key.into()]).await?;
        if !is_open || !begun.is_empty() {
            return Ok(Plan::TooLate);
        }
        if let Some(run) = row.maybe_int(4)? {
            hold(sql, run).await?;
        }
        for (_, id) in self.people.iter().skip(1) {
            let text = "SELECT 1 FROM session WHERE tenant_key = ?1 AND session_id = ?2";
            if !sql.query(text, vec![tenant.into(), id.as_str().into()]).await?.is_empty() {
                return Ok(Plan::Exists(id.as_str().to_owned()));
            }
        }
        let text = "SELECT item_seq FROM assignment WHERE session_key = ?1 ORDER BY item_seq";
        let lines = sql.query(text, vec![key.into()]).await?;
        let share = lines.len().div_ceil(self.people.len().max(1)).max(1);
        for (part, (person, id)) in self.people.iter().enumerate() {
            let mut to = key;
            if part == 0 {
                let text = "UPDATE session SET assigned_to = ?2, status = 'SESSION_ASSIGNED' WHERE session_key = ?1";
                sql.execute(text, vec![key.into(), person.as_str().into()]).await?;
            } else {
                let text =
                    "INSERT INTO session (tenant_key, session_id, name, facility_id, purpose, status, due, created,
                                assigned_to, run_key, is_blind, is_recount, area)
                            SELECT tenant_key, CAST(?2 AS text), name, facility_id, purpose, 'SESSION_ASSIGNED', due,
                                CAST(?3 AS bigint), CAST(?4 AS text), run_key, is_blind, is_recount, area
                            FROM session WHERE session_key = ?1 RETURNING session_key";
                let values = vec![key.into(), id.as_str().into(), self.now.unix_ms().into(), person.as_str().into()];
                let made = sql.query(text, values).await?;
                to = made.first().ok_or_else(|| unexpected("no key for a session"))?.int(0)?;
            }
            if to != key
                && let Some(first) = lines.get(part * share)
            {
                let last = lines.get((part + 1) * share - 1).or(lines.last()).unwrap_or(first);
                let text = "UPDATE assignment SET session_key = ?2
                            WHERE session_key = ?1 AND item_seq >= ?3 AND item_seq <= ?4";
                let values = vec![key.into(), to.into(), first.text(0)?.into(), last.text(0)?.into()];
                sql.execute(text, values).await?;
            }
        }
        let people: Vec<_> = self.people.iter().map(|(person, session)| json!([person, session])).collect();
        let by = (self.now, self.access.user.as_str());
        audit::note(sql, tenant, by, "session-split", self.session.as_str(), &json!({ "people": people })).await?;
        Ok(Plan::Made)
    }
}

/// Key, tenant, store and status of a session that the caller may see.
pub(crate) async fn session_row(
    sql: &mut dyn Sql,
    access: &Access,
    session: &SessionId,
) -> Result<Option<SqlRow>, StoreError> {
    let text = "SELECT session_key, session.tenant_key, facility_id, status, run_key
                FROM session JOIN tenant ON tenant.tenant_key = session.tenant_key
                WHERE tenant_id = ?1 AND session_id = ?2";
    let mut found = sql.query(text, vec![access.tenant.as_str().into(), session.as_str().into()]).await?;
    let Some(row) = found.pop() else { return Ok(None) };
    Ok(may_see(access, row.text(2)?).then_some(row))
}

/// Makes a run with the sessions and lists of another, and none of its counts.
#[derive(Clone, Debug)]
pub struct CloneRun {
    /// Who.
    pub access: Access,
    /// The run to copy.
    pub from: String,
    /// The new one's id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for CloneRun {
    type Out = Plan;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Plan, StoreError> {
        let Some(from) = run_of(sql, &self.access, &self.from).await? else { return Ok(Plan::NotFound) };
        let create = CreateRun {
            access: self.access.clone(),
            id: self.id.clone(),
            name: self.name.clone(),
            due: self.due,
            now: self.now,
        };
        match create.run(sql).await? {
            Plan::Made => {}
            refused => return Ok(refused),
        }
        let Some(to) = run_of(sql, &self.access, &self.id).await? else { return Ok(Plan::NotFound) };
        let mut values = vec![from.key.into()];
        let stores = in_stores(&self.access, "facility_id", &mut values);
        let text = format!(
            "SELECT session_key FROM session WHERE run_key = ?1 AND is_recount = 0 AND status <> 'SESSION_VOIDED' AND {stores}
             ORDER BY session_key"
        );
        for (row, number) in sql.query(&text, values).await?.iter().zip(1_u32..) {
            // As unique as the run's own id, and no longer than an id may be.
            let id = format!("{}-{number}", self.id);
            let text = "INSERT INTO session (tenant_key, session_id, name, facility_id, purpose, status, due, created,
                            assigned_to, run_key, is_blind, is_recount, area)
                        SELECT tenant_key, CAST(?2 AS text), name, facility_id, purpose,
                            CASE WHEN assigned_to IS NULL THEN 'SESSION_CREATED' ELSE 'SESSION_ASSIGNED' END,
                            CAST(?3 AS bigint), CAST(?4 AS bigint), assigned_to, CAST(?5 AS bigint), is_blind, 0, area
                        FROM session WHERE session_key = ?1 RETURNING session_key";
            let values = vec![
                row.int(0)?.into(),
                id.into(),
                self.due.map(Timestamp::unix_ms).into(),
                self.now.unix_ms().into(),
                to.key.into(),
            ];
            let made = sql.query(text, values).await?;
            let key = made.first().ok_or_else(|| unexpected("no key for a session"))?.int(0)?;
            let text = "INSERT INTO assignment (session_key, item_seq, product_id)
                        SELECT CAST(?2 AS bigint), item_seq, product_id FROM assignment WHERE session_key = ?1";
            sql.execute(text, vec![row.int(0)?.into(), key.into()]).await?;
        }
        Ok(Plan::Made)
    }
}

/// Gives each session that is in no run one of its own, of the same id: made by import, or before there were runs.
#[derive(Clone, Debug)]
pub struct Adopt {
    /// The tenant.
    pub tenant: TenantId,
}

impl Adopt {
    /// Whether there is any.
    const ANY: &str = "SELECT session_key, session_id, name, due, created FROM session
                       WHERE tenant_key = ?1 AND run_key IS NULL";
}

#[async_trait]
impl Op for Adopt {
    type Out = ();
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let tenant = tenant_key(sql, &self.tenant).await?;
        for row in sql.query(Self::ANY, vec![tenant.into()]).await? {
            // A run of the session's id may be there, made by hand: then the session belongs to it.
            let text = "INSERT INTO run (tenant_key, run_id, name, due, created)
                        VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant_key, run_id) DO NOTHING";
            let values = vec![
                tenant.into(),
                row.text(1)?.into(),
                row.text(2)?.into(),
                row.maybe_int(3)?.into(),
                row.int(4)?.into(),
            ];
            sql.execute(text, values).await?;
            let text = "UPDATE session SET run_key =
                            (SELECT run_key FROM run WHERE run.tenant_key = ?1 AND run.run_id = ?2)
                        WHERE session_key = ?3";
            sql.execute(text, vec![tenant.into(), row.text(1)?.into(), row.int(0)?.into()]).await?;
        }
        Ok(())
    }
}

/// How many sessions stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionNumbers {
    /// Made, nobody's yet.
    pub created: u64,
    /// Somebody's.
    pub assigned: u64,
    /// Handed in.
    pub submitted: u64,
    /// Decided.
    pub approved: u64,
    /// Given up.
    pub voided: u64,
}

impl SessionNumbers {
    fn add(&mut self, status: &str, number: u64) {
        match SessionStatus::from_name(status) {
            Some(SessionStatus::SessionCreated) => self.created += number,
            Some(SessionStatus::SessionAssigned) => self.assigned += number,
            Some(SessionStatus::SessionSubmitted) => self.submitted += number,
            Some(SessionStatus::SessionApproved) => self.approved += number,
            Some(SessionStatus::SessionVoided) | None => self.voided += number,
        }
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.created + self.assigned + self.submitted + self.approved + self.voided
    }

    /// Where a run with such sessions stands.
    pub(crate) fn status(&self) -> &'static str {
        let living = self.all() - self.voided;
        if living > 0 && self.approved == living {
            CLOSED
        } else if living > 0 && self.submitted + self.approved == living {
            COMPLETED
        } else if self.assigned + self.submitted + self.approved > 0 {
            IN_PROGRESS
        } else {
            CREATED
        }
    }
}

/// A run as a list shows it.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// Its id within the tenant.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub status: &'static str,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it; none when it was not made by hand.
    pub created_by: Option<String>,
    /// Its stores, those that the caller may see.
    pub facilities: Vec<String>,
    /// Its sessions there.
    pub sessions: SessionNumbers,
}

/// Lists the runs, newest first, or only one of them. `None`: there are sessions without a run; [`Adopt`] them first.
#[derive(Clone, Debug)]
pub struct ListRuns {
    /// Who asks.
    pub access: Access,
    /// Only this one.
    pub only: Option<String>,
}

#[async_trait]
impl Op for ListRuns {
    type Out = Option<Vec<RunSummary>>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<Vec<RunSummary>>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        if !sql.query(&format!("{} LIMIT 1", Adopt::ANY), vec![tenant.into()]).await?.is_empty() {
            return Ok(None);
        }
        let text = format!(
            "SELECT {RUN}, facility_id, session.status, count(session_key)
             FROM run LEFT JOIN session ON session.run_key = run.run_key
             WHERE run.tenant_key = ?1 AND (CAST(?2 AS text) IS NULL OR run_id = ?2)
             GROUP BY {RUN}, facility_id, session.status ORDER BY run.created DESC, run.run_key DESC"
        );
        let found = sql.query(&text, vec![tenant.into(), self.only.as_deref().into()]).await?;
        let mut runs: Vec<(RunSummary, bool)> = Vec::new();
        for row in &found {
            let run = RunRow::of(row)?;
            if runs.last().is_none_or(|(last, _)| last.id != run.id) {
                runs.push((summary(run), false));
            }
            let Some((last, has_hidden)) = runs.last_mut() else { continue };
            let Some(facility) = row.maybe_text(7)? else { continue };
            if !may_see(&self.access, facility) {
                *has_hidden = true;
                continue;
            }
            if !last.facilities.iter().any(|known| known == facility) {
                last.facilities.push(facility.to_owned());
            }
            last.sessions.add(row.text(8)?, row.count(9)?);
        }
        let mut seen = Vec::new();
        for (mut run, has_hidden) in runs {
            run.status = run.sessions.status();
            if !(has_hidden && run.facilities.is_empty()) {
                seen.push(run);
            }
        }
        Ok(Some(seen))
    }
}

fn summary(run: RunRow) -> RunSummary {
    RunSummary {
        id: run.id,
        name: run.name,
        status: CREATED,
        due: run.due.map(Timestamp::from_unix_ms),
        created: Timestamp::from_unix_ms(run.created),
        created_by: run.created_by,
        facilities: Vec::new(),
        sessions: SessionNumbers::default(),
    }
}
