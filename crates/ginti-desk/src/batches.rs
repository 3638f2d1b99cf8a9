//! What became of a batch, by its id: what a person at a device reads out when something seems to be missing.

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, StoreError};
use ginti_types::{BatchId, Timestamp};

use crate::{
    Op,
    scope::{may_see, tenant_key},
};

/// A batch that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchFound {
    /// Its session.
    pub session: String,
    /// The session's name.
    pub session_name: String,
    /// The device whose stamps it had.
    pub device: String,
    /// Who sent it.
    pub sent_by: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Counts of it that are in history.
    pub counts: u64,
}

/// Looks for a batch. `None`: it never arrived, nothing of it was kept, or it is not the caller's to see.
#[derive(Clone, Debug)]
pub struct FindBatch {
    /// Who asks.
    pub access: Access,
    /// The batch.
    pub batch: BatchId,
}

#[async_trait]
impl Op for FindBatch {
    type Out = Option<BatchFound>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Option<BatchFound>, StoreError> {
        let tenant = tenant_key(sql, &self.access.tenant).await?;
        // By the remembered receipt, which says where in the ledger; history is in the ledger's order and has no other key.
        let text = "SELECT session_id, session.name, facility_id, device_id, user_login_id, received_at, count
                    FROM receipt JOIN arrival ON arrival.last_seq = receipt.ledger_seq AND arrival.batch_id = receipt.batch_id
                    JOIN session ON session.session_key = arrival.session_key
                    JOIN device ON device.device_key = arrival.device_key JOIN person ON person.person_key = sent_by
                    WHERE receipt.tenant_key = ?1 AND receipt.batch_id = ?2 AND session.tenant_key = ?1";
        let values = vec![tenant.into(), self.batch.as_bytes().as_slice().into()];
        let found = sql.query(text, values).await?;
        let Some(row) = found.first() else { return Ok(None) };
        if !may_see(&self.access, row.text(2)?) {
            return Ok(None);
        }
        Ok(Some(BatchFound {
            session: row.text(0)?.to_owned(),
            session_name: row.text(1)?.to_owned(),
            device: row.text(3)?.to_owned(),
            sent_by: row.text(4)?.to_owned(),
            received_at: Timestamp::from_unix_ms(row.int(5)?),
            counts: row.count(6)?,
        }))
    }
}
