//! Tenants, facilities and products.

use ginti_store::{Catalogue, Facility, Product, ProductPage, StoreError};
use ginti_types::{FacilityId, ProductId, TenantId};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Core,
    intern::{id, need_tenant, tenant_key},
};
use crate::error::{Fallible, corrupt};

pub(crate) fn products(conn: &Connection, tenant: &TenantId, after: &str, limit: usize) -> Fallible<ProductPage> {
    let Some(key) = tenant_key(conn, tenant)? else { return Ok(ProductPage { products: Vec::new(), total: 0 }) };
    let total = conn
        .prepare_cached("SELECT count(*) FROM product WHERE tenant_key = ?1")?
        .query_row([key], |row| row.get(0))?;
    let sql = "SELECT product_id, name, sku, barcodes FROM product WHERE tenant_key = ?1 AND product_id > ?2
               ORDER BY product_id LIMIT ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![key, after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut products = Vec::new();
    while let Some(row) = rows.next()? {
        products.push(Product {
            id: id(row, 0, ProductId::new)?,
            name: row.get(1)?,
            sku: row.get(2)?,
            barcodes: serde_json::from_str(&row.get::<_, String>(3)?).map_err(corrupt)?,
        });
    }
    Ok(ProductPage { products, total })
}

pub(crate) fn facilities(conn: &Connection, tenant: &TenantId) -> Fallible<Vec<Facility>> {
    let sql = "SELECT facility_id, facility.name FROM facility JOIN tenant USING (tenant_key) WHERE tenant_id = ?1
               ORDER BY facility_id";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut facilities = Vec::new();
    while let Some(row) = rows.next()? {
        facilities.push(Facility { id: id(row, 0, FacilityId::new)?, name: row.get(1)? });
    }
    Ok(facilities)
}

/// [`StoreError::Missing`] if the tenant has no such facility.
pub(super) fn need_facility(conn: &Connection, tenant: i64, facility: &FacilityId) -> Fallible<()> {
    let sql = "SELECT 1 FROM facility WHERE tenant_key = ?1 AND facility_id = ?2";
    let found = conn.prepare_cached(sql)?.query_row(params![tenant, facility.as_str()], |_| Ok(())).optional()?;
    Ok(found.ok_or_else(|| StoreError::Missing(format!("facility \"{facility}\"")))?)
}

impl Core {
    pub(crate) fn put_products(&mut self, tenant: &TenantId, catalogue: &Catalogue) -> Fallible<()> {
        let key = need_tenant(&self.conn, tenant)?;
        let sql = "INSERT INTO product (tenant_key, product_id, name, sku, barcodes) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO UPDATE SET name = excluded.name, sku = excluded.sku, barcodes = excluded.barcodes";
        let mut statement = self.conn.prepare_cached(sql)?;
        for product in &catalogue.products {
            let barcodes = serde_json::Value::from(product.barcodes.as_slice()).to_string();
            statement.execute(params![key, product.id.as_str(), product.name, product.sku, barcodes])?;
        }
        Ok(())
    }

    pub(crate) fn put_tenant(&mut self, tenant: &TenantId, name: &str) -> Fallible<()> {
        let sql = "INSERT INTO tenant (tenant_id, name) VALUES (?1, ?2)
                   ON CONFLICT (tenant_id) DO UPDATE SET name = excluded.name";
        self.conn.execute(sql, params![tenant.as_str(), name])?;
        Ok(())
    }

    pub(crate) fn put_facility(&mut self, tenant: &TenantId, facility: &Facility) -> Fallible<()> {
        let key = need_tenant(&self.conn, tenant)?;
        let sql = "INSERT INTO facility (tenant_key, facility_id, name) VALUES (?1, ?2, ?3)
                   ON CONFLICT DO UPDATE SET name = excluded.name";
        self.conn.execute(sql, params![key, facility.id.as_str(), facility.name])?;
        Ok(())
    }
}
