//! Transactions that say whose rows they are about. PostgreSQL holds them to it (migrations/0008_row_security.sql): a statement that
//! forgot its tenant finds nothing of anybody else's, and one outside of such a transaction finds nothing at all.

use std::ops::Deref;

use deadpool_postgres::{ClientWrapper, Object};
use futures_util::FutureExt as _;
use ginti_store::Scope;

use crate::{error::Fallible, keys::Keys};

/// Whose rows, by their keys.
#[derive(Debug)]
pub(crate) enum Whose {
    /// These tenants' alone; no keys for a tenant that is not there.
    Tenants(Vec<i64>),
    /// Everybody's. Whoever writes this says why.
    House,
}

/// A transaction that is about somebody's rows. Dropped without a commit, it is rolled back.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    client: &'a mut Object,
    is_over: bool,
}

impl<'a> Work<'a> {
    /// Begins it, without waiting: the database does what it is sent in that order, and where this fails, so does all that follows.
    pub(crate) fn begin(client: &'a mut Object, whose: &Whose) -> Self {
        match whose {
            Whose::House => send(client, "BEGIN; SET LOCAL ginti.house = 'yes'"),
            Whose::Tenants(keys) => match &keys[..] {
                [] => send(client, "BEGIN"),
                [key] => send(client, &format!("BEGIN; SET LOCAL ginti.tenant = '{key}'")),
                [key, others @ ..] => {
                    let others = others.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
                    let sql = format!("BEGIN; SET LOCAL ginti.tenant = '{key}'; SET LOCAL ginti.others = '{others}'");
                    send(client, &sql);
                }
            },
        }
        Self { client, is_over: false }
    }

    /// Ends it; what it changed is durable.
    pub(crate) async fn commit(mut self) -> Fallible<()> {
        self.is_over = true;
        Ok(self.client.batch_execute("COMMIT").await?)
    }
}

impl Deref for Work<'_> {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        self.client
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            send(self.client, "ROLLBACK");
        }
    }
}

/// Sends it and lets the answer go. What is sent when a connection has ended is lost, as is all that would follow.
fn send(client: &ClientWrapper, sql: &str) {
    drop(client.batch_execute(sql).now_or_never());
}

impl Keys {
    /// Begins a transaction in that scope.
    pub(crate) async fn begin<'a>(&self, client: &'a mut Object, scope: Scope<'_>) -> Fallible<Work<'a>> {
        let whose = match scope {
            Scope::House => Whose::House,
            Scope::Tenant(tenant) => Whose::Tenants(self.tenant(client, tenant).await?.into_iter().collect()),
        };
        Ok(Work::begin(client, &whose))
    }
}
