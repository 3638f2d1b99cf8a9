//! Who decided what, and when.

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, StoreError, unexpected};
use ginti_types::Timestamp;
use serde_json::Value as Json;

use crate::{Op, scope::tenant_key};

/// Writes a decision down; its number.
pub(crate) async fn note(
    sql: &mut dyn Sql,
    tenant: i64,
    (at, by): (Timestamp, &str),
    action: &str,
    subject: &str,
    details: &Json,
) -> Result<i64, StoreError> {
    let text = "INSERT INTO audit (tenant_key, at, done_by, action, subject, details)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING audit_key";
    let values =
        vec![tenant.into(), at.unix_ms().into(), by.into(), action.into(), subject.into(), details.to_string().into()];
    let rows = sql.query(text, values).await?;
    rows.first().ok_or_else(|| unexpected("no number for an entry"))?.int(0)
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What was done: a stable name.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The particulars.
    pub details: Json,
    /// It was taken back.
    pub is_undone: bool,
}

/// Entries, newest first.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
}

/// Asks for the log, newest first, below a number.
#[derive(Clone, Debug)]
pub struct ListAudit {
    /// Who asks.
    pub access: Access,
    /// Below this entry's number; none from the newest.
    pub before: Option<i64>,
    /// Only of this subject.
    pub subject: Option<String>,
    /// At most so many.
    pub limit: i64,
}

#[async_trait]
impl Op for ListAudit {
    type Out = AuditPage;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<AuditPage, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let text = "SELECT audit_key, at, done_by, action, subject, details, undone FROM audit
                    WHERE tenant_key = ?1 AND audit_key < ?2 AND (CAST(?3 AS text) IS NULL OR subject = ?3)
                    ORDER BY audit_key DESC LIMIT ?4";
        let before = self.before.unwrap_or(i64::MAX);
        let rows =
            sql.query(text, vec![tenant.into(), before.into(), self.subject.clone().into(), self.limit.into()]).await?;
        let mut entries = Vec::new();
        for row in &rows {
            entries.push(AuditEntry {
                id: row.int(0)?,
                at: Timestamp::from_unix_ms(row.int(1)?),
                by: row.text(2)?.to_owned(),
                action: row.text(3)?.to_owned(),
                subject: row.text(4)?.to_owned(),
                details: serde_json::from_str(row.text(5)?).map_err(unexpected)?,
                is_undone: row.bool(6)?,
            });
        }
        Ok(AuditPage { entries })
    }
}

/// Writes down what was decided elsewhere.
#[derive(Clone, Debug)]
pub struct NoteAudit {
    /// Who.
    pub access: Access,
    /// What: a stable name.
    pub action: &'static str,
    /// To what.
    pub subject: String,
    /// The particulars.
    pub details: Json,
    /// The server's clock.
    pub now: Timestamp,
}

#[async_trait]
impl Op for NoteAudit {
    type Out = ();
    const WRITES: bool = true;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        let by = (self.now, self.access.user.as_str());
        note(sql, tenant, by, self.action, &self.subject, &self.details).await.map(drop)
    }
}
