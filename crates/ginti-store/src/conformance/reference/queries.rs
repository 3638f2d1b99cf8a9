//! Reading the reference: what a store's reads must answer.

use std::collections::BTreeMap;

use ginti_types::{ItemSeqId, Outcome, SessionId, TenantId, UserLoginId};

use super::{Entry, Reference};
use crate::{Access, HistoryEntry, ItemPage, ItemRow, Ledger, SessionSummary, Store, StoreError};

impl Reference {
    /// What that store begins with: its ledger so far, and the sessions of these tenants, in which nothing is counted yet.
    pub async fn of(store: &dyn Store, tenants: &[TenantId]) -> Result<Self, StoreError> {
        let mut sessions = BTreeMap::new();
        for tenant in tenants {
            let user = UserLoginId::new("reference").expect("an id");
            let access = Access { tenant: tenant.clone(), user, facilities: None };
            for summary in store.sessions(&access).await? {
                sessions.insert((tenant.clone(), summary.session.id.clone()), summary);
            }
        }
        let ledger = store.ledger().await?;
        let (devices, receipts, rows) = Default::default();
        Ok(Self { ledger, sessions, devices, receipts, rows })
    }

    /// The epoch and the ledger's length.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Sessions that `access` may see, oldest first.
    pub fn sessions(&self, access: &Access) -> Vec<SessionSummary> {
        let of_tenant = self.sessions.keys().filter(|(tenant, _)| *tenant == access.tenant);
        let mut seen: Vec<_> = of_tenant.filter_map(|(_, session)| self.session(access, session)).collect();
        seen.sort_by_key(|summary| summary.session.created);
        seen
    }

    /// One session, if `access` may see it.
    pub fn session(&self, access: &Access, session: &SessionId) -> Option<SessionSummary> {
        let planned = self.sessions.get(&(access.tenant.clone(), session.clone()))?;
        if access.facilities.as_ref().is_some_and(|all| !all.contains(&planned.session.facility)) {
            return None;
        }
        let of_session = self.rows.keys().filter(|(tenant, id, _)| *tenant == access.tenant && id == session);
        let items_counted = of_session.filter(|row| self.held(row).is_some()).count() as u64;
        Some(SessionSummary { items_counted, ..planned.clone() })
    }

    /// Rows that ever had an entry in a session, whoever asks.
    pub fn items_of(&self, tenant: &TenantId, session: &SessionId) -> Vec<ItemSeqId> {
        let names = self.rows.keys().filter(|(of, id, _)| of == tenant && id == session);
        names.map(|(_, _, item)| item.clone()).collect()
    }

    /// Every revision that arrived for a row, in order of arrival. `None` if `access` may not see the session.
    pub fn history(&self, access: &Access, session: &SessionId, item: &ItemSeqId) -> Option<Vec<HistoryEntry>> {
        self.session(access, session)?;
        let row = (access.tenant.clone(), session.clone(), item.clone());
        Some(self.entries(&row).iter().map(|entry| entry.told.clone()).collect())
    }

    /// All that a session lists, in ledger order: what holds, and what is late and newer than what holds. `None` if
    /// `access` may not see the session.
    pub fn listed(&self, access: &Access, session: &SessionId) -> Option<Vec<ItemRow>> {
        self.session(access, session)?;
        let of_session = self.rows.iter().filter(|((tenant, id, _), _)| *tenant == access.tenant && id == session);
        let mut listed = Vec::new();
        for (row, entries) in of_session {
            let held = self.held(row);
            let is_listed = |Entry { told, .. }: &&Entry| match told.row.outcome {
                Outcome::Applied => held == Some(&told.row.stamp),
                Outcome::Late => held < Some(&told.row.stamp),
                _ => false,
            };
            listed.extend(entries.iter().filter(is_listed).map(|entry| entry.told.row.clone()));
        }
        listed.sort_by_key(|row| row.ledger_seq);
        Some(listed)
    }

    /// What is wrong with a page of a session, if anything is.
    ///
    /// How far a page looks is the store's choice: it may be short, even empty, as long as the cursor moves. So a page is
    /// right if it lists all there is between the two cursors, and stands still only where nothing more is listed.
    pub fn fault_of_page(
        &self,
        access: &Access,
        session: &SessionId,
        (after, limit): (u64, usize),
        page: Option<&ItemPage>,
    ) -> Option<String> {
        let expected = self.listed(access, session);
        let (Some(listed), Some(page)) = (&expected, page) else {
            let agree = expected.is_none() && page.is_none();
            return (!agree)
                .then(|| format!("one of both sees no such session.\nreference: {expected:?}\nfound: {page:?}"));
        };
        let (all, cursor) = (listed.iter().filter(|row| row.ledger_seq > after), page.ledger_seq);
        let between: Vec<_> = all.clone().filter(|row| row.ledger_seq <= cursor).collect();
        if page.items.iter().ne(between.iter().copied()) {
            return Some(format!(
                "other rows between two cursors.\nreference: {between:?}\nfound after {after}: {page:?}"
            ));
        }
        let stuck = cursor == after && limit > 0 && all.count() > 0;
        let astray = cursor < after || cursor > after.max(self.ledger.ledger_seq);
        let wrong = stuck || astray || page.items.len() > limit || page.epoch != self.ledger.epoch;
        let asked = format!("after {after}, limit {limit}");
        wrong.then(|| format!("a wrong cursor, limit or epoch.\nreference: {:?}\nfound {asked}: {page:?}", self.ledger))
    }
}
