//! How a session's devices stand, and what may become of a session: the rules both back ends share.
//!
//! A device states what it counted: how many rows, and a digest of their stamps. It is complete when the server has the
//! same. Two sets may be meant: every row at its newest stamp of the device, or only the rows whose count that holds is the device's
//! (it has seen what others corrected). Either will do, so a statement made before a batch arrived becomes true with it, and a
//! correction by somebody else makes none untrue.

use std::collections::BTreeMap;

use ginti_types::{DeviceId, Manifest, Outcome, SessionId, SessionStatus, Stamp, Timestamp, UserLoginId};

use crate::{Role, StoreError, entries};

/// What a device said of itself.
#[derive(Clone, Debug)]
pub struct DeviceReport {
    /// Who says it.
    pub device: DeviceId,
    /// The server's clock.
    pub now: Timestamp,
    /// JSON: version, browser, storage, courier.
    pub details: String,
    /// Session by session.
    pub sessions: Vec<(SessionId, Statement)>,
}

/// What a device said of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its rows, those too that it has not sent.
    pub manifest: Manifest,
    /// Rows not confirmed when it said so.
    pub unsent: u64,
    /// When the oldest of them was counted.
    pub oldest_unsent: Option<Timestamp>,
    /// When it was said, by the server's clock.
    pub stated: Timestamp,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// Taken.
    Taken,
    /// The device was blocked.
    Revoked,
}

/// A device that took part in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDevice {
    /// Which.
    pub device: DeviceId,
    /// Who last sent from it, or reported.
    pub person: Option<UserLoginId>,
    /// Rows that arrived of it.
    pub items: u64,
    /// What it said last.
    pub statement: Option<Statement>,
    /// Its last contact.
    pub last_seen: Option<Timestamp>,
    /// Whether everything has arrived.
    pub standing: DeviceStanding,
}

/// Whether everything of a device has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceStanding {
    /// What it said is here.
    Complete,
    /// It said more, or other.
    Missing,
    /// It said nothing.
    Unknown,
}

/// What is to become of a session.
#[derive(Clone, Debug)]
pub struct SessionUpdate {
    /// Where it is to stand.
    pub status: Option<SessionStatus>,
    /// Whose it is to be; the inner none is nobody's.
    pub assigned_to: Option<Option<UserLoginId>>,
    /// What the device says that hands it in.
    pub stated: Option<(DeviceId, Manifest)>,
    /// Why it is handed in though something is missing.
    pub reason: Option<String>,
    /// Of whoever asks.
    pub role: Role,
    /// The server's clock.
    pub now: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionUpdated {
    /// Done, or it was so already.
    Done,
    /// No session of that id that one may see.
    NotFound,
    /// The role may not do this.
    RoleNotAllowed,
    /// There is no way from where it stands.
    StatusNotAllowed(SessionStatus),
    /// No such person who may count there.
    NobodyThere,
    /// Something has not arrived.
    Incomplete(Vec<SessionDevice>),
}

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEvent {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: UserLoginId,
    /// Where it stood.
    pub from: SessionStatus,
    /// Where it stands since.
    pub to: SessionStatus,
    /// Whose it is since.
    pub assigned_to: Option<UserLoginId>,
    /// Why it was handed in though something was missing.
    pub reason: Option<String>,
    /// Devices of which something was missing then.
    pub left_behind: Vec<DeviceId>,
}

impl Role {
    /// Whether it may answer for what is missing.
    pub fn leads(self) -> bool {
        self != Self::Counter
    }

    /// Whether it may decide on what was counted.
    pub fn decides(self) -> bool {
        matches!(self, Self::Manager | Self::Admin)
    }
}

/// Whether somebody of that role may move a session so. `Ok(false)`: it stands there already.
pub fn may_move(from: SessionStatus, to: SessionStatus, role: Role) -> Result<bool, SessionUpdated> {
    use SessionStatus::{SessionApproved, SessionAssigned, SessionCreated, SessionSubmitted, SessionVoided};
    let is_allowed = match (from, to) {
        _ if from == to => return Ok(false),
        (SessionCreated, SessionAssigned) | (SessionCreated | SessionAssigned, SessionSubmitted) => true,
        (SessionSubmitted, SessionAssigned) => role.leads(),
        (SessionSubmitted, SessionApproved) | (SessionCreated | SessionAssigned | SessionSubmitted, SessionVoided) => {
            role.decides()
        }
        _ => return Err(SessionUpdated::StatusNotAllowed(from)),
    };
    if is_allowed { Ok(true) } else { Err(SessionUpdated::RoleNotAllowed) }
}

/// Rows of a session's devices, as its records are read one by one.
#[derive(Debug, Default)]
pub struct DeviceRows {
    of: BTreeMap<DeviceId, Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    person: Option<UserLoginId>,
    newest: BTreeMap<String, u64>,
    held: BTreeMap<String, u64>,
}

impl DeviceRows {
    /// A record of history: whose stamps, who sent it, and its entries.
    pub fn record(&mut self, device: DeviceId, sent_by: UserLoginId, record: &[u8]) -> Result<(), StoreError> {
        let rows = self.of.entry(device).or_default();
        rows.person = Some(sent_by);
        for entry in entries(record) {
            let entry = entry?;
            if entry.outcome()? == Outcome::Rejected || entry.origin.is_some() {
                continue;
            }
            let newest = rows.newest.entry(entry.item.to_owned()).or_default();
            *newest = (*newest).max(entry.revision);
        }
        Ok(())
    }

    /// A row's count that holds.
    pub fn held(&mut self, item: &str, stamp: Stamp) {
        self.of.entry(stamp.device_id).or_default().held.insert(item.to_owned(), stamp.revision.get());
    }

    /// The devices, with what each said. `said` may name devices of which nothing has arrived.
    pub fn devices(self, said: &[Said]) -> Vec<SessionDevice> {
        let mut of = self.of;
        for said in said {
            of.entry(said.device.clone()).or_default();
        }
        let device = |(device, rows): (DeviceId, Rows)| {
            let said = said.iter().find(|said| said.device == device);
            let statement = said.and_then(|said| said.statement.clone());
            let standing = match &statement {
                None => DeviceStanding::Unknown,
                Some(statement) if rows.are(&statement.manifest) => DeviceStanding::Complete,
                Some(_) => DeviceStanding::Missing,
            };
            SessionDevice {
                device,
                person: rows.person.or_else(|| said.and_then(|said| said.person.clone())),
                items: u64::try_from(rows.newest.len()).unwrap_or(u64::MAX),
                statement,
                last_seen: said.and_then(|said| said.last_seen),
                standing,
            }
        };
        of.into_iter().map(device).collect()
    }
}

/// What is known of a device beside its rows.
#[derive(Clone, Debug)]
pub struct Said {
    /// Which.
    pub device: DeviceId,
    /// Who reported last.
    pub person: Option<UserLoginId>,
    /// What it said of the session.
    pub statement: Option<Statement>,
    /// Its last contact.
    pub last_seen: Option<Timestamp>,
}

impl Rows {
    fn are(&self, manifest: &Manifest) -> bool {
        let of =
            |rows: &BTreeMap<String, u64>| Manifest::of(rows.iter().map(|(row, revision)| (row.as_str(), *revision)));
        of(&self.newest) == *manifest || of(&self.held) == *manifest
    }
}

/// Of those that have not everything here, their ids.
pub fn left_behind(devices: &[SessionDevice]) -> Vec<DeviceId> {
    let missing = devices.iter().filter(|device| device.standing == DeviceStanding::Missing);
    missing.map(|device| device.device.clone()).collect()
}
