//! Review, decisions, approval, export.

use serde_json::{Value, json};

use super::{RUN, ask, file, planned, post};
use crate::support::World;

fn batch(number: u32, device: &str, items: &Value) -> Value {
    let mut batch = crate::support::batch(number, items);
    batch["deviceId"] = json!(device);
    batch["inventoryCountImportId"] = json!("S1");
    batch
}

fn count(row: &str, product: &str, quantity: f64, revision: u64) -> Value {
    json!({ "importItemSeqId": row, "productId": product, "quantity": quantity, "revision": revision })
}

/// 10440 is contested at 5 and 3, 10441 is half a piece short of 4, 10442 was not counted. Handed in.
async fn counted(world: &World) {
    planned(world).await;
    let stock = "productId,quantityOnHand,unitCost\n10440,10,2.5\n10441,4,1\n";
    file(world, "/maarg/poorti/Stock?facilityId=STORE_1&dryRun=false", stock).await.ok();
    let first = batch(1, "d1", &json!([count("a", "10440", 5.0, 1), count("b", "10441", 3.5, 2)]));
    world.import("counter", &first).await.ok();
    world.import("counter2", &batch(2, "d2", &json!([count("c", "10440", 3.0, 1)]))).await.ok();
    let submit = json!({ "statusId": "SESSION_SUBMITTED" });
    ask(world, "PUT", "counter", "/maarg/poorti/InventoryCountImport/S1", Some(&submit)).await.ok();
}

fn on(product: &str) -> Value {
    json!({ "facilityId": "STORE_1", "subject": product })
}

async fn decide(world: &World, body: &Value) -> crate::support::Answer {
    post(world, &format!("{RUN}/R1/decisions"), body).await
}

#[tokio::test]
async fn a_review_shows_what_needs_a_person_first() {
    let world = World::new().await;
    counted(&world).await;
    let lines = world.read("manager", &format!("{RUN}/R1/review")).await.ok();
    let subjects: Vec<_> = lines["items"].as_array().unwrap().iter().map(|line| line["subject"].clone()).collect();
    assert_eq!(subjects, ["10440", "10442", "10441"], "contested, not counted, short");
    assert_eq!(
        lines["items"][0],
        json!({
            "facilityId": "STORE_1", "subject": "10440", "productId": "10440", "productName": "Name of 10440",
            "sku": "SKU-10440", "expectedQuantity": 10, "unitCost": 2.5, "countedQuantity": 8, "difference": -2,
            "valueDifference": -5, "sessions": 1, "devices": 2, "isContested": true, "lateCount": 0, "decision": null,
            "chosenQuantity": null, "reason": null, "decidedByUserLoginId": null, "decidedAt": null
        })
    );
    assert_eq!((&lines["items"][2]["difference"], &lines["items"][2]["countedQuantity"]), (&json!(-0.5), &json!(3.5)));
    let page = world.read("manager", &format!("{RUN}/R1/review?limit=1&offset=1&filter=notCounted")).await.ok();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (0, &json!(null)));
    let page = world.read("manager", &format!("{RUN}/R1/review?limit=1")).await.ok();
    assert_eq!(page["next"], 1);
    let totals = world.read("manager", &format!("{RUN}/R1/review/totals")).await.ok();
    let expected = json!({
        "lines": 3, "undecided": 3, "contested": 1, "late": 0, "notCounted": 1, "different": 2, "over": 0, "short": 2.5,
        "valueDifference": -5.5
    });
    assert_eq!(totals, expected);
    let story = world.read("manager", &format!("{RUN}/R1/review/STORE_1/10440")).await.ok();
    let who: Vec<_> =
        story["counts"].as_array().unwrap().iter().map(|one| one["countedByUserLoginId"].clone()).collect();
    assert_eq!(who, ["counter", "counter2"]);
    assert_eq!((&story["counts"][0]["quantity"], &story["counts"][0]["holds"]), (&json!(5), &json!(true)));
    world.read("manager", &format!("{RUN}/R1/review/STORE_1/none")).await.problem("not-found");
    world.read("manager", &format!("{RUN}/R1/review?filter=nice")).await.problem("invalid-parameter");
    world.read("counter", &format!("{RUN}/R1/review")).await.problem("not-allowed");
}

#[tokio::test]
async fn decisions_are_taken_in_bulk_and_taken_back() {
    let world = World::new().await;
    counted(&world).await;
    world.read("manager", &format!("{RUN}/R1/review")).await.ok();
    let mut chosen = on("10440");
    chosen["chosenQuantity"] = json!(5);
    let taken = decide(&world, &json!({ "lines": [chosen, on("10441")], "decision": "accept" })).await;
    assert_eq!(taken.status, 201, "{}", taken.text());
    let lines = world.read("manager", &format!("{RUN}/R1/review?sort=subject")).await.ok();
    assert_eq!((&lines["items"][0]["decision"], &lines["items"][0]["chosenQuantity"]), (&json!("accept"), &json!(5)));
    assert_eq!(lines["items"][0]["decidedByUserLoginId"], "manager");
    let back = format!("{RUN}/R1/decisions/{}", taken.json()["decisionId"]);
    assert_eq!(ask(&world, "DELETE", "manager", &back, None).await.status, 204);
    ask(&world, "DELETE", "manager", &back, None).await.problem("not-found");
    let lines = world.read("manager", &format!("{RUN}/R1/review?filter=undecided")).await.ok();
    assert_eq!(lines["items"].as_array().unwrap().len(), 3);
    for (body, code) in [
        (json!({ "lines": [on("10440")], "decision": "reject" }), "field-invalid"),
        (json!({ "lines": [on("10440")], "decision": "shrug" }), "field-invalid"),
        (json!({ "lines": [], "decision": "accept" }), "field-invalid"),
        (json!({ "lines": [on("none")], "decision": "accept" }), "not-found"),
    ] {
        decide(&world, &body).await.problem(code);
    }
    let log = world.read("manager", "/maarg/poorti/Audit?subject=R1").await.ok();
    let actions: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["decision-undone", "lines-decided", "sessions-planned", "run-created"]);
    assert_eq!((&log["items"][1]["isUndone"], &log["items"][1]["details"]["before"]), (&json!(true), &json!(null)));
}

#[tokio::test]
async fn what_is_contested_is_counted_again_and_then_approved() {
    let world = World::new().await;
    counted(&world).await;
    let approval = format!("{RUN}/R1/approval");
    let blocked = post(&world, &approval, &json!({})).await;
    assert!(blocked.problem("status-not-allowed").detail.contains("1 contested or late lines are undecided"));
    let again =
        decide(&world, &json!({ "lines": [on("10440")], "decision": "recount", "countImportName": "Look again" }))
            .await;
    let session = again.json()["inventoryCountImportIds"][0].as_str().unwrap().to_owned();
    let path = format!("/maarg/poorti/InventoryCountImport/{session}");
    let made = world.read("counter", &path).await.ok();
    assert_eq!((&made["assignedUserLoginId"], &made["countImportName"]), (&json!("counter"), &json!("Look again")));
    assert!(
        post(&world, &approval, &json!({}))
            .await
            .problem("status-not-allowed")
            .detail
            .contains("1 sessions are still open")
    );
    let mut recount = batch(3, "d1", &json!([count("z", "10440", 9.0, 50)]));
    recount["inventoryCountImportId"] = json!(session);
    world.import("counter", &recount).await.ok();
    ask(&world, "PUT", "counter", &path, Some(&json!({ "statusId": "SESSION_SUBMITTED" }))).await.ok();
    assert_eq!(post(&world, &approval, &json!({})).await.ok()["sessionsApproved"], 2);
    assert_eq!(world.read("manager", &format!("{RUN}/R1")).await.ok()["statusId"], "CYCLE_CNT_CLOSED");
    decide(&world, &json!({ "lines": [on("10440")], "decision": "accept" })).await.problem("status-not-allowed");
    post(&world, &approval, &json!({})).await.problem("status-not-allowed");
    let file = world.read("manager", &format!("{RUN}/R1/export")).await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let rows: Vec<_> = file.text().lines().collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[1], "STORE_1,10440,SKU-10440,Name of 10440,,10,9,-1,2.5,-2.5,N,0,,,,");
    let json = world.read("manager", &format!("{RUN}/R1/export?format=json")).await.ok();
    assert_eq!(json["items"][0]["countedQuantity"], 9);
}
