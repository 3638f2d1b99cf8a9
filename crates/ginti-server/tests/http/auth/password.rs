//! `POST /auth/password`: people change their own passwords.

use std::sync::Arc;

use ginti_postgres::PostgresStore;
use serde_json::{Value, json};

use crate::{
    desk::{add_admin, ask},
    support::{Answer, PASSWORD, World},
};

const NEW: &str = "another long one";

/// The `name=value` part of the answer's cookie.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn sign_in(world: &World, name: &str, password: &str) -> Answer {
    world.post("/auth/login").json(&json!({ "username": name, "password": password })).send().await
}

fn body(current: &str, new: &str) -> Value {
    json!({ "currentPassword": current, "newPassword": new })
}

/// As whoever signed in so does it.
async fn change(world: &World, of: &Answer, body: &Value) -> Answer {
    let token = of.json()["accessToken"].as_str().unwrap().to_owned();
    world.post("/auth/password").bearer(&token).header("cookie", &cookie_of(of)).json(body).send().await
}

async fn changed(world: World) {
    let refresh = async |of: &Answer| world.post("/auth/refresh").header("cookie", &cookie_of(of)).send().await;
    let (here, elsewhere) = (sign_in(&world, "counter", PASSWORD).await, sign_in(&world, "counter", PASSWORD).await);
    let colleague = sign_in(&world, "counter2", PASSWORD).await;
    change(&world, &here, &body("wrong", NEW)).await.problem("password-wrong");
    refresh(&elsewhere).await.ok();

    assert_eq!(change(&world, &here, &body(PASSWORD, NEW)).await.status, 204);
    refresh(&elsewhere).await.problem("refresh-refused");
    refresh(&colleague).await.ok();
    refresh(&here).await.ok();
    sign_in(&world, "counter", PASSWORD).await.problem("credentials-wrong");
    let again = sign_in(&world, "counter", NEW).await;
    again.ok();

    // Without a cookie, or with that of somebody else, all of the person's end and nobody else's.
    let token = again.json()["accessToken"].as_str().unwrap().to_owned();
    let call = world.post("/auth/password").bearer(&token).header("cookie", &cookie_of(&colleague));
    assert_eq!(call.json(&body(NEW, PASSWORD)).send().await.status, 204);
    refresh(&again).await.problem("refresh-refused");
    refresh(&colleague).await.ok();
    let log = world.read("manager", "/maarg/poorti/Audit?subject=counter").await.ok();
    let entry = &log["items"][0];
    assert_eq!((&entry["action"], &entry["userLoginId"]), (&json!("password-changed"), &json!("counter")));
    assert!(!log.to_string().contains("$argon2") && !log.to_string().contains(NEW));
}

#[tokio::test]
async fn a_person_changes_the_own_password_and_only_this_sign_in_lasts() {
    changed(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_changes_the_own_password_and_only_this_sign_in_lasts_on_postgresql() {
    let database = ginti_cluster::Database::new().await.unwrap();
    let store = PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    changed(World::new().await.over(Arc::new(store), true).await).await;
}

/// An access token in the wrong hands is no way to try more passwords than at the front door.
#[tokio::test]
async fn wrong_current_passwords_count_as_at_the_front_door() {
    let world = World::new().await;
    let here = sign_in(&world, "counter", PASSWORD).await;
    for left in (0..10).rev() {
        let answer = change(&world, &here, &body("wrong", NEW)).await;
        answer.problem("password-wrong");
        assert!(answer.header("ratelimit").starts_with(&format!("\"account\";r={left};t=")), "{answer:?}");
    }
    for password in ["wrong", PASSWORD] {
        let refused = change(&world, &here, &body(password, NEW)).await;
        let problem = refused.problem("too-many-requests");
        assert_eq!(problem.detail, "There were too many wrong passwords. Try it again in 91 seconds.");
    }
    sign_in(&world, "counter", PASSWORD).await.problem("too-many-requests");
    world.advance_ms(91_000);
    assert_eq!(change(&world, &here, &body(PASSWORD, NEW)).await.status, 204);
    sign_in(&world, "counter", NEW).await.ok();
}

#[tokio::test]
async fn what_is_no_change_of_password_is_refused_in_words() {
    let world = add_admin(World::new().await).await;
    let here = sign_in(&world, "counter", PASSWORD).await;
    for (new, words) in [
        ("short", "at least 8"),
        ("sonyericsson", "first that others would try"),
        ("counter99", "first that others would try"),
        (PASSWORD, "is the one you have"),
    ] {
        let problem = change(&world, &here, &body(PASSWORD, new)).await.problem("field-invalid");
        assert!(problem.detail.contains(words), "{new}: {}", problem.detail);
    }
    for broken in
        [json!({ "newPassword": NEW }), json!({ "currentPassword": PASSWORD, "newPassword": NEW, "user": "x" })]
    {
        change(&world, &here, &broken).await.problem("field-invalid");
    }
    world.post("/auth/password").json(&body(PASSWORD, NEW)).send().await.problem("token-missing");
    let token = world.token("counter").await;
    let elsewhere = world.post("/auth/password").bearer(&token).header("origin", "https://elsewhere.example");
    elsewhere.json(&body(PASSWORD, NEW)).send().await.problem("not-allowed");

    let erp = json!({ "name": "erp", "role": "manager" });
    let program = ask(&world, "POST", "root", "/maarg/poorti/ApiTokens", Some(&erp)).await.json();
    let call = world.post("/auth/password").bearer(program["token"].as_str().unwrap());
    let problem = call.json(&body(PASSWORD, NEW)).send().await.problem("not-allowed");
    assert!(problem.detail.contains("has no password"), "{}", problem.detail);
    // Whoever is only invited has a password that nobody knows.
    let olga = json!({ "userLoginId": "olga", "name": "Olga", "role": "manager" });
    assert_eq!(ask(&world, "POST", "root", "/maarg/poorti/Invitations", Some(&olga)).await.status, 201);
    let problem =
        ask(&world, "POST", "olga", "/auth/password", Some(&body("x", NEW))).await.problem("status-not-allowed");
    assert!(problem.detail.contains("link of your invitation"), "{}", problem.detail);

    let disabled = json!({ "isDisabled": true });
    let path = "/maarg/poorti/Users/counter/disabled";
    assert_eq!(ask(&world, "PUT", "root", path, Some(&disabled)).await.status, 204);
    change(&world, &here, &body("wrong", NEW)).await.problem("password-wrong");
    change(&world, &here, &body(PASSWORD, NEW)).await.problem("account-disabled");
    sign_in(&world, "counter2", PASSWORD).await.ok();
}
