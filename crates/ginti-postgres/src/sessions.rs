//! Sessions, their lists and where they stand.

use ginti_store::{Access, Assignment, AssignmentPage, NewSession, Session, SessionSummary, StoreError};
use ginti_types::{
    FacilityId, ItemSeqId, ProductId, Purpose, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId,
};
use tokio_postgres::{GenericClient, Row};

use crate::{
    access::{ALLOWED, facilities, session_key},
    catalogue,
    error::{Fallible, corrupt},
    keys::{need_tenant, tenant_key},
};

const SUMMARY: &str = "
    SELECT session.session_id, session.name, session.facility_id, facility.name, session.purpose, session.status,
        session.due, session.created,
        (SELECT count(*) FROM item WHERE item.session_key = session.session_key),
        (SELECT count(*) FROM assignment WHERE assignment.session_key = session.session_key),
        session.assigned_to, session.submitted,
        (SELECT account.name FROM account
            WHERE account.tenant_key = session.tenant_key AND account.user_login_id = session.assigned_to),
        session.area, session.is_blind";

pub(crate) async fn sessions(client: &impl GenericClient, access: &Access) -> Fallible<Vec<SessionSummary>> {
    let sql = format!("{SUMMARY} {ALLOWED} ORDER BY session.created, session.session_id");
    let rows = client.query(&sql, &[&access.tenant.as_str(), &facilities(access)]).await?;
    rows.iter().map(summary).collect()
}

pub(crate) async fn session(
    client: &impl GenericClient,
    access: &Access,
    session: &SessionId,
) -> Fallible<Option<SessionSummary>> {
    let sql = format!("{SUMMARY} {ALLOWED} AND session.session_id = $3");
    let row = client.query_opt(&sql, &[&access.tenant.as_str(), &facilities(access), &session.as_str()]).await?;
    row.as_ref().map(summary).transpose()
}

pub(crate) async fn assignments(
    client: &impl GenericClient,
    access: &Access,
    session: &SessionId,
    after: &str,
    limit: usize,
) -> Fallible<Option<AssignmentPage>> {
    let Some(key) = session_key(client, access, session).await? else { return Ok(None) };
    let sql = "SELECT item_seq, product_id FROM assignment WHERE session_key = $1 AND item_seq > $2
               ORDER BY item_seq LIMIT $3";
    let rows = client.query(sql, &[&key, &after, &i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    let assignments = rows.iter().map(|row| {
        Ok(Assignment {
            import_item_seq_id: ItemSeqId::new(row.get::<_, String>(0)).map_err(corrupt)?,
            product_id: ProductId::new(row.get::<_, String>(1)).map_err(corrupt)?,
        })
    });
    Ok(Some(AssignmentPage { assignments: assignments.collect::<Fallible<_>>()? }))
}

pub(crate) async fn create_session(client: &impl GenericClient, tenant: &TenantId, new: &NewSession) -> Fallible<()> {
    let key = need_tenant(client, tenant).await?;
    let session = &new.session;
    catalogue::need_facility(client, key, &session.facility).await?;
    let sql = "INSERT INTO session (tenant_key, session_id, name, facility_id, purpose, status, due, created)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_key, session_id) DO NOTHING
               RETURNING session_key";
    let added = client
        .query_opt(
            sql,
            &[
                &key,
                &session.id.as_str(),
                &session.name,
                &session.facility.as_str(),
                &session.purpose.as_str(),
                &session.status.as_str(),
                &session.due.map(Timestamp::unix_ms),
                &session.created.unix_ms(),
            ],
        )
        .await?;
    let Some(row) = added else { return Err(StoreError::Exists(format!("session \"{}\"", session.id)).into()) };
    let session_key: i64 = row.get(0);
    let (items, products): (Vec<_>, Vec<_>) =
        new.assignments.iter().map(|line| (line.import_item_seq_id.as_str(), line.product_id.as_str())).unzip();
    let sql = "INSERT INTO assignment (session_key, item_seq, product_id)
               SELECT $1, item_seq, product_id FROM UNNEST($2::text[], $3::text[]) AS line (item_seq, product_id)
               ON CONFLICT (session_key, item_seq) DO NOTHING";
    let lines = client.execute(sql, &[&session_key, &items, &products]).await?;
    if lines == new.assignments.len() as u64 {
        return Ok(());
    }
    let mut seen = std::collections::BTreeSet::new();
    let twice = items.iter().find(|item| !seen.insert(**item)).unwrap_or(&"?");
    Err(StoreError::Exists(format!("line \"{twice}\" of session \"{}\"", session.id)).into())
}

pub(crate) async fn set_session_status(
    client: &impl GenericClient,
    tenant: &TenantId,
    session: &SessionId,
    status: SessionStatus,
) -> Fallible<bool> {
    let Some(key) = tenant_key(client, tenant).await? else { return Ok(false) };
    let sql = "UPDATE session SET status = $3 WHERE tenant_key = $1 AND session_id = $2";
    Ok(client.execute(sql, &[&key, &session.as_str(), &status.as_str()]).await? == 1)
}

fn summary(row: &Row) -> Fallible<SessionSummary> {
    let (purpose, status): (&str, &str) = (row.get(4), row.get(5));
    let number = |column| u64::try_from(row.get::<_, i64>(column)).map_err(corrupt);
    Ok(SessionSummary {
        session: Session {
            id: SessionId::new(row.get::<_, String>(0)).map_err(corrupt)?,
            name: row.get(1),
            facility: FacilityId::new(row.get::<_, String>(2)).map_err(corrupt)?,
            purpose: Purpose::from_name(purpose).ok_or_else(|| corrupt(purpose))?,
            status: SessionStatus::from_name(status).ok_or_else(|| corrupt(status))?,
            due: row.get::<_, Option<i64>>(6).map(Timestamp::from_unix_ms),
            created: Timestamp::from_unix_ms(row.get(7)),
        },
        facility_name: row.get(3),
        items_counted: number(8)?,
        items_requested: number(9)?,
        assigned_to: row.get::<_, Option<String>>(10).map(UserLoginId::new).transpose().map_err(corrupt)?,
        assigned_name: row.get(12),
        submitted: row.get::<_, Option<i64>>(11).map(Timestamp::from_unix_ms),
        area: row.get(13),
        is_blind: row.get::<_, i64>(14) != 0,
    })
}
