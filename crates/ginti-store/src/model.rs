//! What goes into the store and what comes out of it.

use ginti_types::{
    BatchId, Code, DeviceId, Epoch, FacilityId, ItemContent, ItemSeqId, Outcome, ProductId, Purpose, Receipt, Revision,
    SessionId, SessionStatus, Stamp, TenantId, Timestamp, UserLoginId,
};

use crate::Facilities;

/// A database's identity and the length of its ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Identity of the history.
    pub epoch: Epoch,
    /// Entries in it: every count kept in history adds one (applied, superseded, late, or refused for its clock), and a late
    /// one applied afterwards another.
    pub ledger_seq: u64,
}

/// What a signed-in person may see. Made from the token alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The tenant.
    pub tenant: TenantId,
    /// The person.
    pub user: UserLoginId,
    /// The facilities the person works in; `None` for all of the tenant's.
    pub facilities: Facilities,
}

/// A parsed batch with everything the store needs to decide on it.
///
/// In order of decision:
/// 1. The session must exist in the tenant and lie in one of the access's facilities: else [`Imported::SessionNotAllowed`].
/// 2. A revoked device: [`Imported::DeviceRevoked`].
/// 3. A remembered batch of that id in that tenant: with the same digest [`Imported::Replayed`], with another
///    [`Imported::BatchIdReused`]. Neither stores anything (the device's last contact apart).
/// 4. The device and its user are noted as seen (`access.user` has signed in on `device`).
/// 5. Each item in order: a [`Refusal`] made by the parser stays; `counted_by` must have been seen on this device, else it is
///    refused `attribution-not-allowed`; a revision more than [`ginti_types::limits::CLOCK_AHEAD_MS_MAX`] ahead of `now` is
///    (or above what a retired id is believed, see [`DeviceSeen::retire_former_above`]) is
///    refused `clock-skew` **and remembered in history as rejected**, so that the same stamp stays refused when a stray copy
///    arrives after the server's clock has caught up (otherwise it could win over newer counts); a stamp already in history with
///    other content is refused `revision-reused`; a stamp already in history with the same content is answered as it was decided
///    then (`duplicate` if it was applied and still holds, `superseded` if a newer one holds, `late`, `rejected`), and nothing is written, except
///    that a `late` entry of a session that takes counts again, still newer than what holds, is applied now: as one more
///    ledger entry with the same stamp and the same attribution, whoever delivers it now, above every cursor handed out,
///    while the late one stays in history as it was.
///    What history says of a stamp comes before the clock: an answer once given stays.
///    Otherwise [`ginti_types::merge`] against the row's stamp decides: applied (or late when the session takes no counts),
///    or superseded; each adds one ledger entry.
/// 6. The receipt is remembered under the batch id.
#[derive(Clone, Debug)]
pub struct Import {
    /// Who sends, from the token.
    pub access: Access,
    /// The batch.
    pub batch_id: BatchId,
    /// Digest of the batch's content, to tell a repetition from a reuse of the id.
    pub digest: [u8; 16],
    /// The device whose stamps these are.
    pub device_id: DeviceId,
    /// The session.
    pub session_id: SessionId,
    /// The server's clock when the batch arrived.
    pub now: Timestamp,
    /// Items in the batch's order.
    pub items: Vec<ImportItem>,
}

/// One item of an [`Import`].
#[derive(Clone, Debug)]
pub enum ImportItem {
    /// A good one. `content.counted_at` and `content.counted_by_user_login_id` may be left out: they then default to `now` and
    /// `access.user` when stored, but two deliveries are compared as sent.
    Count {
        /// The row.
        item: ItemSeqId,
        /// Its revision.
        revision: Revision,
        /// Its content.
        content: ItemContent,
    },
    /// One that could not be read.
    Refused(Refusal),
}

/// Why an item is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The row it named, as far as it could be read.
    pub import_item_seq_id: Option<String>,
    /// Stable code.
    pub code: Code,
    /// A sentence.
    pub detail: String,
}

/// What became of an [`Import`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// Stored now.
    Stored(Receipt),
    /// Stored before; the same receipt.
    Replayed(Receipt),
    /// The batch id was used for other content; nothing stored.
    BatchIdReused,
    /// No such session for this person; nothing stored.
    SessionNotAllowed,
    /// The device was revoked; nothing stored.
    DeviceRevoked,
}

/// A counting session as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id within the tenant.
    pub id: SessionId,
    /// What people call it.
    pub name: String,
    /// Where it counts.
    pub facility: FacilityId,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it stands.
    pub status: SessionStatus,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
}

/// A session with the numbers a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// The session.
    pub session: Session,
    /// The facility's name.
    pub facility_name: String,
    /// Rows that have a count.
    pub items_counted: u64,
    /// Rows on its list.
    pub items_requested: u64,
    /// Whose work it is; none for anybody's who may see it.
    pub assigned_to: Option<UserLoginId>,
    /// That person's name.
    pub assigned_name: Option<String>,
    /// When it was handed in.
    pub submitted: Option<Timestamp>,
    /// Where in the store.
    pub area: Option<String>,
    /// Whoever counts is not shown what is expected.
    pub is_blind: bool,
}

/// A session to make, with its list.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The session.
    pub session: Session,
    /// The list, for a directed count.
    pub assignments: Vec<Assignment>,
}

/// One line of a directed session's list: an order to count, not a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Its sequence id within the session; rows that answer it may carry any id.
    pub import_item_seq_id: ItemSeqId,
    /// What to count.
    pub product_id: ProductId,
}

/// Lines of a list, by sequence id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentPage {
    /// The lines.
    pub assignments: Vec<Assignment>,
}

/// A row's count as it holds (or a late one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    /// The row.
    pub import_item_seq_id: ItemSeqId,
    /// Stamp of the count.
    pub stamp: Stamp,
    /// Content, with attribution filled in.
    pub content: ItemContent,
    /// `Applied`, or `Late` for one that waits for the manager.
    pub outcome: Outcome,
    /// Its place in the ledger.
    pub ledger_seq: u64,
    /// When the server took it.
    pub received_at: Timestamp,
    /// The batch it came in.
    pub batch_id: BatchId,
}

/// Rows changed after a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPage {
    /// The rows, in ledger order. A page may be short, even empty, and the cursor still move.
    pub items: Vec<ItemRow>,
    /// Cursor for the next call; equal to the given one when there is nothing more.
    pub ledger_seq: u64,
    /// The history it belongs to.
    pub epoch: Epoch,
}

/// One revision that arrived for a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The count and how it was decided on arrival.
    pub row: ItemRow,
    /// Who sent it (who counted it is in the content).
    pub sent_by: UserLoginId,
}

/// A product of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// What people call it.
    pub name: String,
    /// Stock keeping unit, if it has one.
    pub sku: Option<String>,
    /// Barcodes, as scanners read them. Two products may share one: the app then asks.
    pub barcodes: Vec<String>,
}

/// Products to put.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// The products.
    pub products: Vec<Product>,
}

/// Products after a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductPage {
    /// The products, by id.
    pub products: Vec<Product>,
    /// How many the tenant has in all.
    pub total: u64,
}

/// A store or warehouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facility {
    /// Its id within the tenant.
    pub id: FacilityId,
    /// What people call it.
    pub name: String,
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Counts.
    Counter,
    /// Counts and leads a count.
    Lead,
    /// Plans and reviews, in the facilities given.
    Manager,
    /// Everything in the tenant.
    Admin,
}

impl Role {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Lead => "lead",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// From the name; none for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Counter, Self::Lead, Self::Manager, Self::Admin].into_iter().find(|role| role.as_str() == name)
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Sign-in name.
    pub id: UserLoginId,
    /// The tenant.
    pub tenant: TenantId,
    /// What people call the person.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Where; an admin works in all.
    pub facilities: Facilities,
}

/// A person and the password's hash.
#[derive(Clone, Debug)]
pub struct Login {
    /// The person.
    pub user: User,
    /// PHC string.
    pub password_hash: String,
    /// An admin has disabled the account: no sign-in begins.
    pub is_disabled: bool,
}

/// A person to add. `user.tenant` must be the tenant of the call.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The person.
    pub user: User,
    /// PHC string.
    pub password_hash: String,
}

/// A sign-in on a device.
#[derive(Clone, Debug)]
pub struct DeviceSeen {
    /// The device.
    pub device: DeviceId,
    /// The id it had before it had to take a new one.
    pub former: Option<DeviceId>,
    /// The former id's clock ran ahead: what it stamped above this revision is refused for ever. Copies of such a count
    /// that are still on their way would otherwise win over newer ones once the server's clock has caught up.
    pub retire_former_above: Option<Revision>,
    /// Who signed in.
    pub user: UserLoginId,
    /// SHA-256 of the refresh token that the device holds for it: blocking the device ends the token's family.
    pub refresh_token: Option<[u8; 32]>,
    /// When.
    pub now: Timestamp,
}

/// The first token of a family.
#[derive(Clone, Debug)]
pub struct NewRefreshToken {
    /// SHA-256 of the token: the token itself is never stored.
    pub hash: [u8; 32],
    /// The tenant.
    pub tenant: TenantId,
    /// The person.
    pub user: UserLoginId,
    /// The password hash that the person was checked against, where one was: with another one by now nothing begins.
    pub password_hash: Option<String>,
    /// When the family ends, whatever happens.
    pub expires: Timestamp,
    /// SHA-256 of a refresh token that its holder gives up for this one: its family ends, whoever's it is.
    pub replaces: Option<[u8; 32]>,
}

/// Whose sign-in a refresh token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInOf {
    /// The tenant.
    pub tenant: TenantId,
    /// The person.
    pub user: UserLoginId,
}

/// What came of presenting a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshRotation {
    /// Exchanged: who it belongs to, and when the family ends.
    Rotated {
        /// The tenant.
        tenant: TenantId,
        /// The person.
        user: UserLoginId,
        /// End of the family.
        expires: Timestamp,
    },
    /// Expired or revoked, and whose it was; or unknown.
    Refused(Option<SignInOf>),
    /// Used again after its grace: the family, which was this person's, is revoked now.
    Reused(SignInOf),
}

/// The demo's mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoMark {
    /// The demo's password, so that a restart prints it again. Demo databases listen on loopback only.
    pub password: String,
}
