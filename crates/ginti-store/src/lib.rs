//! The storage trait of Ginti's server, and the conformance suite every back end passes.
//!
//! One trait, small enough to read in one sitting. Every read and write names its tenant, which comes from the token
//! alone, so that no query can reach across companies by mistake. A write that has returned `Ok` is durable.

mod answers;
#[cfg(feature = "conformance")]
pub mod conformance;
mod decision;
mod entry;
mod error;
mod model;
mod reasons;
mod record;
mod sql;
mod standing;

pub use answers::{all_applied, answer, has_repeated_rows, is_all_applied, refused, settle_repeated_rows};
pub use async_trait::async_trait;
pub use decision::{Arrived, Candidate, Decision};
pub use entry::{Entries, Entry, entries, outcome_number};
pub use error::StoreError;
pub use model::{
    Access, Assignment, AssignmentPage, Catalogue, DemoMark, DeviceSeen, Facility, HistoryEntry, Import, ImportItem,
    Imported, ItemPage, ItemRow, Ledger, Login, NewRefreshToken, NewSession, NewUser, Product, ProductPage,
    RefreshRotation, Refusal, Role, Session, SessionSummary, SignInOf, User,
};

pub use record::Record;
pub use sql::{Job, Scope, Sql, SqlRow, Value, unexpected};
pub use standing::{
    DeviceReport, DeviceRows, DeviceStanding, Reported, Said, SessionDevice, SessionEvent, SessionUpdate,
    SessionUpdated, Statement, left_behind, may_move,
};
use std::{any::Any, sync::Arc};

use tokio::sync::watch;

use ginti_types::{DeviceId, Epoch, FacilityId, ItemSeqId, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId};

/// Everything the server keeps.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The history this database belongs to, and how long its ledger is.
    async fn ledger(&self) -> Result<Ledger, StoreError>;
    /// Tells how long the ledger is whenever any server of this database has added to it; whoever looks seldom hears only the
    /// latest. 0 until something is known.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Takes a batch: history, state, devices and the remembered receipt in one durable transaction.
    ///
    /// Requests that arrive together may share a transaction. The rule is [`ginti_types::merge`]; what it does to the
    /// ledger is said at [`Import`].
    async fn import(&self, import: Import) -> Result<Imported, StoreError>;

    /// Sessions that `access` may see, oldest first.
    async fn sessions(&self, access: &Access) -> Result<Vec<SessionSummary>, StoreError>;
    /// One session, if `access` may see it.
    async fn session(&self, access: &Access, session: &SessionId) -> Result<Option<SessionSummary>, StoreError>;
    /// Moves a session to another status, or gives it to somebody, with every check in the same transaction as the change: a
    /// session is handed in only if everything that its devices say they counted is here, or somebody answers for it.
    async fn update_session(
        &self,
        access: &Access,
        session: &SessionId,
        update: SessionUpdate,
    ) -> Result<SessionUpdated, StoreError>;
    /// The devices that took part in a session. `None` if `access` may not see it.
    async fn session_devices(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionDevice>>, StoreError>;
    /// What happened to a session, newest first. `None` if `access` may not see it.
    async fn session_events(
        &self,
        access: &Access,
        session: &SessionId,
    ) -> Result<Option<Vec<SessionEvent>>, StoreError>;
    /// Keeps what a device says of itself, in the place of what it said before. Sessions that `access` may not see are passed
    /// over.
    async fn report_device(&self, access: &Access, report: DeviceReport) -> Result<Reported, StoreError>;
    /// Rows of a session whose count changed after the cursor, in ledger order; late counts are listed too, marked so.
    /// `None` if `access` may not see the session.
    async fn items(
        &self,
        access: &Access,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Option<ItemPage>, StoreError>;
    /// Every revision that arrived for one row, in order of arrival. `None` if `access` may not see the session.
    async fn history(
        &self,
        access: &Access,
        session: &SessionId,
        item: &ItemSeqId,
    ) -> Result<Option<Vec<HistoryEntry>>, StoreError>;
    /// The list of a directed session, by sequence id above the cursor. `None` if `access` may not see the session.
    async fn assignments(
        &self,
        access: &Access,
        session: &SessionId,
        after: &str,
        limit: usize,
    ) -> Result<Option<AssignmentPage>, StoreError>;

    /// Products of the tenant's catalogue by product id above the cursor.
    async fn products(&self, tenant: &TenantId, after: &str, limit: usize) -> Result<ProductPage, StoreError>;
    /// Adds products or replaces those of the same id, all or none.
    async fn put_products(&self, tenant: &TenantId, catalogue: Catalogue) -> Result<(), StoreError>;

    /// Adds a tenant; adding it again changes only its name.
    async fn put_tenant(&self, tenant: &TenantId, name: &str) -> Result<(), StoreError>;
    /// Adds a facility or changes its name.
    async fn put_facility(&self, tenant: &TenantId, facility: &Facility) -> Result<(), StoreError>;
    /// Facilities of the tenant.
    async fn facilities(&self, tenant: &TenantId) -> Result<Vec<Facility>, StoreError>;
    /// Adds a session with its list. An existing session of that id is an error ([`StoreError::Exists`]).
    async fn create_session(&self, tenant: &TenantId, session: NewSession) -> Result<(), StoreError>;
    /// Moves a session to another status. `false` if there is none of that id in the tenant.
    async fn set_session_status(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        status: SessionStatus,
    ) -> Result<bool, StoreError>;

    /// Adds a user or replaces the one of that name in that tenant; an account that was disabled stays so. User login ids are
    /// unique across tenants: a name that another tenant uses is [`StoreError::Exists`]. Another password ends the user's sign-ins:
    /// their refresh tokens are revoked.
    async fn put_user(&self, tenant: &TenantId, user: NewUser) -> Result<(), StoreError>;
    /// The user of that name, with the password hash, whatever the tenant: this is what signing in begins with.
    async fn login(&self, user: &UserLoginId) -> Result<Option<Login>, StoreError>;
    /// The user as the tenant's other calls need it: name, role, facilities.
    async fn user(&self, tenant: &TenantId, user: &UserLoginId) -> Result<Option<User>, StoreError>;
    /// The tenant's users, by name.
    async fn users(&self, tenant: &TenantId) -> Result<Vec<User>, StoreError>;

    /// Notes that a user signed in on a device, so that the device may carry this person's counts. A device that took a
    /// new id hands over the people of its former one and may retire it, provided this user is among them. The family of the
    /// refresh token that it holds for the user is the device's from then on.
    async fn see_device(&self, tenant: &TenantId, seen: DeviceSeen) -> Result<(), StoreError>;
    /// Blocks a device or lets it in again. Blocking it ends the sign-ins on it in the same transaction, and no other ones: the
    /// families of its refresh tokens are revoked, and stay so when it is let in again.
    async fn set_device_revoked(&self, tenant: &TenantId, device: &DeviceId, revoked: bool) -> Result<(), StoreError>;

    /// Begins a family of refresh tokens at sign-in, and ends the one that it takes the place of. `false`, and nothing begins: the account is gone, was disabled, or has another
    /// password by now; so that neither disabling nor another password misses a sign-in that is under way.
    async fn add_refresh_token(&self, token: NewRefreshToken) -> Result<bool, StoreError>;
    /// Exchanges a refresh token for its successor. Within the grace after its first use a token may be exchanged again
    /// (a lost answer on a bad network); used later than that, its whole family is revoked.
    async fn rotate_refresh_token(
        &self,
        presented: &[u8; 32],
        successor: &[u8; 32],
        now: Timestamp,
        grace_ms: i64,
    ) -> Result<RefreshRotation, StoreError>;
    /// Revokes the family of that token, and says whose it was; an unknown token is no error.
    async fn revoke_refresh_token(&self, presented: &[u8; 32]) -> Result<Option<SignInOf>, StoreError>;

    /// A secret of that name (such as the token signing key), made from `fresh` if there is none yet. It survives restarts.
    async fn secret(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, StoreError>;
    /// The demo's mark, if this database was seeded with demo data before.
    async fn demo_mark(&self) -> Result<Option<DemoMark>, StoreError>;
    /// Leaves the demo's mark.
    async fn set_demo_mark(&self, mark: DemoMark) -> Result<(), StoreError>;

    /// Does a job in one transaction, all or nothing; what it changed is durable. See [`Job`] for what belongs there.
    async fn work(&self, job: Arc<dyn Job>) -> Result<Box<dyn Any + Send>, StoreError>;

    /// Whether the database answers: for `/readyz`.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Finishes what was accepted and closes the database. Later calls answer [`StoreError::Closed`].
    async fn close(&self) -> Result<(), StoreError>;

    /// Begins a new epoch: after a restore, so that devices notice and resend.
    async fn new_epoch(&self, epoch: Epoch) -> Result<(), StoreError>;
}

/// Facility ids a person may work in, or all of the tenant's.
pub type Facilities = Option<Vec<FacilityId>>;
