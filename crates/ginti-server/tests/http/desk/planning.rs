//! Runs, sessions, files.

use serde_json::json;

use super::{RUN, ask, file, planned, post};
use crate::support::World;

#[tokio::test]
async fn a_run_is_planned_and_seen_by_whoever_counts() {
    let world = World::new().await;
    planned(&world).await;
    let run = world.read("manager", &format!("{RUN}/R1")).await.ok();
    assert_eq!(run["statusId"], "CYCLE_CNT_IN_PRGS");
    assert_eq!((&run["sessions"]["assigned"], &run["facilityIds"]), (&json!(1), &json!(["STORE_1"])));
    let runs = world.read("manager", RUN).await.ok();
    let ids: Vec<_> = runs["items"].as_array().unwrap().iter().map(|run| run["workEffortId"].clone()).collect();
    assert_eq!(ids[0], "R1", "newest first");
    assert!(ids.contains(&json!("M1")), "sessions made by import have runs of their own");
    let seen = world.read("counter", "/maarg/poorti/InventoryCountImport/S1").await.ok();
    assert_eq!((&seen["countImportName"], &seen["itemsRequested"]), (&json!("Aisle 3"), &json!(3)));
    world.read("elsewhere", "/maarg/poorti/InventoryCountImport/S1").await.problem("not-found");
    world.read("rival", &format!("{RUN}/M1")).await.problem("not-found");
    world.read("counter", RUN).await.problem("not-allowed");
    let stores = world.read("manager", "/maarg/poorti/Facilities").await.ok();
    assert_eq!(stores["items"][0], json!({ "facilityId": "STORE_1", "facilityName": "Name of STORE_1" }));
}

#[tokio::test]
async fn a_plan_that_cannot_be_is_refused_in_words() {
    let world = World::new().await;
    planned(&world).await;
    let good = json!({ "countImportName": "B", "facilityId": "STORE_1", "purposeType": "HARD_COUNT" });
    let with = |member: &str, value: serde_json::Value| {
        let mut session = good.clone();
        session[member] = value;
        json!({ "sessions": [session] })
    };
    let path = format!("{RUN}/R1/sessions");
    for (body, words) in [
        (with("facilityId", json!("STORE_9")), "no store \"STORE_9\""),
        (with("assignedUserLoginId", json!("elsewhere")), "nobody who may count"),
        (with("purposeType", json!("DIRECTED_COUNT")), "needs a list"),
        (with("productIds", json!(["10440"])), "for a directed count"),
        (with("inventoryCountImportId", json!("S1")), "the id \"S1\""),
        (with("countImportName", json!("  ")), "\"countImportName\""),
        (json!({ "sessions": [] }), "1 to 500"),
    ] {
        let problem = post(&world, &path, &body).await.problem("field-invalid");
        assert!(problem.detail.contains(words), "{words}: {}", problem.detail);
    }
    post(&world, RUN, &json!({ "workEffortId": "R1", "workEffortName": "Again" })).await.problem("field-invalid");
    post(&world, &format!("{RUN}/none/sessions"), &json!({ "sessions": [good] })).await.problem("not-found");
}

#[tokio::test]
async fn a_filter_makes_a_list_that_two_people_share_and_a_copy_has_it_too() {
    let world = World::new().await;
    planned(&world).await;
    let session = json!({
        "inventoryCountImportId": "S2", "countImportName": "All of it", "facilityId": "STORE_1", "isBlind": false, "areaName": "Aisle 7",
        "purposeType": "DIRECTED_COUNT", "productFilter": "sku-1044"
    });
    assert_eq!(post(&world, &format!("{RUN}/R1/sessions"), &json!({ "sessions": [session] })).await.status, 201);
    let seen = world.read("counter", "/maarg/poorti/InventoryCountImport/S2").await.ok();
    assert_eq!((&seen["areaName"], &seen["isBlind"]), (&json!("Aisle 7"), &json!(false)));
    let list = "/maarg/poorti/InventoryCountImport/S2/assignments";
    assert_eq!(world.read("manager", list).await.ok()["items"].as_array().unwrap().len(), 2);
    file(&world, "/maarg/poorti/Stock?facilityId=STORE_1&dryRun=false", "productId,quantityOnHand\n10440,12.5\n")
        .await
        .ok();
    let lines = world.read("counter", list).await.ok();
    assert_eq!(lines["items"][0]["expectedQuantity"], 12.5, "the count is not blind");
    assert_eq!(lines["items"][1].get("expectedQuantity"), None, "nobody said");
    let blind = world.read("counter", "/maarg/poorti/InventoryCountImport/S1/assignments").await.ok();
    assert_eq!(blind["items"][0].get("expectedQuantity"), None, "a blind count shows nothing");
    let split = json!({ "userLoginIds": ["counter", "counter2"] });
    let made = post(&world, "/maarg/poorti/InventoryCountImport/S2/split", &split).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(world.read("manager", list).await.ok()["items"].as_array().unwrap().len(), 1);
    let alone = json!({ "userLoginIds": ["counter"] });
    post(&world, "/maarg/poorti/InventoryCountImport/S2/split", &alone).await.problem("field-invalid");
    let copy = json!({ "workEffortId": "R2", "workEffortName": "December", "copyOfWorkEffortId": "R1" });
    assert_eq!(post(&world, RUN, &copy).await.status, 201);
    assert_eq!(world.read("manager", &format!("{RUN}/R2")).await.ok()["sessions"]["assigned"], 3);
}

const FILE: &str = "countImportName,productSku,facility,estimatedCompletionDate\r\n\
    Aisle 1,SKU-10440,STORE_1,11-30-2026 18:00:00\r\n\
    Aisle 1,SKU-10441,STORE_1,11-30-2026 18:00:00\r\n\
    Aisle 2,SKU-404,STORE_1,\r\n\
    Aisle 2,SKU-10440,STORE_9,\r\n\
    Everything,,STORE_2,\r\n";

#[tokio::test]
async fn a_file_is_looked_at_first_and_its_bad_rows_are_named() {
    let world = World::new().await;
    planned(&world).await;
    let path = format!("{RUN}/R1/sessions.csv");
    let looked = file(&world, &path, FILE).await.ok();
    assert_eq!((&looked["isDryRun"], &looked["rows"], &looked["errorCount"]), (&json!(true), &json!(5), &json!(2)));
    assert_eq!(
        looked["errors"][0],
        json!({ "row": 4, "column": "productSku", "code": "sku-unknown", "detail": "The catalogue has no product \"SKU-404\"." })
    );
    assert_eq!((&looked["errors"][1]["row"], &looked["errors"][1]["code"]), (&json!(5), &json!("facility-unknown")));
    let sessions = looked["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(
        (&sessions[0]["productCount"], &sessions[0]["dueDate"]),
        (&json!(2), &json!("2026-11-30T18:00:00.000Z"))
    );
    assert_eq!(
        (&sessions[1]["purposeType"], &sessions[1]["inventoryCountImportId"]),
        (&json!("HARD_COUNT"), &json!(null))
    );
    assert_eq!(looked["columns"][1], json!({ "header": "productSku", "field": "productSku" }));
    assert_eq!(looked["preview"].as_array().unwrap().len(), 5);
    assert_eq!(world.read("manager", &format!("{RUN}/R1")).await.ok()["sessions"]["assigned"], 1, "only looked at");
    let refused = file(&world, &format!("{path}?dryRun=false"), FILE).await;
    assert!(refused.problem("field-invalid").detail.contains("2 rows have errors"));
    let made = file(&world, &format!("{path}?dryRun=false&skipErrors=true"), FILE).await.ok();
    assert!(made["sessions"][0]["inventoryCountImportId"].is_string());
    assert_eq!(world.read("manager", &format!("{RUN}/R1")).await.ok()["sessions"]["created"], 2);
    file(&world, &path, "sku\nA\n").await.problem("field-invalid");
    let token = world.token("manager").await;
    let other = world.post(&path).bearer(&token).header("content-type", "application/pdf").body("x").send().await;
    other.problem("unsupported-media-type");
}

#[tokio::test]
async fn stock_comes_as_a_shopify_export_or_any_file_with_a_number() {
    let world = World::new().await;
    planned(&world).await;
    let path = "/maarg/poorti/Stock?facilityId=STORE_1";
    let shopify = "Handle,Variant SKU,Variant Barcode,Variant Inventory Qty,Cost per item,Image Src\r\n\
        a,SKU-10440,,12,2.50,\r\n\
        a,,,,,https://img.example/a.png\r\n\
        b,NEW-SKU,'030955110441,-3,,\r\n\
        c,SKU-404,,1,,\r\n\
        d,SKU-10441,,many,,\r\n";
    let looked = file(&world, path, shopify).await.ok();
    assert_eq!((&looked["products"], &looked["errorCount"]), (&json!(2), &json!(2)), "{looked}");
    assert_eq!(
        (&looked["errors"][0]["code"], &looked["errors"][1]["code"]),
        (&json!("product-unknown"), &json!("number-invalid"))
    );
    let taken = file(&world, &format!("{path}&dryRun=false"), shopify).await.ok();
    assert_eq!(taken["products"], 2);
    let mapped = "Article,On shelf\nSKU-10441,4\n";
    file(&world, path, mapped).await.problem("field-invalid");
    let mapping = format!("{path}&dryRun=false&map=productSku:Article,quantityOnHand:On%20shelf");
    assert_eq!(file(&world, &mapping, mapped).await.ok()["products"], 1);
    file(&world, "/maarg/poorti/Stock?facilityId=STORE_9", mapped).await.problem("field-invalid");
    ask(
        &world,
        "PUT",
        "counter",
        "/maarg/poorti/InventoryCountImport/S1",
        Some(&json!({ "statusId": "SESSION_SUBMITTED" })),
    )
    .await
    .ok();
    let lines = world.read("manager", &format!("{RUN}/R1/review?sort=subject")).await.ok();
    let expected: Vec<_> =
        lines["items"].as_array().unwrap().iter().map(|line| line["expectedQuantity"].clone()).collect();
    assert_eq!(
        expected,
        [json!(12), json!(4), json!(null)],
        "the second file's number stands in the place of the first's"
    );
}
