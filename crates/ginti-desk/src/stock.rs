//! What should lie in a store, as another system says.

use std::collections::HashMap;

use async_trait::async_trait;
use ginti_store::{Access, Scope, Sql, StoreError, Value};
use ginti_types::{FacilityId, ProductId, SessionId, TenantId, Timestamp};

use crate::{
    Op, rows,
    scope::{may_see, tenant_key},
};

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

/// What a list's lines are expected to come to, as far as whoever counts may know: nothing of a blind count.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Who asks.
    pub access: Access,
    /// The session.
    pub session: SessionId,
    /// The products.
    pub products: Vec<ProductId>,
}

#[async_trait]
impl Op for Expected {
    type Out = HashMap<String, i64>;
    const WRITES: bool = false;

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.access.tenant)
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<HashMap<String, i64>, StoreError> {
        const AT_ONCE: usize = 200;
        let mut expected = HashMap::new();
        let text = "SELECT session.tenant_key, facility_id FROM session
                    JOIN tenant ON tenant.tenant_key = session.tenant_key
                    WHERE tenant_id = ?1 AND session_id = ?2 AND is_blind = 0";
        let found = sql.query(text, vec![self.access.tenant.as_str().into(), self.session.as_str().into()]).await?;
        let Some(session) = found.first() else { return Ok(expected) };
        if !may_see(&self.access, session.text(1)?) {
            return Ok(expected);
        }
        let places: Vec<_> = (3..AT_ONCE + 3).map(|place| format!("?{place}")).collect();
        let text = format!(
            "SELECT product_id, on_hand FROM stock WHERE tenant_key = ?1 AND facility_id = ?2 AND product_id IN ({})",
            places.join(", ")
        );
        for chunk in self.products.chunks(AT_ONCE) {
            let mut values: Vec<Value> = vec![session.int(0)?.into(), session.text(1)?.into()];
            values.extend(chunk.iter().map(|product| Value::from(product.as_str())));
            values.resize(AT_ONCE + 2, Value::Null);
            for row in sql.query(&text, values).await? {
                expected.insert(row.text(0)?.to_owned(), row.int(1)?);
            }
        }
        Ok(expected)
    }
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

    fn scope(&self) -> Scope<'_> {
        Scope::Tenant(&self.tenant)
    }

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
