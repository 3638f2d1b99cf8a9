//! Looks for what tenants want to be told of. An incident is raised once and cleared once, whoever looks how often: of several
//! servers over one database the one that holds the row of looks writes, and what it writes includes the messages.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ginti_store::{Scope, Sql, SqlRow, StoreError, Value};
use ginti_types::Timestamp;
use serde_json::{Value as Json, json};

use crate::{AlertKind, Op, outbox};

/// So long a refusal is an alert of a device that never reports: nobody will ever say that all is well.
const REFUSED_MS: i64 = 24 * 60 * 60 * 1_000;

/// Whether counts that were refused (a row of `refused`) still are: by what the device said since of the session, or by its having
/// said nothing of it any more.
pub(crate) fn still_refused(now: &str) -> String {
    format!(
        "coalesce(
             (SELECT CASE WHEN stated > refused.refused_at THEN unsent ELSE NULL END FROM statement
                 WHERE statement.session_key = refused.session_key AND statement.device_key = refused.device_key),
             (SELECT CASE WHEN reported_at > refused.refused_at THEN 0 ELSE 1 END FROM device_report AS last_report
                 WHERE last_report.device_key = refused.device_key),
             CASE WHEN refused.refused_at > {now} - {REFUSED_MS} THEN 1 ELSE 0 END) > 0"
    )
}

/// Joins the rule of a kind to what has a `tenant_key`, and lets only active ones through.
pub(crate) fn ruled(kind: AlertKind, tenant: &str) -> (String, String) {
    let join =
        format!("LEFT JOIN alert_rule ON alert_rule.tenant_key = {tenant} AND alert_rule.kind = '{}'", kind.as_str());
    (join, "coalesce(alert_rule.is_active, 1) = 1".to_owned())
}

/// Milliseconds that the joined rule waits.
pub(crate) fn waits(kind: AlertKind) -> String {
    format!("coalesce(alert_rule.after_ms, {})", kind.after_ms().unwrap_or(0))
}

type Found = BTreeMap<(i64, AlertKind, String), Json>;

/// What there is to tell of at this moment, in all tenants.
async fn found(sql: &mut dyn Sql, now: i64) -> Result<Found, StoreError> {
    let mut found = Found::new();
    for kind in [AlertKind::UnsentForLong, AlertKind::SilentWithUnsent] {
        for row in &sql.query(&unsent(kind), vec![now.into()]).await? {
            let time = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(Timestamp::from_unix_ms));
            let details = json!({
                "userLoginId": row.maybe_text(2)?, "unsentCount": row.int(3)?, "oldestUnsentAt": time(4)?,
                "lastSeenAt": time(5)?, "afterSeconds": row.int(6)? / 1_000,
            });
            add(&mut found, kind, row, details)?;
        }
    }
    let kind = AlertKind::CountsRefused;
    let (join, active) = ruled(kind, "device.tenant_key");
    let text = format!(
        "SELECT device.tenant_key, device_id, session_id, refused.code, refused.refused_at, user_login_id
         FROM refused JOIN device ON device.device_key = refused.device_key
         JOIN session ON session.session_key = refused.session_key
         LEFT JOIN device_report ON device_report.device_key = device.device_key
         LEFT JOIN person ON person.person_key = reported_by {join}
         WHERE {active} AND {} ORDER BY refused.refused_at",
        still_refused("CAST(?1 AS bigint)")
    );
    for row in &sql.query(&text, vec![now.into()]).await? {
        let details = json!({
            "inventoryCountImportId": row.text(2)?, "code": row.text(3)?,
            "refusedAt": Timestamp::from_unix_ms(row.int(4)?), "userLoginId": row.maybe_text(5)?,
        });
        add(&mut found, kind, row, details)?;
    }
    let kind = AlertKind::DeliveryDead;
    let (join, active) = ruled(kind, "outbox.tenant_key");
    let text = format!(
        "SELECT outbox.tenant_key, receiver_id, count(*), min(outbox.created), max(last_error)
         FROM outbox JOIN receiver USING (receiver_key) {join}
         WHERE delivered IS NULL AND next_attempt IS NULL AND receiver.is_active = 1 AND {active}
         GROUP BY outbox.tenant_key, receiver_id"
    );
    for row in &sql.query(&text, Vec::new()).await? {
        let details = json!({
            "messages": row.int(2)?, "oldestCreatedDate": Timestamp::from_unix_ms(row.int(3)?),
            "lastError": row.maybe_text(4)?,
        });
        add(&mut found, kind, row, details)?;
    }
    Ok(found)
}

fn add(found: &mut Found, kind: AlertKind, row: &SqlRow, details: Json) -> Result<(), StoreError> {
    found.insert((row.int(0)?, kind, row.text(1)?.to_owned()), details);
    Ok(())
}

/// Devices with unsent counts that a rule is about.
fn unsent(kind: AlertKind) -> String {
    let (join, active) = ruled(kind, "device.tenant_key");
    let waits = waits(kind);
    let since = if kind == AlertKind::UnsentForLong { "min(oldest_unsent)" } else { "max(device.last_seen)" };
    format!(
        "SELECT device.tenant_key, device_id, max(user_login_id), CAST(sum(unsent) AS bigint), min(oldest_unsent),
             max(device.last_seen), max({waits})
         FROM statement JOIN device ON device.device_key = statement.device_key
         LEFT JOIN device_report ON device_report.device_key = device.device_key
         LEFT JOIN person ON person.person_key = reported_by {join}
         WHERE unsent > 0 AND {active} GROUP BY device.tenant_key, device_id
         HAVING {since} <= CAST(?1 AS bigint) - max({waits})"
    )
}

struct Open {
    key: i64,
    what: (i64, AlertKind, String),
}

async fn open(sql: &mut dyn Sql) -> Result<Vec<Open>, StoreError> {
    let text = "SELECT alert_key, tenant_key, kind, subject FROM alert WHERE cleared IS NULL ORDER BY alert_key";
    let open = |row: &SqlRow| {
        let what = (row.int(1)?, AlertKind::read(row.text(2)?)?, row.text(3)?.to_owned());
        Ok(Open { key: row.int(0)?, what })
    };
    sql.query(text, Vec::new()).await?.iter().map(open).collect()
}

/// Whether there is anything to write down: looking must not cost a write.
#[derive(Clone, Debug)]
pub struct HasAlertNews {
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for HasAlertNews {
    type Out = bool;
    const WRITES: bool = false;

    /// Incidents are looked for in all tenants.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let (found, open) = (found(sql, self.now.unix_ms()).await?, open(sql).await?);
        Ok(found.len() != open.len() || open.iter().any(|open| !found.contains_key(&open.what)))
    }
}

/// Raises what is new and clears what is over, and writes down what receivers are to be told of it. How many it raised and
/// cleared.
#[derive(Clone, Debug)]
pub struct LookForAlerts {
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for LookForAlerts {
    type Out = (usize, usize);
    const WRITES: bool = true;

    /// Incidents are looked for in all tenants.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(usize, usize), StoreError> {
        let now = self.now.unix_ms();
        // Held until the transaction ends: another server's look comes after, and sees what this one wrote.
        sql.execute("UPDATE alert_look SET looked = ?1 WHERE only_key = 1", vec![now.into()]).await?;
        let mut found = found(sql, now).await?;
        let mut cleared = 0;
        for open in open(sql).await? {
            if found.remove(&open.what).is_some() {
                continue;
            }
            let text = "UPDATE alert SET cleared = ?2 WHERE alert_key = ?1";
            sql.execute(text, vec![open.key.into(), now.into()]).await?;
            outbox::enqueue_alert(sql, (open.what.0, open.key), true, self.now).await?;
            cleared += 1;
        }
        let raised = found.len();
        for ((tenant, kind, subject), details) in found {
            let text = "INSERT INTO alert (tenant_key, kind, subject, details, raised) VALUES (?1, ?2, ?3, ?4, ?5)
                        RETURNING alert_key";
            let values: Vec<Value> =
                vec![tenant.into(), kind.as_str().into(), subject.into(), details.to_string().into(), now.into()];
            for row in &sql.query(text, values).await? {
                outbox::enqueue_alert(sql, (tenant, row.int(0)?), false, self.now).await?;
            }
        }
        Ok((raised, cleared))
    }
}
