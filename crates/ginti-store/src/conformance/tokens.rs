//! Refresh tokens: rotation, grace, reuse.

use ginti_types::Timestamp;

use super::{
    Fixture,
    world::{NOW_MS, at, device, new_user, person, see, tenant, world},
};
use crate::{DeviceSeen, NewRefreshToken, NewUser, RefreshRotation, SignInOf, Store};

const GRACE_MS: i64 = 30_000;
const END_MS: i64 = NOW_MS + 1_000_000;

fn token(name: u8) -> [u8; 32] {
    [name; 32]
}

async fn begin(store: &dyn Store, name: u8) {
    assert!(begin_in_place_of(store, name, None).await);
}

async fn begin_in_place_of(store: &dyn Store, name: u8, former: Option<u8>) -> bool {
    let first = NewRefreshToken {
        hash: token(name),
        tenant: tenant("acme"),
        user: person("ann"),
        password_hash: Some("hash of ann".to_owned()),
        expires: at(END_MS),
        replaces: former.map(token),
    };
    store.add_refresh_token(first).await.unwrap()
}

async fn rotate(store: &dyn Store, from: u8, to: u8, now: Timestamp) -> RefreshRotation {
    store.rotate_refresh_token(&token(from), &token(to), now, GRACE_MS).await.unwrap()
}

fn anns() -> SignInOf {
    SignInOf { tenant: tenant("acme"), user: person("ann") }
}

/// Known, and good for nothing any more.
fn refused() -> RefreshRotation {
    RefreshRotation::Refused(Some(anns()))
}

fn rotated() -> RefreshRotation {
    RefreshRotation::Rotated { tenant: tenant("acme"), user: person("ann"), expires: at(END_MS) }
}

/// Each token gives the next, and the family's end does not move.
pub async fn a_token_rotates_along_its_family(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    begin(&*store, 1).await;
    for step in 1..6 {
        assert_eq!(rotate(&*store, step, step + 1, at(NOW_MS + i64::from(step) * 100_000)).await, rotated());
    }
}

/// An answer lost on the way: the same token again gives another successor, and both go on.
pub async fn within_the_grace_a_token_is_exchanged_again(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    begin(&*store, 1).await;
    assert_eq!(rotate(&*store, 1, 2, at(NOW_MS)).await, rotated());
    assert_eq!(rotate(&*store, 1, 3, at(NOW_MS + GRACE_MS)).await, rotated());
    assert_eq!(rotate(&*store, 3, 4, at(NOW_MS + GRACE_MS)).await, rotated());
    assert_eq!(rotate(&*store, 2, 5, at(NOW_MS + GRACE_MS)).await, rotated());
}

/// A token used again late was stolen, or its thief's successor was: nobody of the family goes on; others do.
pub async fn after_the_grace_reuse_revokes_the_family(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    begin(&*store, 1).await;
    begin(&*store, 11).await;
    assert_eq!(rotate(&*store, 1, 2, at(NOW_MS)).await, rotated());
    assert_eq!(rotate(&*store, 1, 3, at(NOW_MS + 10)).await, rotated(), "the grace is counted from the first use");
    assert_eq!(rotate(&*store, 1, 4, at(NOW_MS + GRACE_MS + 1)).await, RefreshRotation::Reused(anns()));
    for name in 1..=3 {
        assert_eq!(rotate(&*store, name, 20 + name, at(NOW_MS + GRACE_MS + 2)).await, refused());
    }
    let never_given = rotate(&*store, 4, 24, at(NOW_MS + GRACE_MS + 2)).await;
    assert_eq!(never_given, RefreshRotation::Refused(None));
    assert_eq!(rotate(&*store, 11, 12, at(NOW_MS + GRACE_MS + 2)).await, rotated());
}

/// Signing out ends the family; so does time.
pub async fn ended_revoked_and_unknown_tokens_are_refused(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    begin(&*store, 1).await;
    begin(&*store, 11).await;
    assert_eq!(rotate(&*store, 99, 2, at(NOW_MS)).await, RefreshRotation::Refused(None));
    assert_eq!(
        rotate(&*store, 2, 3, at(NOW_MS)).await,
        RefreshRotation::Refused(None),
        "a refused one has no successor"
    );
    assert_eq!(rotate(&*store, 1, 2, at(END_MS - 1)).await, rotated());
    assert_eq!(store.revoke_refresh_token(&token(1)).await.unwrap(), Some(anns()));
    assert_eq!(store.revoke_refresh_token(&token(99)).await.unwrap(), None);
    assert_eq!(rotate(&*store, 2, 3, at(END_MS - 1)).await, refused());
    assert_eq!(rotate(&*store, 11, 12, at(END_MS)).await, refused());
    begin(&*store, 21).await;
    assert_eq!(rotate(&*store, 21, 22, at(NOW_MS)).await, rotated(), "what ended made no room for confusion");
}

/// Whichever token of the former was still held; what did not begin ended nothing.
pub async fn a_new_sign_in_ends_the_one_it_takes_the_place_of(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    begin(&*store, 1).await;
    begin(&*store, 11).await;
    assert_eq!(rotate(&*store, 1, 2, at(NOW_MS)).await, rotated());
    assert!(begin_in_place_of(&*store, 21, Some(1)).await);
    assert_eq!(rotate(&*store, 2, 3, at(NOW_MS)).await, refused());
    assert_eq!(rotate(&*store, 11, 12, at(NOW_MS)).await, rotated());
    assert!(begin_in_place_of(&*store, 31, Some(99)).await, "one that nobody knows is no hindrance");
    let acme = tenant("acme");
    store
        .put_user(&acme, NewUser { password_hash: "another hash".to_owned(), ..new_user(&acme, "ann") })
        .await
        .unwrap();
    let ben = NewRefreshToken {
        hash: token(41),
        tenant: acme,
        user: person("ben"),
        password_hash: None,
        expires: at(END_MS),
        replaces: None,
    };
    assert!(store.add_refresh_token(ben).await.unwrap());
    assert!(!begin_in_place_of(&*store, 51, Some(41)).await, "the password is another one by now");
    assert!(matches!(rotate(&*store, 41, 42, at(NOW_MS)).await, RefreshRotation::Rotated { .. }));
}

/// Whoever knew the old password is out; a change of anything else ends nobody's sign-in, nor does another's new password.
pub async fn a_new_password_ends_the_sign_ins_made_with_the_old_one(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    begin(&*store, 1).await;
    let acme = tenant("acme");
    let mut ann = new_user(&acme, "ann");
    ann.user.name.push_str(" the Second");
    store.put_user(&acme, ann).await.unwrap();
    let other = |name| NewUser { password_hash: "another hash".to_owned(), ..new_user(&acme, name) };
    store.put_user(&acme, other("ben")).await.unwrap();
    assert_eq!(rotate(&*store, 1, 2, at(NOW_MS)).await, rotated());
    store.put_user(&acme, other("ann")).await.unwrap();
    assert_eq!(rotate(&*store, 2, 3, at(NOW_MS)).await, refused());
    assert!(!begin_in_place_of(&*store, 4, None).await, "nor does one begin that was checked against the old one");
    store.put_user(&acme, new_user(&acme, "ann")).await.unwrap();
    begin(&*store, 4).await;
    assert_eq!(rotate(&*store, 4, 5, at(NOW_MS)).await, rotated());
}

/// Every family that the device held at any time ends, whichever of its tokens told so, and letting the device in again brings none
/// back; its people's sign-ins elsewhere last, and so does one made on it later.
pub async fn blocking_a_device_ends_the_sign_ins_on_it_and_no_others(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    let held = async |device_id: &str, former: Option<&str>, name: u8| {
        let seen = DeviceSeen { refresh_token: Some(token(name)), ..see(device_id, former, "ann") };
        store.see_device(&acme, seen).await.unwrap();
    };
    let block = async |revoked| store.set_device_revoked(&acme, &device("lost"), revoked).await.unwrap();
    for name in [1, 11, 21, 31] {
        begin(&*store, name).await;
    }
    held("lost", None, 1).await;
    held("kept", None, 11).await;
    // Told by a later token only, told twice, and carried on under another id.
    assert_eq!(rotate(&*store, 21, 22, at(NOW_MS)).await, rotated());
    held("lost", None, 22).await;
    assert_eq!(rotate(&*store, 22, 23, at(NOW_MS)).await, rotated());
    held("lost", None, 23).await;
    held("renamed", Some("lost"), 23).await;
    store.see_device(&acme, see("lost", None, "ann")).await.unwrap();
    held("lost", None, 99).await;

    block(true).await;
    block(false).await;
    assert_eq!(rotate(&*store, 1, 2, at(NOW_MS)).await, refused());
    assert_eq!(rotate(&*store, 23, 24, at(NOW_MS)).await, refused());
    assert_eq!(rotate(&*store, 11, 12, at(NOW_MS)).await, rotated(), "the same person's other device");
    assert_eq!(rotate(&*store, 31, 32, at(NOW_MS)).await, rotated(), "one that no device told of");
    begin(&*store, 41).await;
    held("lost", None, 41).await;
    block(false).await;
    assert_eq!(rotate(&*store, 41, 42, at(NOW_MS)).await, rotated(), "letting in ends nothing");
    block(true).await;
    assert_eq!(rotate(&*store, 42, 43, at(NOW_MS)).await, refused(), "blocked again, it ends again");
}
