//! Sessions, their lists and where they stand.

use ginti_store::{Access, Assignment, AssignmentPage, NewSession, Session, SessionSummary, StoreError};
use ginti_types::{
    FacilityId, ItemSeqId, ProductId, Purpose, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Core, catalogue,
    intern::{id, need_tenant, tenant_key},
};
use crate::error::{Fallible, corrupt};

/// Sessions of tenant ?1 in the facilities ?2 (a JSON array; NULL for all).
const ALLOWED: &str = "
    FROM session
    JOIN tenant ON tenant.tenant_key = session.tenant_key
    JOIN facility ON facility.tenant_key = session.tenant_key AND facility.facility_id = session.facility_id
    WHERE tenant.tenant_id = ?1 AND (?2 IS NULL OR session.facility_id IN (SELECT value FROM json_each(?2)))";

const SUMMARY: &str = "
    SELECT session.session_id, session.name, session.facility_id, facility.name, session.purpose, session.status,
        session.due, session.created,
        (SELECT count(*) FROM item WHERE item.session_key = session.session_key),
        (SELECT count(*) FROM assignment WHERE assignment.session_key = session.session_key),
        session.assigned_to, session.submitted,
        (SELECT account.name FROM account
            WHERE account.tenant_key = session.tenant_key AND account.user_login_id = session.assigned_to),
        session.area, session.is_blind";

pub(crate) fn sessions(conn: &Connection, access: &Access) -> Fallible<Vec<SessionSummary>> {
    let sql = format!("{SUMMARY} {ALLOWED} ORDER BY session.created, session.session_id");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![access.tenant.as_str(), facilities_json(access.facilities.as_deref())])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        sessions.push(summary(row)?);
    }
    Ok(sessions)
}

pub(crate) fn session(conn: &Connection, access: &Access, session: &SessionId) -> Fallible<Option<SessionSummary>> {
    let sql = format!("{SUMMARY} {ALLOWED} AND session.session_id = ?3");
    let mut statement = conn.prepare_cached(&sql)?;
    let facilities = facilities_json(access.facilities.as_deref());
    let mut rows = statement.query(params![access.tenant.as_str(), facilities, session.as_str()])?;
    rows.next()?.map(summary).transpose()
}

pub(crate) fn assignments(
    conn: &Connection,
    access: &Access,
    session: &SessionId,
    after: &str,
    limit: usize,
) -> Fallible<Option<AssignmentPage>> {
    let Some(key) = session_key(conn, access, session)? else { return Ok(None) };
    let sql = "SELECT item_seq, product_id FROM assignment WHERE session_key = ?1 AND item_seq > ?2
               ORDER BY item_seq LIMIT ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![key, after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut assignments = Vec::new();
    while let Some(row) = rows.next()? {
        assignments.push(Assignment {
            import_item_seq_id: id(row, 0, ItemSeqId::new)?,
            product_id: id(row, 1, ProductId::new)?,
        });
    }
    Ok(Some(AssignmentPage { assignments }))
}

/// The session's key, if `access` may see it.
pub(super) fn session_key(conn: &Connection, access: &Access, session: &SessionId) -> Fallible<Option<i64>> {
    let sql = format!("SELECT session.session_key {ALLOWED} AND session.session_id = ?3");
    let mut statement = conn.prepare_cached(&sql)?;
    let facilities = facilities_json(access.facilities.as_deref());
    let found =
        statement.query_row(params![access.tenant.as_str(), facilities, session.as_str()], |row| row.get(0)).optional();
    Ok(found?)
}

impl Core {
    pub(crate) fn create_session(&mut self, tenant: &TenantId, new: &NewSession) -> Fallible<()> {
        let conn = &self.conn;
        let key = need_tenant(conn, tenant)?;
        let session = &new.session;
        catalogue::need_facility(conn, key, &session.facility)?;
        let sql = "INSERT INTO session (tenant_key, session_id, name, facility_id, purpose, status, due, created)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
        let added = conn.prepare_cached(sql)?.execute(params![
            key,
            session.id.as_str(),
            session.name,
            session.facility.as_str(),
            session.purpose.as_str(),
            session.status.as_str(),
            session.due.map(Timestamp::unix_ms),
            session.created.unix_ms()
        ])?;
        if added == 0 {
            return Err(StoreError::Exists(format!("session \"{}\"", session.id)).into());
        }
        let session_key = conn.last_insert_rowid();
        let sql =
            "INSERT INTO assignment (session_key, item_seq, product_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let mut statement = conn.prepare_cached(sql)?;
        for line in &new.assignments {
            let added =
                statement.execute(params![session_key, line.import_item_seq_id.as_str(), line.product_id.as_str()])?;
            if added == 0 {
                let what = format!("line \"{}\" of session \"{}\"", line.import_item_seq_id, session.id);
                return Err(StoreError::Exists(what).into());
            }
        }
        Ok(())
    }

    pub(crate) fn set_session_status(
        &mut self,
        tenant: &TenantId,
        session: &SessionId,
        status: SessionStatus,
    ) -> Fallible<bool> {
        let Some(key) = tenant_key(&self.conn, tenant)? else { return Ok(false) };
        let changed = self
            .conn
            .prepare_cached("UPDATE session SET status = ?3 WHERE tenant_key = ?1 AND session_id = ?2")?
            .execute(params![key, session.as_str(), status.as_str()])?;
        Ok(changed == 1)
    }
}

fn summary(row: &Row<'_>) -> Fallible<SessionSummary> {
    let purpose: String = row.get(4)?;
    let status: String = row.get(5)?;
    Ok(SessionSummary {
        session: Session {
            id: id(row, 0, SessionId::new)?,
            name: row.get(1)?,
            facility: id(row, 2, FacilityId::new)?,
            purpose: Purpose::from_name(&purpose).ok_or_else(|| corrupt(&purpose))?,
            status: SessionStatus::from_name(&status).ok_or_else(|| corrupt(&status))?,
            due: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_unix_ms),
            created: Timestamp::from_unix_ms(row.get(7)?),
        },
        facility_name: row.get(3)?,
        items_counted: row.get(8)?,
        items_requested: row.get(9)?,
        assigned_to: row.get::<_, Option<String>>(10)?.map(UserLoginId::new).transpose().map_err(corrupt)?,
        assigned_name: row.get(12)?,
        submitted: row.get::<_, Option<i64>>(11)?.map(Timestamp::from_unix_ms),
        area: row.get(13)?,
        is_blind: row.get::<_, i64>(14)? != 0,
    })
}

/// Facility ids as a JSON array; none for all.
pub(super) fn facilities_json(facilities: Option<&[FacilityId]>) -> Option<String> {
    facilities
        .map(|ids| serde_json::Value::from(ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>()).to_string())
}
