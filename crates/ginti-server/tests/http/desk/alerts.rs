//! Alerts reach a real receiver, once when something begins and once when it is over; and what went wrong is shown hour by hour.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{add_admin, add_person, ask};
use crate::support::{World, batch, count};

const RULES: &str = "/maarg/poorti/AlertRules";
const ALERTS: &str = "/maarg/poorti/Alerts";
const STATUS: &str = "/maarg/poorti/CourierStatus";
const HISTORY: &str = "/maarg/poorti/FleetHistory";

type Got = Arc<Mutex<Vec<Value>>>;

async fn take(State(got): State<Got>, Json(told): Json<Value>) -> StatusCode {
    got.lock().unwrap().push(told);
    StatusCode::NO_CONTENT
}

async fn report(world: &World, unsent: u64) {
    let session = json!({
        "inventoryCountImportId": "M1", "itemCount": 1, "digest": "0".repeat(32), "unsentCount": unsent,
        "oldestUnsentAt": (unsent > 0).then_some("2026-11-22T08:00:00.000Z")
    });
    let body = json!({ "deviceId": "stuck", "sessions": [session] });
    ask(world, "POST", "counter", STATUS, Some(&body)).await.ok();
}

/// Until the receiver was told so often.
async fn until(got: &Got, number: usize) -> Vec<Value> {
    for _ in 0..600 {
        let told = got.lock().unwrap().clone();
        if told.len() >= number {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("waited in vain for {number} messages: {got:?}");
}

/// A world whose servers look for alerts all the time, and tell this machine too.
async fn watchful() -> World {
    World::with(ginti_sqlite::Options::default(), |deps| {
        deps.config.private_receivers = true;
        deps.config.alerts_every = std::time::Duration::from_millis(20);
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_device_is_told_of_once_and_again_when_it_is_well() {
    told_of_once(watchful().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_device_is_told_of_once_and_again_when_it_is_well_on_postgresql() {
    let database = ginti_cluster::Database::new().await.unwrap();
    let store =
        ginti_postgres::PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    told_of_once(watchful().await.over(Arc::new(store), true).await).await;
}

async fn told_of_once(world: World) {
    let world = add_admin(world).await;
    let got = Got::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    let receiver = Router::new().route("/alerts", post(take)).with_state(got.clone());
    tokio::spawn(async move { axum::serve(listener, receiver).await });
    let put = json!({ "kind": "alerts", "url": url });
    ask(&world, "PUT", "root", "/maarg/poorti/Receivers/ops", Some(&put)).await.ok();
    // The clock stands at 09:14: an hour is more than the rule allows, and two would not be.
    let rule = json!({ "items": [{ "kind": "unsent-for-long", "isActive": true, "afterSeconds": 3600 }] });
    let rules = ask(&world, "PUT", "manager", RULES, Some(&rule)).await.ok();
    assert_eq!(rules["items"][0], rule["items"][0]);
    let tasks = [
        tokio::spawn(ginti_server::alerts(world.deps.clone())),
        tokio::spawn(ginti_server::alerts(world.deps.clone())),
        tokio::spawn(ginti_server::deliver(world.deps.clone())),
    ];

    report(&world, 3).await;
    assert_eq!(
        world.read("manager", "/maarg/poorti/Devices").await.ok()["items"][0]["alerts"],
        json!(["unsent-for-long"])
    );
    let told = until(&got, 1).await;
    assert_eq!(
        (&told[0]["type"], &told[0]["kind"], &told[0]["subject"], &told[0]["tenantId"], &told[0]["clearedAt"]),
        (&json!("ginti.alert.raised"), &json!("unsent-for-long"), &json!("stuck"), &json!("acme"), &Value::Null)
    );
    let said = "Device stuck (counter) has 3 counts that have not arrived, the oldest of 2026-11-22T08:00:00.000Z.";
    assert_eq!(told[0]["detail"], said);
    report(&world, 4).await;
    report(&world, 0).await;
    let told = until(&got, 2).await;
    assert_eq!((&told[1]["type"], &told[1]["alertId"]), (&json!("ginti.alert.cleared"), &told[0]["alertId"]));
    assert!(told[1]["clearedAt"].is_string());
    world.deps.drain.begin();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(got.lock().unwrap().len(), 2, "once, by two that looked");

    let alerts = world.read("manager", ALERTS).await.ok();
    assert_eq!((alerts["items"].as_array().unwrap().len(), &alerts["items"][0]["detail"]), (1, &json!(said)));
    let outbox = world.read("manager", "/maarg/poorti/Outbox").await.ok();
    let message = &outbox["items"][0];
    assert_eq!(
        (&message["alertId"], &message["alertState"], &message["workEffortId"], &message["status"]),
        (&told[0]["alertId"], &json!("cleared"), &Value::Null, &json!("delivered"))
    );
    assert_eq!(outbox["items"][1]["alertState"], "raised");
    let log = world.read("manager", "/maarg/poorti/Audit?subject=unsent-for-long").await.ok();
    assert_eq!(log["items"][0]["action"], "alert-rule-put");
    assert_eq!(world.read("rival", ALERTS).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_rule_that_cannot_be_is_refused() {
    let world = World::new().await;
    let put = async |user: &str, rule: Value| ask(&world, "PUT", user, RULES, Some(&json!({ "items": [rule] }))).await;
    for bad in [
        json!({ "kind": "bored", "isActive": true }),
        json!({ "kind": "unsent-for-long", "isActive": true, "afterSeconds": 59 }),
        json!({ "kind": "unsent-for-long", "isActive": true, "afterSeconds": 2_592_001 }),
        json!({ "kind": "counts-refused", "isActive": true, "afterSeconds": 60 }),
    ] {
        put("manager", bad).await.problem("field-invalid");
    }
    let good = json!({ "kind": "counts-refused", "isActive": false });
    put("counter", good.clone()).await.problem("not-allowed");
    let rules = put("manager", good).await.ok();
    assert_eq!(rules["items"][2], json!({ "kind": "counts-refused", "isActive": false, "afterSeconds": null }));
    assert_eq!(world.read("rival", RULES).await.ok()["items"][2]["isActive"], true, "each company has its own");
    add_person(&world, "mia", ginti_store::Role::Manager, Some("STORE_1")).await;
    put("mia", json!({ "kind": "counts-refused", "isActive": true })).await.problem("not-allowed");
    assert_eq!(world.read("mia", RULES).await.ok()["items"][2]["isActive"], false, "but sees them");
}

#[tokio::test]
async fn refusals_and_retries_are_shown_hour_by_hour() {
    let world = World::new().await;
    let bad = |row: &str, revision: u64| {
        let mut count = count(row, 1, revision);
        count["quantity"] = json!(-1);
        count
    };
    world
        .import("counter", &batch(1, &json!([bad("a", 1), count("b", 5, 2), bad("c", 3)])))
        .await
        .problem("items-refused");
    // Sent again, it is answered again, and nothing more was refused.
    world
        .import("counter", &batch(1, &json!([bad("a", 1), count("b", 5, 2), bad("c", 3)])))
        .await
        .problem("items-refused");
    let report = |retries: Value| json!({ "deviceId": "device-1", "sessions": [], "retries": retries });
    let retries = json!([
        { "at": "2026-11-22T09:10:00.000Z", "count": 4 },
        { "at": "2026-11-22T08:10:00.000Z", "count": 1 },
        { "at": "2027-11-22T08:10:00.000Z", "count": 7 },
    ]);
    for _ in 0..2 {
        ask(&world, "POST", "counter", STATUS, Some(&report(retries.clone()))).await.ok();
    }
    for bad in [json!([{ "at": "2026-11-22T09:10:00.000Z", "count": 0 }]), json!(vec![retries[0].clone(); 49])] {
        ask(&world, "POST", "counter", STATUS, Some(&report(bad))).await.problem("field-invalid");
    }
    let history = world.read("manager", &format!("{HISTORY}?hours=2")).await.ok();
    assert_eq!(
        history["items"],
        json!([
            { "at": "2026-11-22T08:00:00.000Z", "retries": 1, "refusals": {} },
            { "at": "2026-11-22T09:00:00.000Z", "retries": 4, "refusals": { "quantity-negative": 2 } },
        ])
    );
    let device = &world.read("manager", "/maarg/poorti/Devices").await.ok()["items"][0];
    assert_eq!((&device["refusedCode"], &device["alerts"]), (&json!("quantity-negative"), &json!(["counts-refused"])));
    let none = world.read("rival", &format!("{HISTORY}?hours=1")).await.ok();
    assert_eq!((&none["items"][0]["retries"], &none["items"][0]["refusals"]), (&json!(0), &json!({})));
    for bad in ["0", "745", "x"] {
        world.read("manager", &format!("{HISTORY}?hours={bad}")).await.problem("invalid-parameter");
    }
}
