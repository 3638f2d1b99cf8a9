//! People.

use super::{
    Fixture,
    world::{facility, new_user, person, tenant, world},
};
use crate::{NewUser, Role, StoreError, User};

/// Put again, a user is replaced; found by name alone for signing in, and with its tenant for all else.
pub async fn users_are_put_and_found(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let acme = tenant("acme");
    let login = store.login(&person("ann")).await.unwrap().unwrap();
    assert_eq!(login.user, new_user(&acme, "ann").user);
    assert_eq!(login.password_hash, "hash of ann");
    assert_eq!(store.user(&acme, &person("ann")).await.unwrap(), Some(login.user));
    for (role, facilities) in [
        (Role::Lead, Some(vec![facility("F2"), facility("F1")])),
        (Role::Manager, Some(Vec::new())),
        (Role::Admin, None),
    ] {
        let user = User { id: person("ann"), tenant: acme.clone(), name: "Ann é".to_owned(), role, facilities };
        let new = NewUser { user: user.clone(), password_hash: role.as_str().to_owned() };
        store.put_user(&acme, new).await.unwrap();
        let login = store.login(&person("ann")).await.unwrap().unwrap();
        assert_eq!((login.user, login.password_hash.as_str()), (user, role.as_str()));
    }
    assert!(store.login(&person("nobody")).await.unwrap().is_none());
    assert!(store.login(&person("ANN")).await.unwrap().is_none(), "names are compared as they stand");
    assert_eq!(store.user(&tenant("nobody"), &person("ann")).await.unwrap(), None);
}

/// Names are unique across tenants: signing in needs nothing but a name.
pub async fn a_name_of_another_tenant_is_taken(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let other = tenant("other");
    let result = store.put_user(&other, new_user(&other, "ann")).await;
    assert!(matches!(result, Err(StoreError::Exists(_))), "{result:?}");
    let login = store.login(&person("ann")).await.unwrap().unwrap();
    assert_eq!(login.user.tenant, tenant("acme"));
    assert_eq!(login.password_hash, "hash of ann");
}

/// A user of one tenant is not put into another, nor into a facility that is not there.
pub async fn a_user_needs_its_tenant_and_facilities(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let (acme, other) = (tenant("acme"), tenant("other"));
    let strayed = store.put_user(&acme, new_user(&other, "joe")).await;
    assert!(matches!(strayed, Err(StoreError::Missing(_))), "{strayed:?}");
    let mut homeless = new_user(&other, "joe");
    homeless.user.facilities = Some(vec![facility("F1"), facility("F2")]);
    let homeless = store.put_user(&other, homeless).await;
    assert!(matches!(homeless, Err(StoreError::Missing(_))), "{homeless:?}");
    assert!(store.login(&person("joe")).await.unwrap().is_none());
}
