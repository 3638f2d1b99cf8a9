//! A session that is approved by itself: what other systems are told is the same as when its run is approved.

use ginti_desk::{Adopt, Approval, ApproveSession, SessionApproval};
use ginti_store::SessionUpdated;
use ginti_types::{Code, SessionId};

use super::{decisions::blocked, refresh, run};
use crate::{
    Deps,
    auth::Caller,
    problem::{Answer, ProblemResponse},
};

/// Approves it, or says where it is approved.
pub(crate) async fn approve(
    deps: &Deps,
    caller: &Caller,
    session: &SessionId,
    reason: Option<&String>,
) -> Answer<SessionUpdated> {
    loop {
        let approve = ApproveSession {
            access: caller.access.clone(),
            role: caller.role,
            session: session.clone(),
            reason: reason.cloned(),
            now: deps.now(),
        };
        match run(deps, approve).await? {
            SessionApproval::Updated(updated) => return Ok(updated),
            SessionApproval::NoRun => run(deps, Adopt { tenant: caller.access.tenant.clone() }).await?,
            SessionApproval::Run(id, Approval::Stale) => refresh(deps, caller, &id).await?,
            SessionApproval::Run(_, Approval::Approved(_)) => return Ok(SessionUpdated::Done),
            SessionApproval::Run(id, Approval::Blocked(blocking)) => return Err(blocked(&id, blocking)),
            SessionApproval::Run(_, Approval::NotFound | Approval::Nothing) => return Ok(SessionUpdated::NotFound),
            SessionApproval::Shared(id) => {
                let detail = format!(
                    "Others count in the same store for the run \"{id}\", and their results are approved together: review the run and \
                     approve it (the manager's pages, or POST /maarg/poorti/InventoryCountRun/{id}/approval)."
                );
                return Err(ProblemResponse::new(Code::StatusNotAllowed, detail));
            }
        }
    }
}
