//! Facilities and products.

use ginti_types::ProductId;

use super::{
    Fixture,
    world::{facility, new_session, new_user, tenant, world},
};
use crate::{Catalogue, Facility, Product, StoreError};

fn product(id: &str, name: &str, barcodes: &[&str]) -> Product {
    Product {
        id: ProductId::new(id).unwrap(),
        name: name.to_owned(),
        sku: (!barcodes.is_empty()).then(|| format!("sku-{id}")),
        barcodes: barcodes.iter().map(|&code| code.to_owned()).collect(),
    }
}

/// Adding again renames; names are the tenant's own.
pub async fn facilities_are_listed_and_renamed(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    store.put_facility(&acme, &Facility { id: facility("F1"), name: "Centre".to_owned() }).await.unwrap();
    store.put_tenant(&acme, "Acme Ltd").await.unwrap();
    let found: Vec<_> =
        store.facilities(&acme).await.unwrap().into_iter().map(|f| (f.id.to_string(), f.name)).collect();
    assert_eq!(found, [("F1".to_owned(), "Centre".to_owned()), ("F2".to_owned(), "acme F2".to_owned())]);
    assert!(store.facilities(&tenant("nobody")).await.unwrap().is_empty());
}

/// Pages by id, complete, with everything a product has.
pub async fn products_are_added_replaced_and_paged(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    let mut all: Vec<_> =
        (0..25).map(|n| product(&format!("p{n:02}"), &format!("Thing {n}"), &["0123", "'=x"][..n % 3])).collect();
    store.put_products(&acme, Catalogue { products: all.iter().rev().cloned().collect() }).await.unwrap();
    all[3] = product("p03", "Renamed", &["9"]);
    store.put_products(&acme, Catalogue { products: vec![all[3].clone()] }).await.unwrap();
    let mut found: Vec<Product> = Vec::new();
    loop {
        let after = found.last().map_or("", |last| last.id.as_str()).to_owned();
        let page = store.products(&acme, &after, 10).await.unwrap();
        assert_eq!(page.total, 25);
        assert!(page.products.len() <= 10);
        if page.products.is_empty() {
            break;
        }
        found.extend(page.products);
    }
    assert_eq!(found, all);
}

/// Nothing is made for a tenant that is not there.
pub async fn what_belongs_to_a_missing_tenant_is_refused(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let nobody = tenant("nobody");
    let missing = |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::Missing(_))), "{result:?}");
    missing(store.put_facility(&nobody, &Facility { id: facility("F1"), name: String::new() }).await);
    missing(store.put_products(&nobody, Catalogue { products: vec![product("p", "P", &[])] }).await);
    missing(store.create_session(&nobody, new_session("S1", "F1")).await);
    missing(store.put_user(&nobody, new_user(&nobody, "joe")).await);
}
