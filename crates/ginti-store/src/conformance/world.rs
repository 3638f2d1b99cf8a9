//! What most tests begin with: two tenants with the same ids, some people, some sessions; and short ways to send counts.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use ginti_types::{
    BatchId, DeviceId, FacilityId, ItemContent, ItemSeqId, Outcome, ProductId, Purpose, Quantity, Receipt, Revision,
    SessionId, SessionStatus, Stamp, TenantId, Timestamp, UserLoginId,
};

use super::Fixture;
use crate::{
    Access, DeviceSeen, Facility, Import, ImportItem, Imported, ItemRow, NewSession, NewUser, Role, Session, Store,
    User,
};

/// The server's clock in most tests.
pub(super) const NOW_MS: i64 = 1_795_338_843_120;

/// `acme` has facilities F1 and F2 with sessions S1 and S2; `other` has F1 with an S1 of its own.
/// `ann` and `ben` work for acme (F1), `eve` for other (F1).
pub(super) async fn world(fixture: &dyn Fixture) -> Arc<dyn Store> {
    let store = fixture.open().await;
    let (acme, other) = (tenant("acme"), tenant("other"));
    store.put_tenant(&acme, "Acme").await.unwrap();
    store.put_tenant(&other, "Other").await.unwrap();
    for (tenant, id) in [(&acme, "F1"), (&acme, "F2"), (&other, "F1")] {
        let facility = Facility { id: facility(id), name: format!("{tenant} {id}") };
        store.put_facility(tenant, &facility).await.unwrap();
    }
    for (tenant, name) in [(&acme, "ann"), (&acme, "ben"), (&other, "eve")] {
        store.put_user(tenant, new_user(tenant, name)).await.unwrap();
    }
    for (tenant, id, place) in [(&acme, "S1", "F1"), (&acme, "S2", "F2"), (&other, "S1", "F1")] {
        store.create_session(tenant, new_session(id, place)).await.unwrap();
    }
    store
}

pub(super) fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

pub(super) fn facility(id: &str) -> FacilityId {
    FacilityId::new(id).unwrap()
}

pub(super) fn session(id: &str) -> SessionId {
    SessionId::new(id).unwrap()
}

pub(super) fn row(id: &str) -> ItemSeqId {
    ItemSeqId::new(id).unwrap()
}

pub(super) fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

pub(super) fn person(id: &str) -> UserLoginId {
    UserLoginId::new(id).unwrap()
}

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

pub(super) fn stamp(revision: u64, device_id: &str) -> Stamp {
    Stamp { revision: Revision::new(revision).unwrap(), device_id: device(device_id) }
}

pub(super) fn new_user(tenant: &TenantId, name: &str) -> NewUser {
    NewUser {
        user: User {
            id: person(name),
            tenant: tenant.clone(),
            name: name.to_uppercase(),
            role: Role::Counter,
            facilities: Some(vec![facility("F1")]),
        },
        password_hash: format!("hash of {name}"),
    }
}

pub(super) fn new_session(id: &str, place: &str) -> NewSession {
    NewSession {
        session: Session {
            id: session(id),
            name: format!("Session {id}"),
            facility: facility(place),
            purpose: Purpose::HardCount,
            status: SessionStatus::SessionAssigned,
            due: Some(at(NOW_MS + 1)),
            created: at(NOW_MS),
        },
        assignments: Vec::new(),
    }
}

pub(super) fn see(device_id: &str, former: Option<&str>, user: &str) -> DeviceSeen {
    DeviceSeen {
        device: device(device_id),
        former: former.map(device),
        retire_former_above: None,
        user: person(user),
        refresh_token: None,
        now: at(NOW_MS),
    }
}

/// Ann of acme, in facility F1.
pub(super) fn ann() -> Access {
    Access { tenant: tenant("acme"), user: person("ann"), facilities: Some(vec![facility("F1")]) }
}

/// Someone of that tenant who sees all facilities.
pub(super) fn everywhere(of: &str, user: &str) -> Access {
    Access { tenant: tenant(of), user: person(user), facilities: None }
}

/// A count of a product that follows from the row.
pub(super) fn count(item: &str, revision: u64, units: i64) -> ImportItem {
    ImportItem::Count {
        item: row(item),
        revision: Revision::new(revision).unwrap(),
        content: ItemContent {
            product_id: Some(ProductId::new(format!("product-{item}")).unwrap()),
            product_identifier: None,
            quantity: Quantity::from_micros(units * 1_000_000).unwrap(),
            counted_at: None,
            counted_by_user_login_id: None,
            is_requested: None,
            location_seq_id: None,
            note: None,
        },
    }
}

/// The same with its content changed.
pub(super) fn with(mut item: ImportItem, change: impl FnOnce(&mut ItemContent)) -> ImportItem {
    if let ImportItem::Count { content, .. } = &mut item {
        change(content);
    }
    item
}

/// A batch of ann's for S1. `number` makes the batch id.
pub(super) fn batch(device_id: &str, number: u64, items: Vec<ImportItem>) -> Import {
    Import {
        access: ann(),
        batch_id: batch_id(number),
        digest: digest(&items),
        device_id: device(device_id),
        session_id: session("S1"),
        now: at(NOW_MS),
        items,
    }
}

pub(super) fn batch_id(number: u64) -> BatchId {
    BatchId::from_time(number, [7; 10])
}

/// Of whatever stands for a batch's content.
pub(super) fn digest(content: &impl Debug) -> [u8; 16] {
    let mut hasher = DefaultHasher::new();
    format!("{content:?}").hash(&mut hasher);
    u128::from(hasher.finish()).to_be_bytes()
}

/// Sends a batch that must be stored.
pub(super) async fn stored(store: &dyn Store, import: Import) -> Receipt {
    match store.import(import).await.unwrap() {
        Imported::Stored(receipt) => receipt,
        other => panic!("the batch was not stored: {other:?}"),
    }
}

/// Sends counts of ann's for S1 in a batch of their own; their outcomes.
pub(super) async fn send(store: &dyn Store, device_id: &str, number: u64, items: Vec<ImportItem>) -> Vec<Outcome> {
    outcomes(&stored(store, batch(device_id, number, items)).await)
}

pub(super) fn outcomes(receipt: &Receipt) -> Vec<Outcome> {
    receipt.items.iter().map(|item| item.outcome).collect()
}

/// All rows of S1 from the beginning, in one page.
pub(super) async fn rows(store: &dyn Store) -> Vec<ItemRow> {
    store.items(&ann(), &session("S1"), 0, 10_000).await.unwrap().unwrap().items
}

/// Revisions and outcomes in the history of a row of S1.
pub(super) async fn history(store: &dyn Store, item: &str) -> Vec<(u64, Outcome)> {
    let entries = store.history(&ann(), &session("S1"), &row(item)).await.unwrap().unwrap();
    entries.iter().map(|entry| (entry.row.stamp.revision.get(), entry.row.outcome)).collect()
}

pub(super) async fn set_status(store: &dyn Store, status: SessionStatus) {
    assert!(store.set_session_status(&tenant("acme"), &session("S1"), status).await.unwrap());
}
