//! Requests that are good, and cannot be done as things stand: with the session, with the device, with the server.

use std::sync::Arc;

use ginti_sqlite::Options;
use ginti_store::Store;
use ginti_types::{Code, DeviceId, SessionStatus, TenantId};
use serde_json::json;

use super::{Row, whole};
use crate::{
    desk::{add_admin, ask},
    support::{ACME, Answer, IMPORT, PASSWORD, World, batch, count},
};

pub(super) async fn rows() -> Vec<Row> {
    let mut rows = sessions_and_devices().await;
    rows.extend(accounts().await);
    rows.extend(servers().await);
    rows
}

async fn sessions_and_devices() -> Vec<Row> {
    let world = World::new().await;
    let one = batch(1, &json!([count("a", 5, 1)]));
    world.import("counter", &one).await.ok();
    let counter = world.token("counter").await;
    // It says that it counted two rows.
    let manifest = json!({ "deviceId": "device-1", "itemCount": 2, "digest": "0".repeat(32) });
    let body = json!({ "statusId": "SESSION_SUBMITTED", "manifest": manifest });
    let submit = world.call("PUT", &format!("{IMPORT}/M1")).bearer(&counter).json(&body).send().await;
    let mut rows = vec![whole("a session handed in before all has arrived", Code::SessionIncomplete, &submit)];

    world.set_status("M3", SessionStatus::SessionVoided).await;
    let manager = world.token("manager").await;
    let body = json!({ "statusId": "SESSION_SUBMITTED" });
    let voided = world.call("PUT", &format!("{IMPORT}/M3")).bearer(&manager).json(&body).send().await;
    rows.push(whole("a session handed in that was called off", Code::StatusNotAllowed, &voided));

    let (tenant, device) = (TenantId::new(ACME).unwrap(), DeviceId::new("device-1").unwrap());
    world.store.set_device_revoked(&tenant, &device, true).await.unwrap();
    let blocked = world.import("counter", &batch(2, &json!([count("b", 5, 2)]))).await;
    rows.push(whole("counts of a device that was blocked", Code::DeviceRevoked, &blocked));
    rows
}

async fn accounts() -> Vec<Row> {
    let world = add_admin(World::new().await).await;
    let change = json!({ "currentPassword": "wrong", "newPassword": "another long one" });
    let wrong = ask(&world, "POST", "counter", "/auth/password", Some(&change)).await;
    let disabled = json!({ "isDisabled": true });
    let path = "/maarg/poorti/Users/counter/disabled";
    assert_eq!(ask(&world, "PUT", "root", path, Some(&disabled)).await.status, 204);
    let login = json!({ "username": "counter", "password": PASSWORD });
    let shut_out = world.post("/auth/login").json(&login).send().await;
    let guess = json!({ "username": "manager", "password": "wrong" });
    let mut one_too_many = world.post("/auth/login").json(&guess).send().await;
    while one_too_many.status == 401 {
        one_too_many = world.post("/auth/login").json(&guess).send().await;
    }
    vec![
        whole("the eleventh wrong password in a row", Code::TooManyRequests, &one_too_many),
        whole("a change of password with a wrong current one", Code::PasswordWrong, &wrong),
        whole("the right password of an account that was disabled", Code::AccountDisabled, &shut_out),
    ]
}

async fn servers() -> Vec<Row> {
    let world = World::new().await;
    let token = world.token("counter").await;
    world.deps.drain.begin();
    let draining = world.import("counter", &batch(1, &json!([count("a", 5, 1)]))).await;
    let none = World::with(Options::default(), |deps| deps.config.requests_in_flight_max = 0).await;
    let busy = none.get(IMPORT).bearer(&token).send().await;
    let stopped =
        World::with(Options::default(), |deps| deps.clock = Arc::new(|| panic!("the clock has stopped"))).await;
    let broken = stopped.get(IMPORT).bearer(&token).send().await;
    vec![
        whole("counts while the server stops", Code::Draining, &draining),
        whole("one request more than the server takes at once", Code::Busy, &busy),
        whole("counts when the disk is full", Code::StorageUnavailable, &full().await),
        whole("a fault of the server's own", Code::InternalError, &broken),
    ]
}

/// Counts until the database may not grow any more.
async fn full() -> Answer {
    let world = World::with(Options { size_pages_max: Some(160), ..Options::default() }, |_| {}).await;
    for number in 1..500 {
        let items: serde_json::Value = (0..100).map(|row| count(&format!("{number}-{row}"), 1, 1)).collect();
        let answer = world.import("counter", &batch(number, &items)).await;
        if answer.status != 200 {
            return answer;
        }
    }
    panic!("the database grew beyond its bound");
}
