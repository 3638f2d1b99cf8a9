//! What becomes of an item, row by row of the merge rule.

use ginti_types::{
    Code, LocationSeqId, Note, Outcome, ProductId, ProductIdentifier, Quantity, Requested, Revision, limits,
};

use super::{
    Fixture,
    world::{
        NOW_MS, ann, at, batch, count, history, outcomes, person, row, rows, see, send, session, stamp, stored, tenant,
        with, world,
    },
};

/// Newer wins, older goes to history, the same again changes nothing.
pub async fn applied_superseded_and_duplicate(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    assert_eq!(send(&*store, "d1", 1, vec![count("1", 20, 5)]).await, [Outcome::Applied]);
    assert_eq!(send(&*store, "d1", 2, vec![count("1", 10, 3)]).await, [Outcome::Superseded]);
    assert_eq!(send(&*store, "d1", 3, vec![count("1", 20, 5)]).await, [Outcome::Duplicate]);
    assert_eq!(send(&*store, "d1", 4, vec![count("1", 10, 3)]).await, [Outcome::Superseded]);
    let receipt = stored(&*store, batch("d2", 5, vec![count("1", 30, 9)])).await;
    assert_eq!(receipt.items[0].revision, Some(Revision::new(30).unwrap()));
    assert_eq!(send(&*store, "d1", 6, vec![count("1", 20, 5)]).await, [Outcome::Superseded], "it no longer holds");
    let receipt = stored(&*store, batch("d1", 7, vec![count("1", 10, 3)])).await;
    assert_eq!(receipt.items[0].device_id.as_ref().unwrap().as_str(), "d2", "the answer names the stamp that holds");
    let rows = rows(&*store).await;
    assert_eq!((rows.len(), &rows[0].stamp), (1, &stamp(30, "d2")));
    assert_eq!(
        history(&*store, "1").await,
        [(20, Outcome::Applied), (10, Outcome::Superseded), (30, Outcome::Applied)]
    );
}

/// The device id breaks ties, in either order of arrival.
pub async fn equal_revisions_are_ordered_by_device(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    assert_eq!(send(&*store, "a", 1, vec![count("1", 5, 1)]).await, [Outcome::Applied]);
    assert_eq!(send(&*store, "b", 2, vec![count("1", 5, 2), count("2", 5, 2)]).await, [Outcome::Applied; 2]);
    assert_eq!(send(&*store, "a", 3, vec![count("2", 5, 1)]).await, [Outcome::Superseded]);
    assert!(rows(&*store).await.iter().all(|row| row.stamp == stamp(5, "b")));
}

/// A stamp vouches for one content for ever, held or only in history.
pub async fn a_stamp_with_other_content_is_refused_and_changes_nothing(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 20, 5), count("2", 20, 5)]).await;
    send(&*store, "d1", 2, vec![count("1", 10, 3)]).await;
    let before = (rows(&*store).await, store.ledger().await.unwrap());
    let receipt = stored(&*store, batch("d1", 3, vec![count("1", 20, 6), count("1", 10, 4), count("2", 20, 5)])).await;
    assert_eq!(outcomes(&receipt), [Outcome::Rejected, Outcome::Rejected, Outcome::Duplicate]);
    for item in &receipt.items[..2] {
        assert_eq!(item.code.as_deref(), Some(Code::RevisionReused.as_str()));
        assert!(item.detail.as_ref().unwrap().ends_with('.'));
        assert_eq!(item.revision, Some(Revision::new(20).unwrap()), "what holds is said even so");
    }
    assert_eq!((rows(&*store).await, store.ledger().await.unwrap()), before);
    assert_eq!(
        send(&*store, "d2", 4, vec![count("1", 20, 6)]).await,
        [Outcome::Applied],
        "another device's is another stamp"
    );
}

/// All of the content counts, and what was left out is not the same as what it defaults to.
pub async fn each_part_of_the_content_is_compared_as_sent(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let plain = || count("1", 20, 5);
    send(&*store, "d1", 1, vec![plain()]).await;
    let others = vec![
        with(plain(), |content| content.product_id = None),
        with(plain(), |content| content.product_id = Some(ProductId::new("else").unwrap())),
        with(plain(), |content| content.product_identifier = Some(ProductIdentifier::new("0123").unwrap())),
        with(plain(), |content| content.quantity = Quantity::from_micros(5_000_001).unwrap()),
        with(plain(), |content| content.counted_at = Some(at(NOW_MS))),
        with(plain(), |content| content.counted_by_user_login_id = Some(person("ann"))),
        with(plain(), |content| content.is_requested = Some(Requested::N)),
        with(plain(), |content| content.location_seq_id = Some(LocationSeqId::new("A-1").unwrap())),
        with(plain(), |content| content.note = Some(Note::new("torn").unwrap())),
    ];
    let expected = vec![Outcome::Rejected; others.len()];
    assert_eq!(send(&*store, "d1", 2, others).await, expected);
    let mut later = batch("d1", 3, vec![plain()]);
    later.now = at(NOW_MS + 60_000);
    assert_eq!(
        outcomes(&stored(&*store, later).await),
        [Outcome::Duplicate],
        "another time of arrival is no other content"
    );
}

/// Nothing of a count is changed on its way through; only what was left out is filled in.
pub async fn content_is_kept_exactly_and_attribution_filled_in(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    store.see_device(&tenant("acme"), see("d1", None, "ben")).await.unwrap();
    let full = with(count("1", 20, 0), |content| {
        content.product_id = None;
        content.product_identifier = Some(ProductIdentifier::new("0".repeat(200)).unwrap());
        content.quantity = Quantity::MAX;
        content.counted_at = Some(at(NOW_MS - 86_400_000));
        content.counted_by_user_login_id = Some(person("ben"));
        content.is_requested = Some(Requested::Y);
        content.location_seq_id = Some(LocationSeqId::new("Regal é 7").unwrap());
        content.note = Some(Note::new("é".repeat(500)).unwrap());
    });
    let crate::ImportItem::Count { content: sent, .. } = full.clone() else { unreachable!() };
    send(&*store, "d1", 1, vec![full, count("2", 20, 0)]).await;
    let rows = rows(&*store).await;
    assert_eq!(rows[0].content, sent);
    assert_eq!(rows[1].content.quantity, Quantity::ZERO, "a counted zero is a count");
    assert_eq!(rows[1].content.counted_at, Some(at(NOW_MS)));
    assert_eq!(rows[1].content.counted_by_user_login_id, Some(person("ann")));
    assert_eq!((rows[0].received_at, rows[0].batch_id), (at(NOW_MS), super::world::batch_id(1)));
    let entries = store.history(&ann(), &session("S1"), &row("1")).await.unwrap().unwrap();
    assert_eq!((&entries[0].row, &entries[0].sent_by), (&rows[0], &person("ann")), "who sent it is not who counted it");
}

/// A batch may carry several revisions of a row; each is decided on in turn.
pub async fn one_row_twice_in_a_batch(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let items = vec![count("1", 10, 1), count("1", 20, 2), count("1", 15, 3), count("1", 20, 2), count("1", 20, 9)];
    let expected = [Outcome::Applied, Outcome::Applied, Outcome::Superseded, Outcome::Duplicate, Outcome::Rejected];
    assert_eq!(send(&*store, "d1", 1, items).await, expected);
    assert_eq!(rows(&*store).await[0].stamp, stamp(20, "d1"));
}

/// A clock that runs ahead wins nothing, not even when a stray copy arrives once the server's clock has caught up.
pub async fn a_revision_ahead_is_refused_and_stays_so(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let ahead_max = i64::try_from(limits::CLOCK_AHEAD_MS_MAX).unwrap();
    let bound = Revision::from_unix_ms(NOW_MS + ahead_max).get();
    let beyond = Revision::from_unix_ms(NOW_MS + ahead_max + 1).get();
    assert_eq!(send(&*store, "d1", 1, vec![count("1", bound, 1)]).await, [Outcome::Applied], "at the bound is good");
    let receipt = stored(&*store, batch("d1", 2, vec![count("2", beyond, 2), count("3", 5, 1)])).await;
    assert_eq!(outcomes(&receipt), [Outcome::Rejected, Outcome::Applied], "its neighbour is stored");
    assert_eq!(receipt.items[0].code.as_deref(), Some(Code::ClockSkew.as_str()));
    assert!(receipt.items[0].detail.as_ref().unwrap().contains("5 minutes"));
    assert_eq!(send(&*store, "d1", 3, vec![count("2", 7, 4)]).await, [Outcome::Applied], "re-stamped, it is taken");
    let mut stray = batch("d1", 4, vec![count("2", beyond, 2), count("2", beyond, 3)]);
    stray.now = at(NOW_MS + 86_400_000);
    let stray = stored(&*store, stray).await;
    assert_eq!(outcomes(&stray), [Outcome::Rejected; 2]);
    assert_eq!(stray.items[0].code.as_deref(), Some(Code::ClockSkew.as_str()));
    assert_eq!(stray.items[0].detail, receipt.items[0].detail, "the same answer as then");
    assert_eq!(stray.items[1].code.as_deref(), Some(Code::RevisionReused.as_str()));
    let two = rows(&*store).await.into_iter().find(|found| found.import_item_seq_id == row("2")).unwrap();
    assert_eq!(two.stamp, stamp(7, "d1"));
    assert_eq!(history(&*store, "2").await, [(beyond, Outcome::Rejected), (7, Outcome::Applied)]);
}

/// History is by arrival, and each entry says how it was decided then.
pub async fn history_keeps_every_revision_in_order_of_arrival(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    for (number, (device, revision)) in [("d1", 30), ("d2", 10), ("d1", 20), ("d2", 40), ("d1", 50)].iter().enumerate()
    {
        send(&*store, device, number as u64, vec![count("1", *revision, 1)]).await;
    }
    let entries = store.history(&ann(), &session("S1"), &row("1")).await.unwrap().unwrap();
    let arrived: Vec<_> = entries.iter().map(|entry| (entry.row.stamp.clone(), entry.row.outcome)).collect();
    let (applied, superseded) = (Outcome::Applied, Outcome::Superseded);
    assert_eq!(
        arrived,
        [
            (stamp(30, "d1"), applied),
            (stamp(10, "d2"), superseded),
            (stamp(20, "d1"), superseded),
            (stamp(40, "d2"), applied),
            (stamp(50, "d1"), applied)
        ]
    );
    assert!(entries.is_sorted_by(|a, b| a.row.ledger_seq < b.row.ledger_seq));
    assert_eq!(store.history(&ann(), &session("S1"), &row("none")).await.unwrap(), Some(Vec::new()));
}
