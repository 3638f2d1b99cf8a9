//! Plain SQL that every back end runs: for what is asked seldom and means the same on each, so that it is written once.
//!
//! Statements are of the dialect SQLite and PostgreSQL share: whole numbers and texts only, `?1` for parameters. What is hot, or
//! differs, is a method of [`crate::Store`].

use std::any::Any;

use ginti_types::TenantId;

use crate::{StoreError, async_trait};

/// A parameter, or a column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number; booleans are 0 and 1.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

macro_rules! from {
    ($($type:ty => $value:ident: $make:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $make
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                value.map_or(Self::Null, Self::from)
            }
        }
    )*};
}

from! {
    i64 => value: Self::Int(value);
    bool => value: Self::Int(i64::from(value));
    &str => value: Self::Text(value.to_owned());
    String => value: Self::Text(value);
    &[u8] => value: Self::Blob(value.to_vec());
}

/// A row of an answer.
#[derive(Clone, Debug)]
pub struct SqlRow(pub Vec<Value>);

impl SqlRow {
    fn at(&self, column: usize) -> Result<&Value, StoreError> {
        self.0.get(column).ok_or_else(|| unexpected(format!("column {column} of {}", self.0.len())))
    }

    /// A number that may be missing.
    pub fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(*number)),
            other => Err(unexpected(format!("{other:?} in place of a number"))),
        }
    }

    /// A number.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.maybe_int(column)?.ok_or_else(|| unexpected("a missing number"))
    }

    /// Whether a number is not 0.
    pub fn bool(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    /// A number that is not below zero.
    pub fn count(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(unexpected)
    }

    /// A text that may be missing.
    pub fn maybe_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(unexpected(format!("{other:?} in place of a text"))),
        }
    }

    /// A text.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.maybe_text(column)?.ok_or_else(|| unexpected("a missing text"))
    }

    /// Bytes.
    pub fn blob(&self, column: usize) -> Result<&[u8], StoreError> {
        match self.at(column)? {
            Value::Blob(bytes) => Ok(bytes),
            other => Err(unexpected(format!("{other:?} in place of bytes"))),
        }
    }
}

/// Runs statements in a transaction.
#[async_trait]
pub trait Sql: Send {
    /// Rows that a statement gives.
    async fn query(&mut self, sql: &str, parameters: Vec<Value>) -> Result<Vec<SqlRow>, StoreError>;
    /// How many rows a statement changed.
    async fn execute(&mut self, sql: &str, parameters: Vec<Value>) -> Result<u64, StoreError>;
}

/// Whose rows statements may see and write. A database that can hold statements to it does so, whatever they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// This tenant's alone.
    Tenant(&'a TenantId),
    /// Everybody's: what the house does before it knows a tenant (somebody signs in, a token is shown), or for all of them (it
    /// delivers, looks for alerts, tidies up). Whoever writes this says why.
    House,
}

/// Statements that belong together.
#[async_trait]
pub trait Job: Send + Sync {
    /// Whose rows it is about.
    fn scope(&self) -> Scope<'_>;
    /// Whether it changes anything.
    fn writes(&self) -> bool;
    /// Rows it changes, about.
    fn weight(&self) -> usize;
    /// Does it, in a transaction. It may be done again, and then only the last time counts; it awaits nothing but `sql`.
    async fn run(&self, sql: &mut dyn Sql) -> Result<Box<dyn Any + Send>, StoreError>;
}

/// Something in the database that this program did not write there.
pub fn unexpected(what: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("the database holds something unexpected: {what}"))
}
