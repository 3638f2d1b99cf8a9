//! `/livez` and `/readyz`.

use ginti_store::Store;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn a_healthy_server_lives_and_is_ready() {
    let world = World::new().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(world.get(path).send().await.ok(), json!({ "status": "ok" }));
    }
}

#[tokio::test]
async fn a_draining_server_lives_but_is_not_ready() {
    let world = World::new().await;
    world.deps.drain.begin();
    world.get("/readyz").send().await.problem("draining");
    world.get("/livez").send().await.ok();
}

#[tokio::test]
async fn a_server_whose_database_does_not_answer_is_not_ready() {
    let world = World::new().await;
    world.store.close().await.unwrap();
    let answer = world.get("/readyz").send().await;
    assert_eq!(answer.status, 503);
    answer.problem("draining");
    world.get("/livez").send().await.ok();
}
