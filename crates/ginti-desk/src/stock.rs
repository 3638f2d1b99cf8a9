//! What should lie in a store, as another system says.

use async_trait::async_trait;
use ginti_store::{Sql, StoreError};
use ginti_types::{FacilityId, ProductId, TenantId, Timestamp};

use crate::{Op, rows, scope::tenant_key};

/// What should lie there of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockLine {
    /// Which.
    pub product: ProductId,
    /// Micro-units; below zero where the other system says so.
    pub on_hand: i64,
    /// Millionths of the currency a piece.
    pub unit_cost: Option<i64>,
}

/// Puts what should lie in a store, in the place of what was said before.
#[derive(Clone, Debug)]
pub struct PutStock {
    /// The tenant.
    pub tenant: TenantId,
    /// The store.
    pub facility: FacilityId,
    /// The lines; each product once.
    pub lines: Vec<StockLine>,
    /// As of when.
    pub now: Timestamp,
}

#[async_trait]
impl Op for PutStock {
    type Out = ();
    const WRITES: bool = true;

    fn weight(&self) -> usize {
        self.lines.len()
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let tenant = tenant_key(sql, &self.tenant).await?;
        let row = |line: &StockLine| {
            vec![
                tenant.into(),
                self.facility.as_str().into(),
                line.product.as_str().into(),
                line.on_hand.into(),
                line.unit_cost.into(),
                self.now.unix_ms().into(),
            ]
        };
        let into = "stock (tenant_key, facility_id, product_id, on_hand, unit_cost, as_of)";
        // A file that gives no cost leaves the one that is known.
        let conflict = "ON CONFLICT (tenant_key, facility_id, product_id) DO UPDATE SET on_hand = excluded.on_hand,
                            unit_cost = coalesce(excluded.unit_cost, stock.unit_cost), as_of = excluded.as_of";
        rows::put(sql, into, conflict, self.lines.iter().map(row).collect()).await
    }
}
