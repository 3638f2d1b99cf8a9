//! Jobs of plain SQL on a connection. A connection stays on its thread, and a job's future may be sent to another: so the job asks
//! for each statement through a slot, and whoever drives it carries the statement out and drives on.

use std::{
    any::Any,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use ginti_store::{Job, Sql, SqlRow, StoreError, Value, async_trait};
use rusqlite::{
    Connection, ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use crate::error::{Fallible, corrupt};

/// Does the job in the transaction that is open.
pub(crate) fn run(conn: &Connection, job: &dyn Job) -> Fallible<Box<dyn Any + Send>> {
    let mut sql = Statements::default();
    let slot = Arc::clone(&sql.slot);
    let mut work = job.run(&mut sql);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = work.as_mut().poll(&mut context) {
            return Ok(result?);
        }
        let Some(asked) = lock(&slot).asked.take() else {
            return Err(StoreError::Failed("a job waits for something other than the database".to_owned()).into());
        };
        let answer = carry_out(conn, &asked).map_err(StoreError::from);
        lock(&slot).answer = Some(answer);
    }
}

#[derive(Default)]
struct Statements {
    slot: Arc<Mutex<Slot>>,
}

#[derive(Default)]
struct Slot {
    asked: Option<Asked>,
    answer: Option<Result<Answer, StoreError>>,
}

struct Asked {
    sql: String,
    parameters: Vec<Value>,
    wants_rows: bool,
}

struct Answer {
    rows: Vec<SqlRow>,
    changed: u64,
}

impl Statements {
    async fn ask(&mut self, sql: &str, parameters: Vec<Value>, wants_rows: bool) -> Result<Answer, StoreError> {
        lock(&self.slot).asked = Some(Asked { sql: sql.to_owned(), parameters, wants_rows });
        poll_fn(|_| lock(&self.slot).answer.take().map_or(Poll::Pending, Poll::Ready)).await
    }
}

#[async_trait]
impl Sql for Statements {
    async fn query(&mut self, sql: &str, parameters: Vec<Value>) -> Result<Vec<SqlRow>, StoreError> {
        Ok(self.ask(sql, parameters, true).await?.rows)
    }

    async fn execute(&mut self, sql: &str, parameters: Vec<Value>) -> Result<u64, StoreError> {
        Ok(self.ask(sql, parameters, false).await?.changed)
    }
}

fn carry_out(conn: &Connection, asked: &Asked) -> Fallible<Answer> {
    let mut statement = conn.prepare_cached(&asked.sql)?;
    let parameters = params_from_iter(asked.parameters.iter().map(Bound));
    if !asked.wants_rows {
        let changed = u64::try_from(statement.execute(parameters)?).map_err(corrupt)?;
        return Ok(Answer { rows: Vec::new(), changed });
    }
    let columns = statement.column_count();
    let mut found = statement.query(parameters)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let value = |column| Ok(value(row.get_ref(column)?)?);
        rows.push(SqlRow((0..columns).map(value).collect::<Fallible<_>>()?));
    }
    Ok(Answer { rows, changed: 0 })
}

fn value(found: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Real(number) => return Err(ginti_store::unexpected(format!("{number}, a number with a fraction"))),
    })
}

struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
