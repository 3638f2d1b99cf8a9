//! Who may send what: tokens, tenants, facilities, devices, attribution.

use ginti_store::Store;
use ginti_types::{DeviceId, TenantId};
use serde_json::json;

use crate::support::{ACME, IMPORT, PASSWORD, World, batch, count};

#[tokio::test]
async fn without_a_token_the_body_is_not_even_looked_at() {
    let world = World::new().await;
    world.post(IMPORT).text("not json").send().await.problem("token-missing");
    world.post(IMPORT).bearer("x.y.z").text("not json").send().await.problem("token-invalid");
}

#[tokio::test]
async fn a_session_of_another_tenant_or_facility_is_as_good_as_none() {
    let world = World::new().await;
    let sent = |session: &str| {
        let mut batch = batch(1, &json!([count("a", 5, 1)]));
        batch["inventoryCountImportId"] = json!(session);
        batch
    };
    let mut details = Vec::new();
    for (user, session) in
        [("rival", "M1"), ("counter", "R1"), ("counter", "M3"), ("elsewhere", "M1"), ("counter", "M9")]
    {
        let problem = world.import(user, &sent(session)).await.problem("session-not-allowed");
        details.push(problem.detail.replace(session, "…"));
    }
    details.dedup();
    assert_eq!(details.len(), 1, "nobody can tell which sessions exist: {details:?}");
    assert!(world.quantities("M1").await.is_empty());
    assert_eq!(world.import("elsewhere", &sent("M3")).await.outcomes(), ["applied"]);
}

#[tokio::test]
async fn a_revoked_device_is_refused_until_it_is_let_in_again() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 1)]))).await.ok();
    let (tenant, device) = (TenantId::new(ACME).unwrap(), DeviceId::new("device-1").unwrap());
    world.store.set_device_revoked(&tenant, &device, true).await.unwrap();
    world.import("counter", &batch(2, &json!([count("a", 6, 2)]))).await.problem("device-revoked");
    assert_eq!(world.quantities("M1").await, [("a".to_owned(), json!(5))]);
    world.store.set_device_revoked(&tenant, &device, false).await.unwrap();
    assert_eq!(world.import("counter", &batch(3, &json!([count("a", 6, 2)]))).await.outcomes(), ["applied"]);
}

#[tokio::test]
async fn a_replay_by_a_colleague_does_not_change_who_counted() {
    let world = World::new().await;
    let mut item = count("a", 5, 1);
    item["countedByUserLoginId"] = json!("counter");
    item["countedAt"] = json!("2026-11-22T08:00:00.000Z");
    let login = json!({ "username": "counter", "password": PASSWORD, "deviceId": "device-1" });
    world.post("/auth/login").json(&login).send().await.ok();

    // Counted offline by one, delivered by the other, who signed in on the same device later.
    let sent = batch(1, &json!([item]));
    assert_eq!(world.import("counter2", &sent).await.outcomes(), ["applied"]);
    assert_eq!(world.import("counter", &sent).await.header("idempotency-replayed"), "true", "same tenant, same batch");

    let history = world.read("manager", &format!("{IMPORT}/M1/items/a/history")).await.ok();
    let entries = history["items"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "applied once");
    assert_eq!(entries[0]["countedByUserLoginId"], "counter");
    assert_eq!(entries[0]["countedAt"], "2026-11-22T08:00:00.000Z");
    assert_eq!(entries[0]["sentBy"], "counter2");
}

#[tokio::test]
async fn the_same_batch_id_in_two_tenants_is_two_batches() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 1)]))).await.ok();
    let mut theirs = batch(1, &json!([count("a", 8, 1)]));
    theirs["inventoryCountImportId"] = json!("R1");
    let answer = world.import("rival", &theirs).await;
    assert_eq!((answer.outcomes(), answer.header("idempotency-replayed")), (vec!["applied".to_owned()], ""));
}
