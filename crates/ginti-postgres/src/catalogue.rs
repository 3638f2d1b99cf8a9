//! Tenants, facilities and products.

use ginti_store::{Catalogue, Facility, Product, ProductPage, StoreError};
use ginti_types::{FacilityId, ProductId, TenantId};
use tokio_postgres::GenericClient;

use crate::{
    error::{Fallible, corrupt},
    keys::{need_tenant, tenant_key},
};

pub(crate) async fn products(
    client: &impl GenericClient,
    tenant: &TenantId,
    after: &str,
    limit: usize,
) -> Fallible<ProductPage> {
    let Some(key) = tenant_key(client, tenant).await? else {
        return Ok(ProductPage { products: Vec::new(), total: 0 });
    };
    let total: i64 = client.query_one("SELECT count(*) FROM product WHERE tenant_key = $1", &[&key]).await?.get(0);
    let sql = "SELECT product_id, name, sku, barcodes FROM product WHERE tenant_key = $1 AND product_id > $2
               ORDER BY product_id LIMIT $3";
    let rows = client.query(sql, &[&key, &after, &i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    let products = rows.iter().map(|row| {
        let id = ProductId::new(row.get::<_, String>(0)).map_err(corrupt)?;
        Ok(Product { id, name: row.get(1), sku: row.get(2), barcodes: row.get(3) })
    });
    Ok(ProductPage { products: products.collect::<Fallible<_>>()?, total: u64::try_from(total).map_err(corrupt)? })
}

pub(crate) async fn facilities(client: &impl GenericClient, tenant: &TenantId) -> Fallible<Vec<Facility>> {
    let sql = "SELECT facility_id, facility.name FROM facility JOIN tenant USING (tenant_key) WHERE tenant_id = $1
               ORDER BY facility_id";
    let rows = client.query(sql, &[&tenant.as_str()]).await?;
    rows.iter()
        .map(|row| Ok(Facility { id: FacilityId::new(row.get::<_, String>(0)).map_err(corrupt)?, name: row.get(1) }))
        .collect()
}

/// [`StoreError::Missing`] if the tenant has no such facility.
pub(crate) async fn need_facility(client: &impl GenericClient, tenant: i64, facility: &FacilityId) -> Fallible<()> {
    let sql = "SELECT 1 FROM facility WHERE tenant_key = $1 AND facility_id = $2";
    let found = client.query_opt(sql, &[&tenant, &facility.as_str()]).await?;
    found.ok_or_else(|| StoreError::Missing(format!("facility \"{facility}\"")))?;
    Ok(())
}

pub(crate) async fn put_products(
    client: &impl GenericClient,
    tenant: &TenantId,
    catalogue: &Catalogue,
) -> Fallible<()> {
    let key = need_tenant(client, tenant).await?;
    let sql = "INSERT INTO product (tenant_key, product_id, name, sku, barcodes) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (tenant_key, product_id)
               DO UPDATE SET name = excluded.name, sku = excluded.sku, barcodes = excluded.barcodes";
    let statement = client.prepare(sql).await?;
    // One after the other, as they may name an id twice, but without waiting for each answer.
    let added = catalogue.products.iter().map(|product| {
        let (statement, key) = (&statement, &key);
        async move {
            let id = product.id.as_str();
            client.execute(statement, &[key, &id, &product.name, &product.sku, &product.barcodes]).await
        }
    });
    futures_util::future::try_join_all(added).await?;
    Ok(())
}

pub(crate) async fn put_tenant(client: &impl GenericClient, tenant: &TenantId, name: &str) -> Fallible<()> {
    let sql = "INSERT INTO tenant (tenant_id, name) VALUES ($1, $2)
               ON CONFLICT (tenant_id) DO UPDATE SET name = excluded.name";
    client.execute(sql, &[&tenant.as_str(), &name]).await?;
    Ok(())
}

pub(crate) async fn put_facility(client: &impl GenericClient, tenant: &TenantId, facility: &Facility) -> Fallible<()> {
    let key = need_tenant(client, tenant).await?;
    let sql = "INSERT INTO facility (tenant_key, facility_id, name) VALUES ($1, $2, $3)
               ON CONFLICT (tenant_key, facility_id) DO UPDATE SET name = excluded.name";
    client.execute(sql, &[&key, &facility.id.as_str(), &facility.name]).await?;
    Ok(())
}
