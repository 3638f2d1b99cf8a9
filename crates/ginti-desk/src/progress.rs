//! How far a run is: session by session, who counts where, how fast, and how long counts take from the hand to the disk.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, SqlRow, StoreError, Value};
use ginti_types::Timestamp;

use crate::{
    Op,
    scope::{in_stores, run_of},
    tally::{Asked, Known, Sums, Tally},
};

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
    /// What looks of the same stores at the same run have found; it may be empty.
    pub known: Known,
}

#[async_trait]
impl Op for Progress {
    type Out = Option<RunProgress>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<RunProgress>, StoreError> {
        let Some(run) = run_of(sql, &self.access, &self.run).await? else { return Ok(None) };
        let mut values: Vec<Value> = vec![run.key.into()];
        let stores = in_stores(&self.access, "facility_id", &mut values);
        let text = format!(
            "SELECT session_key, session_id, name, facility_id, area, purpose, status, assigned_to, due, is_recount, is_blind
             FROM session WHERE run_key = ?1 AND {stores} ORDER BY session_key"
        );
        let found = sql.query(&text, values.clone()).await?;
        let keys = found.iter().map(|row| row.int(0)).collect::<Result<Vec<_>, _>>()?;
        let now_ms = self.now.unix_ms();
        let asked = Asked { run: run.key, sessions: &keys, stores: &stores, values: &values, now_ms };
        let tally = Tally::look(sql, &self.known, &asked).await?;
        let (mut sessions, mut people) = (Vec::with_capacity(found.len()), Vec::new());
        for row in &found {
            let Some(sums) = tally.sessions.get(&row.int(0)?) else { continue };
            sessions.push(session(row, sums)?);
            people.extend(sums.at_work.values().map(|work| AtWork {
                person: (*work.person).to_owned(),
                session: sessions.last().map(|session: &SessionProgress| session.id.clone()).unwrap_or_default(),
                device: (*work.device).to_owned(),
                last_arrival: Timestamp::from_unix_ms(work.last),
                counts: work.counts,
            }));
        }
        people.sort_by_key(|at_work| -at_work.last_arrival.unix_ms());
        let progress = RunProgress { sessions, people, per_minute: tally.per_minute(now_ms), lags: tally.lags() };
        self.known.keep(tally);
        Ok(Some(progress))
    }
}

fn session(row: &SqlRow, sums: &Sums) -> Result<SessionProgress, StoreError> {
    let text = |column| Ok::<_, StoreError>(row.maybe_text(column)?.map(str::to_owned));
    let devices = sums.at_work.keys().map(|(device, _)| device).collect::<BTreeSet<_>>().len();
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
        counted: sums.counted,
        requested: sums.requested,
        devices: u64::try_from(devices).unwrap_or(u64::MAX),
        last_arrival: sums.at_work.values().map(|work| work.last).max().map(Timestamp::from_unix_ms),
    })
}
