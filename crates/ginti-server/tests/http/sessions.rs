//! `GET /maarg/poorti/InventoryCountImport` and `…/{id}`.

use serde_json::json;

use crate::support::{IMPORT, World, batch, count};

fn ids(list: &serde_json::Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["inventoryCountImportId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn everyone_sees_the_sessions_of_their_own_tenant_and_facilities() {
    let world = World::new().await;
    for (user, expected) in [
        ("counter", vec!["M1", "M2"]),
        ("elsewhere", vec!["M3"]),
        ("manager", vec!["M1", "M2", "M3"]),
        ("rival", vec!["R1"]),
    ] {
        let list = world.read(user, IMPORT).await.ok();
        assert_eq!(ids(&list), expected, "{user}");
    }
}

#[tokio::test]
async fn a_session_comes_with_its_numbers_and_the_servers_standing() {
    let world = World::new().await;
    let epoch =
        world.import("counter", &batch(1, &json!([count("a", 5, 1), count("b", 6, 1)]))).await.ok()["epoch"].clone();
    let session = world.read("counter", &format!("{IMPORT}/M1")).await.ok();
    assert_eq!(
        session,
        json!({
            "inventoryCountImportId": "M1", "countImportName": "Name of M1", "facilityId": "STORE_1",
            "facilityName": "Name of STORE_1", "purposeType": "HARD_COUNT", "statusId": "SESSION_ASSIGNED",
            "dueDate": "2026-11-23T09:14:04.000Z", "createdDate": "2026-11-21T09:14:04.000Z",
            "itemsCounted": 2, "itemsRequested": 0,
            "assignedUserLoginId": null, "assignedUserName": null, "submittedDate": null, "areaName": null, "isBlind": false,
            "epoch": epoch, "ledgerSeq": 2, "serverTime": "2026-11-22T09:14:04.000Z"
        })
    );
    let directed = world.read("counter", &format!("{IMPORT}/M2")).await.ok();
    assert_eq!((&directed["purposeType"], &directed["itemsRequested"]), (&json!("DIRECTED_COUNT"), &json!(3)));

    let list = world.read("counter", IMPORT).await.ok();
    assert_eq!((&list["epoch"], &list["ledgerSeq"]), (&epoch, &json!(2)));
    let mut expected = session;
    for member in ["epoch", "ledgerSeq", "serverTime"] {
        expected.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(list["items"][0], expected, "the list has the same members");
}

#[tokio::test]
async fn unknown_foreign_and_impossible_ids_get_one_answer() {
    let world = World::new().await;
    let mut bodies = Vec::new();
    for (user, id) in [
        ("counter", "M9"),
        ("counter", "R1"),
        ("counter", "M3"),
        ("rival", "M1"),
        ("counter", "%0a"),
        ("counter", &"x".repeat(41)),
    ] {
        for path in ["", "/items", "/items/a/history", "/assignments"] {
            let answer = world.read(user, &format!("{IMPORT}/{id}{path}")).await;
            answer.problem("not-found");
            bodies.push(answer.body);
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

#[tokio::test]
async fn nothing_is_listed_without_a_token() {
    let world = World::new().await;
    for path in ["", "/M1", "/M1/items", "/M1/items/a/history", "/M1/assignments"] {
        world.get(&format!("{IMPORT}{path}")).send().await.problem("token-missing");
    }
    world.get("/maarg/poorti/Products").send().await.problem("token-missing");
    world.get("/auth/me").send().await.problem("token-missing");
}
