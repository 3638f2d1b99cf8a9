//! Accounts that are disabled and enabled.

use ginti_desk::{DisabledSet, ListAudit, ListDisabled, SetDisabled};
use ginti_store::{NewRefreshToken, NewUser, RefreshRotation, Role, User};
use ginti_types::{TenantId, UserLoginId};

use crate::world::{NOW_MS, World, at, boss, person, tenant};

const LATER_MS: i64 = NOW_MS + 1_000_000;

async fn add(world: &World, name: &str, role: Role, password_hash: &str) {
    let user = User { id: person(name), tenant: tenant(), name: name.to_owned(), role, facilities: None };
    world.store.put_user(&tenant(), NewUser { user, password_hash: password_hash.to_owned() }).await.unwrap();
}

async fn set(world: &World, by: Option<&str>, user: &str, disabled: bool) -> DisabledSet {
    let by = by.map(person);
    world.desk.run(SetDisabled { tenant: tenant(), by, user: person(user), disabled, now: at(NOW_MS) }).await.unwrap()
}

/// Whether a sign-in of that name begins.
async fn begins(world: &World, name: &str, hash: u8, password_hash: Option<&str>) -> bool {
    let first = NewRefreshToken {
        hash: [hash; 32],
        tenant: tenant(),
        user: person(name),
        password_hash: password_hash.map(str::to_owned),
        expires: at(LATER_MS),
        replaces: None,
    };
    world.store.add_refresh_token(first).await.unwrap()
}

async fn lasts(world: &World, hash: u8) -> bool {
    let next = [hash + 100; 32];
    let rotation = world.store.rotate_refresh_token(&[hash; 32], &next, at(NOW_MS), 1_000).await.unwrap();
    matches!(rotation, RefreshRotation::Rotated { .. })
}

async fn is_disabled(world: &World, name: &str) -> bool {
    world.store.login(&person(name)).await.unwrap().unwrap().is_disabled
}

pub(crate) async fn a_disabled_account_has_no_sign_in_and_gets_none(world: &World) {
    assert!(begins(world, "ann", 1, None).await && begins(world, "ann", 2, Some("-")).await);
    assert!(begins(world, "ben", 3, None).await);
    assert!(!begins(world, "ann", 4, Some("another")).await, "the password was changed meanwhile");
    assert!(!begins(world, "nobody", 4, None).await);

    assert_eq!(set(world, Some("boss"), "ann", true).await, DisabledSet::Done);
    assert!(is_disabled(world, "ann").await && !is_disabled(world, "ben").await);
    assert!(!lasts(world, 1).await && !lasts(world, 2).await && lasts(world, 3).await);
    assert!(!begins(world, "ann", 4, None).await && !begins(world, "ann", 4, Some("-")).await);
    let listed = world.desk.run(ListDisabled { tenant: tenant() }).await.unwrap();
    assert_eq!(listed, [(person("ann"), at(NOW_MS))]);
    add(world, "ann", Role::Lead, "another").await;
    assert!(is_disabled(world, "ann").await, "a change of anything else enables nobody");

    assert_eq!(set(world, Some("boss"), "ann", true).await, DisabledSet::Done, "twice is once");
    assert_eq!(set(world, Some("boss"), "ann", false).await, DisabledSet::Done);
    assert!(!lasts(world, 2).await, "what has ended stays so");
    assert!(begins(world, "ann", 5, Some("another")).await && lasts(world, 5).await);
    assert!(world.desk.run(ListDisabled { tenant: tenant() }).await.unwrap().is_empty());

    let log = ListAudit { access: boss(), before: None, subject: Some("ann".to_owned()), limit: 9 };
    let entries = world.desk.run(log).await.unwrap().entries;
    let actions: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.by.as_str())).collect();
    assert_eq!(actions, [("user-enabled", "boss"), ("user-disabled", "boss")]);
}

pub(crate) async fn somebody_is_left_who_can_enable_others(world: &World) {
    add(world, "root", Role::Admin, "-").await;
    assert_eq!(set(world, Some("root"), "root", true).await, DisabledSet::Yourself);
    assert_eq!(set(world, None, "root", true).await, DisabledSet::LastAdmin);
    assert_eq!(set(world, None, "nobody", true).await, DisabledSet::NoUser);
    add(world, "second", Role::Admin, "-").await;
    // Each the other, at once.
    let (one, other) =
        tokio::join!(set(world, Some("root"), "second", true), set(world, Some("second"), "root", true),);
    assert!(
        matches!(
            (one, other),
            (DisabledSet::Done, DisabledSet::LastAdmin) | (DisabledSet::LastAdmin, DisabledSet::Done)
        ),
        "{one:?} {other:?}"
    );
    assert_eq!(set(world, Some("root"), "ann", true).await, DisabledSet::Done, "who is no admin is not the last one");

    // Another company's people are not there.
    let rival = TenantId::new("rival").unwrap();
    world.store.put_tenant(&rival, "Rival").await.unwrap();
    let by = Some(UserLoginId::new("stranger").unwrap());
    let strayed = SetDisabled { tenant: rival, by, user: person("ben"), disabled: true, now: at(NOW_MS) };
    assert_eq!(world.desk.run(strayed).await.unwrap(), DisabledSet::NoUser);
    assert!(!is_disabled(world, "ben").await);
}
