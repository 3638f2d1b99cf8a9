//! What takes too long, comes in too great a number, or breaks inside.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, Bytes};
use ginti_sqlite::Options;
use http_body_util::channel::Channel;
use serde_json::json;

use crate::support::{IMPORT, World, batch, count};

#[tokio::test]
async fn a_request_that_never_ends_is_ended() {
    let world = World::with(Options::default(), |deps| deps.config.request_timeout = Duration::from_millis(50)).await;
    let token = world.token("counter").await;
    let (_held_open, body) = Channel::<Bytes>::new(1);
    let call = world.post(IMPORT).bearer(&token).header("content-type", "application/json").body(Body::new(body));
    let problem = call.send().await.problem("busy");
    assert!(problem.detail.contains("nothing is counted twice"));
}

#[tokio::test]
async fn more_requests_than_the_server_takes_are_turned_away_and_health_checks_are_not() {
    let world = World::with(Options::default(), |deps| deps.config.requests_in_flight_max = 1).await;
    let token = world.token("counter").await;
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let first =
        world.post(IMPORT).bearer(&token).header("content-type", "application/json").body(Body::new(body)).send();
    let others = async {
        // The second piece finds room only once the handler has taken the first: from then on the request is under way.
        sender.send_data(Bytes::from_static(b" ")).await.unwrap();
        sender.send_data(Bytes::from_static(b" ")).await.unwrap();
        sender.send_data(Bytes::from_static(b" ")).await.unwrap();
        world.import("counter", &batch(2, &json!([count("b", 1, 1)]))).await.problem("busy");
        world.get("/readyz").send().await.ok();
        sender.send_data(batch(1, &json!([count("a", 5, 1)])).to_string().into()).await.unwrap();
        drop(sender);
    };
    let (first, ()) = tokio::join!(first, others);
    first.ok();
    world.import("counter", &batch(2, &json!([count("b", 1, 1)]))).await.ok();
}

#[tokio::test]
async fn what_is_under_way_when_a_drain_begins_is_finished() {
    let world = World::new().await;
    let token = world.token("counter").await;
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let call =
        world.post(IMPORT).bearer(&token).header("content-type", "application/json").body(Body::new(body)).send();
    let rest = async {
        for _ in 0..3 {
            sender.send_data(Bytes::from_static(b" ")).await.unwrap();
        }
        world.deps.drain.begin();
        sender.send_data(batch(1, &json!([count("a", 5, 1)])).to_string().into()).await.unwrap();
        drop(sender);
    };
    let (answer, ()) = tokio::join!(call, rest);
    assert_eq!(answer.outcomes(), ["applied"]);
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let world = World::new().await;
    let token = world.token("counter").await;
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    let call =
        world.post(IMPORT).bearer(&token).header("content-type", "application/json").body(Body::new(body)).send();
    let broken = async {
        sender.send_data(Bytes::from_static(b"{\"batchId\":")).await.unwrap();
        sender.abort(std::io::Error::other("the connection is gone"));
    };
    let (answer, ()) = tokio::join!(call, broken);
    answer.problem("body-incomplete");
}

#[tokio::test]
async fn a_panic_is_one_requests_problem() {
    let world = World::new().await;
    let token = world.token("counter").await;
    let broken = World::with(Options::default(), |deps| {
        deps.clock = Arc::new(|| panic!("the clock has stopped"));
    })
    .await;
    let answer = broken.get(IMPORT).bearer(&token).send().await;
    let problem = answer.problem("internal-error");
    assert!(!answer.text().contains("clock"), "the log says why, not the answer: {}", problem.detail);
    assert_ne!(answer.header("x-request-id"), "");
    broken.get("/livez").send().await.ok();
}
