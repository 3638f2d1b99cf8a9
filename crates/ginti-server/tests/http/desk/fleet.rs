//! The devices.

use serde_json::{Value, json};

use super::ask;
use crate::support::World;

const DEVICES: &str = "/maarg/poorti/Devices";
const STATUS: &str = "/maarg/poorti/CourierStatus";

fn report(device: &str, unsent: u64) -> Value {
    json!({
        "deviceId": device, "details": { "appVersion": "0.1.0" },
        "sessions": [{ "inventoryCountImportId": "M1", "itemCount": 1, "digest": "0".repeat(32), "unsentCount": unsent,
                       "oldestUnsentAt": (unsent > 0).then_some("2026-11-22T07:00:00.000Z") }]
    })
}

#[tokio::test]
async fn a_batch_is_found_by_its_id() {
    use crate::support::{batch, batch_id, count};
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 1), count("b", 5, 2)]))).await.ok();
    world.import("counter", &batch(2, &json!([count("a", 6, 3)]))).await.ok();
    for (number, counts) in [(1, 2), (2, 1)] {
        let found = world.read("manager", &format!("/maarg/poorti/Batches/{}", batch_id(number))).await.ok();
        let expected = json!({
            "inventoryCountImportId": "M1", "countImportName": "Name of M1", "deviceId": "device-1",
            "sentByUserLoginId": "counter", "receivedAt": "2026-11-22T09:14:04.000Z", "counts": counts
        });
        assert_eq!(found, expected);
    }
    for (user, id) in [("manager", batch_id(3)), ("manager", "none".to_owned()), ("rival", batch_id(1))] {
        world.read(user, &format!("/maarg/poorti/Batches/{id}")).await.problem("not-found");
    }
}

#[tokio::test]
async fn a_stuck_device_is_seen_asked_and_shut_out() {
    let world = World::new().await;
    for (device, unsent) in [("fine", 0), ("stuck", 3)] {
        ask(&world, "POST", "counter", STATUS, Some(&report(device, unsent))).await.ok();
    }
    let fleet = world.read("manager", DEVICES).await.ok();
    let first = &fleet["items"][0];
    assert_eq!((&first["deviceId"], &first["unsentCount"]), (&json!("stuck"), &json!(3)));
    assert_eq!((&first["alerts"], &first["details"]["appVersion"]), (&json!(["unsent-for-long"]), &json!("0.1.0")));
    assert_eq!(fleet["items"][1]["alerts"], json!([]));

    let stuck = format!("{DEVICES}/stuck");
    assert_eq!(ask(&world, "PUT", "manager", &stuck, Some(&json!({ "nudge": "flush" }))).await.status, 204);
    assert_eq!(world.read("manager", DEVICES).await.ok()["items"][0]["nudges"], json!(["flush"]));
    let told = ask(&world, "POST", "counter", STATUS, Some(&report("stuck", 3))).await.ok();
    assert_eq!(told["nudges"], json!(["flush"]));
    let told = ask(&world, "POST", "counter", STATUS, Some(&report("stuck", 0))).await.ok();
    assert_eq!(told["nudges"], json!([]), "told once");

    assert_eq!(ask(&world, "PUT", "manager", &stuck, Some(&json!({ "isRevoked": true }))).await.status, 204);
    ask(&world, "POST", "counter", STATUS, Some(&report("stuck", 3))).await.problem("device-revoked");
    assert_eq!(ask(&world, "PUT", "manager", &stuck, Some(&json!({ "isRevoked": false }))).await.status, 204);
    ask(&world, "POST", "counter", STATUS, Some(&report("stuck", 3))).await.ok();

    ask(&world, "PUT", "manager", &format!("{DEVICES}/none"), Some(&json!({ "nudge": "flush" })))
        .await
        .problem("not-found");
    ask(&world, "PUT", "rival", &stuck, Some(&json!({ "isRevoked": true }))).await.problem("not-found");
    ask(&world, "PUT", "manager", &stuck, Some(&json!({ "nudge": "dance" }))).await.problem("field-invalid");
    world.read("counter", DEVICES).await.problem("not-allowed");
    let log = world.read("manager", "/maarg/poorti/Audit?subject=stuck").await.ok();
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["device-let-in", "device-revoked", "device-nudged"]);
}
