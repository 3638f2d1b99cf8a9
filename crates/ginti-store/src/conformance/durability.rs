//! What stays when the store is closed and opened again.

use ginti_types::{Epoch, Outcome};

use super::{
    Fixture,
    world::{NOW_MS, ann, at, batch, count, everywhere, person, rows, see, send, session, stored, tenant, with, world},
};
use crate::{DemoMark, Imported, NewRefreshToken, RefreshRotation, StoreError};

/// Counts, history, receipts, sessions, people, devices, tokens: all of it.
pub async fn everything_survives_closing_and_opening(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    store.see_device(&tenant("acme"), see("d1", None, "ben")).await.unwrap();
    let token = NewRefreshToken {
        hash: [1; 32],
        tenant: tenant("acme"),
        user: person("ann"),
        password_hash: None,
        expires: at(NOW_MS + 1_000),
        replaces: None,
    };
    assert!(store.add_refresh_token(token).await.unwrap());
    let import = || batch("d1", 1, vec![count("1", 10, 1), count("1", 10, 1), count("1", 5, 1)]);
    let receipt = stored(&*store, import()).await;
    let everyone = everywhere("acme", "ann");
    let before = (
        store.ledger().await.unwrap(),
        rows(&*store).await,
        store.history(&ann(), &session("S1"), &super::world::row("1")).await.unwrap(),
        store.sessions(&everyone).await.unwrap(),
        store.user(&tenant("acme"), &person("ben")).await.unwrap(),
    );
    store.close().await.unwrap();
    drop(store);
    let store = fixture.open().await;
    let after = (
        store.ledger().await.unwrap(),
        rows(&*store).await,
        store.history(&ann(), &session("S1"), &super::world::row("1")).await.unwrap(),
        store.sessions(&everyone).await.unwrap(),
        store.user(&tenant("acme"), &person("ben")).await.unwrap(),
    );
    assert_eq!(after, before);
    assert_eq!(store.import(import()).await.unwrap(), Imported::Replayed(receipt));
    let bens = with(count("2", 10, 1), |content| content.counted_by_user_login_id = Some(person("ben")));
    let receipt = stored(&*store, batch("d1", 2, vec![bens, count("1", 5, 1), count("1", 10, 2)])).await;
    let found: Vec<_> = receipt.items.iter().map(|item| item.outcome).collect();
    assert_eq!(found, [Outcome::Applied, Outcome::Superseded, Outcome::Rejected]);
    assert_eq!(receipt.ledger_seq, before.0.ledger_seq + 1);
    let rotated = store.rotate_refresh_token(&[1; 32], &[2; 32], at(NOW_MS), 0).await.unwrap();
    assert!(matches!(rotated, RefreshRotation::Rotated { .. }));
}

/// After closing, every call says that it is closed, and closing again is no error.
pub async fn a_closed_store_says_so(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    store.ping().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(store.ping().await, Err(StoreError::Closed));
    assert_eq!(store.import(batch("d1", 1, vec![count("1", 10, 1)])).await, Err(StoreError::Closed));
    assert_eq!(store.sessions(&ann()).await, Err(StoreError::Closed));
    store.close().await.unwrap();
}

/// Receipts (repeated ones too), pages and the ledger name the epoch that is now.
pub async fn a_new_epoch_is_in_every_answer(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    let first = store.ledger().await.unwrap().epoch;
    let next = Epoch::new("another history").unwrap();
    assert_ne!(first, next);
    store.new_epoch(next.clone()).await.unwrap();
    assert_eq!(store.ledger().await.unwrap().epoch, next);
    assert_eq!(stored(&*store, batch("d1", 2, vec![count("1", 11, 1)])).await.epoch, next);
    let Imported::Replayed(again) = store.import(batch("d1", 1, vec![count("1", 10, 1)])).await.unwrap() else {
        panic!("the receipt was forgotten");
    };
    assert_eq!(again.epoch, next);
    assert_eq!(store.items(&ann(), &session("S1"), 0, 10).await.unwrap().unwrap().epoch, next);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(fixture.open().await.ledger().await.unwrap().epoch, next);
}

/// The first value of a secret is the one; the demo's mark is there once left.
pub async fn secrets_and_the_demo_mark_stay(fixture: &dyn Fixture) {
    let store = fixture.open().await;
    assert_eq!(store.demo_mark().await.unwrap(), None);
    assert_eq!(store.secret("key", b"first\0\xff").await.unwrap(), b"first\0\xff");
    assert_eq!(store.secret("key", b"second").await.unwrap(), b"first\0\xff");
    assert_eq!(store.secret("other", b"second").await.unwrap(), b"second");
    let mark = DemoMark { password: "pass".to_owned() };
    store.set_demo_mark(mark.clone()).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = fixture.open().await;
    assert_eq!(store.secret("key", b"third").await.unwrap(), b"first\0\xff");
    assert_eq!(store.demo_mark().await.unwrap(), Some(mark));
}
