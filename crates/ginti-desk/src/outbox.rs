//! What leaves the house. A message is written in the transaction that approves, raises or clears what it tells, and stays until
//! its receiver has confirmed it; what it says is read when it is sent, from lines that no longer change.

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, SqlRow, StoreError, Value, unexpected};
use ginti_types::Timestamp;
use serde_json::json;

use crate::{
    Alert, Op,
    alerts::ALERT,
    audit, rows,
    scope::{RunRow, in_stores, tenant_key},
};

/// How long a message belongs to the server that has taken it up, in milliseconds.
const LEASE_MS: i64 = 60_000;
/// After so many attempts a message waits for a person.
const ATTEMPTS_MAX: i64 = 20;

/// How a receiver wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverKind {
    /// Ginti's own JSON, one message for each store of a run.
    Webhook,
    /// As a Moqui/HotWax inventory import takes it.
    Moqui,
    /// Told of alerts instead of results, in Ginti's own JSON.
    Alerts,
}

impl ReceiverKind {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Moqui => "moqui",
            Self::Alerts => "alerts",
        }
    }

    /// From the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Webhook, Self::Moqui, Self::Alerts].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Somebody who is told of approved results, or of alerts.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its id within the tenant.
    pub id: String,
    /// How.
    pub kind: ReceiverKind,
    /// Where.
    pub url: String,
    /// Signs what is sent.
    pub secret: Vec<u8>,
    /// When it was added.
    pub created: Timestamp,
}

/// Adds a receiver, or changes the one of that id. Messages written from then on go there.
#[derive(Clone, Debug)]
pub struct PutReceiver {
    /// Who.
    pub access: Access,
    /// The receiver.
    pub receiver: Receiver,
}

#[async_trait]
impl Op for PutReceiver {
    type Out = ();
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let Receiver { id, kind, url, secret, created } = &self.receiver;
        let text = "INSERT INTO receiver (tenant_key, receiver_id, kind, url, secret, is_active, created)
                    VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)
                    ON CONFLICT (tenant_key, receiver_id) DO UPDATE SET kind = excluded.kind, url = excluded.url,
                        secret = excluded.secret, is_active = 1";
        let values = vec![
            tenant.into(),
            id.as_str().into(),
            kind.as_str().into(),
            url.as_str().into(),
            secret.as_slice().into(),
            created.unix_ms().into(),
        ];
        sql.execute(text, values).await?;
        let by = (*created, self.access.user.as_str());
        audit::note(sql, tenant, by, "receiver-put", id, &json!({ "kind": kind.as_str(), "url": url })).await?;
        Ok(())
    }
}

/// Stops telling a receiver. What waits for it is not sent any more. False: there is none of that id.
#[derive(Clone, Debug)]
pub struct RemoveReceiver {
    /// Who.
    pub access: Access,
    /// Its id.
    pub id: String,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for RemoveReceiver {
    type Out = bool;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = "UPDATE receiver SET is_active = 0 WHERE tenant_key = ?1 AND receiver_id = ?2 AND is_active = 1";
        if sql.execute(text, vec![tenant.into(), self.id.as_str().into()]).await? == 0 {
            return Ok(false);
        }
        let text = "UPDATE outbox SET next_attempt = NULL, last_error = 'The receiver was removed.'
                    WHERE delivered IS NULL AND receiver_key =
                        (SELECT receiver_key FROM receiver WHERE tenant_key = ?1 AND receiver_id = ?2)";
        sql.execute(text, vec![tenant.into(), self.id.as_str().into()]).await?;
        audit::note(sql, tenant, (self.now, self.access.user.as_str()), "receiver-removed", &self.id, &json!({}))
            .await?;
        Ok(true)
    }
}

/// Lists the receivers.
#[derive(Clone, Debug)]
pub struct ListReceivers {
    /// Who asks.
    pub access: Access,
}

#[async_trait]
impl Op for ListReceivers {
    type Out = Vec<Receiver>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<Receiver>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = "SELECT receiver_id, kind, url, secret, created FROM receiver
                    WHERE tenant_key = ?1 AND is_active = 1 ORDER BY receiver_id";
        sql.query(text, vec![tenant.into()]).await?.iter().map(|row| receiver(row, 0)).collect()
    }
}

fn receiver(row: &SqlRow, first: usize) -> Result<Receiver, StoreError> {
    let kind = row.text(first + 1)?;
    Ok(Receiver {
        id: row.text(first)?.to_owned(),
        kind: ReceiverKind::from_name(kind).ok_or_else(|| unexpected(kind))?,
        url: row.text(first + 2)?.to_owned(),
        secret: row.blob(first + 3)?.to_vec(),
        created: Timestamp::from_unix_ms(row.int(first + 4)?),
    })
}

/// Writes down what each receiver is to be told of these stores. `approval` makes the ids of the messages unique for ever.
pub(crate) async fn enqueue(
    sql: &mut dyn Sql,
    run: &RunRow,
    facilities: &[String],
    approval: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "SELECT receiver_key FROM receiver WHERE tenant_key = ?1 AND is_active = 1 AND kind <> 'alerts'
                ORDER BY receiver_key";
    let mut messages = Vec::new();
    for row in sql.query(text, vec![run.tenant.into()]).await? {
        let receiver = row.int(0)?;
        for facility in facilities {
            messages.push(vec![
                run.tenant.into(),
                receiver.into(),
                format!("approval-{approval}-{receiver}-{facility}").into(),
                run.key.into(),
                facility.as_str().into(),
                now.unix_ms().into(),
                now.unix_ms().into(),
            ]);
        }
    }
    let into = "outbox (tenant_key, receiver_key, message_id, run_key, facility_id, created, next_attempt)";
    rows::put(sql, into, "", messages).await
}

/// Writes down what each receiver of alerts is to be told: that an incident was raised, or has cleared.
pub(crate) async fn enqueue_alert(
    sql: &mut dyn Sql,
    (tenant, alert): (i64, i64),
    has_cleared: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "SELECT receiver_key FROM receiver WHERE tenant_key = ?1 AND is_active = 1 AND kind = 'alerts'
                ORDER BY receiver_key";
    let state = if has_cleared { "cleared" } else { "raised" };
    let mut messages = Vec::new();
    for row in sql.query(text, vec![tenant.into()]).await? {
        let receiver = row.int(0)?;
        messages.push(vec![
            tenant.into(),
            receiver.into(),
            format!("alert-{alert}-{state}-{receiver}").into(),
            alert.into(),
            has_cleared.into(),
            now.unix_ms().into(),
            now.unix_ms().into(),
        ]);
    }
    let into = "outbox (tenant_key, receiver_key, message_id, alert_key, alert_state, created, next_attempt)";
    rows::put(sql, into, "", messages).await
}

/// What one receiver is to be told.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number.
    pub key: i64,
    /// The idempotency key: the same for every attempt.
    pub id: String,
    /// To whom.
    pub receiver: Receiver,
    /// The tenant.
    pub tenant: String,
    /// When it was written: results are approved, an alert is raised or has cleared.
    pub created: Timestamp,
    /// Attempts before this one.
    pub attempts: i64,
    /// What it tells.
    pub about: About,
}

/// What a message tells.
#[derive(Clone, Debug)]
pub enum About {
    /// Of one store of a run.
    Results(Results),
    /// An incident was raised.
    Raised(Alert),
    /// It is over.
    Cleared(Alert),
}

/// What was approved in one store of a run.
#[derive(Clone, Debug)]
pub struct Results {
    /// The run.
    pub run: String,
    /// The run's name.
    pub run_name: String,
    /// The store.
    pub facility: String,
    /// The accepted lines.
    pub lines: Vec<MessageRow>,
}

/// An accepted line.
#[derive(Clone, Debug)]
pub struct MessageRow {
    /// The product.
    pub product: String,
    /// Micro-units that were expected.
    pub expected: Option<i64>,
    /// Micro-units that are there.
    pub quantity: i64,
}

/// Takes up messages whose time has come. They belong to whoever asked for a while.
#[derive(Clone, Debug)]
pub struct DueMessages {
    /// The server's clock.
    pub now: Timestamp,
    /// At most so many.
    pub limit: i64,
}

#[async_trait]
impl Op for DueMessages {
    type Out = Vec<Message>;
    const WRITES: bool = true;

    /// Deliveries are the house's work.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<Message>, StoreError> {
        let text = format!(
            "SELECT outbox_key, message_id, outbox.created, attempts, tenant_id, receiver_id, receiver.kind, url, secret,
                 receiver.created, run.run_key, run_id, run.name, outbox.facility_id, alert_state, {ALERT}
             FROM outbox JOIN receiver USING (receiver_key) JOIN tenant ON tenant.tenant_key = outbox.tenant_key
             LEFT JOIN run ON run.run_key = outbox.run_key LEFT JOIN alert ON alert.alert_key = outbox.alert_key
             WHERE next_attempt <= ?1 ORDER BY next_attempt, outbox_key LIMIT ?2"
        );
        let now = self.now.unix_ms();
        let mut taken = Vec::new();
        for row in sql.query(&text, vec![now.into(), self.limit.into()]).await? {
            let key = row.int(0)?;
            let text = "UPDATE outbox SET next_attempt = ?3 WHERE outbox_key = ?1 AND next_attempt <= ?2";
            let mine = sql.execute(text, vec![key.into(), now.into(), (now + LEASE_MS).into()]).await?;
            if mine == 1 {
                taken.push(message(sql, &row).await?);
            }
        }
        Ok(taken)
    }
}

async fn message(sql: &mut dyn Sql, row: &SqlRow) -> Result<Message, StoreError> {
    let about = match row.maybe_int(14)? {
        None => About::Results(results(sql, row).await?),
        Some(0) => About::Raised(Alert::of(row, 15)?),
        Some(_) => About::Cleared(Alert::of(row, 15)?),
    };
    Ok(Message {
        key: row.int(0)?,
        id: row.text(1)?.to_owned(),
        created: Timestamp::from_unix_ms(row.int(2)?),
        attempts: row.int(3)?,
        tenant: row.text(4)?.to_owned(),
        receiver: receiver(row, 5)?,
        about,
    })
}

async fn results(sql: &mut dyn Sql, row: &SqlRow) -> Result<Results, StoreError> {
    let facility = row.text(13)?;
    // What was rejected, or is a code of no product, is nothing to tell; what was not counted changes nothing.
    let text = "SELECT product_id, expected, coalesce(chosen, counted) FROM review_line
                WHERE run_key = ?1 AND facility_id = ?2 AND product_id IS NOT NULL
                    AND coalesce(decision, 'accept') = 'accept' AND coalesce(chosen, counted) IS NOT NULL ORDER BY subject";
    let found = sql.query(text, vec![row.int(10)?.into(), facility.into()]).await?;
    let line = |row: &SqlRow| {
        Ok(MessageRow { product: row.text(0)?.to_owned(), expected: row.maybe_int(1)?, quantity: row.int(2)? })
    };
    Ok(Results {
        run: row.text(11)?.to_owned(),
        run_name: row.text(12)?.to_owned(),
        facility: facility.to_owned(),
        lines: found.iter().map(line).collect::<Result<_, StoreError>>()?,
    })
}

/// Notes what came of an attempt.
#[derive(Clone, Debug)]
pub struct NoteAttempt {
    /// The message's number.
    pub key: i64,
    /// Why it did not arrive; none if it did.
    pub error: Option<String>,
    /// How long to wait before the next, in milliseconds.
    pub wait_ms: i64,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for NoteAttempt {
    type Out = ();
    const WRITES: bool = true;

    /// Deliveries are the house's work.
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let now = self.now.unix_ms();
        match &self.error {
            None => {
                let text =
                    "UPDATE outbox SET delivered = ?2, next_attempt = NULL, last_error = NULL, attempts = attempts + 1
                            WHERE outbox_key = ?1";
                sql.execute(text, vec![self.key.into(), now.into()]).await?;
            }
            Some(error) => {
                let text = format!(
                    "UPDATE outbox SET last_error = ?2, attempts = attempts + 1,
                         next_attempt = CASE WHEN attempts + 1 >= {ATTEMPTS_MAX} THEN NULL ELSE CAST(?3 AS bigint) END
                     WHERE outbox_key = ?1 AND delivered IS NULL"
                );
                let values = vec![self.key.into(), error.as_str().into(), (now + self.wait_ms).into()];
                sql.execute(&text, values).await?;
            }
        }
        Ok(())
    }
}

/// A message as a list shows it.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// Its number.
    pub key: i64,
    /// Its id.
    pub id: String,
    /// To whom.
    pub receiver: String,
    /// The run, if it tells of one,
    pub run: Option<String>,
    /// and the store.
    pub facility: Option<String>,
    /// The number of the alert, if it tells of one,
    pub alert: Option<i64>,
    /// and whether of its end.
    pub has_cleared: Option<bool>,
    /// When it was written.
    pub created: Timestamp,
    /// Attempts.
    pub attempts: u64,
    /// When it is tried next; none if it waits for a person, or has arrived.
    pub next_attempt: Option<Timestamp>,
    /// When it arrived.
    pub delivered: Option<Timestamp>,
    /// Why it has not.
    pub last_error: Option<String>,
}

/// Lists messages of the caller's stores, newest first; those that tell of alerts are for whoever sees every store.
#[derive(Clone, Debug)]
pub struct ListMessages {
    /// Who asks.
    pub access: Access,
    /// At most so many.
    pub limit: i64,
}

#[async_trait]
impl Op for ListMessages {
    type Out = Vec<Attempted>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Vec<Attempted>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let mut values: Vec<Value> = vec![tenant.into(), self.limit.into()];
        let stores = in_stores(&self.access, "outbox.facility_id", &mut values);
        let text = format!(
            "SELECT outbox_key, message_id, receiver_id, run_id, outbox.facility_id, outbox.created, attempts, next_attempt,
                 delivered, last_error, alert_key, alert_state
             FROM outbox JOIN receiver USING (receiver_key) LEFT JOIN run ON run.run_key = outbox.run_key
             WHERE outbox.tenant_key = ?1 AND {stores} ORDER BY outbox_key DESC LIMIT ?2"
        );
        let time = |row: &SqlRow, column| Ok::<_, StoreError>(row.maybe_int(column)?.map(Timestamp::from_unix_ms));
        let attempted = |row: &SqlRow| {
            Ok(Attempted {
                key: row.int(0)?,
                id: row.text(1)?.to_owned(),
                receiver: row.text(2)?.to_owned(),
                run: row.maybe_text(3)?.map(str::to_owned),
                facility: row.maybe_text(4)?.map(str::to_owned),
                alert: row.maybe_int(10)?,
                has_cleared: row.maybe_int(11)?.map(|state| state != 0),
                created: Timestamp::from_unix_ms(row.int(5)?),
                attempts: row.count(6)?,
                next_attempt: time(row, 7)?,
                delivered: time(row, 8)?,
                last_error: row.maybe_text(9)?.map(str::to_owned),
            })
        };
        sql.query(&text, values).await?.iter().map(attempted).collect()
    }
}

/// Tries a message again that waits for a person. False: there is none such.
#[derive(Clone, Debug)]
pub struct RetryMessage {
    /// Who.
    pub access: Access,
    /// Its number.
    pub key: i64,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for RetryMessage {
    type Out = bool;
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<bool, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let mut values: Vec<Value> = vec![self.key.into(), tenant.into(), self.now.unix_ms().into()];
        let stores = in_stores(&self.access, "facility_id", &mut values);
        let text = format!(
            "UPDATE outbox SET next_attempt = ?3, attempts = 0
             WHERE outbox_key = ?1 AND tenant_key = ?2 AND delivered IS NULL AND {stores}
                 AND receiver_key IN (SELECT receiver_key FROM receiver WHERE is_active = 1)"
        );
        Ok(sql.execute(&text, values).await? == 1)
    }
}
