//! Sends lines back to be counted again: a directed session for each store, whose counts stand in the place of those before.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, StoreError, Value, unexpected};
use ginti_types::{FacilityId, ProductId, Purpose, SessionId, Timestamp, UserLoginId};

use crate::{
    Decide, Decided, Decision, LineRef, Op, Plan,
    plan::{PlanRun, PlannedSession},
    scope::run_of,
};

/// Sends lines back.
#[derive(Clone, Debug)]
pub struct RecountLines {
    /// Who.
    pub access: Access,
    /// The run.
    pub run: String,
    /// Which; all of them products.
    pub lines: Vec<LineRef>,
    /// Who is to count; none for whoever counted before.
    pub assigned_to: Option<UserLoginId>,
    /// Why.
    pub reason: Option<String>,
    /// What the new sessions are called; the store's name follows.
    pub name: String,
    /// The server's clock.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recounted {
    /// The sessions made, and the number by which the decision can be taken back.
    Sent(Vec<SessionId>, i64),
    /// The decision was refused.
    Refused(Decided),
    /// The sessions cannot be made.
    NotPlanned(Plan),
}

#[async_trait]
impl Op for RecountLines {
    type Out = Recounted;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    fn weight(&self) -> usize {
        2 * self.lines.len()
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Recounted, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else {
            return Ok(Recounted::Refused(Decided::NotFound));
        };
        let mut lists: BTreeMap<&str, Vec<ProductId>> = BTreeMap::new();
        for line in &self.lines {
            let Some(product) = ProductId::new(line.subject.as_str()).ok().filter(|_| !line.subject.starts_with('?'))
            else {
                return Ok(Recounted::NotPlanned(Plan::NoProduct(line.subject.clone())));
            };
            lists.entry(&line.facility).or_default().push(product);
        }
        let decide = Decide {
            access: self.access.clone(),
            run: self.run.clone(),
            lines: self.lines.iter().map(|line| LineRef { chosen: None, ..line.clone() }).collect(),
            decision: Some(Decision::Recount),
            reason: self.reason.clone(),
            now: self.now,
        };
        let number = match decide.run(sql).await? {
            Decided::Done(number) => number,
            refused => return Ok(Recounted::Refused(refused)),
        };
        let mut sessions = Vec::new();
        for (facility, mut products) in lists {
            products.sort();
            products.dedup();
            let assigned_to = match &self.assigned_to {
                Some(person) => Some(person.clone()),
                None => counted_before(sql, run.key, facility, &products).await?,
            };
            sessions.push(PlannedSession {
                // Decisions are numbered once for ever, so the id is new.
                id: SessionId::new(format!("recount-{number}-{}", sessions.len() + 1)).map_err(unexpected)?,
                name: self.name.clone(),
                facility: FacilityId::new(facility).map_err(unexpected)?,
                area: None,
                purpose: Purpose::DirectedCount,
                due: None,
                assigned_to,
                is_blind: true,
                is_recount: true,
                products,
            });
        }
        let ids = sessions.iter().map(|session| session.id.clone()).collect();
        let plan = PlanRun { access: self.access.clone(), run: self.run.clone(), sessions, now: self.now };
        match plan.run(sql).await? {
            Plan::Made => Ok(Recounted::Sent(ids, number)),
            // Nothing of it may stay: the decision is taken back with the transaction.
            refused => Err(unexpected(format!("a recount that cannot be planned: {refused:?}"))),
        }
    }
}

/// Whose session the first of these products was counted in.
async fn counted_before(
    sql: &mut dyn Sql,
    run: i64,
    facility: &str,
    products: &[ProductId],
) -> Result<Option<UserLoginId>, StoreError> {
    for product in products {
        let text = "SELECT assigned_to FROM review_part JOIN session USING (session_key)
                    WHERE review_part.run_key = ?1 AND review_part.facility_id = ?2 AND subject = ?3
                        AND assigned_to IS NOT NULL ORDER BY session_key LIMIT 1";
        let values: Vec<Value> = vec![run.into(), facility.into(), product.as_str().into()];
        if let Some(row) = sql.query(text, values).await?.first() {
            return Ok(Some(UserLoginId::new(row.text(0)?).map_err(unexpected)?));
        }
    }
    Ok(None)
}
