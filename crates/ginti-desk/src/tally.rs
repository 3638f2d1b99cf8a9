//! What a run's progress is added up from. Each look keeps what it found, and the next one adds only what has arrived since:
//! the ledger's numbers become visible in their order, so nothing is passed over.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use ginti_store::{Sql, StoreError, Value, entries, unexpected};

use crate::rows;

/// Minutes that the rate is shown for.
pub(crate) const MINUTES: i64 = 60;
/// Newest records whose way is looked at,
const RECORDS_MAX: i64 = 400;
/// and about so many counts of them: a record holds up to a thousand.
const COUNTS_MAX: usize = 20_000;
/// Records read at a time.
const RECORDS_AT_ONCE: usize = 20;

/// What a look leaves for the next one of the same access at the same run.
#[derive(Clone, Debug, Default)]
pub struct Known(Arc<Mutex<Option<Arc<Tally>>>>);

impl Known {
    fn get(&self) -> Option<Arc<Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps it, unless a look beside this one has seen more.
    pub(crate) fn keep(&self, tally: Tally) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|known| known.origin != tally.origin || known.seq <= tally.seq) {
            *known = Some(Arc::new(tally));
        }
    }
}

/// The sums of a run.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Which run of which history: sums of another one mean nothing.
    origin: (Value, i64),
    /// The run's, when lists were counted.
    version: i64,
    /// Records up to this number are in.
    seq: i64,
    pub(crate) sessions: BTreeMap<i64, Sums>,
    /// Counts that arrived in each of the last minutes.
    minutes: BTreeMap<i64, u64>,
    /// How long the newest counts took, record by record, newest first.
    lags: VecDeque<Vec<i64>>,
}

/// The sums of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) counted: u64,
    pub(crate) requested: u64,
    /// By device and person.
    pub(crate) at_work: BTreeMap<(i64, i64), Work>,
}

/// What one person sent from one device.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) device: Arc<str>,
    pub(crate) person: Arc<str>,
    pub(crate) last: i64,
    pub(crate) counts: u64,
}

/// Whose sums are asked for.
pub(crate) struct Asked<'a> {
    pub(crate) run: i64,
    /// The run's sessions.
    pub(crate) sessions: &'a [i64],
    /// A condition on sessions, and its parameters from ?2 on after the run.
    pub(crate) stores: &'a str,
    pub(crate) values: &'a [Value],
    pub(crate) now_ms: i64,
}

impl Tally {
    /// The sums as they are now.
    pub(crate) async fn look(sql: &mut dyn Sql, known: &Known, asked: &Asked<'_>) -> Result<Self, StoreError> {
        let text = "SELECT version, (SELECT last_seq FROM ledger),
                        (SELECT value FROM meta WHERE name = 'epoch')
                    FROM run WHERE run_key = ?1";
        let found = sql.query(text, vec![asked.run.into()]).await?;
        let row = found.first().ok_or_else(|| unexpected("a run that is gone"))?;
        let (version, newest) = (row.int(0)?, row.int(1)?);
        let origin = (row.0.get(2).cloned().unwrap_or(Value::Null), asked.run);
        let is_good = |tally: &Arc<Self>| {
            let has = |session| tally.sessions.contains_key(session);
            tally.origin == origin && tally.seq <= newest && asked.sessions.iter().all(has)
        };
        let mut tally = match known.get().filter(is_good) {
            Some(known) => Arc::unwrap_or_clone(known),
            None => Self {
                origin,
                version: -1,
                seq: 0,
                sessions: asked.sessions.iter().map(|session| (*session, Sums::default())).collect(),
                minutes: BTreeMap::new(),
                lags: VecDeque::new(),
            },
        };
        if tally.version != version {
            for (session, requested) in numbers(sql, "assignment", asked.sessions).await? {
                tally.sessions.entry(session).or_default().requested = requested;
            }
            tally.version = version;
        }
        if tally.seq < newest {
            tally.add(sql, asked, newest).await?;
            tally.seq = newest;
        }
        let oldest = asked.now_ms / 60_000 - MINUTES + 1;
        tally.minutes.retain(|minute, _| *minute >= oldest);
        Ok(tally)
    }

    /// Adds what has arrived up to a number.
    async fn add(&mut self, sql: &mut dyn Sql, asked: &Asked<'_>, newest: i64) -> Result<(), StoreError> {
        let oldest = asked.now_ms / 60_000 - MINUTES + 1;
        let mut values = asked.values.to_vec();
        values.extend([self.seq.into(), newest.into(), (oldest * 60_000).into()]);
        let at = asked.values.len() + 1;
        // Older than what is shown is one minute: few groups, however long the run.
        let text = format!(
            "SELECT sums.session_key, sums.device_key, sums.sent_by, at_minute, latest, counts, device_id, user_login_id
             FROM (SELECT arrival.session_key, device_key, sent_by,
                     CASE WHEN received_at < ?{} THEN 0 ELSE received_at / 60000 END AS at_minute,
                     max(received_at) AS latest, CAST(sum(count) AS bigint) AS counts
                 FROM session JOIN arrival ON arrival.session_key = session.session_key
                 WHERE run_key = ?1 AND {} AND last_seq > ?{at} AND last_seq <= ?{}
                 GROUP BY arrival.session_key, device_key, sent_by, at_minute) AS sums
             JOIN device ON device.device_key = sums.device_key JOIN person ON person.person_key = sums.sent_by",
            at + 2,
            asked.stores,
            at + 1,
        );
        let mut touched = BTreeSet::new();
        for row in &sql.query(&text, values.clone()).await? {
            let (session, minute, last, counts) = (row.int(0)?, row.int(3)?, row.int(4)?, row.count(5)?);
            touched.insert(session);
            *self.minutes.entry(minute).or_default() += counts;
            let (device, person) = (row.text(6)?, row.text(7)?);
            let at_work = &mut self.sessions.entry(session).or_default().at_work;
            let work = at_work.entry((row.int(1)?, row.int(2)?)).or_insert_with(|| Work {
                device: device.into(),
                person: person.into(),
                last,
                counts: 0,
            });
            work.last = work.last.max(last);
            work.counts += counts;
        }
        let touched: Vec<_> = touched.into_iter().collect();
        for (session, counted) in numbers(sql, "item", &touched).await? {
            self.sessions.entry(session).or_default().counted = counted;
        }
        values.pop();
        self.add_lags(sql, asked, values).await
    }

    async fn add_lags(
        &mut self,
        sql: &mut dyn Sql,
        asked: &Asked<'_>,
        mut values: Vec<Value>,
    ) -> Result<(), StoreError> {
        values.push(RECORDS_MAX.into());
        let at = values.len();
        // First the numbers alone: what sorts them must not carry the records.
        let text = format!(
            "SELECT last_seq FROM session JOIN arrival ON arrival.session_key = session.session_key
             WHERE run_key = ?1 AND {} AND last_seq > ?{} AND last_seq <= ?{} ORDER BY last_seq DESC LIMIT ?{at}",
            asked.stores,
            at - 2,
            at - 1,
        );
        let found = sql.query(&text, values).await?;
        let numbers = found.iter().map(|row| row.int(0)).collect::<Result<Vec<_>, _>>()?;
        let text = format!(
            "SELECT received_at, entries FROM arrival WHERE last_seq IN ({}) ORDER BY last_seq DESC",
            rows::places_of(RECORDS_AT_ONCE)
        );
        let (mut fresh, mut counts) = (Vec::new(), 0);
        for part in numbers.chunks(RECORDS_AT_ONCE) {
            if counts >= COUNTS_MAX {
                break;
            }
            for row in &sql.query(&text, rows::padded(part, RECORDS_AT_ONCE)).await? {
                let received = row.int(0)?;
                let mut lags = Vec::new();
                for entry in entries(row.blob(1)?) {
                    lags.extend(entry?.counted_at.map(|counted| (received - counted).max(0)));
                }
                counts += lags.len();
                fresh.push(lags);
            }
        }
        for lags in fresh.into_iter().rev() {
            self.lags.push_front(lags);
        }
        let mut counts = 0;
        let is_kept = |lags: &&Vec<i64>| {
            let is_kept = counts < COUNTS_MAX;
            counts += lags.len();
            is_kept
        };
        let kept = self.lags.iter().take(usize::try_from(RECORDS_MAX).unwrap_or(0)).take_while(is_kept).count();
        self.lags.truncate(kept);
        Ok(())
    }

    /// Milliseconds that the newest counts took, in order.
    pub(crate) fn lags(&self) -> Vec<i64> {
        let mut lags: Vec<_> = self.lags.iter().flatten().copied().collect();
        lags.sort_unstable();
        lags
    }

    /// Counts that arrived in each minute of the last hour.
    pub(crate) fn per_minute(&self, now_ms: i64) -> Vec<(i64, u64)> {
        let newest = now_ms / 60_000;
        let counts = |minute| self.minutes.get(&minute).copied().unwrap_or(0);
        (newest - MINUTES + 1..=newest).map(|minute| (minute, counts(minute))).collect()
    }
}

/// How many rows of a table each session has.
async fn numbers(sql: &mut dyn Sql, table: &str, sessions: &[i64]) -> Result<Vec<(i64, u64)>, StoreError> {
    const AT_ONCE: usize = 100;
    let text = format!(
        "SELECT session_key, (SELECT count(*) FROM {table} WHERE {table}.session_key = session.session_key)
         FROM session WHERE session_key IN ({})",
        rows::places_of(AT_ONCE)
    );
    let mut numbers = Vec::with_capacity(sessions.len());
    for part in sessions.chunks(AT_ONCE) {
        for row in &sql.query(&text, rows::padded(part, AT_ONCE)).await? {
            numbers.push((row.int(0)?, row.count(1)?));
        }
    }
    Ok(numbers)
}
