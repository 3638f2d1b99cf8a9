//! The manager's side of Ginti's server: what is planned, how far it is, what came out, what was decided, and what leaves the
//! house.
//!
//! Everything here is asked by people, not by devices in their thousands, so it is written once, as plain SQL that every back end
//! runs ([`ginti_store::Job`]). Each thing one can do is an [`Op`]; it runs in one transaction, checks what the caller may see, and
//! writes down who decided what.

mod accounts;
mod alert_look;
mod alerts;
mod api_tokens;
mod approve;
mod audit;
mod batches;
mod decide;
mod fleet;
mod invitations;
mod outbox;
mod passwords;
mod plan;
mod progress;
mod recount;
mod refresh;
mod review;
mod rows;
mod scope;
mod sign_ins;
mod stock;
mod tally;
mod token_key;
mod trouble;

use std::{any::Any, sync::Arc};

use async_trait::async_trait;
use ginti_store::{Job, Scope, Sql, Store, StoreError, unexpected};

pub use accounts::{DisabledSet, ListDisabled, SetDisabled};
pub use alert_look::{HasAlertNews, LookForAlerts};
pub use alerts::{Alert, AlertKind, AlertRule, ListAlertRules, ListAlerts, PutAlertRules};
pub use api_tokens::{
    ApiToken, FindApiToken, ListApiTokens, MakeApiToken, NoteTokenUse, RevokeApiToken, TOKEN_USE_EVERY_MS,
    TOKEN_USER_PREFIX, TokenMade,
};
pub use approve::{Approval, ApproveRun, ApproveSession, Blocking, SessionApproval};
pub use audit::{AuditEntry, AuditPage, ListAudit, NoteAudit};
pub use batches::{BatchFound, FindBatch};
pub use decide::{Decide, Decided, Decision, LineRef, UndoDecision};
pub use fleet::{
    FleetDevice, FleetNumbers, HasNudges, ListFleet, Nudge, NudgeDevice, Numbers, RevokeDevice, TakeNudges,
};
pub use invitations::{
    AcceptInvitation, FindInvitation, Invitation, Invite, Invited, IsOnlyInvited, ListInvitations, WithdrawInvitation,
};
pub use outbox::{
    About, Attempted, DueMessages, ListMessages, ListReceivers, Message, MessageRow, NoteAttempt, PutReceiver,
    Receiver, ReceiverKind, RemoveReceiver, Results, RetryMessage,
};
pub use passwords::ChangePassword;
pub use plan::{
    Adopt, CloneRun, CreateRun, ListRuns, Plan, PlanRun, PlannedSession, RunSummary, SessionNumbers, SplitSession,
};
pub use progress::{AtWork, Progress, RunProgress, SessionProgress};
pub use recount::{RecountLines, Recounted};
pub use refresh::{Refresh, Stale};
pub use review::{Contribution, Filter, LineDetail, Order, ReviewLine, ReviewLines, ReviewPage, ReviewTotals, Totals};
pub use sign_ins::{EndSignIn, ListSignIns, SignIn};
pub use stock::{Expected, PutStock, StockLine};
pub use tally::Known;
pub use token_key::{RenewTokenKey, TOKEN_KEY};
pub use trouble::{FleetHistory, NoteRefusals, NoteRetries, TroubleHour};

/// Something one can do.
#[async_trait]
pub trait Op: Send + Sync + 'static {
    /// What comes of it.
    type Out: Send + 'static;
    /// Whether it changes anything.
    const WRITES: bool;

    /// Whose rows it is about.
    fn scope(&self) -> Scope<'_>;

    /// Rows it changes, about.
    fn weight(&self) -> usize {
        1
    }

    /// Does it, in a transaction.
    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Out, StoreError>;
}

/// Does what managers ask.
#[derive(Clone)]
pub struct Desk {
    store: Arc<dyn Store>,
}

impl Desk {
    /// Over that store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Does it; what it changed is durable.
    pub async fn run<O: Op>(&self, op: O) -> Result<O::Out, StoreError> {
        run_on(&*self.store, op).await
    }
}

/// Does it over that store.
pub async fn run_on<O: Op>(store: &dyn Store, op: O) -> Result<O::Out, StoreError> {
    let out = store.work(Arc::new(AsJob(op))).await?;
    out.downcast().map(|out| *out).map_err(|_| unexpected("another job's answer"))
}

struct AsJob<O>(O);

#[async_trait]
impl<O: Op> Job for AsJob<O> {
    fn scope(&self) -> Scope<'_> {
        self.0.scope()
    }

    fn writes(&self) -> bool {
        O::WRITES
    }

    fn weight(&self) -> usize {
        self.0.weight()
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Box<dyn Any + Send>, StoreError> {
        Ok(Box::new(self.0.run(sql).await?))
    }
}
