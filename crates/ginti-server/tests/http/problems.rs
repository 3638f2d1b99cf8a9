//! What every answer has, and the errors that no handler makes.

use crate::support::{IMPORT, World};

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::new().await;
    world.get("/maarg/poorti/Nothing").send().await.problem("not-found");
    let answer = world.call("DELETE", IMPORT).send().await;
    answer.problem("method-not-allowed");
    let mut allowed: Vec<_> = answer.header("allow").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    for (method, path) in [("GET", "/auth/login"), ("POST", "/livez"), ("PUT", "/maarg/poorti/Products")] {
        world.call(method, path).send().await.problem("method-not-allowed");
    }
    world.get(&format!("{IMPORT}/%ff")).bearer(&world.token("counter").await).send().await.problem("invalid-parameter");
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_is_not_cached() {
    let world = World::new().await;
    let one = world.get("/livez").send().await;
    let two = world.get(IMPORT).send().await;
    for answer in [&one, &two] {
        assert_eq!(answer.header("x-request-id").len(), 16);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));

    let kept = world.get("/livez").header("x-request-id", "proxy-7.1").send().await;
    assert_eq!(kept.header("x-request-id"), "proxy-7.1");
    let long = "x".repeat(65);
    for odd in [long.as_str(), "a b", "a\tb", "<script>"] {
        let answer = world.get("/livez").header("x-request-id", odd).send().await;
        assert_eq!(answer.header("x-request-id").len(), 16, "not taken over: {odd:?}");
    }
}
