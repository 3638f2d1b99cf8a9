//! Handing sessions in and over, and what devices say of themselves.

use ginti_store::{
    Access, DeviceReport, DeviceRows, Reported, Said, SessionDevice, SessionEvent, SessionUpdate, SessionUpdated,
    Statement, left_behind, may_move,
};
use ginti_types::{DeviceId, Manifest, Revision, SessionId, SessionStatus, Stamp, Timestamp, UserLoginId};
use tokio_postgres::{GenericClient, Row};

use crate::{
    access::session_key,
    error::{Fallible, corrupt},
    keys::need_tenant,
};

pub(crate) async fn session_devices(
    client: &impl GenericClient,
    access: &Access,
    session: &SessionId,
) -> Fallible<Option<Vec<SessionDevice>>> {
    match session_key(client, access, session).await? {
        Some(key) => Ok(Some(devices_of(client, key).await?)),
        None => Ok(None),
    }
}

pub(crate) async fn session_events(
    client: &impl GenericClient,
    access: &Access,
    session: &SessionId,
) -> Fallible<Option<Vec<SessionEvent>>> {
    let Some(key) = session_key(client, access, session).await? else { return Ok(None) };
    let sql = "SELECT at, done_by, from_status, to_status, assigned_to, reason, left_behind FROM session_event
               WHERE session_key = $1 ORDER BY event_key DESC";
    let rows = client.query(sql, &[&key]).await?;
    let event = |row: &Row| {
        Ok(SessionEvent {
            at: Timestamp::from_unix_ms(row.get(0)),
            by: UserLoginId::new(row.get::<_, &str>(1)).map_err(corrupt)?,
            from: status(row.get(2))?,
            to: status(row.get(3))?,
            assigned_to: row.get::<_, Option<&str>>(4).map(UserLoginId::new).transpose().map_err(corrupt)?,
            reason: row.get(5),
            left_behind: serde_json::from_str(row.get(6)).map_err(corrupt)?,
        })
    };
    Ok(Some(rows.iter().map(event).collect::<Fallible<_>>()?))
}

/// `tenant` and `person` are keys.
pub(crate) async fn report_device(
    client: &impl GenericClient,
    tenant: i64,
    person: i64,
    access: &Access,
    report: &DeviceReport,
) -> Fallible<Reported> {
    let sql = "INSERT INTO device (tenant_key, device_id, first_seen, last_seen) VALUES ($1, $2, $3, $3)
               ON CONFLICT (tenant_key, device_id) DO UPDATE SET
                   last_seen = CASE WHEN device.revoked THEN device.last_seen
                                    ELSE greatest(device.last_seen, excluded.last_seen) END
               RETURNING device_key, revoked";
    let now = report.now.unix_ms();
    let row = client.query_one(sql, &[&tenant, &report.device.as_str(), &now]).await?;
    let (device, is_revoked): (i64, bool) = (row.get(0), row.get(1));
    if is_revoked {
        return Ok(Reported::Revoked);
    }
    let sql = "INSERT INTO device_person (device_key, person_key) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    client.execute(sql, &[&device, &person]).await?;
    let sql = "INSERT INTO device_report (device_key, reported_at, reported_by, details) VALUES ($1, $2, $3, $4)
               ON CONFLICT (device_key) DO UPDATE SET
                   reported_at = excluded.reported_at, reported_by = excluded.reported_by, details = excluded.details";
    client.execute(sql, &[&device, &now, &person, &report.details]).await?;
    for (session, statement) in &report.sessions {
        if let Some(key) = session_key(client, access, session).await? {
            state(client, key, device, statement).await?;
        }
    }
    Ok(Reported::Taken)
}

/// In a transaction. The session's lock keeps counts out until the commit.
pub(crate) async fn update_session(
    client: &impl GenericClient,
    access: &Access,
    session: &SessionId,
    update: &SessionUpdate,
) -> Fallible<SessionUpdated> {
    let Some(key) = session_key(client, access, session).await? else { return Ok(SessionUpdated::NotFound) };
    let stated = match &update.stated {
        Some((device, manifest)) => Some((device_key(client, access, device, update.now).await?, manifest)),
        None => None,
    };
    let sql = "SELECT status, assigned_to FROM session WHERE session_key = $1 FOR NO KEY UPDATE";
    let row = client.query_one(sql, &[&key]).await?;
    let (from, assigned) = (status(row.get(0))?, row.get::<_, Option<String>>(1));
    let to = update.status.unwrap_or(from);
    let moves = match may_move(from, to, update.role) {
        Ok(moves) => moves,
        Err(refused) => return Ok(refused),
    };
    let assigned_to = match &update.assigned_to {
        None => assigned.clone(),
        Some(None) => None,
        Some(Some(user)) if may_count(client, key, user).await? => Some(user.as_str().to_owned()),
        Some(Some(_)) => return Ok(SessionUpdated::NobodyThere),
    };
    let mut left = Vec::new();
    if moves && to == SessionStatus::SessionSubmitted {
        if let Some((device, manifest)) = stated {
            let (manifest, stated) = (manifest.clone(), update.now);
            state(client, key, device, &Statement { manifest, unsent: 0, oldest_unsent: None, stated }).await?;
        }
        let devices = devices_of(client, key).await?;
        left = left_behind(&devices);
        let is_answered_for = update.reason.is_some() && update.role.leads();
        if !left.is_empty() && !is_answered_for {
            return Ok(SessionUpdated::Incomplete(devices));
        }
    }
    if !moves && assigned_to == assigned {
        return Ok(SessionUpdated::Done);
    }
    let submitted = (to == SessionStatus::SessionSubmitted).then_some(update.now.unix_ms());
    let is_open = moves && (to.takes_counts() || submitted.is_some());
    let sql = "UPDATE session SET status = $2, assigned_to = $3,
                   submitted = CASE WHEN $5 THEN $4::bigint ELSE submitted END WHERE session_key = $1";
    client.execute(sql, &[&key, &to.as_str(), &assigned_to, &submitted, &is_open]).await?;
    let reason = update.reason.as_deref().filter(|_| !left.is_empty());
    let left = serde_json::to_string(&left).map_err(corrupt)?;
    let sql = "INSERT INTO session_event
                   (session_key, at, done_by, from_status, to_status, assigned_to, reason, left_behind)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (at, by) = (update.now.unix_ms(), access.user.as_str());
    client.execute(sql, &[&key, &at, &by, &from.as_str(), &to.as_str(), &assigned_to, &reason, &left]).await?;
    Ok(SessionUpdated::Done)
}

async fn device_key(client: &impl GenericClient, access: &Access, device: &DeviceId, now: Timestamp) -> Fallible<i64> {
    let tenant = need_tenant(client, &access.tenant).await?;
    let sql = "INSERT INTO device (tenant_key, device_id, first_seen, last_seen) VALUES ($1, $2, $3, $3)
               ON CONFLICT (tenant_key, device_id) DO UPDATE SET last_seen = device.last_seen RETURNING device_key";
    Ok(client.query_one(sql, &[&tenant, &device.as_str(), &now.unix_ms()]).await?.get(0))
}

async fn state(client: &impl GenericClient, session: i64, device: i64, said: &Statement) -> Fallible<()> {
    let number = |number: u64| i64::try_from(number).map_err(corrupt);
    let sql = "INSERT INTO statement (session_key, device_key, item_count, digest, unsent, oldest_unsent, stated)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (session_key, device_key) DO UPDATE SET
                   item_count = excluded.item_count, digest = excluded.digest, unsent = excluded.unsent,
                   oldest_unsent = excluded.oldest_unsent, stated = excluded.stated";
    let (count, unsent) = (number(said.manifest.item_count)?, number(said.unsent)?);
    let (oldest, stated) = (said.oldest_unsent.map(Timestamp::unix_ms), said.stated.unix_ms());
    client.execute(sql, &[&session, &device, &count, &said.manifest.digest, &unsent, &oldest, &stated]).await?;
    Ok(())
}

/// Whether there is such a person where the session counts.
async fn may_count(client: &impl GenericClient, session: i64, user: &UserLoginId) -> Fallible<bool> {
    let sql = "SELECT EXISTS (
                   SELECT 1 FROM account JOIN session USING (tenant_key)
                   WHERE session_key = $1 AND user_login_id = $2 AND disabled IS NULL
                       AND (facilities IS NULL OR facility_id = ANY (facilities)))";
    Ok(client.query_one(sql, &[&session, &user.as_str()]).await?.get(0))
}

async fn devices_of(client: &impl GenericClient, session: i64) -> Fallible<Vec<SessionDevice>> {
    let mut rows = DeviceRows::default();
    let device = |row: &Row, column: usize| DeviceId::new(row.get::<_, &str>(column)).map_err(corrupt);
    let sql = "SELECT device_id, user_login_id, entries
               FROM arrival JOIN device USING (device_key) JOIN person ON person.person_key = sent_by
               WHERE session_key = $1 ORDER BY last_seq";
    for row in client.query(sql, &[&session]).await? {
        let sent_by = UserLoginId::new(row.get::<_, &str>(1)).map_err(corrupt)?;
        rows.record(device(&row, 0)?, sent_by, row.get(2))?;
    }
    let sql = "SELECT item_seq, revision, device_id FROM item JOIN device USING (device_key) WHERE session_key = $1";
    for row in client.query(sql, &[&session]).await? {
        let revision = u64::try_from(row.get::<_, i64>(1)).map_err(corrupt)?;
        let revision = Revision::new(revision).map_err(corrupt)?;
        rows.held(row.get(0), Stamp { revision, device_id: device(&row, 2)? });
    }
    let sql = "SELECT device_id, last_seen, user_login_id, item_count, digest, unsent, oldest_unsent, stated
               FROM device
               LEFT JOIN device_report USING (device_key)
               LEFT JOIN person ON person.person_key = reported_by
               LEFT JOIN statement ON statement.device_key = device.device_key AND statement.session_key = $1
               WHERE statement.session_key IS NOT NULL
                   OR device.device_key IN (SELECT device_key FROM arrival WHERE session_key = $1)";
    let said = client.query(sql, &[&session]).await?;
    let said = said.iter().map(said_by).collect::<Fallible<Vec<_>>>()?;
    Ok(rows.devices(&said))
}

fn said_by(row: &Row) -> Fallible<Said> {
    let number = |number: i64| u64::try_from(number).map_err(corrupt);
    let statement = match row.get::<_, Option<i64>>(3) {
        None => None,
        Some(item_count) => Some(Statement {
            manifest: Manifest { item_count: number(item_count)?, digest: row.get(4) },
            unsent: number(row.get(5))?,
            oldest_unsent: row.get::<_, Option<i64>>(6).map(Timestamp::from_unix_ms),
            stated: Timestamp::from_unix_ms(row.get(7)),
        }),
    };
    Ok(Said {
        device: DeviceId::new(row.get::<_, &str>(0)).map_err(corrupt)?,
        person: row.get::<_, Option<&str>>(2).map(UserLoginId::new).transpose().map_err(corrupt)?,
        statement,
        last_seen: Some(Timestamp::from_unix_ms(row.get(1))),
    })
}

fn status(name: &str) -> Fallible<SessionStatus> {
    SessionStatus::from_name(name).ok_or_else(|| corrupt(name))
}
