//! `…/{id}/items` and `…/items/{itemId}/history`.

use serde_json::json;

use crate::support::{IMPORT, World, batch, batch_id, count};

#[tokio::test]
async fn a_row_comes_with_everything_another_device_needs() {
    let world = World::new().await;
    let item = json!({ "importItemSeqId": "00017", "productId": null, "productIdentifier": "030955168517", "quantity": 1.5,
        "revision": 7, "countedAt": "2026-11-22T09:00:00.120Z", "countedByUserLoginId": "counter", "isRequested": "N",
        "locationSeqId": "AISLE-3", "note": " box torn\n2 missing " });
    let receipt = world.import("counter", &batch(1, &json!([item]))).await.ok();
    let page = world.read("counter2", &format!("{IMPORT}/M1/items")).await.ok();
    assert_eq!(
        page,
        json!({
            "items": [{
                "importItemSeqId": "00017", "productId": null, "productIdentifier": "030955168517", "quantity": 1.5,
                "revision": 7, "deviceId": "device-1", "countedAt": "2026-11-22T09:00:00.120Z",
                "countedByUserLoginId": "counter", "isRequested": "N", "locationSeqId": "AISLE-3",
                "note": "box torn\n2 missing", "outcome": "applied",
                "ledgerSeq": 1, "receivedAt": "2026-11-22T09:14:04.000Z", "batchId": batch_id(1)
            }],
            "ledgerSeq": 1, "epoch": receipt["epoch"], "serverTime": "2026-11-22T09:14:04.000Z"
        })
    );
}

#[tokio::test]
async fn what_was_left_out_is_filled_in_with_arrival_and_sender() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 1)]))).await.ok();
    let page = world.read("counter", &format!("{IMPORT}/M1/items")).await.ok();
    assert_eq!(page["items"][0]["countedByUserLoginId"], "counter");
    assert_eq!(page["items"][0]["countedAt"], "2026-11-22T09:14:04.000Z");
}

#[tokio::test]
async fn the_cursor_walks_through_all_rows_and_then_stands_still() {
    let world = World::new().await;
    let rows: Vec<_> = (0..25).map(|at| count(&format!("row-{at}"), at, 1)).collect();
    world.import("counter", &batch(1, &json!(rows))).await.ok();
    world.import("counter", &batch(2, &json!([count("row-3", 99, 2)]))).await.ok();

    let (mut cursor, mut seen) = (0, std::collections::BTreeMap::new());
    loop {
        let page = world.read("counter", &format!("{IMPORT}/M1/items?after={cursor}&limit=10")).await.ok();
        for row in page["items"].as_array().unwrap() {
            seen.insert(row["importItemSeqId"].as_str().unwrap().to_owned(), row["quantity"].clone());
        }
        let next = page["ledgerSeq"].as_u64().unwrap();
        if next == cursor {
            break;
        }
        cursor = next;
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(seen["row-3"], 99);
    assert_eq!(cursor, 26);

    world.import("counter", &batch(3, &json!([count("row-7", 70, 2)]))).await.ok();
    let page = world.read("counter", &format!("{IMPORT}/M1/items?after={cursor}")).await.ok();
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "only what changed since");
    assert_eq!(page["items"][0]["quantity"], 70);
}

#[tokio::test]
async fn limits_and_cursors_that_make_no_sense_are_refused() {
    let world = World::new().await;
    for query in ["limit=0", "limit=1001", "limit=many", "after=-1", "after=last"] {
        world.read("counter", &format!("{IMPORT}/M1/items?{query}")).await.problem("invalid-parameter");
    }
    for path in ["M1/assignments?limit=0", "M1/assignments?limit=1001"] {
        world.read("counter", &format!("{IMPORT}/{path}")).await.problem("invalid-parameter");
    }
    world.read("counter", "/maarg/poorti/Products?limit=1001").await.problem("invalid-parameter");
}

#[tokio::test]
async fn history_keeps_every_revision_with_its_outcome_and_sender() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 10)]))).await.ok();
    world.import("counter2", &batch(2, &json!([count("a", 4, 9)]))).await.ok();
    world.import("counter", &batch(3, &json!([count("a", 6, 11)]))).await.ok();
    let history = world.read("manager", &format!("{IMPORT}/M1/items/a/history")).await.ok();
    let entries: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["quantity"].clone(), entry["outcome"].clone(), entry["sentBy"].clone()))
        .collect();
    assert_eq!(
        entries,
        [
            (json!(5), json!("applied"), json!("counter")),
            (json!(4), json!("superseded"), json!("counter2")),
            (json!(6), json!("applied"), json!("counter")),
        ]
    );
    world.read("manager", &format!("{IMPORT}/M1/items/never/history")).await.problem("not-found");
}
