//! The manager's side over HTTP.

mod alerts;
mod api_tokens;
mod deciding;
mod delivery;
mod fleet;
mod invitations;
mod people;
mod planning;
mod watching;

use serde_json::{Value, json};

use crate::support::{Answer, World};

pub(super) const RUN: &str = "/maarg/poorti/InventoryCountRun";

pub(super) async fn ask(world: &World, method: &str, user: &str, path: &str, body: Option<&Value>) -> Answer {
    let token = world.token(user).await;
    let call = world.call(method, path).bearer(&token);
    match body {
        Some(body) => call.json(body).send().await,
        None => call.send().await,
    }
}

pub(super) async fn post(world: &World, path: &str, body: &Value) -> Answer {
    ask(world, "POST", "manager", path, Some(body)).await
}

pub(super) async fn file(world: &World, path: &str, text: &str) -> Answer {
    let token = world.token("manager").await;
    world.post(path).bearer(&token).header("content-type", "text/csv").body(text.to_owned()).send().await
}

/// A run `R1` with session `S1`, a list of three in STORE_1.
pub(super) async fn planned(world: &World) {
    let made = post(world, RUN, &json!({ "workEffortId": "R1", "workEffortName": "November" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let session = json!({
        "inventoryCountImportId": "S1", "countImportName": "Aisle 3", "facilityId": "STORE_1",
        "purposeType": "DIRECTED_COUNT", "productIds": ["10440", "10441", "10442"], "assignedUserLoginId": "counter"
    });
    let made = post(world, &format!("{RUN}/R1/sessions"), &json!({ "sessions": [session] })).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

/// The same world with `root`, an admin.
pub(super) async fn add_admin(world: World) -> World {
    add_person(&world, "root", ginti_store::Role::Admin, None).await;
    world
}

/// Somebody more in acme.
pub(super) async fn add_person(world: &World, name: &str, role: ginti_store::Role, store: Option<&str>) {
    let acme = ginti_types::TenantId::new(crate::support::ACME).unwrap();
    let user = ginti_store::User {
        id: ginti_types::UserLoginId::new(name).unwrap(),
        tenant: acme.clone(),
        name: format!("Name of {name}"),
        role,
        facilities: store.map(|id| vec![ginti_types::FacilityId::new(id).unwrap()]),
    };
    let password_hash = crate::support::PASSWORD_HASH.clone();
    let new = ginti_store::NewUser { user, password_hash };
    // Tokens are made by the one, the server may be over another.
    ginti_store::Store::put_user(&*world.store, &acme, new.clone()).await.unwrap();
    world.deps.store.put_user(&acme, new).await.unwrap();
}
