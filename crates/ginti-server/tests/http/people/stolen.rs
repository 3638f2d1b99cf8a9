//! A device in the wrong hands.

use serde_json::json;

use crate::{
    desk::{add_admin, ask},
    support::{IMPORT, PASSWORD, World, batch, count},
};

/// What its holder has: the access token and the cookie. The admin blocks the device and gives its person another password.
#[tokio::test]
async fn a_stolen_device_is_blocked_and_its_sign_in_ended() {
    let world = add_admin(World::new().await).await;
    let login = json!({ "username": "counter", "password": PASSWORD, "deviceId": "device-1" });
    let signed_in = world.post("/auth/login").json(&login).send().await;
    let token = signed_in.ok()["accessToken"].as_str().unwrap().to_owned();
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
    world.post(IMPORT).bearer(&token).json(&batch(1, &json!([count("a", 5, 1)]))).send().await.ok();

    let block = json!({ "isRevoked": true });
    assert_eq!(ask(&world, "PUT", "root", "/maarg/poorti/Devices/device-1", Some(&block)).await.status, 204);
    for number in [1, 2] {
        let sent = batch(number, &json!([count("a", 99, u64::from(number))]));
        world.post(IMPORT).bearer(&token).json(&sent).send().await.problem("device-revoked");
    }
    let report = json!({ "deviceId": "device-1", "sessions": [] });
    world.post("/maarg/poorti/CourierStatus").bearer(&token).json(&report).send().await.problem("device-revoked");

    let person = json!({ "name": "C", "role": "counter", "facilityIds": ["STORE_1"], "password": "another long one" });
    assert_eq!(ask(&world, "PUT", "root", "/maarg/poorti/Users/counter", Some(&person)).await.status, 204);
    world.post("/auth/refresh").header("cookie", &cookie).send().await.problem("refresh-refused");
    world.post("/auth/login").json(&login).send().await.problem("credentials-wrong");
    // What is left is the access token's own time.
    world.advance_ms(600_000);
    world.get(IMPORT).bearer(&token).send().await.problem("token-expired");
    assert_eq!(world.quantities("M1").await, [("a".to_owned(), json!(5))]);
}
