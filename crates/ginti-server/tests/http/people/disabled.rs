//! An account that an admin disables and enables again.

use std::sync::Arc;

use ginti_postgres::PostgresStore;
use ginti_store::Role;
use serde_json::{Value, json};

use crate::{
    desk::{add_admin, add_person, ask},
    support::{Answer, IMPORT, PASSWORD, World, batch, count},
};

const USERS: &str = "/maarg/poorti/Users";

/// The `name=value` part of the answer's cookie.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn sign_in(world: &World, name: &str, password: &str, device: &str) -> Answer {
    let login = json!({ "username": name, "password": password, "deviceId": device });
    world.post("/auth/login").json(&login).send().await
}

async fn set(world: &World, by: &str, user: &str, disabled: bool) -> Answer {
    let body = json!({ "isDisabled": disabled });
    ask(world, "PUT", by, &format!("{USERS}/{user}/disabled"), Some(&body)).await
}

async fn listed(world: &World, user: &str) -> Value {
    let users = world.read("manager", USERS).await.ok();
    let mut items = users["items"].as_array().unwrap().iter();
    items.find(|entry| entry["userLoginId"] == user).unwrap()["disabledAt"].clone()
}

async fn disabled_and_enabled(world: World) {
    let world = add_admin(world).await;
    let phone = sign_in(&world, "counter", PASSWORD, "device-1").await;
    let token = phone.ok()["accessToken"].as_str().unwrap().to_owned();
    let tablet = sign_in(&world, "counter", PASSWORD, "device-2").await;
    let colleague = sign_in(&world, "counter2", PASSWORD, "device-1").await;
    let refresh = async |of: &Answer| world.post("/auth/refresh").header("cookie", &cookie_of(of)).send().await;

    assert_eq!(set(&world, "root", "counter", true).await.status, 204);
    assert_eq!(listed(&world, "counter").await, "2026-11-22T09:14:04.000Z");
    for ended in [&phone, &tablet] {
        refresh(ended).await.problem("refresh-refused");
    }
    refresh(&colleague).await.ok();
    // Only whoever knows the password learns that there is such an account and what became of it.
    let (wrong, nobody) =
        (sign_in(&world, "counter", "wrong", "device-1").await, sign_in(&world, "nobody", "wrong", "device-1").await);
    assert_eq!((wrong.status, &wrong.body), (nobody.status, &nobody.body));
    wrong.problem("credentials-wrong");
    let told = sign_in(&world, "counter", PASSWORD, "device-1").await;
    assert!(told.problem("account-disabled").detail.contains("Ask one of your company's admins"));
    assert_eq!(told.header("set-cookie"), "");
    world.get("/auth/me").bearer(&token).send().await.problem("account-disabled");
    let colleagues = world.read("manager", &format!("{IMPORT}/M1/colleagues")).await.text().to_owned();
    assert!(colleagues.contains("Name of counter2\"") && !colleagues.contains("Name of counter\""), "{colleagues}");
    let give = json!({ "assignedUserLoginId": "counter" });
    ask(&world, "PUT", "manager", &format!("{IMPORT}/M1"), Some(&give)).await.problem("field-invalid");

    // A batch under way is taken for as long as its token lasts, as ever; another password does not open the account.
    let sent = batch(1, &json!([count("a", 5, 1)]));
    world.post(IMPORT).bearer(&token).json(&sent).send().await.ok();
    world.advance_ms(600_000);
    let waiting = batch(2, &json!([count("b", 7, 2)]));
    world.post(IMPORT).bearer(&token).json(&waiting).send().await.problem("token-expired");
    let put = json!({ "name": "C", "role": "counter", "facilityIds": ["STORE_1"], "password": "another long one" });
    assert_eq!(ask(&world, "PUT", "root", &format!("{USERS}/counter"), Some(&put)).await.status, 204);
    sign_in(&world, "counter", "another long one", "device-1").await.problem("account-disabled");

    assert_eq!(set(&world, "root", "counter", false).await.status, 204);
    assert_eq!(listed(&world, "counter").await, Value::Null);
    refresh(&phone).await.problem("refresh-refused");
    let again = sign_in(&world, "counter", "another long one", "device-1").await.ok();
    let token = again["accessToken"].as_str().unwrap();
    world.post(IMPORT).bearer(token).json(&waiting).send().await.ok();
    assert_eq!(world.quantities("M1").await, [("a".to_owned(), json!(5)), ("b".to_owned(), json!(7))]);
    let log = world.read("manager", "/maarg/poorti/Audit?subject=counter").await.ok();
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["user-enabled", "user-put", "user-disabled"]);
}

#[tokio::test]
async fn a_disabled_account_is_shut_out_and_its_counts_wait() {
    disabled_and_enabled(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_account_is_shut_out_and_its_counts_wait_on_postgresql() {
    let database = ginti_cluster::Database::new().await.unwrap();
    let store = PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    disabled_and_enabled(World::new().await.over(Arc::new(store), true).await).await;
}

/// With an access token from before, that would otherwise be good for ten minutes.
#[tokio::test]
async fn a_disabled_admin_cannot_undo_it() {
    let world = add_admin(World::new().await).await;
    let own = set(&world, "root", "root", true).await.problem("field-invalid");
    assert!(own.detail.contains("your own account"), "{}", own.detail);
    add_person(&world, "second", Role::Admin, None).await;
    let second = world.token("second").await;
    assert_eq!(set(&world, "root", "second", true).await.status, 204);
    for (method, path, body) in [
        ("PUT", format!("{USERS}/second/disabled"), json!({ "isDisabled": false })),
        ("PUT", format!("{USERS}/root/disabled"), json!({ "isDisabled": true })),
        ("POST", "/maarg/poorti/ApiTokens".to_owned(), json!({ "name": "x", "role": "manager" })),
    ] {
        world.call(method, &path).bearer(&second).json(&body).send().await.problem("account-disabled");
    }
    assert_eq!(set(&world, "root", "second", false).await.status, 204);
    // No admin any more: at once, too.
    let manager = json!({ "name": "S", "role": "manager", "facilityIds": null });
    assert_eq!(ask(&world, "PUT", "root", &format!("{USERS}/second"), Some(&manager)).await.status, 204);
    world.get("/maarg/poorti/ApiTokens").bearer(&second).send().await.problem("not-allowed");

    set(&world, "manager", "counter", true).await.problem("not-allowed");
    set(&world, "root", "nobody", true).await.problem("not-found");
    set(&world, "root", "rival", true).await.problem("not-found");
    let body = json!({ "disabled": true });
    ask(&world, "PUT", "root", &format!("{USERS}/counter/disabled"), Some(&body)).await.problem("field-invalid");
}

/// They are the company's, and stand in its list under the name of whoever made them.
#[tokio::test]
async fn tokens_for_programs_outlast_whoever_made_them() {
    let world = add_admin(World::new().await).await;
    add_person(&world, "second", Role::Admin, None).await;
    let erp = json!({ "name": "erp", "role": "manager" });
    let made = ask(&world, "POST", "second", "/maarg/poorti/ApiTokens", Some(&erp)).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(set(&world, "root", "second", true).await.status, 204);
    world.get(IMPORT).bearer(&token).send().await.ok();
    let listed = world.read("root", "/maarg/poorti/ApiTokens").await.ok();
    assert_eq!(listed["items"][0]["createdByUserLoginId"], "second");
}
