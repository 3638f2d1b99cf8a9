//! Receipts: their order, their repetition, and what they cost the ledger.

use ginti_types::{Code, Outcome, Revision};

use super::{
    Fixture,
    world::{NOW_MS, at, batch, count, digest, everywhere, outcomes, person, rows, send, stored, with, world},
};
use crate::{Import, ImportItem, Imported, Refusal};

/// A batch of every kind of outcome.
fn mixed(number: u64) -> Import {
    let unread = Refusal {
        import_item_seq_id: Some("x".repeat(41)),
        code: Code::IdInvalid,
        detail: "The id is too long.".to_owned(),
    };
    let nameless = Refusal { import_item_seq_id: None, code: Code::FieldMissing, detail: "It has no id.".to_owned() };
    let foreign = with(count("4", 10, 1), |content| content.counted_by_user_login_id = Some(person("ben")));
    let items = vec![
        count("9", 10, 1),
        ImportItem::Refused(unread),
        count("1", 10, 1),
        count("1", 5, 7),
        ImportItem::Refused(nameless),
        foreign,
        count("1", 10, 1),
        count("0", 10, 2),
    ];
    batch("d1", number, items)
}

/// The n-th answer is about the n-th item, whatever became of it.
pub async fn items_stand_in_the_order_of_the_batch(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let receipt = stored(&*store, mixed(1)).await;
    let (applied, rejected) = (Outcome::Applied, Outcome::Rejected);
    assert_eq!(
        outcomes(&receipt),
        [applied, rejected, applied, Outcome::Superseded, rejected, rejected, Outcome::Duplicate, applied]
    );
    let long = "x".repeat(41);
    let names: Vec<_> = receipt.items.iter().map(|item| item.import_item_seq_id.as_deref()).collect();
    assert_eq!(names, [Some("9"), Some(&*long), Some("1"), Some("1"), None, Some("4"), Some("1"), Some("0")]);
    assert_eq!(receipt.items[1].code.as_deref(), Some("id-invalid"));
    assert_eq!(receipt.items[1].detail.as_deref(), Some("The id is too long."));
    assert_eq!(receipt.items[3].revision, Some(Revision::new(10).unwrap()), "the stamp that holds, not the one sent");
    assert_eq!(receipt.items[5].revision, None, "nothing holds in that row");
    assert!(receipt.items[0].code.is_none() && receipt.items[0].detail.is_none());
    assert_eq!(receipt.server_time, at(NOW_MS));
    assert_eq!(receipt.batch_id, super::world::batch_id(1));
}

/// The same batch again: the same receipt, to the letter, and nothing written.
pub async fn a_repeated_batch_gets_the_same_receipt(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let plain = || batch("d1", 2, vec![count("7", 10, 1), count("8", 10, 1), count("7", 11, 3)]);
    let first = (stored(&*store, mixed(1)).await, stored(&*store, plain()).await);
    send(&*store, "d2", 3, vec![count("7", 99, 5), count("1", 99, 5)]).await;
    let before = (rows(&*store).await, store.ledger().await.unwrap());
    for later in [1, 60_000] {
        for (import, receipt) in [(mixed(1), &first.0), (plain(), &first.1)] {
            let again = Import { now: at(NOW_MS + later), ..import };
            assert_eq!(store.import(again).await.unwrap(), Imported::Replayed(receipt.clone()));
        }
    }
    assert_eq!((rows(&*store).await, store.ledger().await.unwrap()), before);
}

/// A batch that names a row twice is told of both what holds when it is done, at once and when it is repeated.
pub async fn a_row_named_twice_is_answered_with_what_holds_in_the_end(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d0", 1, vec![count("2", 5, 1)]).await;
    let twice = || batch("d1", 2, vec![count("1", 10, 1), count("2", 4, 3), count("1", 11, 2), count("2", 9, 4)]);
    let receipt = stored(&*store, twice()).await;
    let (applied, superseded) = (Outcome::Applied, Outcome::Superseded);
    assert_eq!(outcomes(&receipt), [applied, superseded, applied, applied]);
    let holds: Vec<_> = receipt.items.iter().map(|item| item.revision.unwrap().get()).collect();
    assert_eq!(holds, [11, 9, 11, 9]);
    let by: Vec<_> = receipt.items.iter().map(|item| item.device_id.as_ref().unwrap().as_str()).collect();
    assert_eq!(by, ["d1"; 4]);
    assert_eq!(store.import(twice()).await.unwrap(), Imported::Replayed(receipt));
    let all = || batch("d1", 3, vec![count("1", 20, 1), count("1", 21, 2)]);
    let receipt = stored(&*store, all()).await;
    assert_eq!(receipt.items[0].revision, receipt.items[1].revision);
    assert_eq!(store.import(all()).await.unwrap(), Imported::Replayed(receipt));
}

/// An id names one content for ever.
pub async fn a_batch_id_with_other_content_stores_nothing(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    let before = (rows(&*store).await, store.ledger().await.unwrap());
    let other = batch("d1", 1, vec![count("1", 10, 1), count("2", 10, 1)]);
    assert_ne!(digest(&other.items), digest(&[count("1", 10, 1)]));
    assert_eq!(store.import(other).await.unwrap(), Imported::BatchIdReused);
    assert_eq!((rows(&*store).await, store.ledger().await.unwrap()), before);
}

/// What one tenant sent says nothing about another's batch of that id.
pub async fn a_batch_id_belongs_to_its_tenant(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    let others = Import { access: everywhere("other", "eve"), ..batch("d1", 1, vec![count("1", 10, 2)]) };
    assert!(matches!(store.import(others).await.unwrap(), Imported::Stored(_)));
    assert_eq!(rows(&*store).await[0].content.quantity.micros(), 1_000_000);
}

/// Every count kept adds one; a repetition, a reuse and an unreadable one add none.
pub async fn the_ledger_grows_with_what_is_stored_only(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    assert_eq!(store.ledger().await.unwrap().ledger_seq, 0);
    let receipt = stored(&*store, mixed(1)).await;
    assert_eq!(receipt.ledger_seq, 4, "three applied and one superseded");
    let receipt = stored(&*store, batch("d1", 2, vec![count("1", 10, 1), count("1", 10, 2)])).await;
    assert_eq!(receipt.ledger_seq, 4);
    let receipt = stored(&*store, batch("d2", 3, vec![count("1", 12, 1)])).await;
    assert_eq!(receipt.ledger_seq, 5);
    let ledger = store.ledger().await.unwrap();
    assert_eq!((ledger.ledger_seq, ledger.epoch), (5, receipt.epoch));
}
