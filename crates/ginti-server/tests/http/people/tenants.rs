//! Two companies on one server, and every route there is: what one of them has the other neither sees nor changes.
//!
//! The routes come from the OpenAPI document. Each needs a recipe in `ROUTES`, so a new one cannot be forgotten; a recipe that
//! has no route any more is a failure too.

use std::{collections::BTreeMap, sync::Arc};

use ginti_cluster::Database;
use ginti_postgres::PostgresStore;
use ginti_store::User;
use serde_json::{Value, json};

use super::recipes::{Ids, MARK, call, done, furnish, of_nobody, operations, root};
use crate::support::{ACME, Answer, IMPORT, World};

const RIVAL: &str = "rival-co";
/// What a stranger of another company gets when asking for acme's things by their ids.
enum Stranger {
    /// No tenant's data: nothing to protect.
    Public,
    /// The very answer that an id nobody has would get, with this status.
    Nothing(u16),
    /// Success, about the stranger's own company alone.
    Own(u16),
}
use Stranger::{Nothing, Own, Public};

/// Operation, what acme's own admin gets with the same request (0: not asked), and what the stranger gets.
const ROUTES: &[(&str, u16, Stranger)] = &[
    ("acceptInvitation", 0, Public),
    ("finishExternalSignIn", 0, Public),
    ("livez", 0, Public),
    ("login", 0, Public),
    ("logout", 0, Public),
    ("metrics", 0, Public),
    ("openapi", 0, Public),
    ("readyz", 0, Public),
    ("refresh", 0, Public),
    ("signInMethods", 0, Public),
    ("startExternalSignIn", 0, Public),
    ("me", 200, Own(200)),
    // Reading.
    ("exportRun", 200, Nothing(404)),
    ("getFleetHistory", 200, Own(200)),
    ("listAlertRules", 200, Own(200)),
    ("listAlerts", 200, Own(200)),
    ("getBatch", 200, Nothing(404)),
    ("getItemHistory", 200, Nothing(404)),
    ("getProgress", 200, Nothing(404)),
    ("getReviewLine", 200, Nothing(404)),
    ("getReviewTotals", 200, Nothing(404)),
    ("getRun", 200, Nothing(404)),
    ("getSession", 200, Nothing(404)),
    ("listApiTokens", 200, Own(200)),
    ("listSignIns", 200, Own(200)),
    ("listAssignments", 200, Nothing(404)),
    ("listAudit", 200, Own(200)),
    ("listColleagues", 200, Nothing(404)),
    ("listDevices", 200, Own(200)),
    ("listFacilities", 200, Own(200)),
    ("listInvitations", 200, Own(200)),
    ("listItems", 200, Nothing(404)),
    ("listOutbox", 200, Own(200)),
    ("listProducts", 200, Own(200)),
    ("listReceivers", 200, Own(200)),
    ("listReviewLines", 200, Nothing(404)),
    ("listRuns", 200, Own(200)),
    ("listSessionDevices", 200, Nothing(404)),
    ("listSessionEvents", 200, Nothing(404)),
    ("listSessions", 200, Own(200)),
    ("listUsers", 200, Own(200)),
    ("streamProgress", 200, Nothing(404)),
    // Writing. Ids that a company chooses itself are its own: the same id makes another thing.
    ("createRun", 422, Own(201)),
    ("createSessions", 201, Nothing(404)),
    ("decide", 201, Nothing(404)),
    ("importCounts", 200, Nothing(403)),
    ("invite", 201, Nothing(422)),
    ("makeApiToken", 201, Nothing(422)),
    ("planByFile", 200, Nothing(422)),
    ("changePassword", 403, Own(403)),
    ("endSignIn", 204, Nothing(404)),
    ("putAlertRules", 200, Own(200)),
    ("putReceiver", 200, Own(200)),
    ("putStock", 200, Nothing(422)),
    ("putUser", 204, Nothing(422)),
    ("reportCourierStatus", 200, Own(200)),
    ("retryMessage", 204, Nothing(404)),
    ("splitSession", 409, Nothing(404)),
    ("updateDevice", 204, Nothing(404)),
    ("updateSession", 200, Nothing(404)),
    ("approveRun", 200, Nothing(404)),
    ("undoDecision", 409, Nothing(404)),
    ("removeReceiver", 204, Nothing(404)),
    ("revokeApiToken", 204, Nothing(404)),
    ("withdrawInvitation", 204, Nothing(404)),
    ("setUserDisabled", 204, Nothing(404)),
];

/// Everything that acme's admin can read, but for what a look itself changes.
async fn everything(world: &World, token: &str, ids: &Ids) -> BTreeMap<String, Value> {
    let mut seen = BTreeMap::new();
    for operation in operations() {
        let (_, own, stranger) = recipe(&operation.id);
        if operation.method != "GET" || *own == 0 || matches!(stranger, Public) || operation.id == "exportRun" {
            continue;
        }
        let answer = call(world, token, &operation, ids).await;
        assert_eq!(answer.status, 200, "{}: {}", operation.id, answer.text());
        let told = if operation.id == "streamProgress" { json!(answer.text()) } else { answer.json() };
        seen.insert(operation.id, told);
    }
    seen
}

fn recipe(operation: &str) -> &'static (&'static str, u16, Stranger) {
    let found = ROUTES.iter().find(|(name, ..)| *name == operation);
    found.unwrap_or_else(|| panic!("{operation} has no recipe: what does a stranger of another company get there?"))
}

async fn nothing_crosses(world: World) {
    let store = world.deps.store.clone();
    let acme = root(&*store, ACME, "root").await;
    let rival = root(&*store, RIVAL, "their-root").await;
    let token = |user: &User| world.deps.tokens.issue(user, world.deps.now(), 600);
    let (acme, rival) = (token(&acme), token(&rival));
    let ids = furnish(&world, &acme).await;
    let before = everything(&world, &acme, &ids).await;
    let text = serde_json::to_string(&before).unwrap();
    assert!(text.matches(MARK).count() > 10, "acme's own people see what is acme's: {text}");

    let operations = operations();
    for (name, ..) in ROUTES {
        assert!(operations.iter().any(|operation| operation.id == *name), "{name} is no route any more");
    }
    for operation in &operations {
        recipe(&operation.id);
    }
    // Reading first, then writing, what takes away before what makes: a stranger's own thing of the same id is no answer.
    let find = |name: &str| operations.iter().find(|operation| operation.id == name).unwrap();
    let (reads, writes): (Vec<_>, Vec<_>) = ROUTES
        .iter()
        .filter(|(.., expected)| !matches!(expected, Public))
        .partition(|(name, ..)| find(name).method == "GET");
    for (name, _, expected) in reads.into_iter().chain(writes.into_iter().rev()) {
        let operation = find(name);
        let answer = call(&world, &rival, operation, &ids).await;
        assert!(!answer.text().contains(MARK), "{name} shows what is acme's: {}", answer.text());
        match expected {
            Public => {}
            Own(status) => assert_eq!(answer.status, *status, "{name}: {}", answer.text()),
            Nothing(status) => {
                assert_eq!(answer.status, *status, "{name}: {}", answer.text());
                if *name == "putUser" {
                    // Sign-in names are one space for all companies: that one is taken is all a stranger learns.
                    continue;
                }
                let nobodys = call(&world, &rival, operation, &of_nobody()).await;
                assert_eq!(nobodys.status, *status, "{name}: {}", nobodys.text());
                assert_eq!(nobodys.json()["code"], answer.json()["code"], "{name} tells acme's ids from nobody's");
                let told = |answer: &Answer, ids: &Ids| {
                    let text = answer.json()["detail"].as_str().unwrap().to_owned();
                    ids.values().filter(|id| id.len() > 1).fold(text, |text, id| text.replace(id.as_str(), "?"))
                };
                assert_eq!(told(&answer, &ids), told(&nobodys, &of_nobody()), "{name} tells acme's ids from nobody's");
            }
        }
        let now = everything(&world, &acme, &ids).await;
        for (what, was) in &before {
            assert_eq!(&now[what], was, "{name}, asked by a stranger, changed what {what} tells acme");
        }
    }

    // The same requests by acme's own admin: it was the company that they were refused for.
    let mut wrong = Vec::new();
    for (name, status, _) in ROUTES.iter().filter(|(_, status, _)| *status != 0) {
        let operation = find(name);
        if *name == "approveRun" {
            let submit = json!({ "statusId": "SESSION_SUBMITTED", "override": { "reason": "test" } });
            for session in done(&world, &acme, "GET", IMPORT, &json!({})).await["items"].as_array().unwrap() {
                let path = format!("{IMPORT}/{}", session["inventoryCountImportId"].as_str().unwrap());
                world.call("PUT", &path).bearer(&acme).json(&submit).send().await;
            }
        }
        let answer = call(&world, &acme, operation, &ids).await;
        if answer.status != *status {
            wrong.push(format!("{name} by acme's own admin: {} {}", answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_route_shows_or_changes_another_companys_data_on_sqlite() {
    nothing_crosses(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_shows_or_changes_another_companys_data_on_postgresql() {
    let database = Database::new().await.unwrap();
    let store = PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    nothing_crosses(World::new().await.over(Arc::new(store), true).await).await;
}
