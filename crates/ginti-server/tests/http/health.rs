//! `/livez` and `/readyz`.

use ginti_store::Store;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn a_healthy_server_lives_and_is_ready() {
    let world = World::new().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(world.get(path).send().await.ok(), json!({ "status": "ok" }));
    }
}

#[tokio::test]
async fn a_draining_server_lives_but_is_not_ready() {
    let world = World::new().await;
    world.deps.drain.begin();
    world.get("/readyz").send().await.problem("draining");
    world.get("/livez").send().await.ok();
}

#[tokio::test]
async fn a_server_whose_database_does_not_answer_is_not_ready() {
    let world = World::new().await;
    world.store.close().await.unwrap();
    let answer = world.get("/readyz").send().await;
    assert_eq!(answer.status, 503);
    answer.problem("draining");
    world.get("/livez").send().await.ok();
}

#[tokio::test]
async fn numbers_for_prometheus_grow_with_what_is_done() {
    let world = World::new().await;
    let before = world.get("/metrics").send().await;
    assert_eq!((before.status, before.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    world
        .import("counter", &crate::support::batch(1, &serde_json::json!([crate::support::count("a", 5, 1)])))
        .await
        .ok();
    let bad = serde_json::json!([{ "importItemSeqId": "b", "productId": "10440", "quantity": -1, "revision": 2 }]);
    world.import("counter", &crate::support::batch(2, &bad)).await.problem("items-refused");
    let after = world.get("/metrics").send().await;
    let number = |name: &str| -> f64 {
        let line = after.text().lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    // Other tests of this process count too.
    assert!(number("ginti_counts_total{outcome=\"applied\"}") >= 1.0);
    assert!(number("ginti_refusals_total{code=\"quantity-negative\"}") >= 1.0);
    assert!(number("ginti_requests_total{method=\"POST\",status=\"422\"}") >= 1.0);
    assert!(number("ginti_request_seconds_count{method=\"POST\"}") >= 2.0);
    assert!(after.text().contains("# HELP ginti_devices_unsent_for_long"));
    for secret in ["acme", "counter\"", "Bearer"] {
        assert!(!after.text().contains(secret), "numbers name nobody: {secret}");
    }
}
