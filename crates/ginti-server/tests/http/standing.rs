//! `PUT …/{id}`, `…/devices`, `…/colleagues`, `…/events` and `POST /maarg/poorti/CourierStatus`.

use ginti_types::Manifest;
use serde_json::{Value, json};

use crate::support::{Answer, IMPORT, World, batch, count};

const STATUS: &str = "/maarg/poorti/CourierStatus";

fn digest(rows: &[(&str, u64)]) -> String {
    Manifest::of(rows.iter().copied()).digest
}

async fn put(world: &World, user: &str, body: &Value) -> Answer {
    let token = world.token(user).await;
    world.call("PUT", &format!("{IMPORT}/M1")).bearer(&token).json(body).send().await
}

async fn report(world: &World, user: &str, body: &Value) -> Answer {
    let token = world.token(user).await;
    world.post(STATUS).bearer(&token).json(body).send().await
}

/// The device that `batch` sends from.
fn sender() -> String {
    batch(1, &json!([]))["deviceId"].as_str().unwrap().to_owned()
}

fn said(rows: &[(&str, u64)], unsent: u64) -> Value {
    let oldest = (unsent > 0).then_some("2026-11-22T09:00:00.000Z");
    json!({
        "deviceId": sender(), "details": { "appVersion": "0.1.0" },
        "sessions": [{ "inventoryCountImportId": "M1", "itemCount": rows.len(), "digest": digest(rows),
                       "unsentCount": unsent, "oldestUnsentAt": oldest }]
    })
}

#[tokio::test]
async fn a_submit_waits_for_the_truth_and_a_manager_may_answer_for_it() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 1)]))).await.ok();
    let reported = report(&world, "counter", &said(&[("a", 1), ("b", 2)], 1)).await.ok();
    assert_eq!(reported["serverTime"], "2026-11-22T09:14:04.000Z");
    assert_eq!(reported["ledgerSeq"], 1);

    let submit = json!({ "statusId": "SESSION_SUBMITTED" });
    let refused = put(&world, "counter2", &submit).await;
    let problem = refused.problem("session-incomplete");
    assert!(problem.detail.contains("Name of counter's device has 1 counts"), "{}", problem.detail);
    let devices = refused.json()["devices"].clone();
    assert_eq!(devices, world.read("counter", &format!("{IMPORT}/M1/devices")).await.ok()["items"]);
    assert_eq!(
        devices[0],
        json!({
            "deviceId": sender(), "countedByUserLoginId": "counter", "countedByName": "Name of counter", "itemCount": 1,
            "unsentCount": 1, "oldestUnsentAt": "2026-11-22T09:00:00.000Z", "statedAt": "2026-11-22T09:14:04.000Z",
            "lastSeenAt": "2026-11-22T09:14:04.000Z", "standing": "missing"
        })
    );

    let overriding = json!({ "statusId": "SESSION_SUBMITTED", "override": { "reason": "The phone is broken" } });
    put(&world, "counter2", &overriding).await.problem("not-allowed");
    let done = put(&world, "manager", &overriding).await.ok();
    assert_eq!(
        (&done["statusId"], &done["submittedDate"]),
        (&json!("SESSION_SUBMITTED"), &json!("2026-11-22T09:14:04.000Z"))
    );
    let events = world.read("counter", &format!("{IMPORT}/M1/events")).await.ok();
    assert_eq!(
        events["items"],
        json!([{ "at": "2026-11-22T09:14:04.000Z", "userLoginId": "manager", "fromStatusId": "SESSION_ASSIGNED",
                 "toStatusId": "SESSION_SUBMITTED", "assignedUserLoginId": null, "reason": "The phone is broken",
                 "missingDeviceIds": [sender()] }])
    );

    // What was left behind arrives after all: to the manager, not to nowhere.
    let late = world.import("counter", &batch(2, &json!([count("b", 3, 2)]))).await;
    assert_eq!(late.outcomes(), ["late"]);
}

#[tokio::test]
async fn the_device_that_submits_says_what_it_counted() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 1)]))).await.ok();
    let with = |rows: &[(&str, u64)]| {
        let manifest = json!({ "deviceId": sender(), "itemCount": rows.len(), "digest": digest(rows) });
        json!({ "statusId": "SESSION_SUBMITTED", "manifest": manifest })
    };
    put(&world, "counter", &with(&[("a", 1), ("b", 2)])).await.problem("session-incomplete");
    world.import("counter", &batch(2, &json!([count("b", 3, 2)]))).await.ok();
    put(&world, "counter", &with(&[("a", 1), ("b", 2)])).await.ok();
    // Its answer was lost: asking again does nothing more.
    put(&world, "counter", &with(&[("a", 1), ("b", 2)])).await.ok();
    put(&world, "counter", &json!({ "statusId": "SESSION_ASSIGNED" })).await.problem("not-allowed");
    put(&world, "manager", &json!({ "statusId": "SESSION_CREATED" })).await.problem("status-not-allowed");
    put(&world, "manager", &json!({ "statusId": "SESSION_ASSIGNED" })).await.ok();
}

#[tokio::test]
async fn a_session_is_handed_over_to_a_colleague() {
    let world = World::new().await;
    let colleagues = world.read("counter", &format!("{IMPORT}/M1/colleagues")).await.ok();
    let names: Vec<_> =
        colleagues["items"].as_array().unwrap().iter().map(|one| one["userLoginId"].as_str().unwrap()).collect();
    assert_eq!(names, ["counter", "counter2", "manager"]);
    let given = put(&world, "counter", &json!({ "assignedUserLoginId": "counter2" })).await.ok();
    assert_eq!(
        (&given["assignedUserLoginId"], &given["assignedUserName"]),
        (&json!("counter2"), &json!("Name of counter2"))
    );
    put(&world, "counter", &json!({ "assignedUserLoginId": "elsewhere" })).await.problem("field-invalid");
    put(&world, "counter", &json!({ "assignedUserLoginId": "rival" })).await.problem("field-invalid");
    let free = put(&world, "counter2", &json!({ "assignedUserLoginId": null })).await.ok();
    assert_eq!(free["assignedUserLoginId"], Value::Null);
}

#[tokio::test]
async fn other_companies_and_stores_see_and_change_nothing() {
    let world = World::new().await;
    for user in ["rival", "elsewhere"] {
        put(&world, user, &json!({ "statusId": "SESSION_SUBMITTED" })).await.problem("not-found");
        for part in ["devices", "colleagues", "events"] {
            world.read(user, &format!("{IMPORT}/M1/{part}")).await.problem("not-found");
        }
        report(&world, user, &said(&[("a", 1)], 1)).await.ok();
    }
    assert_eq!(world.read("counter", &format!("{IMPORT}/M1/devices")).await.ok()["items"], json!([]));
    assert_eq!(world.read("counter", &format!("{IMPORT}/M1")).await.ok()["statusId"], "SESSION_ASSIGNED");
}

#[tokio::test]
async fn bad_bodies_are_told_what_is_wrong() {
    let world = World::new().await;
    put(&world, "counter", &json!({ "statusId": "SESSION_LOST" })).await.problem("field-invalid");
    put(&world, "counter", &json!({ "status": "SESSION_SUBMITTED" })).await.problem("field-invalid");
    let reason = json!({ "statusId": "SESSION_SUBMITTED", "override": { "reason": " " } });
    put(&world, "manager", &reason).await.problem("field-invalid");
    let manifest = json!({ "deviceId": "d", "itemCount": 1, "digest": "short" });
    put(&world, "counter", &json!({ "statusId": "SESSION_SUBMITTED", "manifest": manifest }))
        .await
        .problem("field-invalid");
    let mut wrong = said(&[("a", 1)], 0);
    wrong["sessions"][0]["digest"] = json!("g".repeat(32));
    report(&world, "counter", &wrong).await.problem("field-invalid");
    let mut long = said(&[("a", 1)], 0);
    long["sessions"] = json!(vec![long["sessions"][0].clone(); 201]);
    report(&world, "counter", &long).await.problem("field-invalid");
    let mut large = said(&[], 0);
    large["details"] = json!({ "log": "x".repeat(17_000) });
    report(&world, "counter", &large).await.problem("field-invalid");
    large["details"] = json!({ "log": "x".repeat(70_000) });
    report(&world, "counter", &large).await.problem("body-too-large");
    world.post(STATUS).json(&said(&[], 0)).send().await.problem("token-missing");
}
