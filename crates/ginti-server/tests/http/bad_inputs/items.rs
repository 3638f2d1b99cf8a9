//! Counts that are refused one by one, between two that are stored.

use ginti_types::{Code, Revision};
use serde_json::{Value, json};

use super::Row;
use crate::support::{IMPORT, NOW_MS, World, batch_id, count};

pub(super) async fn rows() -> Vec<Row> {
    let with = |member: &str, value: Value| {
        let mut item = count("x", 1, 1);
        item[member] = value;
        item.to_string()
    };
    let without = |member: &str| {
        let mut item = count("x", 1, 1);
        item.as_object_mut().unwrap().remove(member);
        item.to_string()
    };
    let number = |text: &str| count("x", 1, 1).to_string().replace("\"quantity\":1", &format!("\"quantity\":{text}"));
    let ahead = Revision::from_unix_ms(NOW_MS + 3_652 * 86_400_000).get();
    let cases = [
        ("an id of 41 characters", Code::IdInvalid, with("importItemSeqId", json!("x".repeat(41)))),
        ("an empty id", Code::IdInvalid, with("locationSeqId", json!(""))),
        ("an id with a line break", Code::IdInvalid, with("productId", json!("a\nb"))),
        ("no quantity", Code::FieldMissing, without("quantity")),
        ("no revision", Code::FieldMissing, without("revision")),
        ("a misspelt member", Code::FieldUnknown, with("countedByUser", json!("counter2"))),
        ("a member twice", Code::FieldDuplicate, count("x", 1, 1).to_string().replacen('{', "{\"revision\":1,", 1)),
        ("an array in the place of a count", Code::FieldInvalid, r#"["x","10440",null,1,1]"#.to_owned()),
        ("a time that is none", Code::FieldInvalid, with("countedAt", json!("yesterday"))),
        ("an indicator that is an object", Code::FieldInvalid, with("isRequested", json!({ "Y": null }))),
        ("a note of 501 characters", Code::FieldInvalid, with("note", json!("x".repeat(501)))),
        ("a quantity in quotation marks", Code::QuantityInvalid, number("\"3\"")),
        ("a quantity of -0.5", Code::QuantityNegative, number("-0.5")),
        ("a quantity of 0.1234567", Code::QuantityTooPrecise, number("0.1234567")),
        ("a quantity of 1e400", Code::QuantityTooLarge, number("1e400")),
        ("a revision of 0", Code::RevisionInvalid, with("revision", json!(0))),
        ("a revision of 2^53", Code::RevisionInvalid, with("revision", json!(9_007_199_254_740_992_u64))),
        ("neither product nor code", Code::ProductMissing, without("productId")),
        ("a stamp ten years ahead", Code::ClockSkew, with("revision", json!(ahead))),
        ("a stamp that was used for another count", Code::RevisionReused, count("first-1", 2, 1).to_string()),
        (
            "a count by somebody who has never signed in on the device",
            Code::AttributionNotAllowed,
            with("countedByUserLoginId", json!("counter2")),
        ),
    ];
    let world = World::new().await;
    let token = world.token("counter").await;
    let mut rows = Vec::new();
    for (number, (what, code, item)) in (1..).zip(cases) {
        let body = format!(
            r#"{{"batchId":"{}","deviceId":"device-1","inventoryCountImportId":"M1","items":[{},{item},{}]}}"#,
            batch_id(number),
            count(&format!("first-{number}"), 1, 1),
            count(&format!("last-{number}"), 1, 1),
        );
        let answer = world.post(IMPORT).bearer(&token).text(body).send().await;
        let problem = answer.problem("items-refused");
        assert_eq!(answer.outcomes(), ["applied", "rejected", "applied"], "{what}");
        let error = problem.errors.first().unwrap();
        assert_eq!(error.code, code.as_str(), "{what}");
        if rows.is_empty() {
            let what = "a batch with a count that is refused";
            rows.push(Row { what, status: answer.status, code: Code::ItemsRefused, said: problem.detail });
        }
        rows.push(Row { what, status: answer.status, code, said: error.detail.clone() });
    }
    rows
}
