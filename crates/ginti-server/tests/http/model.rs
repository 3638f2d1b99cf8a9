//! Random stories of requests through the whole router, each answer compared with the reference's: the import rule over
//! tables in memory ([`ginti_store::conformance::Reference`]). A story that fails shrinks to the few steps that matter.

mod counts;
mod server;
mod story;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_the_references(story in story::story()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut server = server::Server::new().await;
            for (number, step) in (1..).zip(&story) {
                server.take(step).await.map_err(|fault| fault_at(&format!("step {number}"), &fault))?;
            }
            server.read_everything().await.map_err(|fault| fault_at("in the end", &fault))
        })?;
    }
}

fn fault_at(place: &str, fault: &str) -> TestCaseError {
    TestCaseError::fail(format!("{place}: {fault}"))
}
