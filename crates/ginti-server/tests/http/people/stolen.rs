//! A device in the wrong hands.

use std::sync::Arc;

use ginti_postgres::PostgresStore;
use serde_json::{Value, json};

use crate::{
    desk::{add_admin, ask},
    support::{Answer, IMPORT, PASSWORD, World, batch, count},
};

/// The `name=value` part of the answer's cookie.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn login(device: Option<&str>) -> Value {
    json!({ "username": "counter", "password": PASSWORD, "deviceId": device })
}

/// What its holder has: the access token and the cookie. The admin blocks the device and gives its person another password.
async fn blocked(world: World) {
    let world = add_admin(world).await;
    let signed_in = world.post("/auth/login").json(&login(Some("device-1"))).send().await;
    let token = signed_in.ok()["accessToken"].as_str().unwrap().to_owned();
    let cookie = cookie_of(&signed_in);
    // The same person's other phone, and a sign-in that never said which device it is on.
    let elsewhere = cookie_of(&world.post("/auth/login").json(&login(Some("device-2"))).send().await);
    let nowhere = cookie_of(&world.post("/auth/login").json(&login(None)).send().await);
    world.post(IMPORT).bearer(&token).json(&batch(1, &json!([count("a", 5, 1)]))).send().await.ok();

    let block = json!({ "isRevoked": true });
    assert_eq!(ask(&world, "PUT", "root", "/maarg/poorti/Devices/device-1", Some(&block)).await.status, 204);
    for number in [1, 2] {
        let sent = batch(number, &json!([count("a", 99, u64::from(number))]));
        world.post(IMPORT).bearer(&token).json(&sent).send().await.problem("device-revoked");
    }
    let report = json!({ "deviceId": "device-1", "sessions": [] });
    world.post("/maarg/poorti/CourierStatus").bearer(&token).json(&report).send().await.problem("device-revoked");

    // Its sign-in is gone for good; those on other devices last, also when the stolen one is let in again.
    let refresh = async |cookie: &str| world.post("/auth/refresh").header("cookie", cookie).send().await;
    refresh(&cookie).await.problem("refresh-refused");
    let mut others = Vec::new();
    for cookie in [elsewhere, nowhere] {
        let answer = refresh(&cookie).await;
        answer.ok();
        others.push(cookie_of(&answer));
    }
    let let_in = json!({ "isRevoked": false });
    assert_eq!(ask(&world, "PUT", "root", "/maarg/poorti/Devices/device-1", Some(&let_in)).await.status, 204);
    refresh(&cookie).await.problem("refresh-refused");

    let person = json!({ "name": "C", "role": "counter", "facilityIds": ["STORE_1"], "password": "another long one" });
    assert_eq!(ask(&world, "PUT", "root", "/maarg/poorti/Users/counter", Some(&person)).await.status, 204);
    for cookie in others {
        refresh(&cookie).await.problem("refresh-refused");
    }
    world.post("/auth/login").json(&login(Some("device-1"))).send().await.problem("credentials-wrong");
    // What is left is the access token's own time.
    world.advance_ms(600_000);
    world.get(IMPORT).bearer(&token).send().await.problem("token-expired");
    assert_eq!(world.quantities("M1").await, [("a".to_owned(), json!(5))]);
}

#[tokio::test]
async fn a_stolen_device_is_blocked_and_its_sign_in_ended() {
    blocked(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_device_is_blocked_and_its_sign_in_ended_on_postgresql() {
    let database = ginti_cluster::Database::new().await.unwrap();
    let store = PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    blocked(World::new().await.over(Arc::new(store), true).await).await;
}
