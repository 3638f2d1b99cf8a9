//! Requests of which nothing is done: bodies, headers, addresses, tokens.

use std::io;

use axum::body::Body;
use ginti_types::Code;
use serde_json::json;

use super::{Row, whole};
use crate::support::{IMPORT, World, batch, count};

const RUNS: &str = "/maarg/poorti/InventoryCountRun";

pub(super) async fn rows() -> Vec<Row> {
    let mut rows = batches().await;
    rows.extend(bodies_and_addresses().await);
    rows.extend(callers().await);
    rows
}

async fn batches() -> Vec<Row> {
    let world = World::new().await;
    let token = world.token("counter").await;
    let good = batch(1, &json!([count("a", 5, 1)])).to_string();
    let many: serde_json::Value = (0..1_001).map(|at| count(&at.to_string(), 1, 1)).collect();
    let large = batch(1, &json!([count("a", 5, 1)])).to_string() + &" ".repeat(1_048_576);
    let cases = [
        ("half a batch", Code::MalformedJson, good[..good.len() - 2].to_owned()),
        ("an array in the place of a batch", Code::MalformedJson, r#"["x","device-1","M1",[]]"#.to_owned()),
        ("a batch without a device", Code::BatchInvalid, good.replace("\"deviceId\":\"device-1\",", "")),
        ("a batch with a member that is not of the format", Code::BatchInvalid, good.replacen('{', "{\"more\":1,", 1)),
        ("a batch id that is no UUID", Code::BatchInvalid, good.replace("019aab7e", "batch")),
        ("a batch without counts", Code::NoItems, batch(1, &json!([])).to_string()),
        ("a batch of 1,001 counts", Code::TooManyItems, batch(1, &many).to_string()),
        ("a batch of more than 1 MiB", Code::BodyTooLarge, large),
        ("counts for another company's session", Code::SessionNotAllowed, good.replace("\"M1\"", "\"R1\"")),
    ];
    let mut rows = Vec::new();
    for (what, code, body) in cases {
        rows.push(whole(what, code, &world.post(IMPORT).bearer(&token).text(body).send().await));
    }
    let half = good.as_bytes()[..good.len() / 2].to_vec();
    let broken = futures_util::stream::iter([Ok(half), Err(io::Error::from(io::ErrorKind::UnexpectedEof))]);
    let cut_off = world.post(IMPORT).bearer(&token).header("content-type", "application/json");
    let cut_off = cut_off.body(Body::from_stream(broken)).send().await;
    rows.push(whole("a batch whose connection broke on its way", Code::BodyIncomplete, &cut_off));
    let plain = world.post(IMPORT).bearer(&token).header("content-type", "text/plain").body(good.clone()).send().await;
    rows.push(whole("a batch that says to be plain text", Code::UnsupportedMediaType, &plain));
    let encoded = |encoding: &str| {
        let call = world.post(IMPORT).bearer(&token).header("content-encoding", encoding);
        call.text(good.clone()).send()
    };
    rows.push(whole("a batch compressed with brotli", Code::UnsupportedEncoding, &encoded("br").await));
    rows.push(whole("a batch that says to be gzip and is not", Code::UnsupportedEncoding, &encoded("gzip").await));
    let key = world.post(IMPORT).bearer(&token).header("idempotency-key", "other").text(good.clone()).send().await;
    rows.push(whole("an `Idempotency-Key` that is not the batch's id", Code::InvalidParameter, &key));
    world.post(IMPORT).bearer(&token).text(good.clone()).send().await.ok();
    let other = world.import("counter", &batch(1, &json!([count("a", 6, 2)]))).await;
    rows.push(whole("a batch id that stands for other counts", Code::BatchIdReused, &other));
    rows
}

async fn bodies_and_addresses() -> Vec<Row> {
    let world = World::new().await;
    let (counter, manager) = (world.token("counter").await, world.token("manager").await);
    let run = |body: &str| world.post(RUNS).bearer(&manager).text(body).send();
    let read = |path: &str| world.get(path).bearer(&manager).send();
    vec![
        whole("an array in the place of an object", Code::FieldInvalid, &run(r#"["R1","a count"]"#).await),
        whole("a member that is not of the format", Code::FieldInvalid, &run(r#"{"name":"a count"}"#).await),
        whole("the character NUL in a text", Code::FieldInvalid, &run(r#"{"workEffortName":"a\u0000b"}"#).await),
        whole("a name of nothing but spaces", Code::FieldInvalid, &run(r#"{"workEffortName":"  "}"#).await),
        whole(
            "a time before 1970",
            Code::FieldInvalid,
            &run(r#"{"workEffortName":"a","estimatedCompletionDate":"1969-12-31T23:59:59Z"}"#).await,
        ),
        whole("a body that is no JSON", Code::MalformedJson, &run("{\"workEffortName\":").await),
        whole("a file that is no CSV with the columns it needs", Code::FieldInvalid, &{
            let call = world.post("/maarg/poorti/Stock?facilityId=STORE_1").bearer(&manager);
            call.header("content-type", "text/csv").body("a,b\n1,2\n").send().await
        }),
        whole("a limit of 0", Code::InvalidParameter, &read("/maarg/poorti/Products?limit=0").await),
        whole(
            "a number that is none, in a query",
            Code::InvalidParameter,
            &read(&format!("{IMPORT}/M1/items?after=x")).await,
        ),
        whole("the character NUL in a query", Code::InvalidParameter, &read("/maarg/poorti/Products?after=%00").await),
        whole("bytes that are no text, in a path", Code::InvalidParameter, &read(&format!("{IMPORT}/%ff")).await),
        whole("another company's session", Code::NotFound, &read(&format!("{IMPORT}/R1")).await),
        whole("an address where nothing is", Code::NotFound, &world.get("/maarg/poorti/Nothing").send().await),
        whole(
            "a method that an address does not have",
            Code::MethodNotAllowed,
            &world.call("DELETE", IMPORT).send().await,
        ),
        whole("a counter who wants to plan", Code::NotAllowed, &world.get(RUNS).bearer(&counter).send().await),
    ]
}

async fn callers() -> Vec<Row> {
    let world = World::new().await;
    let old = world.token("counter").await;
    let sign_in = |body: serde_json::Value| world.post("/auth/login").json(&body).send();
    let refresh = world.post("/auth/refresh");
    let mut rows = vec![
        whole("no token", Code::TokenMissing, &world.get(IMPORT).send().await),
        whole("a token that another server signed", Code::TokenInvalid, &{
            let other = ginti_server::auth::TokenKeys::new(&[8; 32]);
            let user = ginti_types::UserLoginId::new("counter").unwrap();
            let login = ginti_store::Store::login(&*world.store, &user).await.unwrap().unwrap();
            world.get(IMPORT).bearer(&other.issue(&login.user, world.deps.now(), 600)).send().await
        }),
        whole("an API token that there is not", Code::TokenInvalid, &world.get(IMPORT).bearer("gt_x").send().await),
        whole(
            "a wrong password",
            Code::CredentialsWrong,
            &sign_in(json!({ "username": "counter", "password": "x" })).await,
        ),
        whole(
            "somebody who is not there",
            Code::CredentialsWrong,
            &sign_in(json!({ "username": "x", "password": "x" })).await,
        ),
        whole("a renewal without the cookie", Code::RefreshRefused, &refresh.send().await),
        whole("a sign-in by another site's page", Code::NotAllowed, &{
            let call = world.post("/auth/login").header("sec-fetch-site", "cross-site");
            call.json(&json!({ "username": "counter", "password": "x" })).send().await
        }),
    ];
    world.advance_ms(601_000);
    rows.insert(
        2,
        whole("a token of eleven minutes ago", Code::TokenExpired, &world.get(IMPORT).bearer(&old).send().await),
    );
    rows
}
