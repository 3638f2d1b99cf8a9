//! Devices: whom they may speak for, and being blocked.

use ginti_types::{Code, Outcome, Revision};

use super::{
    Fixture,
    world::{batch, count, device, everywhere, outcomes, person, rows, see, send, stored, tenant, with, world},
};
use crate::{DeviceSeen, Import, ImportItem, Imported, StoreError};

fn counted_by(item: &str, revision: u64, user: &str) -> ImportItem {
    with(count(item, revision, 1), |content| content.counted_by_user_login_id = Some(person(user)))
}

/// Blocked, a device stores nothing, not even a repetition; let in again, it goes on.
pub async fn a_revoked_device_stores_nothing(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    store.set_device_revoked(&acme, &device("d1"), true).await.unwrap();
    let before = (rows(&*store).await, store.ledger().await.unwrap());
    for import in [batch("d1", 1, vec![count("1", 10, 1)]), batch("d1", 2, vec![count("1", 20, 1)])] {
        assert_eq!(store.import(import).await.unwrap(), Imported::DeviceRevoked);
    }
    let hidden = Import { session_id: super::world::session("S2"), ..batch("d1", 3, vec![count("1", 20, 1)]) };
    assert_eq!(store.import(hidden).await.unwrap(), Imported::SessionNotAllowed, "the session is asked for first");
    assert_eq!((rows(&*store).await, store.ledger().await.unwrap()), before);
    assert_eq!(send(&*store, "d2", 4, vec![count("2", 10, 1)]).await, [Outcome::Applied]);
    store.set_device_revoked(&acme, &device("d1"), false).await.unwrap();
    assert_eq!(send(&*store, "d1", 2, vec![count("1", 20, 1)]).await, [Outcome::Applied]);
    let unknown = store.set_device_revoked(&acme, &device("never seen"), true).await;
    assert!(matches!(unknown, Err(StoreError::Missing(_))));
}

/// A device carries the counts of those who signed in on it, whoever sends them, and of nobody else.
pub async fn attribution_needs_a_sign_in_on_the_device(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let receipt = stored(&*store, batch("d1", 1, vec![counted_by("1", 10, "ann"), counted_by("2", 10, "ben")])).await;
    assert_eq!(outcomes(&receipt), [Outcome::Applied, Outcome::Rejected], "sending is signing in");
    assert_eq!(receipt.items[1].code.as_deref(), Some(Code::AttributionNotAllowed.as_str()));
    assert!(receipt.items[1].detail.as_ref().unwrap().contains("\"ben\""));
    assert_eq!(store.ledger().await.unwrap().ledger_seq, 1, "it is not kept: the same stamp may come again");
    store.see_device(&tenant("acme"), see("d2", None, "ben")).await.unwrap();
    assert_eq!(
        send(&*store, "d1", 2, vec![counted_by("2", 10, "ben")]).await,
        [Outcome::Rejected],
        "on another device"
    );
    store.see_device(&tenant("acme"), see("d1", None, "ben")).await.unwrap();
    assert_eq!(send(&*store, "d1", 3, vec![counted_by("2", 10, "ben")]).await, [Outcome::Applied]);
    let by_ben = Import { access: everywhere("acme", "ben"), ..batch("d1", 4, vec![counted_by("3", 10, "ann")]) };
    assert_eq!(outcomes(&stored(&*store, by_ben).await), [Outcome::Applied]);
    let three = rows(&*store).await.into_iter().find(|row| row.import_item_seq_id.as_str() == "3").unwrap();
    assert_eq!(three.content.counted_by_user_login_id, Some(person("ann")), "the counter's, not the sender's");
    assert_eq!(send(&*store, "d1", 5, vec![counted_by("4", 10, "eve")]).await, [Outcome::Rejected], "another tenant's");
}

/// A cloned device takes a new id and still carries what its people counted.
pub async fn a_new_id_takes_over_the_people_of_the_former(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    store.see_device(&acme, see("old", None, "ann")).await.unwrap();
    store.see_device(&acme, see("old", None, "ben")).await.unwrap();
    store.see_device(&acme, see("new", Some("old"), "ann")).await.unwrap();
    assert_eq!(send(&*store, "new", 1, vec![counted_by("1", 10, "ben")]).await, [Outcome::Applied]);
    assert_eq!(
        send(&*store, "old", 2, vec![counted_by("1", 5, "ben")]).await,
        [Outcome::Superseded],
        "the former still may"
    );
}

/// Naming a device as one's former is not enough: one must have signed in on it; a blocked one hands over nothing.
pub async fn a_hand_over_needs_a_person_of_the_former(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    store.see_device(&acme, see("bens", None, "ben")).await.unwrap();
    store.see_device(&acme, see("anns", Some("bens"), "ann")).await.unwrap();
    assert_eq!(send(&*store, "anns", 1, vec![counted_by("1", 10, "ben")]).await, [Outcome::Rejected]);
    store.see_device(&acme, see("bens", None, "ann")).await.unwrap();
    store.set_device_revoked(&acme, &device("bens"), true).await.unwrap();
    store.see_device(&acme, see("anns", Some("bens"), "ann")).await.unwrap();
    assert_eq!(send(&*store, "anns", 2, vec![counted_by("1", 10, "ben")]).await, [Outcome::Rejected]);
    store.see_device(&acme, see("anns", Some("never seen"), "ann")).await.unwrap();
    store.set_device_revoked(&acme, &device("bens"), false).await.unwrap();
    store.see_device(&acme, see("anns", Some("bens"), "ann")).await.unwrap();
    assert_eq!(send(&*store, "anns", 3, vec![counted_by("1", 10, "ben")]).await, [Outcome::Applied]);
}

/// A copy of what a device stamped while its clock ran ahead never wins, however late it strays in; what the id stamped in
/// good time is still welcome.
pub async fn a_retired_id_is_not_believed_beyond_its_bound(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    let bound = Revision::new(50).unwrap();
    store.see_device(&acme, see("old", None, "ann")).await.unwrap();
    let stranger =
        DeviceSeen { retire_former_above: Some(Revision::new(1).unwrap()), ..see("bens", Some("old"), "ben") };
    store.see_device(&acme, stranger).await.unwrap();
    assert_eq!(send(&*store, "old", 1, vec![count("1", 40, 1)]).await, [Outcome::Applied], "a stranger retires nobody");
    let renewed = DeviceSeen { retire_former_above: Some(bound), ..see("new", Some("old"), "ann") };
    store.see_device(&acme, renewed.clone()).await.unwrap();
    let later = DeviceSeen { retire_former_above: Some(Revision::new(90).unwrap()), ..renewed };
    store.see_device(&acme, later).await.unwrap();
    assert_eq!(send(&*store, "new", 2, vec![count("1", 55, 2)]).await, [Outcome::Applied]);
    let copy = batch("old", 3, vec![count("1", 60, 9), count("2", 50, 3)]);
    let receipt = stored(&*store, copy).await;
    assert_eq!(outcomes(&receipt), [Outcome::Rejected, Outcome::Applied]);
    assert_eq!(receipt.items[0].code.as_deref(), Some("clock-skew"));
    assert_eq!(send(&*store, "old", 4, vec![count("1", 60, 9)]).await, [Outcome::Rejected]);
    assert_eq!(rows(&*store).await.len(), 2);
}
