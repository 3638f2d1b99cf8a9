//! Approval: a run's results become final, and what other systems are to be told is written down with them.

use async_trait::async_trait;
use ginti_store::{Access, Role, Scope, SessionUpdated, Sql, StoreError, Value, may_move, unexpected};
use ginti_types::{SessionId, SessionStatus, Timestamp};
use serde_json::json;

use crate::{
    Op, audit, outbox,
    refresh::is_stale,
    scope::{hold, in_stores, may_see, run_of, tenant_key},
};

/// Approves what a run's sessions counted, in all of the caller's stores or in one.
#[derive(Clone, Debug)]
pub struct ApproveRun {
    /// Who.
    pub access: Access,
    /// The run.
    pub run: String,
    /// Only this store.
    pub facility: Option<String>,
    /// Why, though something is still to be decided: contested and late lines are then taken as they stand.
    pub reason: Option<String>,
    /// The server's clock.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// So many sessions are approved now.
    Approved(u64),
    /// No such run for the caller.
    NotFound,
    /// The review is not up to date: refresh it and ask again.
    Stale,
    /// There is nothing handed in.
    Nothing,
    /// Something is in the way.
    Blocked(Blocking),
}

/// What is in the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blocking {
    /// Sessions not handed in. Nothing overrides these: hand them in, or void them.
    pub sessions_open: u64,
    /// Contested or late lines not decided.
    pub undecided: u64,
    /// Lines to be counted again.
    pub recounts: u64,
}

#[async_trait]
impl Op for ApproveRun {
    type Out = Approval;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    fn weight(&self) -> usize {
        500
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Approval, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(Approval::NotFound) };
        hold(sql, run.key).await?;
        if is_stale(sql, run.key).await? {
            return Ok(Approval::Stale);
        }
        let mut values: Vec<Value> = vec![run.key.into()];
        let mut stores = in_stores(&self.access, "facility_id", &mut values);
        if let Some(facility) = &self.facility {
            values.push(facility.as_str().into());
            stores = format!("{stores} AND facility_id = ?{}", values.len());
        }
        let text = format!(
            "SELECT facility_id, sum(CASE WHEN status IN ('SESSION_CREATED', 'SESSION_ASSIGNED') THEN 1 ELSE 0 END),
                 sum(CASE WHEN status = 'SESSION_SUBMITTED' THEN 1 ELSE 0 END)
             FROM session WHERE run_key = ?1 AND {stores} GROUP BY facility_id ORDER BY facility_id"
        );
        let found = sql.query(&text, values.clone()).await?;
        let (mut blocking, mut submitted, mut facilities) = (Blocking::default(), 0, Vec::new());
        for row in &found {
            blocking.sessions_open += row.count(1)?;
            submitted += row.count(2)?;
            if row.count(2)? > 0 {
                facilities.push(row.text(0)?.to_owned());
            }
        }
        let text = format!(
            "SELECT coalesce(sum(CASE WHEN decision IS NULL THEN 1 ELSE 0 END), 0),
                 coalesce(sum(CASE WHEN decision = 'recount' THEN 1 ELSE 0 END), 0)
             FROM review_line WHERE run_key = ?1 AND {stores} AND (attention >= 2 OR decision = 'recount')"
        );
        let found = sql.query(&text, values.clone()).await?;
        let row = found.first().ok_or_else(|| unexpected("no count"))?;
        (blocking.undecided, blocking.recounts) = (row.count(0)?, row.count(1)?);
        let is_answered_for = self.reason.is_some();
        if blocking.sessions_open > 0 || (!is_answered_for && (blocking.undecided > 0 || blocking.recounts > 0)) {
            return Ok(Approval::Blocked(blocking));
        }
        if submitted == 0 {
            return Ok(Approval::Nothing);
        }
        let by = self.access.user.as_str();
        let mut event = values.clone();
        event.extend([self.now.unix_ms().into(), by.into(), self.reason.as_deref().into()]);
        let at = values.len() + 1;
        let text = format!(
            "INSERT INTO session_event (session_key, at, done_by, from_status, to_status, assigned_to, reason, left_behind)
             SELECT session_key, CAST(?{at} AS bigint), CAST(?{} AS text), status, 'SESSION_APPROVED', assigned_to,
                 CAST(?{} AS text), '[]'
             FROM session WHERE run_key = ?1 AND {stores} AND status = 'SESSION_SUBMITTED'",
            at + 1,
            at + 2
        );
        sql.execute(&text, event).await?;
        let text = format!(
            "UPDATE session SET status = 'SESSION_APPROVED' WHERE run_key = ?1 AND {stores} AND status = 'SESSION_SUBMITTED'"
        );
        let approved = sql.execute(&text, values).await?;
        let details = json!({
            "facilities": facilities, "sessions": approved, "reason": self.reason, "undecided": blocking.undecided,
            "recounts": blocking.recounts,
        });
        let number = audit::note(sql, run.tenant, (self.now, by), "run-approved", &run.id, &details).await?;
        outbox::enqueue(sql, &run, &facilities, number, self.now).await?;
        Ok(Approval::Approved(approved))
    }
}

/// Approves one session: as its run is approved, where it is all that the run counted in its store. Where others counted there
/// too, their results are one, and the run is the place to approve it.
#[derive(Clone, Debug)]
pub struct ApproveSession {
    /// Who.
    pub access: Access,
    /// In what role.
    pub role: Role,
    /// The session.
    pub session: SessionId,
    /// Why, though something is still to be decided.
    pub reason: Option<String>,
    /// The server's clock.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionApproval {
    /// As any change of a session that is refused, or needs nothing to be done.
    Updated(SessionUpdated),
    /// It is in no run: adopt it and ask again.
    NoRun,
    /// Others counted in the same store for this run: approve that.
    Shared(String),
    /// What the approval of its run, so named, came to.
    Run(String, Approval),
}

#[async_trait]
impl Op for ApproveSession {
    type Out = SessionApproval;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    fn weight(&self) -> usize {
        500
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<SessionApproval, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = "SELECT status, facility_id, session.run_key, run_id FROM session
                    LEFT JOIN run ON run.run_key = session.run_key WHERE session.tenant_key = ?1 AND session_id = ?2";
        let found = sql.query(text, vec![tenant.into(), self.session.as_str().into()]).await?;
        let Some(row) = found.first() else { return Ok(SessionApproval::Updated(SessionUpdated::NotFound)) };
        let (status, facility) = (row.text(0)?, row.text(1)?);
        if !may_see(&self.access, facility) {
            return Ok(SessionApproval::Updated(SessionUpdated::NotFound));
        }
        let from = SessionStatus::from_name(status).ok_or_else(|| unexpected(status))?;
        match may_move(from, SessionStatus::SessionApproved, self.role) {
            Ok(true) => {}
            Ok(false) => return Ok(SessionApproval::Updated(SessionUpdated::Done)),
            Err(refused) => return Ok(SessionApproval::Updated(refused)),
        }
        let (Some(key), Some(run)) = (row.maybe_int(2)?, row.maybe_text(3)?) else { return Ok(SessionApproval::NoRun) };
        hold(sql, key).await?;
        let text =
            "SELECT count(*) FROM session WHERE run_key = ?1 AND facility_id = ?2 AND status <> 'SESSION_VOIDED'";
        let found = sql.query(text, vec![key.into(), facility.into()]).await?;
        if found.first().ok_or_else(|| unexpected("no count"))?.int(0)? != 1 {
            return Ok(SessionApproval::Shared(run.to_owned()));
        }
        let approve = ApproveRun {
            access: self.access.clone(),
            run: run.to_owned(),
            facility: Some(facility.to_owned()),
            reason: self.reason.clone(),
            now: self.now,
        };
        Ok(SessionApproval::Run(run.to_owned(), approve.run(sql).await?))
    }
}
