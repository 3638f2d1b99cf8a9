//! `/openapi.json`.

use serde_json::{Value, json};

use crate::support::World;

#[tokio::test]
async fn the_description_is_the_one_that_was_reviewed() {
    let world = World::new().await;
    let served = world.get("/openapi.json").send().await.ok();
    insta::assert_snapshot!(serde_json::to_string_pretty(&sorted(served)).unwrap());
}

/// Members in the order of their names: the order they are served in depends on what else is built beside this crate.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[tokio::test]
async fn every_operation_tells_its_errors_as_problems() {
    let document = World::new().await.get("/openapi.json").send().await.ok();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                if status.starts_with(['4', '5']) {
                    let content = &response["content"]["application/problem+json"];
                    assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path} {status}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_reference_leads_to_a_shape() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = World::new().await.get("/openapi.json").send().await.ok();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 200);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("all shapes are in the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    // Two shapes of one name would be one of them.
    let schemas = &document["components"]["schemas"];
    assert!(schemas["User"]["properties"]["tenantId"].is_object(), "whoever signed in");
    assert!(schemas["Person"]["properties"]["tenantId"].is_null(), "somebody of the tenant");
}

/// The document's shapes against the types that are really parsed and printed.
#[tokio::test]
async fn the_described_shapes_are_those_on_the_wire() {
    use ginti_types::{Batch, Code, FieldError, Problem, Receipt, parse_batch};

    let document = World::new().await.get("/openapi.json").send().await.ok();
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    let members = |value: &Value| {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort_unstable();
        names
    };
    let described = |name: &str| members(&schema(name)["properties"]);

    let example = schema("Batch")["example"].clone();
    let parsed = parse_batch(example.to_string().as_bytes()).expect("the example is a batch");
    assert!(parsed.items[0].is_ok());
    let batch: Batch = serde_json::from_value(example).unwrap();
    let batch = serde_json::to_value(batch).unwrap();
    assert_eq!(members(&batch), described("Batch"));
    assert_eq!(members(&batch["items"][0]), described("CountItem"));

    let mut receipt: Receipt = serde_json::from_value(schema("Receipt")["example"].clone()).unwrap();
    receipt.items[0].code = Some("clock-skew".to_owned());
    receipt.items[0].detail = Some("Too far ahead.".to_owned());
    let printed = serde_json::to_value(&receipt).unwrap();
    assert_eq!(members(&printed), described("Receipt"));
    assert_eq!(members(&printed["items"][0]), described("ReceiptItem"));

    let error = FieldError { pointer: "/items/0".into(), code: "clock-skew".into(), detail: "Too far ahead.".into() };
    let mut problem = Problem::new(Code::ItemsRefused, "One refused.").with_errors(vec![error]).with_receipt(receipt);
    problem.devices = vec![json!({})];
    let printed = serde_json::to_value(&problem).unwrap();
    assert_eq!(members(&printed), described("Problem"));
    assert_eq!(members(&printed["errors"][0]), described("FieldError"));
    let example: Problem = serde_json::from_value(schema("Problem")["example"].clone()).unwrap();
    assert_eq!(json!(example), json!(Problem::new(Code::TokenExpired, example.detail.clone())));
}
