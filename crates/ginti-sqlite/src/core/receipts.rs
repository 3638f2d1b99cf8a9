//! Remembered receipts: a convenience that answers a repeated batch with the same receipt. Correctness never rests on them.

use ginti_store::{Import, all_applied, is_all_applied};
use ginti_types::{Epoch, Receipt, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::Core;
use crate::error::{Fallible, corrupt};

/// Between two prunings.
const PRUNE_EVERY_IMPORTS: u32 = 64;
/// One pruning looks at so many of the oldest: no transaction grows long by it, and it outruns what comes in.
const PRUNE_RANGE: i64 = 256;

/// What is remembered under a batch id.
pub(super) enum Remembered {
    Same(Receipt),
    OtherContent,
}

impl Core {
    pub(super) fn remembered(&self, tenant: i64, import: &Import, epoch: &Epoch) -> Fallible<Option<Remembered>> {
        let sql = "SELECT digest, ledger_seq, server_time, items FROM receipt WHERE tenant_key = ?1 AND batch_id = ?2";
        let found = self
            .conn
            .prepare_cached(sql)?
            .query_row(params![tenant, import.batch_id.as_bytes()], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<String>>(3)?))
            })
            .optional()?;
        let Some((digest, ledger_seq, server_time, items)) = found else { return Ok(None) };
        if digest != import.digest {
            return Ok(Some(Remembered::OtherContent));
        }
        let items = match items {
            Some(json) => serde_json::from_str(&json).map_err(corrupt)?,
            None => all_applied(import),
        };
        Ok(Some(Remembered::Same(Receipt {
            batch_id: import.batch_id,
            epoch: epoch.clone(),
            ledger_seq,
            server_time: Timestamp::from_unix_ms(server_time),
            items,
        })))
    }

    pub(super) fn remember(&mut self, tenant: i64, import: &Import, receipt: &Receipt) -> Fallible<()> {
        let is_plain = is_all_applied(import, &receipt.items);
        let items = if is_plain { None } else { Some(serde_json::to_string(&receipt.items).map_err(corrupt)?) };
        let sql = "INSERT INTO receipt (tenant_key, batch_id, digest, ledger_seq, server_time, items)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.conn.prepare_cached(sql)?.execute(params![
            tenant,
            import.batch_id.as_bytes(),
            import.digest,
            receipt.ledger_seq,
            receipt.server_time.unix_ms(),
            items
        ])?;
        self.imports_since_prune += 1;
        if self.imports_since_prune >= PRUNE_EVERY_IMPORTS {
            self.imports_since_prune = 0;
            self.prune(import.now)?;
        }
        Ok(())
    }

    fn prune(&mut self, now: Timestamp) -> Fallible<()> {
        let sql = "DELETE FROM receipt
                   WHERE receipt_key < (SELECT min(receipt_key) FROM receipt) + ?1 AND server_time < ?2";
        let before = now.unix_ms().saturating_sub(self.receipts_kept_ms);
        self.conn.prepare_cached(sql)?.execute(params![PRUNE_RANGE, before])?;
        Ok(())
    }
}
