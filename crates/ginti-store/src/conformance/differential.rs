//! Random histories, fed step by step to a store and to the [`Reference`]: every answer and every table must be the same.
//!
//! One seed is one history: what differs is printed with its seed, and happens again under it. Whoever has a store can
//! call [`run`]; it begins tenants of its own, so that many seeds can follow each other in one database.

mod history;
mod together;

use std::collections::{BTreeMap, BTreeSet};

use ginti_types::{FacilityId, ReceiptItem, SessionId, TenantId};

use self::history::{History, PLACES, SESSIONS, Step, everyone};
pub use self::together::batches_that_arrive_together_are_answered_as_one_after_the_other;
use super::{
    Draws, Fixture, Reference,
    world::{new_session, session},
};
use crate::{Access, Facility, Imported, Store, StoreError};

const SEEDS: u64 = 24;
const STEPS: u64 = 60;
/// Between two comparisons of everything there is.
const STEPS_PER_AUDIT: u64 = 20;
const APPLIED_AFTER_ALL: &str = "late, applied after all";
const RETIRED: &str = "stamped ahead by an id given up";
/// What the seeds together must have met, or they prove little.
const KINDS: [&str; 16] = [
    "stored",
    "replayed",
    "batch id reused",
    "session not allowed",
    "device revoked",
    "applied",
    "duplicate",
    "superseded",
    "late",
    APPLIED_AFTER_ALL,
    "clock-skew",
    RETIRED,
    "revision-reused",
    "attribution-not-allowed",
    "quantity-negative",
    "new epoch",
];

/// What a run without a difference went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differential {
    /// Steps taken.
    pub steps: u64,
    /// How often the store answered in each way.
    pub met: BTreeMap<String, u64>,
}

/// Many seeds one after the other in one database.
pub async fn random_histories_are_answered_as_by_the_reference(fixture: &dyn Fixture) {
    let store = fixture.open().await;
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let found = run(&*store, seed).await.unwrap_or_else(|difference| panic!("{difference}"));
        for (kind, times) in found.met {
            *met.entry(kind).or_default() += times;
        }
    }
    for kind in KINDS {
        assert!(met.get(kind).is_some_and(|times| *times > 0), "no history had {kind:?}: {met:?}");
    }
}

/// Feeds the seed's history to the store and to the reference. The error is the first difference, or the store's failure.
///
/// Nobody else may write to the store meanwhile, and a database sees each seed once. Nothing here waits for anything but
/// the store: over one that works inline, the future is ready when first polled.
pub async fn run(store: &dyn Store, seed: u64) -> Result<Differential, String> {
    let failed = |error: StoreError| format!("seed {seed}: the store failed: {error}");
    let tenants = ["one", "two"].map(|name| TenantId::new(format!("seed-{seed}-{name}")).expect("an id"));
    fill(store, &tenants).await.map_err(failed)?;
    let mut reference = Reference::of(store, &tenants).await.map_err(failed)?;
    // What is looked at has draws of its own: looking changes nothing of what happens.
    let (mut history, mut looks) = (History::new(seed, &tenants), Draws(!seed));
    let mut met = BTreeMap::new();
    for number in 1..=STEPS {
        let step = history.step();
        take(store, &mut reference, &step, &mut met)
            .await
            .map_err(|difference| format!("seed {seed}, step {number}: {step:?}\n{difference}"))?;
        if number % STEPS_PER_AUDIT == 0 {
            audit(store, &reference, &tenants, &mut looks)
                .await
                .map_err(|difference| format!("seed {seed}, after step {number}: {step:?}\n{difference}"))?;
        }
    }
    met.insert(APPLIED_AFTER_ALL.to_owned(), applied_after_all(&reference, &tenants));
    Ok(Differential { steps: STEPS, met })
}

/// Both tenants have the same places and sessions by name.
async fn fill(store: &dyn Store, tenants: &[TenantId]) -> Result<(), StoreError> {
    for tenant in tenants {
        store.put_tenant(tenant, tenant.as_str()).await?;
        for place in PLACES {
            let facility = Facility { id: FacilityId::new(place).expect("an id"), name: format!("{tenant} {place}") };
            store.put_facility(tenant, &facility).await?;
        }
        for (session, place) in SESSIONS {
            store.create_session(tenant, new_session(session, place)).await?;
        }
    }
    Ok(())
}

/// One step on both sides.
async fn take(
    store: &dyn Store,
    reference: &mut Reference,
    step: &Step,
    met: &mut BTreeMap<String, u64>,
) -> Result<(), String> {
    match step {
        Step::Import(import) => {
            let expected = Ok(reference.import(import));
            same("the import", &expected, &store.import(import.clone()).await)?;
            for kind in expected.iter().flat_map(kinds) {
                *met.entry(kind).or_default() += 1;
            }
        }
        Step::Status(tenant, session, status) => {
            let expected = reference.set_session_status(tenant, session, *status);
            same("the change of status", &Ok(expected), &store.set_session_status(tenant, session, *status).await)?;
        }
        Step::See(tenant, seen) => {
            reference.see_device(tenant, seen);
            same("the sign-in", &Ok(()), &store.see_device(tenant, seen.clone()).await)?;
        }
        Step::Revoke(tenant, device, revoked) => {
            let expected = reference.set_device_revoked(tenant, device, *revoked);
            let found = match store.set_device_revoked(tenant, device, *revoked).await {
                Ok(()) => Ok(true),
                Err(StoreError::Missing(_)) => Ok(false),
                Err(error) => Err(error),
            };
            same("whether the device is known", &Ok(expected), &found)?;
        }
        Step::Epoch(epoch) => {
            reference.new_epoch(epoch.clone());
            same("the new epoch", &Ok(()), &store.new_epoch(epoch.clone()).await)?;
            *met.entry("new epoch".to_owned()).or_default() += 1;
        }
    }
    same("the ledger", &Ok(reference.ledger().clone()), &store.ledger().await)
}

/// All that can be read, by someone who may see everything; the sessions and a page of each by everyone.
async fn audit(
    store: &dyn Store,
    reference: &Reference,
    tenants: &[TenantId],
    draws: &mut Draws,
) -> Result<(), String> {
    for access in tenants.iter().flat_map(everyone) {
        let who = format!("{} of {}", access.user, access.tenant);
        let (expected, found) = (Ok(reference.sessions(&access)), store.sessions(&access).await);
        same(&format!("the list of sessions for {who}"), &expected, &found)?;
        for session in SESSIONS.map(|(name, _)| session(name)) {
            let (expected, found) = (Ok(reference.session(&access, &session)), store.session(&access, &session).await);
            same(&format!("session {session} for {who}"), &expected, &found)?;
            let reader = Reader { store, reference, access: &access, session: &session };
            reader.page(draws.below(reference.ledger().ledger_seq + 2), draws.pick(&[0, 2, 7])).await?;
            if access.facilities.is_none() {
                reader.walk(draws.pick(&[3, 10, 1_000])).await?;
                reader.histories().await?;
            }
        }
    }
    Ok(())
}

/// Who reads a session on both sides.
struct Reader<'a> {
    store: &'a dyn Store,
    reference: &'a Reference,
    access: &'a Access,
    session: &'a SessionId,
}

impl Reader<'_> {
    /// The cursor after a page.
    async fn page(&self, after: u64, limit: usize) -> Result<u64, String> {
        let page =
            self.store.items(self.access, self.session, after, limit).await.map_err(|error| error.to_string())?;
        match self.reference.fault_of_page(self.access, self.session, (after, limit), page.as_ref()) {
            Some(fault) => Err(format!("rows of {} for {}: {fault}", self.session, self.access.user)),
            None => Ok(page.map_or(after, |page| page.ledger_seq)),
        }
    }

    /// All pages, from the beginning to where the cursor no longer moves.
    async fn walk(&self, limit: usize) -> Result<(), String> {
        let mut cursor = 0;
        loop {
            let next = self.page(cursor, limit).await?;
            if next == cursor {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn histories(&self) -> Result<(), String> {
        for item in self.reference.items_of(&self.access.tenant, self.session) {
            let expected = Ok(self.reference.history(self.access, self.session, &item));
            let found = self.store.history(self.access, self.session, &item).await;
            same(
                &format!("the history of row {item} of {} in {}", self.session, self.access.tenant),
                &expected,
                &found,
            )?;
        }
        Ok(())
    }
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &Result<T, StoreError>,
    found: &Result<T, StoreError>,
) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what} differs.\nreference: {expected:?}\nfound: {found:?}"))
}

/// In which ways an import was answered.
fn kinds(answer: &Imported) -> Vec<String> {
    let receipt = match answer {
        Imported::Stored(receipt) => receipt,
        Imported::Replayed(_) => return vec!["replayed".to_owned()],
        Imported::BatchIdReused => return vec!["batch id reused".to_owned()],
        Imported::SessionNotAllowed => return vec!["session not allowed".to_owned()],
        Imported::DeviceRevoked => return vec!["device revoked".to_owned()],
    };
    let of_item = |item: &ReceiptItem| match (&item.code, &item.detail) {
        (Some(_), Some(detail)) if detail.contains("it has taken a new id since") => RETIRED.to_owned(),
        (Some(code), _) => code.clone(),
        (None, _) => format!("{:?}", item.outcome).to_lowercase(),
    };
    std::iter::once("stored".to_owned()).chain(receipt.items.iter().map(of_item)).collect()
}

/// Stamps that stand in history twice.
fn applied_after_all(reference: &Reference, tenants: &[TenantId]) -> u64 {
    let mut times = 0;
    for access in tenants.iter().flat_map(everyone).filter(|access| access.facilities.is_none()) {
        for session in SESSIONS.map(|(name, _)| session(name)) {
            for item in reference.items_of(&access.tenant, &session) {
                let history = reference.history(&access, &session, &item).unwrap_or_default();
                let stamps: BTreeSet<_> = history.iter().map(|entry| &entry.row.stamp).collect();
                times += (history.len() - stamps.len()) as u64;
            }
        }
    }
    times
}
