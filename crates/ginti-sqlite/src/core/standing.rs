//! Handing sessions in and over, and what devices say of themselves.

use ginti_store::{
    Access, DeviceReport, DeviceRows, Reported, Said, SessionDevice, SessionEvent, SessionUpdate, SessionUpdated,
    Statement, left_behind, may_move,
};
use ginti_types::{DeviceId, Manifest, Revision, SessionId, SessionStatus, Stamp, Timestamp, UserLoginId};
use rusqlite::{Connection, Row, params};

use super::{
    Core,
    intern::{id, need_tenant},
    sessions::session_key,
};
use crate::error::{Fallible, corrupt};

pub(crate) fn session_devices(
    conn: &Connection,
    access: &Access,
    session: &SessionId,
) -> Fallible<Option<Vec<SessionDevice>>> {
    session_key(conn, access, session)?.map(|key| devices_of(conn, key)).transpose()
}

pub(crate) fn session_events(
    conn: &Connection,
    access: &Access,
    session: &SessionId,
) -> Fallible<Option<Vec<SessionEvent>>> {
    let Some(key) = session_key(conn, access, session)? else { return Ok(None) };
    let sql = "SELECT at, done_by, from_status, to_status, assigned_to, reason, left_behind FROM session_event
               WHERE session_key = ?1 ORDER BY event_key DESC";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([key])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let left: String = row.get(6)?;
        events.push(SessionEvent {
            at: Timestamp::from_unix_ms(row.get(0)?),
            by: id(row, 1, UserLoginId::new)?,
            from: status(row, 2)?,
            to: status(row, 3)?,
            assigned_to: row.get::<_, Option<String>>(4)?.map(UserLoginId::new).transpose().map_err(corrupt)?,
            reason: row.get(5)?,
            left_behind: serde_json::from_str(&left).map_err(corrupt)?,
        });
    }
    Ok(Some(events))
}

impl Core {
    pub(crate) fn report_device(&mut self, access: &Access, report: &DeviceReport) -> Fallible<Reported> {
        let tenant = need_tenant(&self.conn, &access.tenant)?;
        let found = self.device(tenant, &report.device)?;
        if found.is_some_and(|known| known.revoked) {
            return Ok(Reported::Revoked);
        }
        let device = self.known_device(tenant, &report.device, found, report.now)?.key;
        let person = self.interned.person(&self.conn, tenant, &access.user)?;
        self.interned.seen_together(&self.conn, device, person)?;
        self.note_contact(device, report.now, 0)?;
        let sql = "INSERT OR REPLACE INTO device_report (device_key, reported_at, reported_by, details)
                   VALUES (?1, ?2, ?3, ?4)";
        self.conn.execute(sql, params![device, report.now.unix_ms(), person, report.details])?;
        for (session, statement) in &report.sessions {
            if let Some(key) = session_key(&self.conn, access, session)? {
                self.state(key, device, statement)?;
            }
        }
        Ok(Reported::Taken)
    }

    pub(crate) fn update_session(
        &mut self,
        access: &Access,
        session: &SessionId,
        update: &SessionUpdate,
    ) -> Fallible<SessionUpdated> {
        let Some(key) = session_key(&self.conn, access, session)? else { return Ok(SessionUpdated::NotFound) };
        let sql = "SELECT status, assigned_to FROM session WHERE session_key = ?1";
        let (from, assigned): (String, Option<String>) =
            self.conn.query_row(sql, [key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let from = SessionStatus::from_name(&from).ok_or_else(|| corrupt(&from))?;
        let to = update.status.unwrap_or(from);
        let moves = match may_move(from, to, update.role) {
            Ok(moves) => moves,
            Err(refused) => return Ok(refused),
        };
        let assigned_to = match &update.assigned_to {
            None => assigned.clone(),
            Some(None) => None,
            Some(Some(user)) if self.may_count(key, user)? => Some(user.as_str().to_owned()),
            Some(Some(_)) => return Ok(SessionUpdated::NobodyThere),
        };
        let mut left = Vec::new();
        if moves && to == SessionStatus::SessionSubmitted {
            self.state_before_submit(access, key, update)?;
            let devices = devices_of(&self.conn, key)?;
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
        let sql = "UPDATE session SET status = ?2, assigned_to = ?3,
                       submitted = CASE WHEN ?5 THEN ?4 ELSE submitted END WHERE session_key = ?1";
        let is_open = moves && (to.takes_counts() || submitted.is_some());
        self.conn.execute(sql, params![key, to.as_str(), assigned_to, submitted, is_open])?;
        let reason = update.reason.as_deref().filter(|_| !left.is_empty());
        let left = serde_json::to_string(&left).map_err(corrupt)?;
        let sql = "INSERT INTO session_event
                       (session_key, at, done_by, from_status, to_status, assigned_to, reason, left_behind)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let (at, by) = (update.now.unix_ms(), access.user.as_str());
        self.conn.execute(sql, params![key, at, by, from.as_str(), to.as_str(), assigned_to, reason, left])?;
        Ok(SessionUpdated::Done)
    }

    /// Whoever hands a session in says for the own device what it counted.
    fn state_before_submit(&mut self, access: &Access, session: i64, update: &SessionUpdate) -> Fallible<()> {
        let Some((device, manifest)) = &update.stated else { return Ok(()) };
        let tenant = need_tenant(&self.conn, &access.tenant)?;
        let found = self.device(tenant, device)?;
        let device = self.known_device(tenant, device, found, update.now)?.key;
        let statement = Statement { manifest: manifest.clone(), unsent: 0, oldest_unsent: None, stated: update.now };
        self.state(session, device, &statement)
    }

    fn state(&self, session: i64, device: i64, statement: &Statement) -> Fallible<()> {
        let sql = "INSERT OR REPLACE INTO statement
                       (session_key, device_key, item_count, digest, unsent, oldest_unsent, stated)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.conn.prepare_cached(sql)?.execute(params![
            session,
            device,
            statement.manifest.item_count,
            statement.manifest.digest,
            statement.unsent,
            statement.oldest_unsent.map(Timestamp::unix_ms),
            statement.stated.unix_ms(),
        ])?;
        Ok(())
    }

    /// Whether there is such a person where the session counts.
    fn may_count(&self, session: i64, user: &UserLoginId) -> Fallible<bool> {
        let sql = "SELECT EXISTS (
                       SELECT 1 FROM account JOIN session USING (tenant_key)
                       WHERE session_key = ?1 AND user_login_id = ?2 AND disabled IS NULL
                           AND (facilities IS NULL OR facility_id IN (SELECT value FROM json_each(facilities))))";
        Ok(self.conn.prepare_cached(sql)?.query_row(params![session, user.as_str()], |row| row.get(0))?)
    }
}

fn devices_of(conn: &Connection, session: i64) -> Fallible<Vec<SessionDevice>> {
    let mut rows = DeviceRows::default();
    let sql = "SELECT device_id, user_login_id, entries
               FROM arrival JOIN device USING (device_key) JOIN person ON person.person_key = sent_by
               WHERE session_key = ?1 ORDER BY last_seq";
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query([session])?;
    while let Some(row) = found.next()? {
        rows.record(
            id(row, 0, DeviceId::new)?,
            id(row, 1, UserLoginId::new)?,
            row.get_ref(2)?.as_blob().map_err(corrupt)?,
        )?;
    }
    let sql = "SELECT item_seq, revision, device_id FROM item JOIN device USING (device_key) WHERE session_key = ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query([session])?;
    while let Some(row) = found.next()? {
        let revision = Revision::new(row.get(1)?).map_err(corrupt)?;
        let stamp = Stamp { revision, device_id: id(row, 2, DeviceId::new)? };
        rows.held(row.get_ref(0)?.as_str().map_err(corrupt)?, stamp);
    }
    let sql = "SELECT device_id, last_seen, user_login_id, item_count, digest, unsent, oldest_unsent, stated
               FROM device
               LEFT JOIN device_report USING (device_key)
               LEFT JOIN person ON person.person_key = reported_by
               LEFT JOIN statement ON statement.device_key = device.device_key AND statement.session_key = ?1
               WHERE statement.session_key IS NOT NULL
                   OR device.device_key IN (SELECT device_key FROM arrival WHERE session_key = ?1)";
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query([session])?;
    let mut said = Vec::new();
    while let Some(row) = found.next()? {
        said.push(said_by(row)?);
    }
    Ok(rows.devices(&said))
}

fn said_by(row: &Row<'_>) -> Fallible<Said> {
    let statement = match row.get::<_, Option<u64>>(3)? {
        None => None,
        Some(item_count) => Some(Statement {
            manifest: Manifest { item_count, digest: row.get(4)? },
            unsent: row.get(5)?,
            oldest_unsent: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_unix_ms),
            stated: Timestamp::from_unix_ms(row.get(7)?),
        }),
    };
    Ok(Said {
        device: id(row, 0, DeviceId::new)?,
        person: row.get::<_, Option<String>>(2)?.map(UserLoginId::new).transpose().map_err(corrupt)?,
        statement,
        last_seen: Some(Timestamp::from_unix_ms(row.get(1)?)),
    })
}

fn status(row: &Row<'_>, column: usize) -> Fallible<SessionStatus> {
    let name = row.get_ref(column)?.as_str().map_err(corrupt)?;
    SessionStatus::from_name(name).ok_or_else(|| corrupt(name))
}
