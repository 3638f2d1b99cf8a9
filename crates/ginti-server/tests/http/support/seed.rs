//! Two companies: `acme` with two stores, `rival` with one.

use ginti_store::{Assignment, Catalogue, Facility, NewSession, NewUser, Product, Role, Session, Store, User};
use ginti_types::{
    FacilityId, ItemSeqId, ProductId, Purpose, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId,
};

use super::{NOW_MS, PASSWORD_HASH};

pub(crate) const ACME: &str = "acme";
const RIVAL: &str = "rival-co";

/// `M1` (everything) and `M2` (a list) in acme's store 1, `M3` in its store 2, `R1` in the rival's store.
pub(super) async fn fill(store: &dyn Store) {
    let (acme, rival) = (tenant(ACME), tenant(RIVAL));
    store.put_tenant(&acme, "Acme").await.unwrap();
    store.put_tenant(&rival, "Rival").await.unwrap();
    for (tenant, id) in [(&acme, "STORE_1"), (&acme, "STORE_2"), (&rival, "STORE_9")] {
        let facility = Facility { id: facility(id), name: format!("Name of {id}") };
        store.put_facility(tenant, &facility).await.unwrap();
    }
    for (tenant, name, role, facilities) in [
        (&acme, "counter", Role::Counter, Some("STORE_1")),
        (&acme, "counter2", Role::Counter, Some("STORE_1")),
        (&acme, "elsewhere", Role::Counter, Some("STORE_2")),
        (&acme, "manager", Role::Manager, None),
        (&rival, "rival", Role::Manager, None),
    ] {
        let user = User {
            id: UserLoginId::new(name).unwrap(),
            tenant: tenant.clone(),
            name: format!("Name of {name}"),
            role,
            facilities: facilities.map(|id| vec![facility(id)]),
        };
        store.put_user(tenant, NewUser { user, password_hash: PASSWORD_HASH.clone() }).await.unwrap();
    }
    let list = ["10440", "10441", "10442"].iter().enumerate().map(|(at, product)| Assignment {
        import_item_seq_id: ItemSeqId::new(format!("{:05}", at + 1)).unwrap(),
        product_id: ProductId::new(*product).unwrap(),
    });
    let sessions = [
        (&acme, session("M1", "STORE_1", Purpose::HardCount), Vec::new()),
        (&acme, session("M2", "STORE_1", Purpose::DirectedCount), list.collect()),
        (&acme, session("M3", "STORE_2", Purpose::HardCount), Vec::new()),
        (&rival, session("R1", "STORE_9", Purpose::HardCount), Vec::new()),
    ];
    for (tenant, session, assignments) in sessions {
        store.create_session(tenant, NewSession { session, assignments }).await.unwrap();
    }
    let products = |ids: &[&str]| Catalogue { products: ids.iter().map(|id| product(id)).collect() };
    store.put_products(&acme, products(&["10440", "10441", "10442"])).await.unwrap();
    store.put_products(&rival, products(&["90001"])).await.unwrap();
}

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

fn facility(id: &str) -> FacilityId {
    FacilityId::new(id).unwrap()
}

fn session(id: &str, at: &str, purpose: Purpose) -> Session {
    Session {
        id: SessionId::new(id).unwrap(),
        name: format!("Name of {id}"),
        facility: facility(at),
        purpose,
        status: SessionStatus::SessionAssigned,
        due: Some(Timestamp::from_unix_ms(NOW_MS + 86_400_000)),
        created: Timestamp::from_unix_ms(NOW_MS - 86_400_000),
    }
}

fn product(id: &str) -> Product {
    Product {
        id: ProductId::new(id).unwrap(),
        name: format!("Name of {id}"),
        sku: (id != "10442").then(|| format!("SKU-{id}")),
        barcodes: vec![format!("0309551{id}")],
    }
}
