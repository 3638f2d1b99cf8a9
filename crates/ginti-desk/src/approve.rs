//! Approval: a run's results become final, and what other systems are to be told is written down with them.

use async_trait::async_trait;
use ginti_store::{Access, Sql, StoreError, Value, unexpected};
use ginti_types::Timestamp;
use serde_json::json;

use crate::{
    Op, audit, outbox,
    refresh::is_stale,
    scope::{hold, in_stores, run_of},
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
