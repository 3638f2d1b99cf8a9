//! `…/{id}/assignments` and `/maarg/poorti/Products`.

use serde_json::json;

use crate::support::{IMPORT, World};

#[tokio::test]
async fn the_list_of_a_directed_session_comes_in_pages() {
    let world = World::new().await;
    let all = world.read("counter", &format!("{IMPORT}/M2/assignments")).await.ok();
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    assert_eq!(all["items"][0], json!({ "importItemSeqId": "00001", "productId": "10440" }));
    let rest = world.read("counter", &format!("{IMPORT}/M2/assignments?after=00001&limit=1")).await.ok();
    assert_eq!(rest, json!({ "items": [{ "importItemSeqId": "00002", "productId": "10441" }] }));
    let hard = world.read("counter", &format!("{IMPORT}/M1/assignments")).await.ok();
    assert_eq!(hard, json!({ "items": [] }));
}

#[tokio::test]
async fn the_catalogue_is_the_tenants_own_and_comes_in_pages() {
    let world = World::new().await;
    let page = world.read("counter", "/maarg/poorti/Products?limit=2").await.ok();
    assert_eq!((&page["total"], &page["next"]), (&json!(3), &json!("10441")));
    assert_eq!(
        page["items"][0],
        json!({ "productId": "10440", "productName": "Name of 10440", "sku": "SKU-10440", "barcodes": ["030955110440"] })
    );
    let page = world.read("counter", "/maarg/poorti/Products?limit=2&after=10441").await.ok();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (1, &json!(null)));
    assert_eq!(page["items"][0]["sku"], json!(null));
    let exact = world.read("counter", "/maarg/poorti/Products?limit=3").await.ok();
    assert_eq!(exact["next"], json!(null), "no empty last page");

    let theirs = world.read("rival", "/maarg/poorti/Products").await.ok();
    assert_eq!((&theirs["total"], &theirs["items"][0]["productId"]), (&json!(1), &json!("90001")));
}
