//! What went wrong, hour by hour: counts that were refused, by code, and deliveries that devices had to try again. Both are
//! seldom, so that the write path pays nothing where nothing goes wrong.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, StoreError, Value};
use ginti_types::{DeviceId, SessionId, Timestamp};

use crate::{
    Op,
    fleet::seen_from,
    scope::{in_stores, tenant_key},
};

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Notes that counts of a device were refused.
#[derive(Clone, Debug)]
pub struct NoteRefusals {
    /// Who sent them.
    pub access: Access,
    /// The session.
    pub session: SessionId,
    /// The device.
    pub device: DeviceId,
    /// Of each code, how many.
    pub codes: BTreeMap<String, i64>,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for NoteRefusals {
    type Out = ();
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = "SELECT session_key, facility_id FROM session WHERE tenant_key = ?1 AND session_id = ?2";
        let found = sql.query(text, vec![tenant.into(), self.session.as_str().into()]).await?;
        let Some(row) = found.first() else { return Ok(()) };
        let (session, facility) = (row.int(0)?, row.text(1)?);
        for (code, number) in &self.codes {
            let text =
                "INSERT INTO refusal_hour (tenant_key, at_hour, facility_id, code, refused) VALUES (?1, ?2, ?3, ?4, ?5)
                        ON CONFLICT (tenant_key, at_hour, facility_id, code)
                            DO UPDATE SET refused = refusal_hour.refused + excluded.refused";
            let hour = self.now.unix_ms().div_euclid(HOUR_MS);
            let values = vec![tenant.into(), hour.into(), facility.into(), code.as_str().into(), (*number).into()];
            sql.execute(text, values).await?;
        }
        let text = "INSERT INTO refused (session_key, device_key, refused_at, code)
                    SELECT CAST(?1 AS bigint), device_key, CAST(?2 AS bigint), CAST(?3 AS text) FROM device
                    WHERE tenant_key = ?4 AND device_id = ?5
                    ON CONFLICT (session_key, device_key)
                        DO UPDATE SET refused_at = excluded.refused_at, code = excluded.code";
        let code = self.codes.keys().next_back().map(String::as_str);
        let values: Vec<Value> = vec![
            session.into(),
            self.now.unix_ms().into(),
            code.unwrap_or_default().into(),
            tenant.into(),
            self.device.as_str().into(),
        ];
        sql.execute(text, values).await.map(drop)
    }
}

/// Notes how often a device says it had to try again in an hour. It says so several times: the highest number is true.
#[derive(Clone, Debug)]
pub struct NoteRetries {
    /// Who is signed in on it.
    pub access: Access,
    /// The device.
    pub device: DeviceId,
    /// Moments in the hours, and how often.
    pub hours: Vec<(Timestamp, i64)>,
}

#[async_trait]
impl Op for NoteRetries {
    type Out = ();
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = "SELECT device_key FROM device WHERE tenant_key = ?1 AND device_id = ?2";
        let found = sql.query(text, vec![tenant.into(), self.device.as_str().into()]).await?;
        let Some(row) = found.first() else { return Ok(()) };
        for (at, retries) in &self.hours {
            let text = "INSERT INTO retry_hour (device_key, at_hour, retries) VALUES (?1, ?2, ?3)
                        ON CONFLICT (device_key, at_hour) DO UPDATE SET retries =
                            CASE WHEN excluded.retries > retry_hour.retries THEN excluded.retries ELSE retry_hour.retries END";
            let hour = at.unix_ms().div_euclid(HOUR_MS);
            sql.execute(text, vec![row.int(0)?.into(), hour.into(), (*retries).into()]).await?;
        }
        Ok(())
    }
}

/// What went wrong in an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TroubleHour {
    /// Deliveries that devices tried again.
    pub retries: u64,
    /// Counts refused, by code.
    pub refusals: BTreeMap<String, u64>,
}

/// What went wrong in the last hours, oldest first and the present one last: in the caller's stores, and on devices that had to do
/// with one of them.
#[derive(Clone, Debug)]
pub struct FleetHistory {
    /// Who asks.
    pub access: Access,
    /// So many hours.
    pub hours: i64,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for FleetHistory {
    type Out = Vec<(Timestamp, TroubleHour)>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Out, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let last = self.now.unix_ms().div_euclid(HOUR_MS);
        let first = last - self.hours + 1;
        let mut hours: BTreeMap<i64, TroubleHour> = (first..=last).map(|hour| (hour, TroubleHour::default())).collect();
        let mut values: Vec<Value> = vec![tenant.into(), first.into(), last.into()];
        let stores = in_stores(&self.access, "facility_id", &mut values);
        let text = format!(
            "SELECT at_hour, code, CAST(sum(refused) AS bigint) FROM refusal_hour
             WHERE tenant_key = ?1 AND at_hour >= ?2 AND at_hour <= ?3 AND {stores} GROUP BY at_hour, code"
        );
        for row in &sql.query(&text, values).await? {
            let hour = hours.entry(row.int(0)?).or_default();
            hour.refusals.insert(row.text(1)?.to_owned(), row.count(2)?);
        }
        let mut values: Vec<Value> = vec![tenant.into(), first.into(), last.into()];
        let seen = seen_from(&self.access, &mut values);
        let text = format!(
            "SELECT at_hour, CAST(sum(retries) AS bigint)
             FROM retry_hour JOIN device ON device.device_key = retry_hour.device_key
             WHERE device.tenant_key = ?1 AND at_hour >= ?2 AND at_hour <= ?3 AND {seen} GROUP BY at_hour"
        );
        for row in &sql.query(&text, values).await? {
            hours.entry(row.int(0)?).or_default().retries = row.count(1)?;
        }
        Ok(hours.into_iter().map(|(hour, trouble)| (Timestamp::from_unix_ms(hour * HOUR_MS), trouble)).collect())
    }
}
