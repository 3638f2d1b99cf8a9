//! How far a run is: session by session, who counts where, how fast, and how long counts take from the hand to the disk.

use std::collections::BTreeMap;

use async_trait::async_trait;
use ginti_store::{Access, Sql, SqlRow, StoreError, Value, entries};
use ginti_types::Timestamp;

use crate::{
    Op,
    scope::{in_stores, run_of},
};

/// Minutes that the rate is shown for.
const MINUTES: i64 = 60;
/// Newest records whose way is looked at.
const RECORDS_MAX: i64 = 400;

/// How far one session is.
#[derive(Clone, Debug)]
pub struct SessionProgress {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where.
    pub facility: String,
    /// Where in the store.
    pub area: Option<String>,
    /// What it is for.
    pub purpose: String,
    /// Where it stands.
    pub status: String,
    /// Whose work it is.
    pub assigned_to: Option<String>,
    /// When it should be done.
    pub due: Option<Timestamp>,
    /// Rows with a count.
    pub counted: u64,
    /// Rows on its list.
    pub requested: u64,
    /// Devices that counted in it.
    pub devices: u64,
    /// When the last count arrived.
    pub last_arrival: Option<Timestamp>,
    /// It counts again.
    pub is_recount: bool,
    /// Whoever counts is not shown what is expected.
    pub is_blind: bool,
}

/// Who counted last where, from which device.
#[derive(Clone, Debug)]
pub struct AtWork {
    /// Who sent.
    pub person: String,
    /// The session.
    pub session: String,
    /// The device.
    pub device: String,
    /// When its last counts arrived.
    pub last_arrival: Timestamp,
    /// Counts that arrived of it in this session.
    pub counts: u64,
}

/// How far a run is.
#[derive(Clone, Debug)]
pub struct RunProgress {
    /// Its sessions, those of the caller's stores.
    pub sessions: Vec<SessionProgress>,
    /// Who counts where, latest first.
    pub people: Vec<AtWork>,
    /// Counts that arrived in each of the last minutes: minute of Unix time, and how many.
    pub per_minute: Vec<(i64, u64)>,
    /// Milliseconds from counted to durable of the newest counts, in order.
    pub lags: Vec<i64>,
}

/// Asks how far a run is. `None`: no such run for the caller.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Who asks.
    pub access: Access,
    /// The run.
    pub run: String,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for Progress {
    type Out = Option<RunProgress>;
    const WRITES: bool = false;

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<RunProgress>, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(None) };
        let mut values: Vec<Value> = vec![run.key.into()];
        let stores = in_stores(&self.access, "facility_id", &mut values);
        let text = format!(
            "SELECT session_key, session_id, name, facility_id, area, purpose, status, assigned_to, due, is_recount, is_blind,
                 (SELECT count(*) FROM item WHERE item.session_key = session.session_key),
                 (SELECT count(*) FROM assignment WHERE assignment.session_key = session.session_key)
             FROM session WHERE run_key = ?1 AND {stores} ORDER BY session_key"
        );
        let found = sql.query(&text, values.clone()).await?;
        let text = format!(
            "SELECT arrival.session_key, session_id, device_id, user_login_id, max(received_at), CAST(sum(count) AS bigint)
             FROM session JOIN arrival ON arrival.session_key = session.session_key
             JOIN device ON device.device_key = arrival.device_key JOIN person ON person.person_key = sent_by
             WHERE run_key = ?1 AND {stores}
             GROUP BY arrival.session_key, session_id, device_id, user_login_id"
        );
        let mut people = Vec::new();
        let mut of: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
        for row in &sql.query(&text, values.clone()).await? {
            let (devices, last) = of.entry(row.int(0)?).or_default();
            *devices += 1;
            *last = (*last).max(row.int(4)?);
            people.push(AtWork {
                person: row.text(3)?.to_owned(),
                session: row.text(1)?.to_owned(),
                device: row.text(2)?.to_owned(),
                last_arrival: Timestamp::from_unix_ms(row.int(4)?),
                counts: row.count(5)?,
            });
        }
        people.sort_by_key(|at_work| -at_work.last_arrival.unix_ms());
        let mut sessions = Vec::with_capacity(found.len());
        for row in &found {
            sessions.push(session(row, of.get(&row.int(0)?))?);
        }
        let per_minute = per_minute(sql, &stores, values.clone(), self.now).await?;
        let lags = lags(sql, &stores, values).await?;
        Ok(Some(RunProgress { sessions, people, per_minute, lags }))
    }
}

fn session(row: &SqlRow, arrived: Option<&(u64, i64)>) -> Result<SessionProgress, StoreError> {
    let text = |column| Ok::<_, StoreError>(row.maybe_text(column)?.map(str::to_owned));
    Ok(SessionProgress {
        id: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        facility: row.text(3)?.to_owned(),
        area: text(4)?,
        purpose: row.text(5)?.to_owned(),
        status: row.text(6)?.to_owned(),
        assigned_to: text(7)?,
        due: row.maybe_int(8)?.map(Timestamp::from_unix_ms),
        is_recount: row.bool(9)?,
        is_blind: row.bool(10)?,
        counted: row.count(11)?,
        requested: row.count(12)?,
        devices: arrived.map_or(0, |(devices, _)| *devices),
        last_arrival: arrived.map(|(_, last)| Timestamp::from_unix_ms(*last)),
    })
}

async fn per_minute(
    sql: &mut dyn Sql,
    stores: &str,
    mut values: Vec<Value>,
    now: Timestamp,
) -> Result<Vec<(i64, u64)>, StoreError> {
    let minute = now.unix_ms() / 60_000;
    values.push(((minute - MINUTES + 1) * 60_000).into());
    let text = format!(
        "SELECT received_at / 60000, CAST(sum(count) AS bigint)
         FROM session JOIN arrival ON arrival.session_key = session.session_key
         WHERE run_key = ?1 AND {stores} AND received_at >= ?{} GROUP BY received_at / 60000",
        values.len()
    );
    let mut minutes: BTreeMap<i64, u64> = (minute - MINUTES + 1..=minute).map(|minute| (minute, 0)).collect();
    for row in &sql.query(&text, values).await? {
        minutes.insert(row.int(0)?, row.count(1)?);
    }
    Ok(minutes.into_iter().collect())
}

async fn lags(sql: &mut dyn Sql, stores: &str, mut values: Vec<Value>) -> Result<Vec<i64>, StoreError> {
    values.push(RECORDS_MAX.into());
    let text = format!(
        "SELECT received_at, entries FROM session JOIN arrival ON arrival.session_key = session.session_key
         WHERE run_key = ?1 AND {stores} ORDER BY last_seq DESC LIMIT ?{}",
        values.len()
    );
    let mut lags = Vec::new();
    for row in &sql.query(&text, values).await? {
        let received = row.int(0)?;
        for entry in entries(row.blob(1)?) {
            lags.extend(entry?.counted_at.map(|counted| (received - counted).max(0)));
        }
    }
    lags.sort_unstable();
    Ok(lags)
}
