//! A small database to do things to.

use ginti_store::{Access, Facility, Import, ImportItem, NewSession, Session, Store};
use ginti_types::{
    BatchId, DeviceId, FacilityId, ItemContent, ItemSeqId, ProductId, Purpose, Quantity, Revision, SessionId,
    SessionStatus, TenantId, Timestamp, UserLoginId,
};

const NOW_MS: i64 = 1_795_338_843_120;

fn access() -> Access {
    Access { tenant: TenantId::new("t").unwrap(), user: UserLoginId::new("u").unwrap(), facilities: None }
}

fn session() -> SessionId {
    SessionId::new("S").unwrap()
}

/// A tenant, a facility and a session.
pub(crate) async fn seeded(store: &dyn Store) {
    let tenant = access().tenant;
    let facility = Facility { id: FacilityId::new("F").unwrap(), name: "Store".to_owned() };
    store.put_tenant(&tenant, "Tenant").await.unwrap();
    store.put_facility(&tenant, &facility).await.unwrap();
    let session = Session {
        id: session(),
        name: "Count".to_owned(),
        facility: facility.id,
        purpose: Purpose::HardCount,
        status: SessionStatus::SessionAssigned,
        due: None,
        created: Timestamp::from_unix_ms(NOW_MS),
    };
    store.create_session(&tenant, NewSession { session, assignments: Vec::new() }).await.unwrap();
}

/// The batch of that number: rows of its own, so that all of them are applied.
pub(crate) fn batch(number: u64, items: u64) -> Import {
    let item = |at: u64| ImportItem::Count {
        item: ItemSeqId::new(format!("{number}-{at}")).unwrap(),
        revision: Revision::new(number).unwrap(),
        content: ItemContent {
            product_id: Some(ProductId::new(format!("product-{at}")).unwrap()),
            product_identifier: None,
            quantity: Quantity::from_micros(i64::try_from(at).unwrap() * 1_000_000).unwrap(),
            counted_at: None,
            counted_by_user_login_id: None,
            is_requested: None,
            location_seq_id: None,
            note: None,
        },
    };
    Import {
        access: access(),
        batch_id: BatchId::from_time(number, [1; 10]),
        digest: u128::from(number).to_be_bytes(),
        device_id: DeviceId::new("d").unwrap(),
        session_id: session(),
        now: Timestamp::from_unix_ms(NOW_MS),
        items: (0..items).map(item).collect(),
    }
}

/// Rows counted and their sum in units.
pub(crate) async fn units(store: &dyn Store) -> (usize, i64) {
    let rows = store.items(&access(), &session(), 0, 100_000).await.unwrap().unwrap().items;
    (rows.len(), rows.iter().map(|row| row.content.quantity.micros() / 1_000_000).sum())
}
