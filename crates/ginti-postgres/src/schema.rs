//! Bringing a database's schema up to date, one server at a time, and telling whether the database is the one it was.

use ginti_store::StoreError;
use ginti_types::Epoch;
use tokio_postgres::{Client, GenericClient};

use crate::error::{Fallible, corrupt};

/// "GINTMIGR": whoever migrates holds this advisory lock; all others wait for it.
const MIGRATION_LOCK: i64 = 0x4749_4e54_4d49_4752;
/// Each brings the schema to the next version; they never change once released.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_start.sql"),
    include_str!("../migrations/0002_standing.sql"),
    include_str!("../migrations/0003_desk.sql"),
    include_str!("../migrations/0004_people.sql"),
    include_str!("../migrations/0005_desk_rare_lines.sql"),
    include_str!("../migrations/0006_alerts.sql"),
    include_str!("../migrations/0007_family_device.sql"),
    include_str!("../migrations/0008_row_security.sql"),
    include_str!("../migrations/0009_disabled.sql"),
];

/// Brings the schema to the newest version; makes an epoch for a new database, and another one for a database that was put
/// back from a copy.
pub(crate) async fn migrate(client: &mut Client) -> Fallible<()> {
    let transaction = client.transaction().await?;
    // Migrations are the house's, and take as long as there are rows.
    transaction.batch_execute("SET LOCAL ginti.house = 'yes'; SET LOCAL statement_timeout = 0").await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;
    let version = version_of(&transaction).await?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if version > known {
        return Err(StoreError::NewerSchema { found: version, known }.into());
    }
    for migration in MIGRATIONS.iter().skip(version as usize) {
        transaction.batch_execute(migration).await?;
    }
    if version < known {
        put_meta(&transaction, "schema-version", &known.to_string()).await?;
    }
    note_place(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Says so if PostgreSQL holds nobody to row-level security here: it never does superusers.
pub(crate) async fn check_row_security(client: &impl GenericClient) -> Fallible<()> {
    let row = client.query_one("SELECT row_security_active('item'), current_user::text", &[]).await?;
    if !row.get::<_, bool>(0) {
        tracing::warn!(
            "PostgreSQL does not hold the role \"{}\" to row-level security, because it is a superuser or may bypass it: only \
             Ginti's own statements keep companies apart. Make an ordinary role that owns the database, and let ginti connect as that \
             (docs/operating.md, \"PostgreSQL\").",
            row.get::<_, &str>(1)
        );
    }
    Ok(())
}

/// For a new connection, which may lead to another server than the last one: notes where it leads. Whether that is elsewhere:
/// remembered keys then mean nothing.
pub(crate) async fn check_place(client: &impl GenericClient) -> Fallible<bool> {
    if has_tables(client).await? { note_place(client).await } else { Ok(false) }
}

/// Asked as a query: a name looked up otherwise may be answered from what this connection remembers.
async fn has_tables(client: &impl GenericClient) -> Fallible<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'meta')";
    Ok(client.query_one(sql, &[]).await?.get(0))
}

async fn version_of(client: &impl GenericClient) -> Fallible<u32> {
    if has_tables(client).await? {
        let version = meta(client, "schema-version").await?;
        let version = version.ok_or_else(|| {
            StoreError::Failed(
                "the schema holds tables of another program. Give ginti a database of its own.".to_owned(),
            )
        })?;
        return version.parse().map_err(corrupt);
    }
    Ok(0)
}

/// A database knows where it lies: cluster, timeline and database. A dump that was read back or a cluster that was put back to
/// an earlier time lies elsewhere, and lacks what came after: its history is another one, and devices are told so. A standby
/// that took over also lies elsewhere; that costs devices a resend, and loses nothing.
async fn note_place(client: &impl GenericClient) -> Fallible<bool> {
    // The timeline of what is written now: that of the last checkpoint stays the former one for a while after a standby took over.
    let sql = "SELECT format('%s/%s/%s', (pg_control_system()).system_identifier,
                   ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
                   (SELECT oid FROM pg_database WHERE datname = current_database()))";
    let place: String = client.query_one(sql, &[]).await?.get(0);
    let known = meta(client, "place").await?;
    if known.as_deref() == Some(place.as_str()) {
        return Ok(false);
    }
    if known.is_some() {
        tracing::warn!(
            "the database was put back, or another server took over: devices are told, and send again what it may lack"
        );
    }
    put_meta(client, "place", &place).await?;
    put_meta(client, "epoch", &uuid::Uuid::new_v4().hyphenated().to_string()).await?;
    Ok(true)
}

/// The history this database belongs to.
pub(crate) async fn epoch(client: &impl GenericClient) -> Fallible<Epoch> {
    Epoch::new(meta(client, "epoch").await?.ok_or_else(|| corrupt("it has no epoch"))?).map_err(corrupt)
}

pub(crate) async fn meta(client: &impl GenericClient, name: &str) -> Fallible<Option<String>> {
    let row = client.query_opt("SELECT value FROM meta WHERE name = $1", &[&name]).await?;
    Ok(row.map(|row| row.get(0)))
}

pub(crate) async fn put_meta(client: &impl GenericClient, name: &str, value: &str) -> Fallible<()> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    client.execute(sql, &[&name, &value]).await?;
    Ok(())
}
