//! API tokens: made by an admin, called with by programs.

use ginti_desk::{Desk, RevokeApiToken};
use ginti_types::{TenantId, UserLoginId};
use serde_json::{Value, json};

use super::{ask, people::with_admin};
use crate::support::{ACME, IMPORT, NOW_MS, World, batch, count};

const TOKENS: &str = "/maarg/poorti/ApiTokens";

async fn make(world: &World, body: &Value) -> Value {
    let answer = ask(world, "POST", "root", TOKENS, Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

fn erp() -> Value {
    json!({ "name": "erp", "role": "counter", "facilityIds": ["STORE_1"], "expiresAt": "2026-12-01T00:00:00Z" })
}

#[tokio::test]
async fn a_program_counts_with_a_token_under_a_name_of_its_own() {
    let world = with_admin().await;
    let made = make(&world, &erp()).await;
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("gt_") && token.len() == 3 + 43, "{token}");
    assert_eq!((&made["userLoginId"], &made["lastUsedAt"]), (&json!("token:erp"), &json!(null)));

    let sent = world.post(IMPORT).bearer(token).json(&batch(1, &json!([count("1", 5, 1)]))).send().await;
    assert_eq!(sent.outcomes(), ["applied"], "{}", sent.text());
    let history = world.read("manager", &format!("{IMPORT}/M1/items/1/history")).await.ok();
    assert_eq!(history["items"][0]["countedByUserLoginId"], "token:erp", "{history}");
    let me = world.get("/auth/me").bearer(token).send().await.ok();
    assert_eq!((&me["userLoginId"], &me["role"]), (&json!("token:erp"), &json!("counter")));
    assert_eq!(me["facilityIds"], json!(["STORE_1"]));
    let sessions = world.get(IMPORT).bearer(token).send().await.ok();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 2, "of its store only");
    world.get("/maarg/poorti/Users").bearer(token).send().await.problem("not-allowed");
    world.get(TOKENS).bearer(token).send().await.problem("not-allowed");
    assert_eq!(world.read("counter", TOKENS).await.status, 403);
}

#[tokio::test]
async fn a_tokens_use_and_making_are_written_down_and_the_token_is_not() {
    let world = with_admin().await;
    let made = make(&world, &json!({ "name": "erp", "role": "manager" })).await;
    let token = made["token"].as_str().unwrap();
    let used = async || world.read("root", TOKENS).await.ok()["items"][0]["lastUsedAt"].clone();
    assert_eq!(used().await, json!(null));
    let call = async || assert_eq!(world.get("/auth/me").bearer(token).send().await.status, 200);
    call().await;
    assert_eq!(used().await, "2026-11-22T09:14:04.000Z");
    world.advance_ms(59_000);
    call().await;
    assert_eq!(used().await, "2026-11-22T09:14:04.000Z", "not more often than once a minute");
    world.advance_ms(31_000);
    call().await;
    assert_eq!(used().await, "2026-11-22T09:15:34.000Z");

    let run = json!({ "workEffortId": "R9", "workEffortName": "Planned by a program" });
    let planned = world.post(super::RUN).bearer(token).json(&run).send().await;
    assert_eq!(planned.status, 201, "{}", planned.text());
    let listed = world.read("root", TOKENS).await.ok();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["facilityIds"]), (1, &json!(null)));
    let revoked = ask(&world, "DELETE", "root", &format!("{TOKENS}/{}", made["apiTokenId"]), None).await;
    assert_eq!(revoked.status, 204);
    let log = world.read("manager", "/maarg/poorti/Audit").await.ok();
    let entries: Vec<_> = log["items"].as_array().unwrap().iter().collect();
    let has = |action: &str, subject: &str, by: &str| {
        entries
            .iter()
            .any(|entry| entry["action"] == action && entry["subject"] == subject && entry["userLoginId"] == by)
    };
    assert!(has("api-token-made", "token:erp", "root") && has("api-token-revoked", "token:erp", "root"), "{log}");
    assert!(entries.iter().any(|entry| entry["userLoginId"] == "token:erp"), "{log}");
    assert!(!log.to_string().contains(token) && !listed.to_string().contains("gt_"));
}

#[tokio::test]
async fn a_revoked_or_expired_token_is_good_for_nothing() {
    let world = with_admin().await;
    let (first, second) = (make(&world, &erp()).await, make(&world, &erp()).await);
    assert_eq!(second["userLoginId"], "token:erp-2");
    let me = async |made: &Value| world.get("/auth/me").bearer(made["token"].as_str().unwrap()).send().await;
    assert_eq!((me(&first).await.status, me(&second).await.status), (200, 200));
    let path = format!("{TOKENS}/{}", first["apiTokenId"]);
    ask(&world, "DELETE", "manager", &path, None).await.problem("not-allowed");
    assert_eq!(ask(&world, "DELETE", "root", &path, None).await.status, 204);
    ask(&world, "DELETE", "root", &path, None).await.problem("not-found");
    me(&first).await.problem("token-invalid");

    // As another server of the same database does it: this one hears of it within half a minute.
    let access = ginti_store::Access {
        tenant: TenantId::new(ACME).unwrap(),
        user: UserLoginId::new("root").unwrap(),
        facilities: None,
    };
    let third = make(&world, &erp()).await;
    assert_eq!(me(&third).await.status, 200);
    let id = third["apiTokenId"].as_i64().unwrap();
    let revoke = RevokeApiToken { access, id, now: world.deps.now() };
    assert!(Desk::new(world.store.clone()).run(revoke).await.unwrap());
    world.advance_ms(29_999);
    assert_eq!(me(&third).await.status, 200);
    world.advance_ms(1);
    me(&third).await.problem("token-invalid");

    let soon = json!({ "name": "soon", "role": "lead", "expiresAt": "2026-11-22T09:15:00Z" });
    let soon = make(&world, &soon).await;
    world.advance_ms(NOW_MS + 55_999 - world.deps.now().unix_ms());
    assert_eq!(me(&soon).await.status, 200);
    world.advance_ms(1);
    me(&soon).await.problem("token-expired");
    world.get("/auth/me").bearer("gt_").send().await.problem("token-invalid");
    world.get("/auth/me").bearer(&format!("gt_{}", "A".repeat(43))).send().await.problem("token-invalid");
}

#[tokio::test]
async fn a_token_that_must_not_be_is_refused_in_words() {
    let world = with_admin().await;
    for (member, value, words) in [
        ("role", json!("admin"), "No token is an admin"),
        ("role", json!("king"), "\"role\""),
        ("name", json!(" "), "1 to 30 characters"),
        ("name", json!("x".repeat(31)), "1 to 30 characters"),
        ("facilityIds", json!(["STORE_9"]), "no store \"STORE_9\""),
        ("expiresAt", json!("2026-11-22T09:14:04Z"), "in the past"),
        ("admin", json!(true), "unknown field"),
    ] {
        let mut body = erp();
        body[member] = value;
        let problem = ask(&world, "POST", "root", TOKENS, Some(&body)).await.problem("field-invalid");
        assert!(problem.detail.contains(words), "{words}: {}", problem.detail);
    }
    ask(&world, "POST", "manager", TOKENS, Some(&erp())).await.problem("not-allowed");
    let person = json!({ "name": "Nina", "role": "manager", "password": "three blind mice" });
    let taken = ask(&world, "PUT", "root", "/maarg/poorti/Users/token:erp", Some(&person)).await;
    assert!(taken.problem("field-invalid").detail.contains("for programs"));
}
