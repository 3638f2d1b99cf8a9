//! Sessions and their lists.

use ginti_types::{ProductId, Purpose, SessionStatus};

use super::{
    Fixture,
    world::{NOW_MS, ann, at, count, everywhere, new_session, row, send, session, tenant, world},
};
use crate::{Assignment, NewSession, StoreError};

fn line(item: &str) -> Assignment {
    Assignment { import_item_seq_id: row(item), product_id: ProductId::new(format!("product-{item}")).unwrap() }
}

/// All of a session comes back; its id is taken once; lists are by age, then id.
pub async fn a_session_is_made_once_and_listed_oldest_first(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    let mut older = new_session("S9", "F1");
    older.session.created = at(NOW_MS - 1);
    older.session.due = None;
    older.session.purpose = Purpose::DirectedCount;
    older.session.status = SessionStatus::SessionCreated;
    store.create_session(&acme, older.clone()).await.unwrap();
    store.create_session(&acme, new_session("S0", "F1")).await.unwrap();
    let again = NewSession { assignments: vec![line("1")], ..new_session("S9", "F1") };
    let again = store.create_session(&acme, again).await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
    let listed = store.sessions(&ann()).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|found| found.session.id.as_str()).collect();
    assert_eq!(ids, ["S9", "S0", "S1"]);
    assert_eq!(listed[0].session, older.session);
    assert_eq!((listed[0].facility_name.as_str(), listed[0].items_requested), ("acme F1", 0));
    assert_eq!(store.session(&ann(), &session("S9")).await.unwrap().as_ref(), Some(&listed[0]));
    assert_eq!(store.session(&ann(), &session("S8")).await.unwrap(), None);
    assert!(!store.set_session_status(&acme, &session("S8"), SessionStatus::SessionVoided).await.unwrap());
}

/// Pages are complete and in order; a list that names a line twice is no list.
pub async fn assignments_are_paged_by_sequence_id(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let lines: Vec<_> = (0..23).map(|n| line(&format!("{n:05}"))).collect();
    let directed = NewSession { assignments: lines.iter().rev().cloned().collect(), ..new_session("S5", "F1") };
    store.create_session(&tenant("acme"), directed).await.unwrap();
    let mut found: Vec<Assignment> = Vec::new();
    loop {
        let after = found.last().map_or("", |last| last.import_item_seq_id.as_str()).to_owned();
        let page = store.assignments(&ann(), &session("S5"), &after, 10).await.unwrap().unwrap().assignments;
        assert!(page.len() <= 10);
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found, lines);
    let twice = NewSession { assignments: vec![line("1"), line("1")], ..new_session("S6", "F1") };
    let twice = store.create_session(&tenant("acme"), twice).await;
    assert!(matches!(twice, Err(StoreError::Exists(_))), "{twice:?}");
    assert_eq!(store.session(&ann(), &session("S6")).await.unwrap(), None, "all or nothing");
}

/// Rows counted, not counts sent; lines asked for.
pub async fn numbers_of_a_summary_follow_the_counts(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let directed = NewSession { assignments: vec![line("1"), line("2")], ..new_session("S5", "F1") };
    store.create_session(&tenant("acme"), directed).await.unwrap();
    send(&*store, "d1", 1, vec![count("1", 10, 1), count("2", 10, 0), count("1", 11, 2)]).await;
    let numbers: Vec<_> = store
        .sessions(&everywhere("acme", "ann"))
        .await
        .unwrap()
        .iter()
        .map(|found| (found.session.id.to_string(), found.items_counted, found.items_requested))
        .collect();
    assert_eq!(numbers, [("S1".to_owned(), 2, 0), ("S2".to_owned(), 0, 0), ("S5".to_owned(), 0, 2)]);
}

/// A session counts somewhere.
pub async fn a_session_needs_its_facility(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let nowhere = store.create_session(&tenant("other"), new_session("S5", "F2")).await;
    assert!(matches!(nowhere, Err(StoreError::Missing(_))), "{nowhere:?}");
    assert_eq!(store.sessions(&everywhere("other", "eve")).await.unwrap().len(), 1);
}
