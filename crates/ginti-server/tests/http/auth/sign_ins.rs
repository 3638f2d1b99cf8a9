//! `/auth/sign-ins`: people see where they are signed in, and end one of these sign-ins.

use std::sync::Arc;

use ginti_postgres::PostgresStore;
use serde_json::{Value, json};

use crate::{
    desk::{add_admin, ask},
    support::{Answer, PASSWORD, World},
};

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn sign_in(world: &World, name: &str, device: Option<&str>) -> Answer {
    let login = json!({ "username": name, "password": PASSWORD, "deviceId": device });
    let answer = world.post("/auth/login").json(&login).send().await;
    answer.ok();
    answer
}

fn token_of(answer: &Answer) -> String {
    answer.json()["accessToken"].as_str().unwrap().to_owned()
}

/// As whoever signed in so sees it.
async fn list(world: &World, of: &Answer) -> Vec<Value> {
    let call = world.call("GET", "/auth/sign-ins").bearer(&token_of(of)).header("cookie", &cookie_of(of));
    call.send().await.ok()["items"].as_array().unwrap().clone()
}

async fn end(world: &World, of: &Answer, id: &Value, password: &str) -> Answer {
    let call = world.post(&format!("/auth/sign-ins/{id}/end")).bearer(&token_of(of)).header("cookie", &cookie_of(of));
    call.json(&json!({ "currentPassword": password })).send().await
}

async fn seen_and_ended(world: World) {
    let phone = sign_in(&world, "counter", Some("phone")).await;
    let report = json!({ "deviceId": "phone", "details": { "browser": "a phone's" }, "sessions": [] });
    world.post("/maarg/poorti/CourierStatus").bearer(&token_of(&phone)).json(&report).send().await.ok();
    let began = world.deps.now();
    world.advance_ms(120_000);
    let renewed = world.post("/auth/refresh").header("cookie", &cookie_of(&phone)).send().await;
    renewed.ok();
    let till = sign_in(&world, "counter", None).await;
    let colleague = sign_in(&world, "counter2", Some("phone")).await;

    let seen = list(&world, &till).await;
    let [here, there] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&here["isHere"], &here["deviceId"], &here["renewedDate"]), (&json!(true), &Value::Null, &Value::Null));
    assert_eq!((&there["isHere"], &there["deviceId"]), (&json!(false), &json!("phone")));
    assert_eq!(there["details"]["browser"], "a phone's");
    assert_eq!(there["signedInDate"], json!(began));
    assert_eq!(there["renewedDate"], json!(world.deps.now()));

    // Not without the password, and none of somebody else's, who has one on the same phone.
    end(&world, &till, &there["signInId"], "wrong").await.problem("password-wrong");
    end(&world, &colleague, &there["signInId"], PASSWORD).await.problem("not-found");
    end(&world, &till, &json!(987_654), PASSWORD).await.problem("not-found");
    assert_eq!(list(&world, &till).await.len(), 2);

    assert_eq!(end(&world, &till, &there["signInId"], PASSWORD).await.status, 204);
    let refresh = async |of: &Answer| world.post("/auth/refresh").header("cookie", &cookie_of(of)).send().await;
    refresh(&renewed).await.problem("refresh-refused");
    refresh(&till).await.ok();
    refresh(&colleague).await.ok();
    end(&world, &till, &there["signInId"], PASSWORD).await.problem("not-found");
    assert_eq!(list(&world, &till).await.len(), 1);
    let log = world.read("manager", "/maarg/poorti/Audit?subject=counter").await.ok();
    let entry = &log["items"][0];
    assert_eq!((&entry["action"], &entry["userLoginId"]), (&json!("sign-in-ended"), &json!("counter")));
    assert_eq!(entry["details"]["signInId"], there["signInId"]);

    // What has ended by itself is not there either.
    world.advance_ms(31 * 24 * 60 * 60 * 1_000);
    let much_later = sign_in(&world, "counter", None).await;
    assert_eq!(list(&world, &much_later).await.len(), 1);
}

#[tokio::test]
async fn people_see_their_sign_ins_and_end_one() {
    seen_and_ended(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_see_their_sign_ins_and_end_one_on_postgresql() {
    let database = ginti_cluster::Database::new().await.unwrap();
    let store = PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    seen_and_ended(World::new().await.over(Arc::new(store), true).await).await;
}

#[tokio::test]
async fn a_stolen_access_token_tries_no_more_passwords_here_than_at_the_front_door() {
    let world = World::new().await;
    let here = sign_in(&world, "counter", None).await;
    let id = list(&world, &here).await[0]["signInId"].clone();
    for left in (0..10).rev() {
        let answer = end(&world, &here, &id, "wrong").await;
        answer.problem("password-wrong");
        assert!(answer.header("ratelimit").starts_with(&format!("\"account\";r={left};t=")), "{answer:?}");
    }
    end(&world, &here, &id, PASSWORD).await.problem("too-many-requests");
    assert_eq!(list(&world, &here).await.len(), 1);
}

#[tokio::test]
async fn programs_and_other_sites_pages_end_no_sign_in() {
    let world = add_admin(World::new().await).await;
    let erp = json!({ "name": "erp", "role": "manager" });
    let program = ask(&world, "POST", "root", "/maarg/poorti/ApiTokens", Some(&erp)).await.json();
    let token = program["token"].as_str().unwrap();
    world.call("GET", "/auth/sign-ins").bearer(token).send().await.problem("not-allowed");
    let body = json!({ "currentPassword": PASSWORD });
    world.post("/auth/sign-ins/1/end").bearer(token).json(&body).send().await.problem("not-allowed");
    let here = sign_in(&world, "counter", None).await;
    let elsewhere =
        world.post("/auth/sign-ins/1/end").bearer(&token_of(&here)).header("origin", "https://elsewhere.example");
    elsewhere.json(&body).send().await.problem("not-allowed");
    world.call("GET", "/auth/sign-ins").send().await.problem("token-missing");
}
