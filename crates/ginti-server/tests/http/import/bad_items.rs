//! Items that are refused one by one: each stands between two good ones, which are stored.

use serde_json::json;

use crate::support::{NOW_MS, World, batch, batch_id, count};

/// Sends the item's text between two good ones.
async fn refusal(item: &str) -> (String, String, String) {
    let world = World::new().await;
    let token = world.token("counter").await;
    let good = |row: &str| count(row, 1, 1).to_string();
    let body = format!(
        r#"{{"batchId":"{}","deviceId":"device-1","inventoryCountImportId":"M1","items":[{},{item},{}]}}"#,
        batch_id(1),
        good("first"),
        good("last"),
    );
    let answer = world.post(crate::support::IMPORT).bearer(&token).text(body).send().await;
    let problem = answer.problem("items-refused");
    assert_eq!(answer.outcomes(), ["applied", "rejected", "applied"], "{item}");
    assert_eq!(world.quantities("M1").await.len(), 2, "{item}");
    let error = problem.errors.into_iter().next().unwrap();
    (error.pointer, error.code, error.detail)
}

fn item(members: &str) -> String {
    format!(r#"{{"importItemSeqId":"x","productId":"p",{members}}}"#)
}

#[tokio::test]
async fn a_faulty_item_is_refused_with_its_place_and_reason() {
    let quantity = |text: &str| item(&format!(r#""quantity":{text},"revision":1"#));
    let good = |more: &str| item(&format!(r#""quantity":1,"revision":1,{more}"#));
    let named = |id: &str| format!(r#"{{"importItemSeqId":"{id}","productId":"p","quantity":1,"revision":1}}"#);
    let forty_one = "x".repeat(41);
    let cases = [
        (quantity("0.1234567"), "quantity-too-precise", "quantity"),
        (quantity("-0.5"), "quantity-negative", "quantity"),
        (quantity("1e400"), "quantity-too-large", "quantity"),
        (quantity("1000000000"), "quantity-too-large", "quantity"),
        (quantity("\"3\""), "quantity-invalid", "quantity"),
        (quantity("null"), "field-missing", "quantity"),
        (item(r#""quantity":1,"revision":0"#), "revision-invalid", "revision"),
        (item(r#""quantity":1,"revision":9007199254740992"#), "revision-invalid", "revision"),
        (item(r#""quantity":1,"revision":1.5"#), "revision-invalid", "revision"),
        (item(r#""quantity":1,"revision":-1"#), "revision-invalid", "revision"),
        (good(r#""remark":"x""#), "field-unknown", "remark"),
        (good(r#""note":" ""#), "field-invalid", "note"),
        (good(r#""note":"a\tb""#), "field-invalid", "note"),
        (good(&format!(r#""note":"{}""#, "x".repeat(501))), "field-invalid", "note"),
        (good(r#""revision":2"#), "field-duplicate", "revision"),
        (good(r#""countedAt":"yesterday""#), "field-invalid", "countedAt"),
        (good(r#""isRequested":"maybe""#), "field-invalid", "isRequested"),
        (named(""), "id-invalid", "importItemSeqId"),
        (named(&forty_one), "id-invalid", "importItemSeqId"),
        (named("a\\u0000b"), "id-invalid", "importItemSeqId"),
        (r#"{"importItemSeqId":"x","quantity":1,"revision":1}"#.to_owned(), "product-missing", "productId"),
    ];
    for (item, code, member) in cases {
        let (pointer, found, detail) = refusal(&item).await;
        assert_eq!((pointer, found.as_str()), (format!("/items/1/{member}"), code), "{item}");
        assert!(detail.ends_with('.'), "{detail}");
    }
    assert_eq!(refusal("[]").await.0, "/items/1");
}

#[tokio::test]
async fn six_decimals_are_kept_exactly() {
    let world = World::new().await;
    let token = world.token("counter").await;
    let body =
        batch(1, &json!([count("a", 5, 1)])).to_string().replace("\"quantity\":5", "\"quantity\":123456789.100001");
    world.post(crate::support::IMPORT).bearer(&token).text(body).send().await.ok();
    let items = world.read("manager", "/maarg/poorti/InventoryCountImport/M1/items").await;
    assert!(items.text().contains("\"quantity\":123456789.100001,"), "{}", items.text());
}

#[tokio::test]
async fn a_revision_reused_with_other_content_is_refused() {
    let world = World::new().await;
    world.import("counter", &batch(1, &json!([count("a", 5, 10)]))).await.ok();
    let problem = world.import("counter", &batch(2, &json!([count("a", 6, 10)]))).await.problem("items-refused");
    assert_eq!(
        (problem.errors[0].pointer.as_str(), problem.errors[0].code.as_str()),
        ("/items/0/revision", "revision-reused")
    );
    assert_eq!(world.quantities("M1").await, [("a".to_owned(), json!(5))]);
}

#[tokio::test]
async fn a_clock_ten_years_ahead_is_refused_and_told_by_how_much() {
    let world = World::new().await;
    let ten_years_ms: i64 = 3_652 * 86_400_000;
    let revision = |ms: i64| ginti_types::Revision::from_unix_ms(NOW_MS + ms).get();
    let problem = world
        .import("counter", &batch(1, &json!([count("a", 5, revision(ten_years_ms))])))
        .await
        .problem("items-refused");
    let error = &problem.errors[0];
    assert_eq!((error.pointer.as_str(), error.code.as_str()), ("/items/0/revision", "clock-skew"));
    assert!(
        error.detail.contains("3652 days") || error.detail.contains("3,652 days"),
        "says by how much: {}",
        error.detail
    );

    let nearly = batch(2, &json!([count("a", 6, revision(4 * 60_000))]));
    assert_eq!(world.import("counter", &nearly).await.outcomes(), ["applied"], "four minutes are within the bound");
}

#[tokio::test]
async fn counts_of_someone_who_never_signed_in_on_the_device_are_refused() {
    let world = World::new().await;
    let by = |who: &str, row: &str, revision: u64| {
        let mut item = count(row, 1, revision);
        item["countedByUserLoginId"] = json!(who);
        item
    };
    let problem = world
        .import("counter", &batch(1, &json!([by("counter", "a", 1), by("counter2", "b", 2)])))
        .await
        .problem("items-refused");
    assert_eq!(problem.errors.len(), 1);
    assert_eq!(problem.errors[0].pointer, "/items/1/countedByUserLoginId");
    assert_eq!(problem.errors[0].code, "attribution-not-allowed");
}
