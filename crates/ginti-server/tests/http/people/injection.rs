//! Hostile texts wherever a route takes a text: none is ever a part of a statement, and none upsets the server.

use std::sync::Arc;

use ginti_cluster::Database;
use ginti_postgres::PostgresStore;
use serde_json::{Value, json};

use super::recipes::{Ids, MARK, body, call, filled, furnish, operations, query, root, send};
use crate::support::{ACME, IMPORT, World};

/// Ends of texts, of statements and of lines, wildcards, comments, and what is no character at all.
const HOSTILE: &[&str] = &[
    "'",
    "' OR '1'='1",
    "x'; DROP TABLE item; --",
    "') UNION SELECT password_hash FROM account --",
    "1; SELECT pg_sleep(30)",
    "$1",
    "%",
    "_%\\",
    "\u{0}",
    "line\r\nforged: yes",
    "${jndi:ldap://x/}",
    "\u{202e}\u{feff}\u{10ffff}",
];

fn encoded(text: &str) -> String {
    use std::fmt::Write as _;

    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02x}");
        encoded
    })
}

/// The same JSON with one of its texts after the other exchanged for that one.
fn each_text(value: &Value, hostile: &str) -> Vec<Value> {
    match value {
        Value::String(_) => vec![json!(hostile)],
        Value::Array(items) => {
            let one = |at: usize, new: Value| {
                let mut items = items.clone();
                items[at] = new;
                Value::Array(items)
            };
            (0..items.len())
                .flat_map(|at| each_text(&items[at], hostile).into_iter().map(move |new| one(at, new)))
                .collect()
        }
        Value::Object(members) => {
            let one = |name: &String, new: Value| {
                let mut members = members.clone();
                members.insert(name.clone(), new);
                Value::Object(members)
            };
            members
                .iter()
                .flat_map(|(name, member)| each_text(member, hostile).into_iter().map(move |new| one(name, new)))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A path, and what stands in the body with its type.
type Sent = (String, Option<(&'static str, String)>);

/// Every request of a route with a hostile text in one place.
fn attacks(operation: &super::recipes::Operation, ids: &Ids, hostile: &str) -> Vec<Sent> {
    let body = body(&operation.id, ids);
    let query = query(&operation.id, ids);
    let path = filled(&operation.path, ids) + &query;
    let mut all = Vec::new();
    for name in operation.path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name) {
        let known = ids.keys().find(|known| **known == name).unwrap();
        let mut ids = ids.clone();
        ids.insert(known, encoded(hostile));
        all.push((filled(&operation.path, &ids) + &query, body.clone()));
    }
    for name in &operation.query {
        let sign = if path.contains('?') { '&' } else { '?' };
        all.push((format!("{}?{name}={}", filled(&operation.path, ids), encoded(hostile)), body.clone()));
        all.push((format!("{path}{sign}{name}={}", encoded(hostile)), body.clone()));
    }
    match &body {
        Some((kind @ "application/json", text)) => {
            let json = serde_json::from_str(text).unwrap();
            all.extend(
                each_text(&json, hostile).into_iter().map(|json| (path.clone(), Some((*kind, json.to_string())))),
            );
        }
        Some((kind, text)) => {
            let quoted = format!("\"{}\"", hostile.replace('"', "\"\""));
            let (head, row) = text.split_once('\n').unwrap();
            let cells: Vec<&str> = row.trim().split(',').collect();
            for at in 0..cells.len() {
                let mut cells = cells.clone();
                cells[at] = &quoted;
                all.push((path.clone(), Some((*kind, format!("{head}\n{}\n", cells.join(","))))));
            }
        }
        None => {}
    }
    all
}

async fn no_text_is_a_statement(world: World) {
    let user = root(&*world.deps.store, ACME, "root").await;
    let token = world.deps.tokens.issue(&user, world.deps.now(), 600);
    let ids = furnish(&world, &token).await;
    let counted = format!("{IMPORT}/S1/items/a/history");
    let before = world.get(&counted).bearer(&token).send().await.ok();
    assert!(before.to_string().contains(MARK), "{before}");
    let mut tried = 0;
    for operation in operations().iter().filter(|operation| operation.id != "streamProgress") {
        for hostile in HOSTILE {
            for (path, body) in attacks(operation, &ids, hostile) {
                let body = body.as_ref().map(|(kind, text)| (*kind, text.as_str()));
                let answer = send(&world, &token, &operation.method, &path, body).await;
                tried += 1;
                let said = String::from_utf8_lossy(&answer.body);
                assert!(answer.status < 500, "{} {path} {body:?}: {said}", operation.id);
                for leak in ["syntax error", "SQLITE", "pg_", "password_hash FROM", "$argon2"] {
                    assert!(!said.contains(leak) || hostile.contains(leak), "{} {path}: {said}", operation.id);
                }
                for value in answer.headers.values() {
                    assert!(!value.as_bytes().windows(6).any(|part| part == b"forged"), "{path}: {:?}", answer.headers);
                }
            }
        }
    }
    assert!(tried > 1_000, "only {tried} attacks");
    // What was there before is there still, and everything works.
    assert_eq!(world.get(&counted).bearer(&token).send().await.ok(), before);
    for operation in operations().iter().filter(|operation| operation.id == "listItems" || operation.id == "getSession")
    {
        assert_eq!(call(&world, &token, operation, &ids).await.status, 200);
    }
}

#[tokio::test]
async fn no_text_in_any_parameter_or_body_is_a_statement_on_sqlite() {
    no_text_is_a_statement(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_in_any_parameter_or_body_is_a_statement_on_postgresql() {
    let database = Database::new().await.unwrap();
    let store = PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    no_text_is_a_statement(World::new().await.over(Arc::new(store), true).await).await;
}
