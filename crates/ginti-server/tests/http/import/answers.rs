//! Each row of DESIGN.md section 4's table of answers.

use ginti_sqlite::Options;
use ginti_types::SessionStatus;
use serde_json::json;

use crate::support::{IMPORT, World, batch, batch_id, count};

#[tokio::test]
async fn every_item_accepted_gives_a_receipt() {
    let world = World::new().await;
    let answer = world.import("counter", &batch(1, &json!([count("a", 12, 7), count("b", 0, 8)]))).await;
    let receipt = answer.ok();
    assert_eq!(receipt["batchId"], batch_id(1));
    assert_eq!(receipt["ledgerSeq"], 2);
    assert_eq!(receipt["serverTime"], "2026-11-22T09:14:04.000Z");
    assert!(receipt["epoch"].as_str().is_some_and(|epoch| !epoch.is_empty()));
    assert_eq!(
        receipt["items"],
        json!([
            { "importItemSeqId": "a", "outcome": "applied", "revision": 7, "deviceId": "device-1" },
            { "importItemSeqId": "b", "outcome": "applied", "revision": 8, "deviceId": "device-1" }
        ])
    );
    assert_eq!(answer.header("idempotency-replayed"), "");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_smallest_useful_body_works() {
    let world = World::new().await;
    let item = json!({ "importItemSeqId": "1", "productId": "10440", "quantity": 3, "revision": 1 });
    world.import("counter", &batch(1, &json!([item]))).await.ok();
    assert_eq!(world.quantities("M1").await, [("1".to_owned(), json!(3))]);
}

#[tokio::test]
async fn applied_duplicate_superseded_and_late_are_told_apart() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 10)]))).await.ok();
    let answer =
        world.import("counter", &batch(2, &json!([count("a", 5, 10), count("a", 4, 9), count("b", 1, 1)]))).await;
    assert_eq!(answer.outcomes(), ["duplicate", "superseded", "applied"]);
    assert_eq!(answer.ok()["items"][1]["revision"], 10, "the stamp that holds");

    world.set_status("M1", SessionStatus::SessionSubmitted).await;
    let answer = world.import("counter", &batch(3, &json!([count("a", 9, 11)]))).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.outcomes(), ["late"]);
    let rows = world.read("manager", &format!("{IMPORT}/M1/items")).await.ok();
    let held: Vec<_> =
        rows["items"].as_array().unwrap().iter().map(|row| (&row["quantity"], &row["outcome"])).collect();
    assert!(held.contains(&(&json!(5), &json!("applied"))), "the submitted count still holds: {held:?}");
    assert!(held.contains(&(&json!(9), &json!("late"))), "the late one is there to see: {held:?}");
}

#[tokio::test]
async fn the_same_batch_again_gives_the_same_receipt() {
    let world = World::new().await;
    let sent = batch(1, &json!([count("a", 5, 10)]));
    let first = world.import("counter", &sent).await;
    world.import("counter", &batch(2, &json!([count("a", 6, 11)]))).await.ok();
    world.advance_ms(60_000);

    let again = world.import("counter", &sent).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.ok(), first.ok(), "word for word, though the row has moved on");
    assert_eq!(world.quantities("M1").await, [("a".to_owned(), json!(6))]);

    let spaced = serde_json::to_string_pretty(&sent).unwrap();
    let token = world.token("counter").await;
    let again = world.post(IMPORT).bearer(&token).text(spaced).send().await;
    assert_eq!(again.header("idempotency-replayed"), "true", "white space is no content");
}

#[tokio::test]
async fn a_poison_item_does_not_block_the_good_ones() {
    let world = World::new().await;
    let poison = json!({ "importItemSeqId": "b", "productId": "10440", "quantity": -1, "revision": 2 });
    let sent = batch(1, &json!([count("a", 5, 1), poison, count("c", 7, 3)]));
    let answer = world.import("counter", &sent).await;
    let problem = answer.problem("items-refused");
    assert_eq!(answer.outcomes(), ["applied", "rejected", "applied"]);
    assert_eq!(problem.errors.len(), 1);
    assert_eq!(problem.errors[0].pointer, "/items/1/quantity");
    assert_eq!(problem.errors[0].code, "quantity-negative");
    let refused = &problem.receipt.unwrap().items[1];
    assert_eq!(refused.code.as_deref(), Some("quantity-negative"));
    assert_eq!(refused.detail, Some(problem.errors[0].detail.clone()));
    assert_eq!(world.quantities("M1").await, [("a".to_owned(), json!(5)), ("c".to_owned(), json!(7))]);

    let again = world.import("counter", &sent).await;
    again.problem("items-refused");
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &answer.body), "replayed with its status");
}

#[tokio::test]
async fn a_batch_id_with_other_content_is_refused_whole() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 1)]))).await.ok();
    let answer = world.import("counter", &batch(1, &json!([count("a", 6, 2), count("b", 1, 3)]))).await;
    answer.problem("batch-id-reused");
    assert_eq!(world.quantities("M1").await, [("a".to_owned(), json!(5))]);
}

#[tokio::test]
async fn the_idempotency_key_must_be_the_batch_id() {
    let world = World::new().await;
    let token = world.token("counter").await;
    let sent = batch(1, &json!([count("a", 5, 1)]));
    let with = |key: String| world.post(IMPORT).bearer(&token).header("idempotency-key", &key).json(&sent).send();
    for key in [batch_id(2), String::new(), "retry".to_owned()] {
        with(key).await.problem("invalid-parameter");
    }
    assert!(world.quantities("M1").await.is_empty(), "nothing stored");
    with(batch_id(1)).await.ok();
    with(format!("\"{}\"", batch_id(1))).await.ok();
}

#[tokio::test]
async fn while_draining_nothing_is_taken() {
    let world = World::new().await;
    let sent = batch(1, &json!([count("a", 5, 1)]));
    world.deps.drain.begin();
    world.import("counter", &sent).await.problem("draining");
    assert!(world.quantities("M1").await.is_empty(), "reads still work, and nothing was stored");
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_confirmed() {
    let bounded = Options { size_pages_max: Some(120), ..Options::default() };
    let world = World::with(bounded, |_| {}).await;
    let row = |n: u64, at: u64| {
        json!({ "importItemSeqId": format!("{n}-{at}"), "productId": "10440",
        "productIdentifier": "x".repeat(200), "quantity": 1, "revision": 1 })
    };
    let mut answers = Vec::new();
    for n in 0..50_u32 {
        let items: Vec<_> = (0..100).map(|at| row(n.into(), at)).collect();
        answers.push(world.import("counter", &batch(n, &json!(items))).await);
        if answers.last().unwrap().status != 200 {
            break;
        }
    }
    let problem = answers.pop().unwrap().problem("storage-unavailable");
    assert!(problem.detail.contains("disk is full"), "{}", problem.detail);
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_closed_database_sends_the_client_away_for_a_while() {
    use ginti_store::Store;
    let world = World::new().await;
    let token = world.token("counter").await;
    world.store.close().await.unwrap();
    let sent = batch(1, &json!([count("a", 5, 1)]));
    world.post(IMPORT).bearer(&token).json(&sent).send().await.problem("draining");
}
