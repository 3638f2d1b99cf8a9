//! Approved results reach a real receiver, however often that fails first.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use super::{RUN, add_admin, ask, file, planned};
use crate::support::World;

const RECEIVERS: &str = "/maarg/poorti/Receivers";

type Got = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Fails once, then takes everything.
async fn take(State(got): State<Got>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    let mut got = got.lock().unwrap();
    got.push((headers, body));
    if got.len() == 1 { (StatusCode::SERVICE_UNAVAILABLE, "closed for stocktaking") } else { (StatusCode::OK, "") }
}

async fn with_admin() -> World {
    add_admin(World::with(ginti_sqlite::Options::default(), |deps| deps.config.private_receivers = true).await).await
}

/// Until the first message stands so.
async fn until(world: &World, status: &str, attempts: u64) -> Value {
    for _ in 0..600 {
        let messages = world.read("manager", "/maarg/poorti/Outbox").await.ok();
        let message = messages["items"][0].clone();
        if message["status"] == status && message["attempts"].as_u64() >= Some(attempts) {
            return message;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        // The outbox waits by the world's clock.
        world.advance_ms(1_000);
    }
    panic!("waited in vain for {status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_reaches_its_receiver_once_in_effect_and_signed() {
    let world = with_admin().await;
    let got = Got::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/counts", listener.local_addr().unwrap());
    let receiver = Router::new().route("/counts", post(take)).with_state(got.clone());
    tokio::spawn(async move { axum::serve(listener, receiver).await });
    let put = ask(&world, "PUT", "root", &format!("{RECEIVERS}/erp"), Some(&json!({ "kind": "webhook", "url": url })))
        .await
        .ok();
    let secret = STANDARD.decode(put["secret"].as_str().unwrap()).unwrap();
    ask(&world, "PUT", "manager", &format!("{RECEIVERS}/erp"), Some(&json!({ "kind": "webhook", "url": url })))
        .await
        .problem("not-allowed");
    let listed = world.read("manager", RECEIVERS).await.ok();
    assert_eq!(listed["items"][0]["receiverId"], "erp");
    assert!(listed["items"][0].get("secret").is_none(), "told once");

    planned(&world).await;
    file(&world, "/maarg/poorti/Stock?facilityId=STORE_1&dryRun=false", "productId,quantityOnHand\n10440,10\n")
        .await
        .ok();
    let mut batch = crate::support::batch(1, &json!([crate::support::count("a", 12, 1)]));
    batch["inventoryCountImportId"] = json!("S1");
    world.import("counter", &batch).await.ok();
    let submit = json!({ "statusId": "SESSION_SUBMITTED" });
    ask(&world, "PUT", "counter", "/maarg/poorti/InventoryCountImport/S1", Some(&submit)).await.ok();
    super::post(&world, &format!("{RUN}/R1/approval"), &json!({})).await.ok();

    let delivering = tokio::spawn(ginti_server::deliver(world.deps.clone()));
    let failed = until(&world, "waiting", 1).await;
    assert!(failed["lastError"].as_str().unwrap().contains("closed for stocktaking"), "{failed}");
    let done = until(&world, "delivered", 2).await;
    assert_eq!(done["lastError"], json!(null));
    world.deps.drain.begin();
    delivering.await.unwrap();

    let got = got.lock().unwrap();
    assert_eq!(got.len(), 2, "the refused attempt and the one that was taken");
    let header = |at: usize, name: &str| got[at].0[name].to_str().unwrap().to_owned();
    assert_eq!(header(0, "idempotency-key"), header(1, "idempotency-key"));
    let (_, body) = &got[1];
    let told: Value = serde_json::from_slice(body).unwrap();
    assert_eq!((&told["workEffortId"], &told["facilityId"]), (&json!("R1"), &json!("STORE_1")));
    assert_eq!(told["items"], json!([{ "productId": "10440", "expectedQuantity": 10, "quantity": 12 }]));
    // As a receiver checks it (RFC 9421).
    let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)));
    assert_eq!(header(1, "content-digest"), digest);
    let parameters = header(1, "signature-input").strip_prefix("ginti=").unwrap().to_owned();
    let base = format!(
        "\"@method\": POST\n\"@target-uri\": {url}\n\"content-digest\": {digest}\n\"content-type\": application/json\n\
         \"idempotency-key\": {}\n\"@signature-params\": {parameters}",
        header(1, "idempotency-key")
    );
    let signature = header(1, "signature");
    let signature = signature.strip_prefix("ginti=:").unwrap().strip_suffix(':').unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
    mac.update(base.as_bytes());
    mac.verify_slice(&STANDARD.decode(signature).unwrap()).expect("the receiver's key signs it");
}

#[tokio::test]
async fn a_receiver_inside_the_network_is_refused_unless_the_operator_allows_it() {
    let world = with_admin().await;
    let put = async |world: &World, url: &str| {
        let body = json!({ "kind": "webhook", "url": url });
        ask(world, "PUT", "root", &format!("{RECEIVERS}/x"), Some(&body)).await
    };
    put(&world, "http://127.0.0.1:9/").await.ok();
    let strict = world.reconfigured(|config| config.private_receivers = false);
    for url in [
        "http://127.0.0.1:9/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/",
        "not an address",
    ] {
        put(&strict, url).await.problem("field-invalid");
    }
    assert_eq!(ask(&strict, "DELETE", "root", &format!("{RECEIVERS}/x"), None).await.status, 204);
    ask(&strict, "DELETE", "root", &format!("{RECEIVERS}/x"), None).await.problem("not-found");
}

#[tokio::test]
async fn a_session_approved_by_itself_is_told_too_or_it_is_said_where_to_approve_it() {
    let world = with_admin().await;
    let put = json!({ "kind": "webhook", "url": "http://127.0.0.1:9/" });
    ask(&world, "PUT", "root", &format!("{RECEIVERS}/erp"), Some(&put)).await.ok();
    let update = async |id: &str, user: &str, body: Value| {
        ask(&world, "PUT", user, &format!("/maarg/poorti/InventoryCountImport/{id}"), Some(&body)).await
    };
    let (submitted, approved) = (json!({ "statusId": "SESSION_SUBMITTED" }), json!({ "statusId": "SESSION_APPROVED" }));
    // One that was made before there were runs.
    world.import("counter", &crate::support::batch(1, &json!([crate::support::count("a", 12, 1)]))).await.ok();
    update("M1", "manager", approved.clone()).await.problem("status-not-allowed");
    update("M1", "counter", submitted.clone()).await.ok();
    update("M1", "counter", approved.clone()).await.problem("not-allowed");
    let both = json!({ "statusId": "SESSION_APPROVED", "assignedUserLoginId": null });
    update("M1", "manager", both).await.problem("field-invalid");
    assert_eq!(update("M1", "manager", approved.clone()).await.ok()["statusId"], "SESSION_APPROVED");
    update("M1", "manager", approved.clone()).await.ok();
    let outbox = world.read("manager", "/maarg/poorti/Outbox").await.ok();
    let messages = outbox["items"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{outbox}");
    assert_eq!((&messages[0]["workEffortId"], &messages[0]["facilityId"]), (&json!("M1"), &json!("STORE_1")));

    planned(&world).await;
    let session = json!({ "inventoryCountImportId": "S2", "countImportName": "Aisle 4", "facilityId": "STORE_1", "purposeType": "HARD_COUNT" });
    let made = super::post(&world, &format!("{RUN}/R1/sessions"), &json!({ "sessions": [session] })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    for id in ["S1", "S2"] {
        update(id, "counter", submitted.clone()).await.ok();
    }
    let refused = update("S1", "manager", approved.clone()).await.problem("status-not-allowed");
    assert!(refused.detail.contains("/maarg/poorti/InventoryCountRun/R1/approval"), "{}", refused.detail);
    assert_eq!(update("S2", "manager", json!({ "statusId": "SESSION_VOIDED" })).await.status, 200);
    update("S1", "manager", approved).await.ok();
    let outbox = world.read("manager", "/maarg/poorti/Outbox").await.ok();
    assert_eq!(outbox["items"].as_array().unwrap().len(), 2, "{outbox}");
}
