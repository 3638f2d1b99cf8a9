//! Counts for a session that takes no more: kept, shown, and applied when it takes counts again.

use ginti_types::{Outcome, SessionStatus};

use super::{
    Fixture,
    world::{
        NOW_MS, ann, at, batch, count, everywhere, history, outcomes, person, row, rows, send, session, set_status,
        stamp, stored, world,
    },
};
use crate::Import;

/// Late is durable and visible, and changes no row.
pub async fn counts_for_a_submitted_session_are_late_and_listed(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    set_status(&*store, SessionStatus::SessionSubmitted).await;
    let receipt = stored(&*store, batch("d1", 2, vec![count("1", 20, 2), count("1", 5, 3), count("2", 20, 4)])).await;
    assert_eq!(outcomes(&receipt), [Outcome::Late, Outcome::Superseded, Outcome::Late]);
    assert_eq!(receipt.items[0].revision.unwrap().get(), 10, "what holds is what held");
    assert_eq!(receipt.items[2].revision, None);
    assert_eq!(
        send(&*store, "d1", 3, vec![count("1", 20, 2), count("1", 10, 1)]).await,
        [Outcome::Late, Outcome::Duplicate]
    );
    let listed: Vec<_> = rows(&*store).await.into_iter().map(|row| (row.stamp.revision.get(), row.outcome)).collect();
    assert_eq!(listed, [(10, Outcome::Applied), (20, Outcome::Late), (20, Outcome::Late)]);
    assert_eq!(history(&*store, "1").await, [(10, Outcome::Applied), (20, Outcome::Late), (5, Outcome::Superseded)]);
    let summary = store.session(&ann(), &session("S1")).await.unwrap().unwrap();
    assert_eq!(summary.items_counted, 1, "a late count is no count yet");
}

/// Delivered again after reopening, it counts; readers that have passed the late entry see it above their cursor.
pub async fn a_late_count_is_applied_when_its_session_takes_counts_again(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    set_status(&*store, SessionStatus::SessionSubmitted).await;
    send(&*store, "d1", 1, vec![count("1", 20, 2)]).await;
    let cursor = store.items(&ann(), &session("S1"), 0, 100).await.unwrap().unwrap().ledger_seq;
    set_status(&*store, SessionStatus::SessionAssigned).await;
    assert_eq!(rows(&*store).await[0].outcome, Outcome::Late, "reopening alone applies nothing");
    let receipt = stored(&*store, batch("d1", 2, vec![count("1", 20, 2)])).await;
    assert_eq!(outcomes(&receipt), [Outcome::Applied]);
    assert_eq!(receipt.items[0].revision.unwrap().get(), 20);
    let page = store.items(&ann(), &session("S1"), cursor, 100).await.unwrap().unwrap();
    assert_eq!((page.items.len(), page.items[0].outcome), (1, Outcome::Applied));
    assert!(page.items[0].ledger_seq > cursor);
    assert_eq!(rows(&*store).await, page.items, "listed once, as applied");
    assert_eq!(history(&*store, "1").await, [(20, Outcome::Late), (20, Outcome::Applied)]);
    assert_eq!(send(&*store, "d1", 3, vec![count("1", 20, 2)]).await, [Outcome::Duplicate]);
    assert_eq!(
        send(&*store, "d1", 4, vec![count("1", 20, 3)]).await,
        [Outcome::Rejected],
        "its content stays vouched for"
    );
    send(&*store, "d2", 5, vec![count("1", 30, 9)]).await;
    assert_eq!(send(&*store, "d1", 6, vec![count("1", 20, 2)]).await, [Outcome::Superseded]);
    assert_eq!(history(&*store, "1").await.len(), 3);
}

/// Delivered again by a colleague an hour later, a late count that says neither who nor when is still its counter's.
pub async fn a_late_count_that_is_applied_keeps_its_attribution(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    set_status(&*store, SessionStatus::SessionSubmitted).await;
    send(&*store, "d1", 1, vec![count("1", 20, 2)]).await;
    set_status(&*store, SessionStatus::SessionAssigned).await;
    let by_ben = Import {
        access: everywhere("acme", "ben"),
        now: at(NOW_MS + 3_600_000),
        ..batch("d1", 2, vec![count("1", 20, 2)])
    };
    assert_eq!(outcomes(&stored(&*store, by_ben).await), [Outcome::Applied]);
    let entries = store.history(&ann(), &session("S1"), &row("1")).await.unwrap().unwrap();
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        assert_eq!(entry.row.content.counted_by_user_login_id, Some(person("ann")));
        assert_eq!(entry.row.content.counted_at, Some(at(NOW_MS)));
    }
    assert_eq!((&entries[1].sent_by, entries[1].row.received_at), (&person("ben"), at(NOW_MS + 3_600_000)));
    assert_eq!(send(&*store, "d1", 3, vec![count("1", 20, 2)]).await, [Outcome::Duplicate], "as sent, it is the same");
}

/// A newer count settles the matter: the late one is history.
pub async fn a_late_count_that_was_overtaken_no_longer_waits(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    set_status(&*store, SessionStatus::SessionSubmitted).await;
    send(&*store, "d1", 1, vec![count("1", 20, 2), count("1", 25, 3)]).await;
    assert_eq!(rows(&*store).await.len(), 2, "both wait");
    set_status(&*store, SessionStatus::SessionAssigned).await;
    send(&*store, "d2", 2, vec![count("1", 22, 9)]).await;
    let listed: Vec<_> = rows(&*store).await.into_iter().map(|row| (row.stamp, row.outcome)).collect();
    assert_eq!(listed, [(stamp(25, "d1"), Outcome::Late), (stamp(22, "d2"), Outcome::Applied)]);
    assert_eq!(send(&*store, "d1", 3, vec![count("1", 20, 2)]).await, [Outcome::Superseded]);
    assert_eq!(send(&*store, "d1", 4, vec![count("1", 25, 3)]).await, [Outcome::Applied]);
    let listed: Vec<_> = rows(&*store).await.into_iter().map(|row| (row.stamp, row.outcome)).collect();
    assert_eq!(listed, [(stamp(25, "d1"), Outcome::Applied)]);
}

/// The status alone decides.
pub async fn every_status_takes_counts_or_not(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let all = [
        (SessionStatus::SessionCreated, Outcome::Applied),
        (SessionStatus::SessionAssigned, Outcome::Applied),
        (SessionStatus::SessionSubmitted, Outcome::Late),
        (SessionStatus::SessionApproved, Outcome::Late),
        (SessionStatus::SessionVoided, Outcome::Late),
    ];
    for (number, (status, outcome)) in (1..).zip(all) {
        set_status(&*store, status).await;
        let found = store.session(&ann(), &session("S1")).await.unwrap().unwrap();
        assert_eq!(found.session.status, status);
        assert_eq!(send(&*store, "d1", number, vec![count("1", number * 10, 1)]).await, [outcome], "{status:?}");
    }
}
