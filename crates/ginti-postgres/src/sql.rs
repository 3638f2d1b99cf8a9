//! Jobs of plain SQL, each in a transaction; done again when two of them were in each other's way.

use std::{any::Any, error::Error};

use bytes::BytesMut;
use deadpool_postgres::Object;
use ginti_store::{Job, Sql, SqlRow, StoreError, Value, async_trait};
use tokio_postgres::{
    Row,
    types::{IsNull, ToSql, Type, to_sql_checked},
};

use crate::{
    error::{Fallible, Fault, corrupt},
    keys::Keys,
    scope::Work,
};

/// Times a job is tried that others get in the way of.
const TRIES: u32 = 5;

/// Does the job.
pub(crate) async fn run(client: &mut Object, keys: &Keys, job: &dyn Job) -> Result<Box<dyn Any + Send>, StoreError> {
    let mut tries = 1;
    loop {
        let work = keys.begin(client, job.scope()).await?;
        let mut sql = Statements { work: &work, is_in_conflict: false };
        let result = job.run(&mut sql).await;
        let is_in_conflict = sql.is_in_conflict;
        match result {
            Ok(value) => {
                if job.writes() {
                    work.commit().await?;
                }
                return Ok(value);
            }
            Err(error) if !is_in_conflict || tries == TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

struct Statements<'a> {
    work: &'a Work<'a>,
    is_in_conflict: bool,
}

impl Statements<'_> {
    fn noted(&mut self, fault: Fault) -> StoreError {
        self.is_in_conflict |= fault.is_conflict();
        fault.into()
    }
}

#[async_trait]
impl Sql for Statements<'_> {
    async fn query(&mut self, sql: &str, parameters: Vec<Value>) -> Result<Vec<SqlRow>, StoreError> {
        let found = query(self.work, sql, &parameters).await;
        found.map_err(|fault| self.noted(fault))
    }

    async fn execute(&mut self, sql: &str, parameters: Vec<Value>) -> Result<u64, StoreError> {
        let changed = execute(self.work, sql, &parameters).await;
        changed.map_err(|fault| self.noted(fault))
    }
}

async fn query(work: &Work<'_>, sql: &str, parameters: &[Value]) -> Fallible<Vec<SqlRow>> {
    let statement = work.prepare_cached(&numbered(sql)).await?;
    let bound: Vec<_> = parameters.iter().map(Bound).collect();
    let rows = work.query(&statement, &as_parameters(&bound)).await?;
    rows.iter().map(row).collect()
}

async fn execute(work: &Work<'_>, sql: &str, parameters: &[Value]) -> Fallible<u64> {
    let statement = work.prepare_cached(&numbered(sql)).await?;
    let bound: Vec<_> = parameters.iter().map(Bound).collect();
    Ok(work.execute(&statement, &as_parameters(&bound)).await?)
}

/// `?1` is `$1` here.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn as_parameters<'a>(bound: &'a [Bound<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    bound.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn row(row: &Row) -> Fallible<SqlRow> {
    let value = |(at, column): (usize, &tokio_postgres::Column)| {
        Ok(match *column.type_() {
            Type::INT8 => row.get::<_, Option<i64>>(at).into(),
            Type::INT4 => row.get::<_, Option<i32>>(at).map(i64::from).into(),
            Type::BOOL => row.get::<_, Option<bool>>(at).into(),
            Type::BYTEA => row.get::<_, Option<&[u8]>>(at).into(),
            Type::TEXT | Type::VARCHAR => row.get::<_, Option<&str>>(at).into(),
            ref other => return Err(corrupt(format!("a column of type {other}"))),
        })
    };
    Ok(SqlRow(row.columns().iter().enumerate().map(value).collect::<Fallible<_>>()?))
}

#[derive(Debug)]
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self.0, kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(kind, out),
            (Value::Int(number), &Type::BOOL) => (*number != 0).to_sql(kind, out),
            (Value::Int(number), &Type::INT8) => number.to_sql(kind, out),
            (Value::Text(text), &Type::TEXT | &Type::VARCHAR) => text.to_sql(kind, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(kind, out),
            (value, kind) => Err(format!("{value:?} in the place of {kind}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
