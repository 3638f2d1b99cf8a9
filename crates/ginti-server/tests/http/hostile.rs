//! What hostile input once did, through the whole router: arrays for objects, NUL in texts, numbers at the edge of what can be kept.

use serde_json::json;

use crate::{
    desk::{RUN, ask, file, planned},
    support::{IMPORT, World},
};

#[tokio::test]
async fn an_array_changes_nothing() {
    let world = World::new().await;
    world.import("counter", &crate::support::batch(1, &json!([crate::support::count("a", 1, 1)]))).await.ok();
    let path = "/maarg/poorti/Devices/device-1";
    ask(&world, "PUT", "manager", path, Some(&json!([null, null]))).await.problem("field-invalid");
    let status = json!({ "statusId": { "SESSION_VOIDED": null } });
    ask(&world, "PUT", "manager", &format!("{IMPORT}/M1"), Some(&status)).await.problem("field-invalid");
    world
        .post("/auth/login")
        .json(&json!(["counter", crate::support::PASSWORD, null]))
        .send()
        .await
        .problem("field-invalid");
}

#[tokio::test]
async fn a_nul_reaches_no_database() {
    let world = World::new().await;
    planned(&world).await;
    for path in ["/maarg/poorti/Audit?subject=a%00", &format!("{RUN}/R1/review?search=%00"), &format!("{RUN}/%00")] {
        ask(&world, "GET", "manager", path, None).await.problem("invalid-parameter");
    }
    let copy = json!({ "workEffortName": "a copy", "copyOfWorkEffortId": "R\u{0}" });
    ask(&world, "POST", "manager", RUN, Some(&copy)).await.problem("field-invalid");
    let report = json!({ "deviceId": "d", "details": { "agent": "\u{0}" }, "sessions": [] });
    ask(&world, "POST", "counter", "/maarg/poorti/CourierStatus", Some(&report)).await.problem("field-invalid");
}

#[tokio::test]
async fn numbers_at_the_edge_are_kept_or_refused() {
    let world = World::new().await;
    planned(&world).await;
    let path = format!("{RUN}/R1/review?offset={}&limit=1000", i64::MAX);
    let page = ask(&world, "GET", "manager", &path, None).await.ok();
    assert_eq!(page, json!({ "items": [], "next": null }));
    let stated = |unsent: u64| {
        let session =
            json!({ "inventoryCountImportId": "M1", "itemCount": 0, "digest": "0".repeat(32), "unsentCount": unsent });
        json!({ "deviceId": "d", "sessions": [session] })
    };
    let say = async |unsent| ask(&world, "POST", "counter", "/maarg/poorti/CourierStatus", Some(&stated(unsent))).await;
    say((1 << 53) - 1).await.ok();
    let devices = ask(&world, "GET", "manager", "/maarg/poorti/Devices", None).await.ok();
    assert_eq!(devices["items"][0]["unsentCount"], json!((1_u64 << 53) - 1));
    say(1 << 53).await.problem("field-invalid");
    say(u64::MAX).await.problem("field-invalid");
}

#[tokio::test]
async fn a_file_names_a_count_as_the_page_could() {
    let world = World::new().await;
    planned(&world).await;
    let rows = "countImportName,facility\n\"two\nlines\",STORE_1\nAll,STORE_1\n";
    let plan = file(&world, &format!("{RUN}/R1/sessions.csv"), rows).await.ok();
    assert_eq!((&plan["errors"][0]["row"], &plan["errors"][0]["code"]), (&json!(2), &json!("name-missing")));
    assert_eq!(plan["sessions"].as_array().map(Vec::len), Some(1));
}
