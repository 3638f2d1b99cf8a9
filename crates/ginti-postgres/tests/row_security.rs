//! Row-level security: PostgreSQL itself keeps companies apart, whatever a statement forgot.

use std::{
    any::Any,
    io::Write,
    sync::{Arc, Mutex},
};

use ginti_cluster::{Database, execute};
use ginti_postgres::{Options, PostgresStore};
use ginti_store::{Job, Scope, Sql, Store, StoreError, async_trait};
use ginti_types::TenantId;
use tokio_postgres::{Client, NoTls, error::SqlState};

/// Tables that are nobody's.
const UNGUARDED: [(&str, &str); 4] = [
    ("meta", "the database's identity and version"),
    ("secret", "the server's keys"),
    ("ledger", "one number, over all"),
    ("alert_look", "one row, which one server holds at a time"),
];

/// A row in each table for the tenant whose key stands in `ginti.tenant`, and whose id is TENANT.
const ROWS: &str = "
    INSERT INTO facility (tenant_key, facility_id, name) VALUES (:tenant, 'F', 'Shop');
    INSERT INTO person (tenant_key, user_login_id) VALUES (:tenant, 'ann');
    INSERT INTO account (user_login_id, tenant_key, name, role, password_hash)
        VALUES ('ann of TENANT', :tenant, 'Ann', 'admin', '-');
    INSERT INTO refresh_family (tenant_key, user_login_id, expires) VALUES (:tenant, 'ann', 9);
    INSERT INTO refresh_token (hash, family)
        SELECT convert_to('TENANT', 'UTF8'), family FROM refresh_family WHERE tenant_key = :tenant;
    INSERT INTO device (tenant_key, device_id, first_seen, last_seen) VALUES (:tenant, 'd', 1, 1);
    INSERT INTO family_device (device_key, family) SELECT :device, family FROM refresh_family WHERE tenant_key = :tenant;
    INSERT INTO device_person (device_key, person_key) VALUES (:device, :person);
    INSERT INTO device_report (device_key, reported_at, reported_by, details) VALUES (:device, 1, :person, '{}');
    INSERT INTO nudge (device_key, kind, asked_at, asked_by) VALUES (:device, 'flush', 1, 'ann');
    INSERT INTO retry_hour (device_key, at_hour, retries) VALUES (:device, 1, 1);
    INSERT INTO product (tenant_key, product_id, name, barcodes) VALUES (:tenant, 'P', 'Pear', '{}');
    INSERT INTO stock (tenant_key, facility_id, product_id, on_hand, as_of) VALUES (:tenant, 'F', 'P', 1, 1);
    INSERT INTO run (tenant_key, run_id, name, created) VALUES (:tenant, 'R', 'Run', 1);
    INSERT INTO session (tenant_key, session_id, name, facility_id, purpose, status, created, run_key)
        VALUES (:tenant, 'S', 'Shelves', 'F', 'HARD_COUNT', 'SESSION_ASSIGNED', 1, :run);
    INSERT INTO assignment (session_key, item_seq, product_id) VALUES (:session, '1', 'P');
    INSERT INTO arrival (last_seq, session_key, device_key, received_at, sent_by, batch_id, count, oldest, newest, entries)
        VALUES (:tenant, :session, :device, 1, :person, '', 1, 1, 1, '');
    INSERT INTO item (session_key, item_seq, revision, device_key) VALUES (:session, '1', 1, :device);
    INSERT INTO receipt (tenant_key, batch_id, digest, ledger_seq, server_time) VALUES (:tenant, '', '', 1, 1);
    INSERT INTO statement (session_key, device_key, item_count, digest, unsent, stated) VALUES (:session, :device, 1, '', 0, 1);
    INSERT INTO session_event (session_key, at, done_by, from_status, to_status, left_behind)
        VALUES (:session, 1, 'ann', 'SESSION_CREATED', 'SESSION_ASSIGNED', '[]');
    INSERT INTO refused (session_key, device_key, refused_at, code) VALUES (:session, :device, 1, 'x');
    INSERT INTO refusal_hour (tenant_key, at_hour, facility_id, code, refused) VALUES (:tenant, 1, 'F', 'x', 1);
    INSERT INTO review_part (session_key, subject, run_key, facility_id, counted, row_count, device_count, contested, late, recount)
        VALUES (:session, 'P', :run, 'F', 1, 1, 1, 0, 0, 0);
    INSERT INTO review_line (run_key, facility_id, subject, session_count, device_count, late, recount, attention, difference, weight)
        VALUES (:run, 'F', 'P', 1, 1, 0, 0, 0, 0, 0);
    INSERT INTO audit (tenant_key, at, done_by, action, subject, details) VALUES (:tenant, 1, 'ann', 'x', 'x', '{}');
    INSERT INTO receiver (tenant_key, receiver_id, kind, url, secret, created) VALUES (:tenant, 'X', 'webhook', '-', '', 1);
    INSERT INTO outbox (tenant_key, receiver_key, message_id, run_key, facility_id, created)
        SELECT :tenant, receiver_key, 'TENANT', :run, 'F', 1 FROM receiver WHERE tenant_key = :tenant;
    INSERT INTO api_token (tenant_key, user_login_id, name, role, hash, created, created_by)
        VALUES (:tenant, 'token:x', 'x', 'manager', convert_to('TENANT', 'UTF8'), 1, 'ann');
    INSERT INTO invitation (tenant_key, user_login_id, hash, placeholder, created, created_by, expires)
        VALUES (:tenant, 'ben', convert_to('TENANT', 'UTF8'), '-', 1, 'ann', 9);
    INSERT INTO alert_rule (tenant_key, kind, is_active) VALUES (:tenant, 'x', 1);
    INSERT INTO alert (tenant_key, kind, subject, details, raised) VALUES (:tenant, 'x', 'd', '{}', 1);
";

/// A connection that goes past the store.
async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn open(url: &str) -> PostgresStore {
    PostgresStore::connect(url, Options::default()).await.unwrap()
}

/// Adds a tenant with a row in each table; its key.
async fn fill(superuser: &Client, tenant: &str) -> i64 {
    let sql = "INSERT INTO tenant (tenant_id, name) VALUES ($1, $1) RETURNING tenant_key";
    let key: i64 = superuser.query_one(sql, &[&tenant]).await.unwrap().get(0);
    let of = |column: &str, table: &str| format!("(SELECT {column} FROM {table} WHERE tenant_key = {key})");
    let rows = ROWS
        .replace(":device", &of("device_key", "device"))
        .replace(":person", &of("person_key", "person"))
        .replace(":run", &of("run_key", "run"))
        .replace(":session", &of("session_key", "session"))
        .replace(":tenant", &key.to_string())
        .replace("TENANT", tenant);
    superuser.batch_execute(&format!("SET ginti.tenant = '{key}'; {rows}")).await.unwrap();
    key
}

/// The tables that are somebody's, and the column that says whose.
async fn guarded(superuser: &Client) -> Vec<(String, String)> {
    let sql = "SELECT relname::text, attname::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
               WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attname IN ('tenant_key', 'of_tenant')";
    superuser.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn count(client: &Client, from: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {from}"), &[]).await.unwrap().get(0)
}

/// Says whose rows the connection is about from here on.
async fn about(client: &Client, tenant: i64) {
    client.batch_execute(&format!("SET ginti.tenant = '{tenant}'")).await.unwrap();
}

async fn is_refused(client: &Client, sql: &str) -> bool {
    match client.execute(sql, &[]).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {error:?}");
            true
        }
    }
}

#[tokio::test]
async fn every_table_is_guarded_or_nobodys() {
    let database = Database::new().await.unwrap();
    open(&database.url).await;
    let superuser = connect(&database.superuser_url).await;
    let sql = "SELECT relname::text, relrowsecurity AND relforcerowsecurity,
                   (SELECT count(*) FROM pg_policy WHERE polrelid = pg_class.oid AND polcmd = '*' AND polpermissive),
                   (SELECT count(*) FROM pg_policy WHERE polrelid = pg_class.oid),
                   EXISTS (SELECT FROM pg_attribute
                       WHERE attrelid = pg_class.oid AND attname IN ('tenant_key', 'of_tenant') AND attnotnull)
               FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'f')";
    let tables = superuser.query(sql, &[]).await.unwrap();
    assert!(tables.len() > 30, "{}", tables.len());
    for row in &tables {
        let name: &str = row.get(0);
        if UNGUARDED.iter().any(|(unguarded, _)| *unguarded == name) {
            continue;
        }
        let (is_forced, whole, all, says_whose): (bool, i64, i64, bool) =
            (row.get(1), row.get(2), row.get(3), row.get(4));
        assert!(
            is_forced && whole == 1 && all == 1 && says_whose,
            "{name}: a table with a tenant's data has a column tenant_key or of_tenant, row-level security enabled and forced, and \
             the policy \"whose\" alone, as in migrations/0008_row_security.sql. One that is nobody's stands in UNGUARDED."
        );
    }
    for (name, reason) in UNGUARDED {
        assert!(tables.iter().any(|row| row.get::<_, &str>(0) == name), "{name} is gone: {reason}");
    }
}

#[tokio::test]
async fn a_statement_without_a_condition_reaches_no_other_companys_rows() {
    let database = Database::new().await.unwrap();
    open(&database.url).await;
    let superuser = connect(&database.superuser_url).await;
    let (ours, theirs) = (fill(&superuser, "acme").await, fill(&superuser, "rival").await);
    let guarded = guarded(&superuser).await;
    assert!(guarded.len() > 30, "{guarded:?}");
    execute(&database.superuser_url, "CREATE SCHEMA copies; GRANT USAGE ON SCHEMA copies TO ginti").await.unwrap();
    let (client, silent) = (connect(&database.url).await, connect(&database.url).await);
    about(&client, ours).await;
    for (table, whose) in &guarded {
        let copy = format!(
            "CREATE TABLE copies.{table} AS SELECT * FROM {table} WHERE {whose} = {theirs}; GRANT SELECT ON copies.{table} TO ginti"
        );
        superuser.batch_execute(&copy).await.unwrap();
        assert_eq!(count(&superuser, &format!("copies.{table}")).await, 1, "{table}: ROWS lacks a row for it");

        assert_eq!(count(&client, table).await, 1, "{table}");
        assert_eq!(count(&client, &format!("{table} WHERE {whose} = {theirs}")).await, 0, "{table}");
        let insert = format!("INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM copies.{table}");
        assert!(is_refused(&client, &insert).await, "{table}: another company's row was added");
        if table == "tenant" {
            // Its key is made by the database alone.
            assert_eq!(client.execute("UPDATE tenant SET name = 'x'", &[]).await.unwrap(), 1);
        } else {
            let give = format!("UPDATE {table} SET {whose} = {theirs}");
            assert!(is_refused(&client, &give).await, "{table}: a row was given to another company");
            let take = format!("UPDATE {table} SET {whose} = {ours}");
            assert_eq!(client.execute(&take, &[]).await.unwrap(), 1, "{table}");
        }

        assert_eq!(count(&silent, table).await, 0, "{table}: seen without a word of whose");
        assert_eq!(silent.execute(&format!("DELETE FROM {table}"), &[]).await.unwrap(), 0, "{table}");
        assert!(is_refused(&silent, &insert).await, "{table}: added without a word of whose");
    }
    // Rows that others hang on go last.
    let mut left: Vec<_> = guarded.iter().map(|(table, _)| table).collect();
    while !left.is_empty() {
        let before = left.len();
        let mut still = Vec::new();
        for table in left {
            match client.execute(&format!("DELETE FROM {table}"), &[]).await {
                // What the database took along with another table's row is gone already.
                Ok(deleted) => assert!(
                    deleted == 1 || ["family_device", "refresh_token"].contains(&table.as_str()),
                    "{table}: {deleted}"
                ),
                Err(error) => {
                    assert_eq!(error.code(), Some(&SqlState::FOREIGN_KEY_VIOLATION), "{table}: {error:?}");
                    still.push(table);
                }
            }
        }
        assert!(still.len() < before, "{still:?}");
        left = still;
    }
    for (table, whose) in &guarded {
        let same = format!("(TABLE {table} INTERSECT TABLE copies.{table}) AS same WHERE {whose} = {theirs}");
        assert_eq!(count(&superuser, &same).await, 1, "{table}: the other company's row is not what it was");
    }
    silent.batch_execute(&format!("SET ginti.tenant = '{ours}'; SET ginti.others = '0,{theirs}'")).await.unwrap();
    assert_eq!(count(&silent, "session").await, 1, "one of several is enough");
    let child =
        "INSERT INTO nudge (device_key, kind, asked_at, asked_by) SELECT device_key, 'sign-in', 1, '' FROM device";
    assert!(is_refused(&silent, child).await, "of several it has to be said whose");
    silent.batch_execute("SET ginti.tenant = ''; SET ginti.others = ''").await.unwrap();
    assert_eq!(count(&silent, "session").await, 0);
    silent.batch_execute("SET ginti.house = 'yes'").await.unwrap();
    assert_eq!(count(&silent, "session").await, 1, "the house sees what is left");
}

/// Asks for whatever rows there are.
struct Peek(Option<TenantId>);

#[async_trait]
impl Job for Peek {
    fn scope(&self) -> Scope<'_> {
        self.0.as_ref().map_or(Scope::House, Scope::Tenant)
    }

    fn writes(&self) -> bool {
        true
    }

    fn weight(&self) -> usize {
        1
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Box<dyn Any + Send>, StoreError> {
        let changed = sql.execute("UPDATE item SET revision = revision + 1", Vec::new()).await?;
        let seen = sql.query("SELECT session_key FROM session", Vec::new()).await?.len();
        Ok(Box::new((changed, seen)))
    }
}

#[tokio::test]
async fn a_job_is_held_to_its_tenant() {
    let database = Database::new().await.unwrap();
    let store = open(&database.url).await;
    let superuser = connect(&database.superuser_url).await;
    fill(&superuser, "acme").await;
    fill(&superuser, "rival").await;
    let peek = async |tenant: Option<&str>| {
        let job = Peek(tenant.map(|tenant| TenantId::new(tenant).unwrap()));
        *store.work(Arc::new(job)).await.unwrap().downcast::<(u64, usize)>().unwrap()
    };
    // One after the other, so that they have the same connection.
    assert_eq!(peek(None).await, (2, 2), "the house sees both");
    assert_eq!(peek(Some("acme")).await, (1, 1));
    assert_eq!(peek(Some("nobody")).await, (0, 0), "nothing is left of what was said before");
    assert_eq!(peek(Some("rival")).await, (1, 1));
}

#[tokio::test]
async fn rows_of_an_older_database_get_their_tenant() {
    let database = Database::new().await.unwrap();
    for migration in [
        include_str!("../migrations/0001_start.sql"),
        include_str!("../migrations/0002_standing.sql"),
        include_str!("../migrations/0003_desk.sql"),
        include_str!("../migrations/0004_people.sql"),
        include_str!("../migrations/0005_desk_rare_lines.sql"),
        include_str!("../migrations/0006_alerts.sql"),
        include_str!("../migrations/0007_family_device.sql"),
        "INSERT INTO meta (name, value) VALUES ('schema-version', '7')",
    ] {
        execute(&database.url, migration).await.unwrap();
    }
    let superuser = connect(&database.superuser_url).await;
    let tenants = [fill(&superuser, "acme").await, fill(&superuser, "rival").await];
    open(&database.url).await;
    for (table, whose) in guarded(&superuser).await {
        for tenant in tenants {
            assert_eq!(count(&superuser, &format!("{table} WHERE {whose} = {tenant}")).await, 1, "{table}");
        }
    }
    let sql = "item JOIN session USING (session_key) WHERE of_tenant = tenant_key";
    assert_eq!(count(&superuser, sql).await, 2, "each its session's");
}

/// Lines of the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_role_that_nothing_is_hidden_from_is_warned_of() {
    let database = Database::new().await.unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    open(&database.url).await.close().await.unwrap();
    assert!(!log.text().contains("row-level security"), "{}", log.text());
    open(&database.superuser_url).await.close().await.unwrap();
    let text = log.text();
    assert!(text.contains("WARN") && text.contains("Make an ordinary role that owns the database"), "{text}");
    assert!(text.contains("the role \"postgres\""), "{text}");
}
