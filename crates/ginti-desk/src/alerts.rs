//! Alerts: what a tenant wants to be told of, and what was found. Who looks is in [`crate::alert_look`].

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, SqlRow, StoreError, Value, unexpected};
use ginti_types::Timestamp;
use serde_json::{Value as Json, json};

use crate::{Op, audit, fleet::seen_from, scope::tenant_key};

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// What one can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertKind {
    /// A device has counts that have not arrived for long.
    UnsentForLong,
    /// A device has counts that have not arrived, and was not heard of for long.
    SilentWithUnsent,
    /// Counts of a device were refused, and it has not said since that all is well.
    CountsRefused,
    /// Messages to a receiver wait for a person.
    DeliveryDead,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::UnsentForLong, Self::SilentWithUnsent, Self::CountsRefused, Self::DeliveryDead];

    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnsentForLong => "unsent-for-long",
            Self::SilentWithUnsent => "silent-with-unsent",
            Self::CountsRefused => "counts-refused",
            Self::DeliveryDead => "delivery-dead",
        }
    }

    /// From the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// How long it waits if nobody said otherwise, in milliseconds; none: it does not wait.
    pub const fn after_ms(self) -> Option<i64> {
        match self {
            Self::UnsentForLong => Some(2 * HOUR_MS),
            Self::SilentWithUnsent => Some(8 * HOUR_MS),
            Self::CountsRefused | Self::DeliveryDead => None,
        }
    }

    pub(crate) fn read(name: &str) -> Result<Self, StoreError> {
        Self::from_name(name).ok_or_else(|| unexpected(name))
    }
}

/// A rule of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertRule {
    /// About what.
    pub kind: AlertKind,
    /// Whether it is looked for.
    pub is_active: bool,
    /// How long it waits, in milliseconds, for kinds that wait.
    pub after_ms: Option<i64>,
}

/// Lists a tenant's rules, one for each kind.
#[derive(Clone, Debug)]
pub struct ListAlertRules {
    /// Who asks.
    pub access: Access,
}

#[async_trait]
impl Op for ListAlertRules {
    type Out = Vec<AlertRule>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<AlertRule>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        rules(sql, tenant).await
    }
}

async fn rules(sql: &mut dyn Sql, tenant: i64) -> Result<Vec<AlertRule>, StoreError> {
    let text = "SELECT kind, is_active, after_ms FROM alert_rule WHERE tenant_key = ?1";
    let mut rules = AlertKind::ALL.map(|kind| AlertRule { kind, is_active: true, after_ms: kind.after_ms() }).to_vec();
    for row in &sql.query(text, vec![tenant.into()]).await? {
        let kind = AlertKind::read(row.text(0)?)?;
        for rule in rules.iter_mut().filter(|rule| rule.kind == kind) {
            rule.is_active = row.bool(1)?;
            rule.after_ms = row.maybe_int(2)?.or(kind.after_ms());
        }
    }
    Ok(rules)
}

/// Sets rules; kinds that are not named stay as they are. What was found by a rule that changes stays or clears at the next look.
#[derive(Clone, Debug)]
pub struct PutAlertRules {
    /// Who.
    pub access: Access,
    /// The rules.
    pub rules: Vec<AlertRule>,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for PutAlertRules {
    type Out = Vec<AlertRule>;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<AlertRule>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let by = (self.now, self.access.user.as_str());
        for rule in &self.rules {
            let text = "INSERT INTO alert_rule (tenant_key, kind, is_active, after_ms) VALUES (?1, ?2, ?3, ?4)
                        ON CONFLICT (tenant_key, kind) DO UPDATE SET is_active = excluded.is_active,
                            after_ms = excluded.after_ms";
            let kind = rule.kind.as_str();
            sql.execute(text, vec![tenant.into(), kind.into(), rule.is_active.into(), rule.after_ms.into()]).await?;
            let details = json!({ "isActive": rule.is_active, "afterSeconds": rule.after_ms.map(|ms| ms / 1_000) });
            audit::note(sql, tenant, by, "alert-rule-put", kind, &details).await?;
        }
        rules(sql, tenant).await
    }
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its number.
    pub id: i64,
    /// What it is about.
    pub kind: AlertKind,
    /// A device's id, or a receiver's.
    pub subject: String,
    /// How it stood when it was raised.
    pub details: Json,
    /// Since when.
    pub raised: Timestamp,
    /// When it was over.
    pub cleared: Option<Timestamp>,
}

/// The columns of an [`Alert`].
pub(crate) const ALERT: &str = "alert.alert_key, alert.kind, alert.subject, alert.details, alert.raised, alert.cleared";

impl Alert {
    pub(crate) fn of(row: &SqlRow, first: usize) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.int(first)?,
            kind: AlertKind::read(row.text(first + 1)?)?,
            subject: row.text(first + 2)?.to_owned(),
            details: serde_json::from_str(row.text(first + 3)?).map_err(unexpected)?,
            raised: Timestamp::from_unix_ms(row.int(first + 4)?),
            cleared: row.maybe_int(first + 5)?.map(Timestamp::from_unix_ms),
        })
    }
}

/// Lists incidents, those that last first, then the newest: of devices that had to do with one of the caller's stores, and of
/// receivers.
#[derive(Clone, Debug)]
pub struct ListAlerts {
    /// Who asks.
    pub access: Access,
    /// At most so many.
    pub limit: i64,
}

#[async_trait]
impl Op for ListAlerts {
    type Out = Vec<Alert>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<Alert>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let mut values: Vec<Value> = vec![tenant.into(), self.limit.into()];
        let seen = seen_from(&self.access, &mut values);
        let text = format!(
            "SELECT {ALERT} FROM alert
             WHERE tenant_key = ?1 AND (kind = 'delivery-dead' OR EXISTS (
                 SELECT 1 FROM device WHERE device.tenant_key = alert.tenant_key AND device_id = subject AND {seen}))
             ORDER BY CASE WHEN cleared IS NULL THEN 0 ELSE 1 END, alert_key DESC LIMIT ?2"
        );
        sql.query(&text, values).await?.iter().map(|row| Alert::of(row, 0)).collect()
    }
}
