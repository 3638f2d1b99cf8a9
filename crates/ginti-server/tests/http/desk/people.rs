//! People, set by an admin.

use serde_json::json;

use super::{add_admin, ask};
use crate::support::World;

const USERS: &str = "/maarg/poorti/Users";

pub(super) async fn with_admin() -> World {
    add_admin(World::new().await).await
}

#[tokio::test]
async fn an_admin_adds_people_and_sets_passwords() {
    let world = with_admin().await;
    let nina = format!("{USERS}/nina");
    let new = json!({ "name": "Nina", "role": "counter", "facilityIds": ["STORE_1"], "password": "three blind mice" });
    assert_eq!(ask(&world, "PUT", "root", &nina, Some(&new)).await.status, 204);
    let sign_in = async |password: &str| {
        world.post("/auth/login").json(&json!({ "username": "nina", "password": password })).send().await
    };
    assert_eq!(sign_in("three blind mice").await.ok()["user"]["name"], "Nina");
    let change = json!({ "name": "Nina", "role": "lead", "facilityIds": ["STORE_1"] });
    assert_eq!(ask(&world, "PUT", "root", &nina, Some(&change)).await.status, 204);
    assert_eq!(sign_in("three blind mice").await.ok()["user"]["role"], "lead", "the password stays");
    let reset = json!({ "name": "Nina", "role": "lead", "facilityIds": ["STORE_1"], "password": "another long one" });
    assert_eq!(ask(&world, "PUT", "root", &nina, Some(&reset)).await.status, 204);
    sign_in("three blind mice").await.problem("credentials-wrong");
    let users = world.read("manager", USERS).await.ok();
    let entry = users["items"].as_array().unwrap().iter().find(|user| user["userLoginId"] == "nina").unwrap().clone();
    assert_eq!(entry, json!({ "userLoginId": "nina", "name": "Nina", "role": "lead", "facilityIds": ["STORE_1"] }));
    let log = world.read("manager", "/maarg/poorti/Audit?subject=nina&limit=1").await.ok();
    assert_eq!(
        (&log["items"][0]["action"], &log["items"][0]["details"]["passwordChanged"]),
        (&json!("user-put"), &json!(true))
    );
    assert!(!log.to_string().contains("another long one"));
}

#[tokio::test]
async fn what_must_not_be_is_refused_in_words() {
    let world = with_admin().await;
    let good = json!({ "name": "Nina", "role": "counter", "facilityIds": ["STORE_1"], "password": "three blind mice" });
    let with = |member: &str, value: serde_json::Value| {
        let mut user = good.clone();
        user[member] = value;
        user
    };
    for (body, words) in [
        (with("password", json!("short")), "at least 8"),
        (with("password", json!("Password1")), "first that others would try"),
        (with("password", json!("aaaaaaaaaa")), "first that others would try"),
        (with("password", json!(null)), "needs a \"password\""),
        (with("role", json!("king")), "\"role\""),
        (with("facilityIds", json!(null)), "Name the stores"),
        (with("facilityIds", json!(["STORE_9"])), "There is no"),
    ] {
        let problem = ask(&world, "PUT", "root", &format!("{USERS}/nina"), Some(&body)).await.problem("field-invalid");
        assert!(problem.detail.contains(words), "{words}: {}", problem.detail);
    }
    let taken = ask(&world, "PUT", "root", &format!("{USERS}/rival"), Some(&good)).await.problem("field-invalid");
    assert!(taken.detail.contains("is taken"));
    let own = json!({ "name": "Root", "role": "manager", "facilityIds": null });
    ask(&world, "PUT", "root", &format!("{USERS}/root"), Some(&own)).await.problem("field-invalid");
    ask(&world, "PUT", "manager", &format!("{USERS}/nina"), Some(&good)).await.problem("not-allowed");
}
