//! Bodies of which nothing can be stored.

use serde_json::json;

use crate::support::{IMPORT, World, batch, count};

/// A body, the code it is answered with, and the members that are at fault.
type Case = (&'static str, String, &'static str, &'static [&'static str]);

fn cases() -> Vec<Case> {
    let good = batch(1, &json!([count("a", 5, 1)])).to_string();
    let with_items = |n: u32| batch(1, &(0..n).map(|at| count(&at.to_string(), 1, 1)).collect()).to_string();
    let without = |member: &str| {
        let mut value: serde_json::Value = serde_json::from_str(&good).unwrap();
        value.as_object_mut().unwrap().remove(member);
        value.to_string()
    };
    let session = |id: &str| good.replace("\"M1\"", &format!("{id:?}"));
    let device = |id: &str| good.replace("\"device-1\"", &format!("{id:?}"));
    vec![
        ("no body", String::new(), "malformed-json", &[]),
        ("broken off", good[..good.len() - 2].to_owned(), "malformed-json", &[]),
        ("something after it", good.clone() + "{}", "malformed-json", &[]),
        ("an array", "[]".to_owned(), "malformed-json", &[]),
        ("not UTF-8 escapes", good.replace("device-1", "\\ud800"), "batch-invalid", &["/deviceId"]),
        ("unknown member", good.replacen('{', "{\"note\":1,", 1), "batch-invalid", &["/note"]),
        ("duplicate member", good.replacen('{', "{\"deviceId\":\"d\",", 1), "batch-invalid", &["/deviceId"]),
        ("no batch id", without("batchId"), "batch-invalid", &["/batchId"]),
        ("no device", without("deviceId"), "batch-invalid", &["/deviceId"]),
        ("no session", without("inventoryCountImportId"), "batch-invalid", &["/inventoryCountImportId"]),
        ("no items member", without("items"), "batch-invalid", &["/items"]),
        (
            "nothing at all",
            "{}".to_owned(),
            "batch-invalid",
            &["/batchId", "/deviceId", "/inventoryCountImportId", "/items"],
        ),
        ("batch id no UUID", good.replace("019aab7e", "batch"), "batch-invalid", &["/batchId"]),
        ("session id empty", session(""), "batch-invalid", &["/inventoryCountImportId"]),
        ("session id of 41 characters", session(&"é".repeat(41)), "batch-invalid", &["/inventoryCountImportId"]),
        ("session id of 40 characters", session(&"é".repeat(40)), "session-not-allowed", &[]),
        ("device id empty", device(""), "batch-invalid", &["/deviceId"]),
        ("device id of 41 characters", device(&"x".repeat(41)), "batch-invalid", &["/deviceId"]),
        ("0 items", with_items(0), "no-items", &[]),
        ("1001 items", with_items(1_001), "too-many-items", &[]),
    ]
}

#[tokio::test]
async fn nothing_of_them_is_stored_and_the_answer_says_where_the_fault_is() {
    let world = World::new().await;
    let token = world.token("counter").await;
    for (name, body, code, pointers) in cases() {
        let answer = world.post(IMPORT).bearer(&token).text(body).send().await;
        println!("{name}");
        let problem = answer.problem(code);
        let found: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(found, pointers, "{name}");
        assert!(problem.receipt.is_none(), "{name}");
    }
    assert!(world.quantities("M1").await.is_empty());
}

#[tokio::test]
async fn one_and_a_thousand_items_are_taken() {
    let world = World::new().await;
    for (n, items) in [(1, 1), (2, 1_000)] {
        let items: Vec<_> = (0..items).map(|at| count(&format!("{n}-{at}"), 1, 1)).collect();
        let answer = world.import("counter", &batch(n, &json!(items))).await;
        assert_eq!(answer.ok()["items"].as_array().unwrap().len(), items.len());
    }
}

#[tokio::test]
async fn ids_of_forty_characters_are_taken() {
    let world = World::new().await;
    let sent = json!({ "batchId": crate::support::batch_id(1), "deviceId": "d".repeat(40), "inventoryCountImportId": "M1",
        "items": [{ "importItemSeqId": "é".repeat(40), "productId": "p".repeat(40), "quantity": 1, "revision": 1,
                    "locationSeqId": "l".repeat(40) }] });
    assert_eq!(world.import("counter", &sent).await.outcomes(), ["applied"]);
}

#[tokio::test]
async fn only_json_is_read() {
    let world = World::new().await;
    let token = world.token("counter").await;
    let body = batch(1, &json!([count("a", 5, 1)])).to_string();
    let with =
        |media: &'static str| world.post(IMPORT).bearer(&token).header("content-type", media).body(body.clone()).send();
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jsonx", ""]
    {
        with(media).await.problem("unsupported-media-type");
    }
    let problem = world.post(IMPORT).bearer(&token).body(body.clone()).send().await.problem("unsupported-media-type");
    assert!(problem.detail.contains("application/json"));
    for media in ["application/json", "application/json;charset=UTF-8", "Application/JSON; charset=\"utf-8\""] {
        with(media).await.ok();
    }
}
