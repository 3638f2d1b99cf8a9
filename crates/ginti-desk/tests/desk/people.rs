//! Tokens for programs, and invitations.

use ginti_desk::{
    AcceptInvitation, ApiToken, FindApiToken, FindInvitation, Invite, Invited, IsOnlyInvited, ListApiTokens,
    ListInvitations, MakeApiToken, NoteTokenUse, RevokeApiToken, TokenMade, WithdrawInvitation,
};
use ginti_store::{Access, NewUser, Role, User};
use ginti_types::{FacilityId, TenantId};
use serde_json::json;

use crate::world::{NOW_MS, World, at, boss, of_store, person, tenant};

const DAY_MS: i64 = 86_400_000;

fn make(name: &str, hash: u8) -> MakeApiToken {
    MakeApiToken {
        access: boss(),
        name: name.to_owned(),
        role: Role::Lead,
        facilities: Some(vec![FacilityId::new("F1").unwrap()]),
        hash: [hash; 32],
        expires: Some(at(NOW_MS + DAY_MS)),
        now: at(NOW_MS),
    }
}

async fn made(world: &World, op: MakeApiToken) -> ApiToken {
    match world.desk.run(op).await.unwrap() {
        TokenMade::Made(token) => token,
        other => panic!("{other:?}"),
    }
}

async fn rival(world: &World) -> Access {
    let rival = TenantId::new("rival").unwrap();
    world.store.put_tenant(&rival, "Rival").await.unwrap();
    Access { tenant: rival, ..boss() }
}

pub(crate) async fn a_token_is_found_by_its_hash_until_it_is_revoked(world: &World) {
    let token = made(world, make("erp", 1)).await;
    let find = async || world.desk.run(FindApiToken { hash: [1; 32] }).await.unwrap();
    let found = find().await.unwrap();
    assert_eq!((found.id, &found.tenant, found.user.as_str()), (token.id, &tenant(), "token:erp"));
    assert_eq!((found.role, found.facilities, found.expires), (Role::Lead, token.facilities, token.expires));
    assert_eq!((found.created, found.created_by.as_str(), found.last_used), (at(NOW_MS), "boss", None));
    assert!(world.desk.run(FindApiToken { hash: [2; 32] }).await.unwrap().is_none());

    let used = async |ms| world.desk.run(NoteTokenUse { id: token.id, now: at(ms) }).await.unwrap();
    used(NOW_MS).await;
    used(NOW_MS + 59_999).await;
    assert_eq!(find().await.unwrap().last_used, Some(at(NOW_MS)));
    used(NOW_MS + 60_000).await;
    assert_eq!(find().await.unwrap().last_used, Some(at(NOW_MS + 60_000)));

    let stranger = rival(world).await;
    let revoke = async |access: &Access| {
        world.desk.run(RevokeApiToken { access: access.clone(), id: token.id, now: at(NOW_MS) }).await.unwrap()
    };
    assert!(!revoke(&stranger).await);
    assert!(world.desk.run(ListApiTokens { access: stranger }).await.unwrap().is_empty());
    assert_eq!(world.desk.run(ListApiTokens { access: boss() }).await.unwrap().len(), 1);
    assert!(revoke(&boss()).await);
    assert!(!revoke(&boss()).await);
    assert!(find().await.is_none());
    assert!(world.desk.run(ListApiTokens { access: boss() }).await.unwrap().is_empty());
}

pub(crate) async fn tokens_of_a_name_act_under_names_of_their_own(world: &World) {
    let user = User {
        id: person("token:erp-2"),
        tenant: tenant(),
        name: "An account from before there were tokens".to_owned(),
        role: Role::Counter,
        facilities: None,
    };
    world.store.put_user(&tenant(), NewUser { user, password_hash: "-".to_owned() }).await.unwrap();
    let first = made(world, make("erp", 1)).await;
    assert!(world.desk.run(RevokeApiToken { access: boss(), id: first.id, now: at(NOW_MS) }).await.unwrap());
    let next = made(world, make("erp", 2)).await;
    assert_eq!((first.user.as_str(), next.user.as_str()), ("token:erp", "token:erp-3"));
    let access = rival(world).await;
    let other = made(world, MakeApiToken { access, facilities: None, ..make("erp", 3) }).await;
    assert_eq!((other.user.as_str(), other.facilities), ("token:erp", None));
    let nowhere = MakeApiToken { facilities: Some(vec![FacilityId::new("F9").unwrap()]), ..make("erp", 4) };
    assert!(matches!(world.desk.run(nowhere).await.unwrap(), TokenMade::NoFacility(id) if id.as_str() == "F9"));
    let long = make(&"x".repeat(35), 5);
    assert!(matches!(world.desk.run(long).await.unwrap(), TokenMade::NameUsedUp));
}

async fn invite(world: &World, access: Access, user: &str, hash: u8) -> Option<i64> {
    let placeholder = format!("nobody's {hash}");
    let op = Invite {
        access: access.clone(),
        user: person(user),
        hash: [hash; 32],
        placeholder: placeholder.clone(),
        expires: at(NOW_MS + 7 * DAY_MS),
        details: json!({ "role": "counter" }),
        now: at(NOW_MS),
    };
    let id = world.desk.run(op).await.unwrap()?;
    set_password(world, &access, user, &placeholder).await;
    Some(id)
}

async fn set_password(world: &World, access: &Access, user: &str, password_hash: &str) {
    let user = User {
        id: person(user),
        tenant: access.tenant.clone(),
        name: "Nina".to_owned(),
        role: Role::Counter,
        facilities: None,
    };
    let new = NewUser { user, password_hash: password_hash.to_owned() };
    world.store.put_user(&access.tenant, new).await.unwrap();
}

async fn find(world: &World, hash: u8, ms: i64) -> Invited {
    world.desk.run(FindInvitation { hash: [hash; 32], now: at(ms) }).await.unwrap()
}

async fn accept(world: &World, hash: u8, ms: i64) -> bool {
    let op = AcceptInvitation { hash: [hash; 32], password_hash: "chosen".to_owned(), now: at(ms) };
    world.desk.run(op).await.unwrap()
}

async fn is_only_invited(world: &World, user: &str) -> bool {
    world.desk.run(IsOnlyInvited { tenant: tenant(), user: person(user) }).await.unwrap()
}

pub(crate) async fn an_invitation_is_used_once(world: &World) {
    let id = invite(world, boss(), "nina", 1).await.unwrap();
    let list = world.desk.run(ListInvitations { access: boss() }).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].id, list[0].user.as_str(), list[0].name.as_str()), (id, "nina", "Nina"));
    assert_eq!((list[0].role, list[0].created_by.as_str()), (Role::Counter, "boss"));
    assert!(is_only_invited(world, "nina").await && !is_only_invited(world, "ann").await);
    assert_eq!(find(world, 1, NOW_MS).await, Invited::Open(person("nina")));
    assert_eq!(find(world, 9, NOW_MS).await, Invited::Unknown);
    let late = NOW_MS + 7 * DAY_MS;
    assert_eq!(find(world, 1, late).await, Invited::Expired);
    assert!(!accept(world, 1, late).await && !accept(world, 9, NOW_MS).await);
    assert!(accept(world, 1, late - 1).await);
    assert!(!accept(world, 1, late - 1).await);
    assert_eq!(find(world, 1, NOW_MS).await, Invited::Used);
    assert_eq!(world.store.login(&person("nina")).await.unwrap().unwrap().password_hash, "chosen");
    assert!(!is_only_invited(world, "nina").await);
    assert!(world.desk.run(ListInvitations { access: boss() }).await.unwrap().is_empty());
    assert_eq!(invite(world, boss(), "nina", 2).await, None, "who has an account is not invited again");
}

pub(crate) async fn an_invitation_is_withdrawn_renewed_or_overtaken(world: &World) {
    let withdraw = async |access, id| world.desk.run(WithdrawInvitation { access, id, now: at(NOW_MS) }).await.unwrap();
    let first = invite(world, boss(), "nina", 1).await.unwrap();
    let second = invite(world, of_store("F1"), "nina", 2).await.unwrap();
    assert_eq!(find(world, 1, NOW_MS).await, Invited::Unknown, "a newer one took its place");
    assert!(!accept(world, 1, NOW_MS).await);
    let stranger = rival(world).await;
    assert!(!withdraw(boss(), first).await && !withdraw(stranger.clone(), second).await);
    assert!(withdraw(boss(), second).await);
    assert!(!withdraw(boss(), second).await);
    assert_eq!(find(world, 2, NOW_MS).await, Invited::Unknown);
    assert!(world.store.login(&person("nina")).await.unwrap().is_none(), "the account went with it");

    invite(world, stranger, "nina", 3).await.unwrap();
    assert_eq!(invite(world, boss(), "nina", 4).await, None, "another company invited that name");
    let third = invite(world, boss(), "omar", 5).await.unwrap();
    set_password(world, &boss(), "omar", "set by an admin").await;
    assert_eq!(find(world, 5, NOW_MS).await, Invited::Unknown);
    assert!(!accept(world, 5, NOW_MS).await && !withdraw(boss(), third).await);
    assert_eq!(world.store.login(&person("omar")).await.unwrap().unwrap().password_hash, "set by an admin");
}
