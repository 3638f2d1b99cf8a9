//! Decisions on lines of a review. Each is written down with what stood there before, so that it can be taken back as a whole.

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, StoreError, Value, unexpected};
use ginti_types::Timestamp;
use serde_json::{Value as Json, json};

use crate::{
    Op, audit,
    scope::{hold, is_approved, may_see, run_of},
};

/// What is to become of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// What was counted is true (or what was chosen in its place).
    Accept,
    /// What was counted is not to be believed; the stock stays as it was.
    Reject,
    /// It is to be counted again.
    Recount,
}

impl Decision {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Recount => "recount",
        }
    }

    /// From the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Accept, Self::Reject, Self::Recount].into_iter().find(|decision| decision.as_str() == name)
    }

    pub(crate) fn read(name: &str) -> Result<Self, StoreError> {
        Self::from_name(name).ok_or_else(|| unexpected(name))
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRef {
    /// The store.
    pub facility: String,
    /// What it is about.
    pub subject: String,
    /// Micro-units in the place of those counted: a contested line's one value.
    pub chosen: Option<i64>,
}

/// Decides on lines, all or none.
#[derive(Clone, Debug)]
pub struct Decide {
    /// Who.
    pub access: Access,
    /// The run.
    pub run: String,
    /// Which.
    pub lines: Vec<LineRef>,
    /// What; none takes back what was decided.
    pub decision: Option<Decision>,
    /// Why.
    pub reason: Option<String>,
    /// The server's clock.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Done; the number it can be taken back by.
    Done(i64),
    /// No such run for the caller, or nothing of that number to take back.
    NotFound,
    /// No such line.
    NoLine(LineRef),
    /// It is approved: what left the house stays.
    TooLate,
}

#[async_trait]
impl Op for Decide {
    type Out = Decided;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    fn weight(&self) -> usize {
        self.lines.len()
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Decided, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(Decided::NotFound) };
        hold(sql, run.key).await?;
        let mut before = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            if !may_see(&self.access, &line.facility) {
                return Ok(Decided::NoLine(line.clone()));
            }
            if is_approved(sql, run.key, &line.facility).await? {
                return Ok(Decided::TooLate);
            }
            let text = "SELECT decision, chosen, reason, decided_by, decided_at FROM review_line
                        WHERE run_key = ?1 AND facility_id = ?2 AND subject = ?3";
            let found = sql.query(text, key(run.key, line)).await?;
            let Some(row) = found.first() else { return Ok(Decided::NoLine(line.clone())) };
            before.push(json!({
                "facility": line.facility, "subject": line.subject, "decision": row.maybe_text(0)?,
                "chosen": row.maybe_int(1)?, "reason": row.maybe_text(2)?, "by": row.maybe_text(3)?, "at": row.maybe_int(4)?,
            }));
        }
        let by = self.access.user.as_str();
        for line in &self.lines {
            let is_made = self.decision.is_some();
            let chosen = line.chosen.filter(|_| self.decision == Some(Decision::Accept));
            let mut values = key(run.key, line);
            values.extend([
                Value::from(self.decision.map(Decision::as_str)),
                chosen.into(),
                self.reason.as_deref().filter(|_| is_made).into(),
                is_made.then_some(by).into(),
                is_made.then_some(self.now.unix_ms()).into(),
            ]);
            put(sql, values).await?;
        }
        let details = json!({
            "decision": self.decision.map(Decision::as_str), "reason": self.reason, "lines": self.lines.len(),
            "before": before,
        });
        Ok(Decided::Done(audit::note(sql, run.tenant, (self.now, by), "lines-decided", &run.id, &details).await?))
    }
}

fn key(run: i64, line: &LineRef) -> Vec<Value> {
    vec![run.into(), line.facility.as_str().into(), line.subject.as_str().into()]
}

async fn put(sql: &mut dyn Sql, values: Vec<Value>) -> Result<u64, StoreError> {
    let text = "UPDATE review_line SET decision = ?4, chosen = ?5, reason = ?6, decided_by = ?7, decided_at = ?8
                WHERE run_key = ?1 AND facility_id = ?2 AND subject = ?3";
    sql.execute(text, values).await
}

/// Takes a decision back: every line of it stands as it did before.
#[derive(Clone, Debug)]
pub struct UndoDecision {
    /// Who.
    pub access: Access,
    /// The run.
    pub run: String,
    /// The decision's number.
    pub decision: i64,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for UndoDecision {
    type Out = Decided;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Decided, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(Decided::NotFound) };
        hold(sql, run.key).await?;
        let text = "SELECT details FROM audit WHERE tenant_key = ?1 AND audit_key = ?2 AND action = 'lines-decided'
                        AND subject = ?3 AND undone = 0";
        let found = sql.query(text, vec![run.tenant.into(), self.decision.into(), run.id.as_str().into()]).await?;
        let Some(row) = found.first() else { return Ok(Decided::NotFound) };
        let details: Json = serde_json::from_str(row.text(0)?).map_err(unexpected)?;
        let before = details["before"].as_array().cloned().unwrap_or_default();
        for line in &before {
            let facility = line["facility"].as_str().unwrap_or_default();
            if !may_see(&self.access, facility) {
                return Ok(Decided::NotFound);
            }
            if is_approved(sql, run.key, facility).await? {
                return Ok(Decided::TooLate);
            }
        }
        for line in &before {
            let text = |member: &str| Value::from(line[member].as_str());
            let number = |member: &str| Value::from(line[member].as_i64());
            let values = vec![
                run.key.into(),
                text("facility"),
                text("subject"),
                text("decision"),
                number("chosen"),
                text("reason"),
                text("by"),
                number("at"),
            ];
            put(sql, values).await?;
        }
        sql.execute("UPDATE audit SET undone = 1 WHERE audit_key = ?1", vec![self.decision.into()]).await?;
        let by = (self.now, self.access.user.as_str());
        let details = json!({ "undoes": self.decision, "lines": before.len() });
        Ok(Decided::Done(audit::note(sql, run.tenant, by, "decision-undone", &run.id, &details).await?))
    }
}
