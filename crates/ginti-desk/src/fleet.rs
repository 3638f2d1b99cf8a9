//! The devices: how each stands by its own account, what it is asked to do, and which are shut out.

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, SqlRow, StoreError, Value, unexpected};
use ginti_types::{DeviceId, TenantId, Timestamp};
use serde_json::{Value as Json, json};

use crate::{
    AlertKind, Op,
    alert_look::{ruled, still_refused, waits},
    audit,
    scope::{in_stores, tenant_key},
};

/// A device, as it last said and as it was last seen.
#[derive(Clone, Debug)]
pub struct FleetDevice {
    /// Its id.
    pub device: String,
    /// Nothing of it is taken.
    pub is_revoked: bool,
    /// First contact.
    pub first_seen: Timestamp,
    /// Last contact.
    pub last_seen: Timestamp,
    /// Its last report.
    pub reported_at: Option<Timestamp>,
    /// Who was signed in then.
    pub reported_by: Option<String>,
    /// What it said of itself.
    pub details: Option<Json>,
    /// Rows that it said were not confirmed, over all sessions.
    pub unsent: u64,
    /// When the oldest of them was counted.
    pub oldest_unsent: Option<Timestamp>,
    /// Why counts of it were refused last, if it has not said since that all is well.
    pub refused: Option<String>,
    /// What it is asked to do at its next contact.
    pub nudges: Vec<String>,
}

/// Lists the devices that counted or reported in the caller's stores, those with something unsent for longest first. A browser
/// that somebody only signed in on is none.
#[derive(Clone, Debug)]
pub struct ListFleet {
    /// Who asks.
    pub access: Access,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for ListFleet {
    type Out = Vec<FleetDevice>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<FleetDevice>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let mut values: Vec<Value> = vec![tenant.into(), self.now.unix_ms().into()];
        let seen = seen_from(&self.access, &mut values);
        let refused = still_refused("CAST(?2 AS bigint)");
        let text = format!(
            "SELECT device_id, CAST(revoked AS integer), first_seen, last_seen, reported_at, user_login_id, details,
                 CAST(coalesce((SELECT sum(unsent) FROM statement WHERE statement.device_key = device.device_key), 0) AS bigint),
                 (SELECT min(oldest_unsent) FROM statement WHERE statement.device_key = device.device_key AND unsent > 0),
                 device.device_key,
                 (SELECT max(code) FROM refused WHERE refused.device_key = device.device_key AND {refused})
             FROM device
             LEFT JOIN device_report ON device_report.device_key = device.device_key
             LEFT JOIN person ON person.person_key = reported_by
             WHERE device.tenant_key = ?1 AND {seen} AND (device.newest > 0 OR reported_at IS NOT NULL)
             ORDER BY last_seen DESC"
        );
        let text_of = |row: &SqlRow, column| Ok::<_, StoreError>(row.maybe_text(column)?.map(str::to_owned));
        let time = |row: &SqlRow, column| Ok::<_, StoreError>(row.maybe_int(column)?.map(Timestamp::from_unix_ms));
        let mut devices = Vec::new();
        for row in &sql.query(&text, values).await? {
            devices.push(FleetDevice {
                device: row.text(0)?.to_owned(),
                is_revoked: row.bool(1)?,
                first_seen: Timestamp::from_unix_ms(row.int(2)?),
                last_seen: Timestamp::from_unix_ms(row.int(3)?),
                reported_at: time(row, 4)?,
                reported_by: text_of(row, 5)?,
                details: row.maybe_text(6)?.map(serde_json::from_str).transpose().map_err(unexpected)?,
                unsent: row.count(7)?,
                oldest_unsent: time(row, 8)?,
                refused: text_of(row, 10)?,
                nudges: nudges(sql, row.int(9)?).await?,
            });
        }
        devices.sort_by_key(|device| {
            (device.oldest_unsent.map_or(i64::MAX, Timestamp::unix_ms), -device.last_seen.unix_ms())
        });
        Ok(devices)
    }
}

/// A condition on `device`: it has to do with one of the caller's stores. Adds its parameters.
pub(crate) fn seen_from(access: &Access, values: &mut Vec<Value>) -> String {
    if access.facilities.is_none() {
        return "1 = 1".to_owned();
    }
    let stores = in_stores(access, "session.facility_id", values);
    format!(
        "(EXISTS (SELECT 1 FROM statement JOIN session ON session.session_key = statement.session_key
              WHERE statement.device_key = device.device_key AND {stores})
          OR EXISTS (SELECT 1 FROM session JOIN arrival ON arrival.session_key = session.session_key
              WHERE session.tenant_key = device.tenant_key AND arrival.device_key = device.device_key AND {stores}))"
    )
}

async fn nudges(sql: &mut dyn Sql, device: i64) -> Result<Vec<String>, StoreError> {
    let text = "SELECT kind FROM nudge WHERE device_key = ?1 ORDER BY kind";
    let found = sql.query(text, vec![device.into()]).await?;
    found.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// Numbers over all tenants, for whoever watches the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Devices that counted or reported.
    pub devices: u64,
    /// Devices that said they have something unsent.
    pub unsent: u64,
    /// Of these, those whose oldest has waited for longer than their tenant's rule allows.
    pub unsent_for_long: u64,
    /// Messages on their way.
    pub deliveries_waiting: u64,
    /// Messages that wait for a person.
    pub deliveries_dead: u64,
    /// Incidents that last.
    pub alerts: u64,
}

/// Asks for [`Numbers`].
#[derive(Clone, Debug)]
pub struct FleetNumbers {
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for FleetNumbers {
    type Out = Numbers;
    const WRITES: bool = false;

    /// Whoever watches the process is told of all tenants together.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Numbers, StoreError> {
        let (join, active) = ruled(AlertKind::UnsentForLong, "device.tenant_key");
        let waits = waits(AlertKind::UnsentForLong);
        let text = format!(
            "SELECT
            (SELECT count(*) FROM device WHERE newest > 0
                OR EXISTS (SELECT 1 FROM device_report WHERE device_report.device_key = device.device_key)),
            (SELECT count(DISTINCT device_key) FROM statement WHERE unsent > 0),
            (SELECT count(DISTINCT statement.device_key) FROM statement
                JOIN device ON device.device_key = statement.device_key {join}
                WHERE unsent > 0 AND {active} AND oldest_unsent <= CAST(?1 AS bigint) - {waits}),
            (SELECT count(*) FROM outbox WHERE delivered IS NULL AND next_attempt IS NOT NULL),
            (SELECT count(*) FROM outbox WHERE delivered IS NULL AND next_attempt IS NULL),
            (SELECT count(*) FROM alert WHERE cleared IS NULL)"
        );
        let rows = sql.query(&text, vec![self.now.unix_ms().into()]).await?;
        let row = rows.first().ok_or_else(|| unexpected("no numbers"))?;
        Ok(Numbers {
            devices: row.count(0)?,
            unsent: row.count(1)?,
            unsent_for_long: row.count(2)?,
            deliveries_waiting: row.count(3)?,
            deliveries_dead: row.count(4)?,
            alerts: row.count(5)?,
        })
    }
}

/// What a device can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// Send what it has.
    Flush,
    /// Ask its person to sign in again.
    SignIn,
}

impl Nudge {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::SignIn => "sign-in",
        }
    }

    /// From the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Flush, Self::SignIn].into_iter().find(|nudge| nudge.as_str() == name)
    }
}

/// Asks a device to do something at its next contact. False: no such device for the caller.
#[derive(Clone, Debug)]
pub struct NudgeDevice {
    /// Who.
    pub access: Access,
    /// The device.
    pub device: DeviceId,
    /// What.
    pub nudge: Nudge,
    /// The server's clock.
    pub now: Timestamp,
}

async fn device_key(sql: &mut dyn Sql, access: &Access, device: &DeviceId) -> Result<Option<(i64, i64)>, StoreError> {
    let tenant = tenant_key(sql, &access.tenant).await?;
    let mut values: Vec<Value> = vec![tenant.into(), device.as_str().into()];
    let seen = seen_from(access, &mut values);
    let text = format!("SELECT device_key FROM device WHERE tenant_key = ?1 AND device_id = ?2 AND {seen}");
    let found = sql.query(&text, values).await?;
    found.first().map(|row| Ok((tenant, row.int(0)?))).transpose()
}

#[async_trait]
impl Op for NudgeDevice {
    type Out = bool;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let Some((tenant, device)) = device_key(sql, &self.access, &self.device).await? else { return Ok(false) };
        let text = "INSERT INTO nudge (device_key, kind, asked_at, asked_by) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (device_key, kind) DO UPDATE SET asked_at = excluded.asked_at, asked_by = excluded.asked_by";
        let by = self.access.user.as_str();
        let values = vec![device.into(), self.nudge.as_str().into(), self.now.unix_ms().into(), by.into()];
        sql.execute(text, values).await?;
        let details = json!({ "nudge": self.nudge.as_str() });
        audit::note(sql, tenant, (self.now, by), "device-nudged", self.device.as_str(), &details).await?;
        Ok(true)
    }
}

/// What a device is asked to do; it is asked once.
#[derive(Clone, Debug)]
pub struct TakeNudges {
    /// The tenant.
    pub tenant: TenantId,
    /// The device.
    pub device: DeviceId,
}

/// Whether a device is asked to do anything: seldom, so that looking must not cost a write.
#[derive(Clone, Debug)]
pub struct HasNudges(pub TakeNudges);

/// The device in question.
const DEVICE: &str = "(SELECT device_key FROM device JOIN tenant ON tenant.tenant_key = device.tenant_key
                       WHERE tenant_id = ?1 AND device_id = ?2)";

#[async_trait]
impl Op for HasNudges {
    type Out = bool;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.0.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let text = format!("SELECT 1 FROM nudge WHERE device_key = {DEVICE} LIMIT 1");
        let values = vec![self.0.tenant.as_str().into(), self.0.device.as_str().into()];
        Ok(!sql.query(&text, values).await?.is_empty())
    }
}

#[async_trait]
impl Op for TakeNudges {
    type Out = Vec<String>;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<String>, StoreError> {
        let text = format!("DELETE FROM nudge WHERE device_key = {DEVICE} RETURNING kind");
        let found = sql.query(&text, vec![self.tenant.as_str().into(), self.device.as_str().into()]).await?;
        let mut kinds = found.iter().map(|row| row.text(0).map(str::to_owned)).collect::<Result<Vec<_>, _>>()?;
        kinds.sort();
        Ok(kinds)
    }
}

/// Shuts a device out, or lets it in again. False: no such device for the caller.
#[derive(Clone, Debug)]
pub struct RevokeDevice {
    /// Who.
    pub access: Access,
    /// The device.
    pub device: DeviceId,
    /// Out, or in again.
    pub revoked: bool,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for RevokeDevice {
    type Out = bool;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    /// Notes it; the back end's own call does it, which knows what it remembers of devices and ends the sign-ins on it.
    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let Some((tenant, _)) = device_key(sql, &self.access, &self.device).await? else { return Ok(false) };
        let action = if self.revoked { "device-revoked" } else { "device-let-in" };
        let by = (self.now, self.access.user.as_str());
        audit::note(sql, tenant, by, action, self.device.as_str(), &json!({})).await?;
        Ok(true)
    }
}
