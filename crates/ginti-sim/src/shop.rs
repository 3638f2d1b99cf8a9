//! The shop every story plays in: companies, people, sessions and products. Products are few, so that devices meet.

use ginti_store::{Facility, NewSession, NewUser, Role, Session, Store, StoreError, User};
use ginti_types::{
    FacilityId, ProductId, ProductIdentifier, Purpose, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId,
};

/// When every story begins: 2026-11-22T06:00:00Z.
pub const START_MS: i64 = 1_795_327_200_000;
/// Everybody's password.
pub const PASSWORD: &str = "sim";
/// A product that the server refuses whatever is counted of it.
pub const POISON: u8 = 13;
/// Products of the catalogue. One has the id that is another's barcode.
pub const PRODUCTS: u8 = 24;

/// Who can sign in: name, company, store (none: all of them).
pub const PEOPLE: &[(&str, &str, Option<&str>)] = &[
    ("ann", "acme", Some("S1")),
    ("bob", "acme", Some("S1")),
    ("cem", "acme", Some("S1")),
    ("dee", "acme", Some("S2")),
    ("mia", "acme", None),
    ("rob", "rival", Some("R1")),
];

/// Sessions: id, company, store, purpose.
pub const SESSIONS: &[(&str, &str, &str, Purpose)] = &[
    ("M1", "acme", "S1", Purpose::HardCount),
    ("M2", "acme", "S1", Purpose::DirectedCount),
    ("M3", "acme", "S2", Purpose::HardCount),
    ("R1", "rival", "R1", Purpose::HardCount),
];

/// The company somebody works for.
pub fn tenant_of(person: &str) -> TenantId {
    let found = PEOPLE.iter().find(|(name, ..)| *name == person);
    TenantId::new(found.map_or("acme", |(_, tenant, _)| tenant)).expect("an id")
}

/// Sessions somebody may count in.
pub fn sessions_of(person: &str) -> Vec<&'static str> {
    let Some((_, tenant, store)) = PEOPLE.iter().find(|(name, ..)| *name == person) else { return Vec::new() };
    let theirs = |of: &str, at: &str| of == *tenant && store.is_none_or(|store| store == at);
    SESSIONS.iter().filter(|(_, of, at, _)| theirs(of, at)).map(|(id, ..)| *id).collect()
}

/// A product's id. The last one's is the first one's barcode.
pub fn product_id(product: u8) -> ProductId {
    let id = if product == PRODUCTS - 1 { barcode(0) } else { format!("{}", 10_000 + u32::from(product)) };
    ProductId::new(id).expect("an id")
}

/// What the scanner reads.
pub fn barcode(product: u8) -> String {
    format!("40{product:010}")
}

/// The same as the wire has it.
pub fn identifier(product: u8) -> ProductIdentifier {
    ProductIdentifier::new(barcode(product)).expect("a code")
}

/// Fills an empty database.
pub async fn fill(store: &dyn Store, password_hash: &str) -> Result<(), StoreError> {
    let tenant = |id: &str| TenantId::new(id).expect("an id");
    let facility = |id: &str| FacilityId::new(id).expect("an id");
    for (id, name) in [("acme", "Acme"), ("rival", "Rival")] {
        store.put_tenant(&tenant(id), name).await?;
    }
    for (of, id) in [("acme", "S1"), ("acme", "S2"), ("rival", "R1")] {
        store.put_facility(&tenant(of), &Facility { id: facility(id), name: format!("Store {id}") }).await?;
    }
    for (name, of, at) in PEOPLE {
        let user = User {
            id: UserLoginId::new(*name).expect("an id"),
            tenant: tenant(of),
            name: (*name).to_owned(),
            role: if at.is_some() { Role::Counter } else { Role::Manager },
            facilities: at.map(|id| vec![facility(id)]),
        };
        store.put_user(&tenant(of), NewUser { user, password_hash: password_hash.to_owned() }).await?;
    }
    for (id, of, at, purpose) in SESSIONS {
        let session = Session {
            id: SessionId::new(*id).expect("an id"),
            name: format!("Count {id}"),
            facility: facility(at),
            purpose: *purpose,
            status: SessionStatus::SessionAssigned,
            due: None,
            created: Timestamp::from_unix_ms(START_MS - 86_400_000),
        };
        store.create_session(&tenant(of), NewSession { session, assignments: Vec::new() }).await?;
    }
    Ok(())
}
