//! Invitations: made by an admin, used once by the person.

use serde_json::{Value, json};

use super::{ask, people::with_admin};
use crate::support::{Answer, World};

const INVITATIONS: &str = "/maarg/poorti/Invitations";
const DAY_MS: i64 = 86_400_000;

fn nina() -> Value {
    json!({ "userLoginId": "nina", "name": "Nina", "role": "lead", "facilityIds": ["STORE_1"] })
}

async fn invite(world: &World, body: &Value) -> Value {
    let answer = ask(world, "POST", "root", INVITATIONS, Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

fn secret(made: &Value) -> String {
    made["path"].as_str().unwrap().strip_prefix("/invitation#").unwrap().to_owned()
}

async fn accept(world: &World, secret: &str, password: &str) -> Answer {
    world.post("/auth/invitation").json(&json!({ "secret": secret, "password": password })).send().await
}

async fn sign_in(world: &World, password: &str) -> Answer {
    world.post("/auth/login").json(&json!({ "username": "nina", "password": password })).send().await
}

#[tokio::test]
async fn an_invited_person_chooses_a_password_once() {
    let world = with_admin().await;
    let made = invite(&world, &nina()).await;
    let secret = secret(&made);
    assert_eq!((secret.len(), &made["expiresAt"]), (43, &json!("2026-11-29T09:14:04.000Z")));
    for guess in ["", "three blind mice", &secret] {
        sign_in(&world, guess).await.problem("credentials-wrong");
    }
    let listed = world.read("root", INVITATIONS).await.ok();
    let entry = &listed["items"][0];
    assert_eq!(
        (&entry["userLoginId"], &entry["isExpired"], &entry["role"]),
        (&json!("nina"), &json!(false), &json!("lead"))
    );
    assert!(!listed.to_string().contains(&secret));

    let weak = accept(&world, &secret, "password").await.problem("field-invalid");
    assert!(weak.detail.contains("first that others would try"));
    let accepted = accept(&world, &secret, "three blind mice").await.ok();
    assert_eq!(accepted, json!({ "userLoginId": "nina" }));
    assert_eq!(sign_in(&world, "three blind mice").await.ok()["user"]["role"], "lead");
    let again = accept(&world, &secret, "another long one").await.problem("status-not-allowed");
    assert!(again.detail.contains("was used before"), "{}", again.detail);
    assert_eq!(sign_in(&world, "three blind mice").await.status, 200);
    assert_eq!(world.read("root", INVITATIONS).await.ok()["items"], json!([]));
    let log = world.read("manager", "/maarg/poorti/Audit?subject=nina").await.ok();
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["invitation-accepted", "user-invited"]);
    assert!(!log.to_string().contains(&secret));
}

#[tokio::test]
async fn an_invitation_ends_by_time_by_a_newer_one_and_by_an_admin() {
    let world = with_admin().await;
    let (first, second) = (invite(&world, &nina()).await, invite(&world, &nina()).await);
    accept(&world, &secret(&first), "three blind mice").await.problem("not-found");
    world.advance_ms(7 * DAY_MS);
    let late = accept(&world, &secret(&second), "three blind mice").await.problem("status-not-allowed");
    assert!(late.detail.contains("7 days"), "{}", late.detail);
    assert_eq!(world.read("root", INVITATIONS).await.ok()["items"][0]["isExpired"], true);

    let third = invite(&world, &nina()).await;
    let path = format!("{INVITATIONS}/{}", third["invitationId"]);
    ask(&world, "DELETE", "manager", &path, None).await.problem("not-allowed");
    assert_eq!(ask(&world, "DELETE", "root", &path, None).await.status, 204);
    ask(&world, "DELETE", "root", &path, None).await.problem("not-found");
    accept(&world, &secret(&third), "three blind mice").await.problem("not-found");
    let users = world.read("manager", "/maarg/poorti/Users").await.ok();
    assert!(!users.to_string().contains("nina"));

    let fourth = invite(&world, &nina()).await;
    let put = json!({ "name": "Nina", "role": "lead", "facilityIds": ["STORE_1"], "password": "set by an admin" });
    assert_eq!(ask(&world, "PUT", "root", "/maarg/poorti/Users/nina", Some(&put)).await.status, 204);
    accept(&world, &secret(&fourth), "three blind mice").await.problem("not-found");
    assert_eq!(sign_in(&world, "set by an admin").await.status, 200);
}

#[tokio::test]
async fn whom_one_cannot_invite_is_said_in_words() {
    let world = with_admin().await;
    for (member, value, words) in [
        ("userLoginId", json!("counter"), "is taken"),
        ("userLoginId", json!("rival"), "is taken"),
        ("userLoginId", json!("token:erp"), "for programs"),
        ("userLoginId", json!(""), "The sign-in name"),
        ("role", json!("king"), "\"role\""),
        ("facilityIds", json!(null), "Name the stores"),
        ("facilityIds", json!(["STORE_9"]), "no store \"STORE_9\""),
    ] {
        let mut body = nina();
        body[member] = value;
        let problem = ask(&world, "POST", "root", INVITATIONS, Some(&body)).await.problem("field-invalid");
        assert!(problem.detail.contains(words), "{words}: {}", problem.detail);
    }
    ask(&world, "POST", "manager", INVITATIONS, Some(&nina())).await.problem("not-allowed");
    world.read("manager", INVITATIONS).await.problem("not-allowed");
    assert_eq!(world.read("root", INVITATIONS).await.ok()["items"], json!([]));
    accept(&world, "no secret", "three blind mice").await.problem("not-found");
    let foreign = world.post("/auth/invitation").header("origin", "https://elsewhere.example");
    foreign.json(&json!({ "secret": "x", "password": "three blind mice" })).send().await.problem("not-allowed");
}
