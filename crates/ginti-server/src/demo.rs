//! Demo data: two small companies to try Ginti with. `ginti serve --demo` seeds a database once and then leaves it alone.
//!
//! Everything here is made up. The barcodes are valid, and of the number ranges that GS1 keeps for use inside a company,
//! so that they can never be a real product's.

mod products;

use ginti_desk::{PutStock, StockLine, run_on};
use ginti_store::{
    Assignment, Catalogue, DemoMark, Facility, NewSession, NewUser, Product, Role, Session, Store, StoreError, User,
};
use ginti_types::{
    FacilityId, IdError, ItemSeqId, Purpose, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId,
};

pub use products::generated_catalogue;

/// Lines on the directed session's list.
const LIST_LINES: usize = 40;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A seeded database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeded {
    /// The password of every demo user: the one given at the first seeding.
    pub password: String,
    /// Whether this call seeded it; otherwise it was seeded before.
    pub fresh: bool,
}

/// Why seeding failed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An id of the demo is not an id.
    #[error("an id of the demo data {0}")]
    Id(#[from] IdError),
}

/// Seeds the database, unless its demo mark says that it was seeded before.
///
/// `password_hash` is the PHC string of `password`, which all users get. Products of `catalogue`, if one is given, take the
/// place of the generated ones, and go in even if the database was seeded before (it then keeps its directed list).
/// A seeding that was interrupted is completed by the next.
pub async fn seed(
    store: &dyn Store,
    now: Timestamp,
    password_hash: &str,
    password: &str,
    catalogue: Option<Catalogue>,
) -> Result<Seeded, SeedError> {
    let tenant = TenantId::new("demo")?;
    if let Some(mark) = store.demo_mark().await? {
        if let Some(catalogue) = catalogue {
            store.put_products(&tenant, catalogue).await?;
        }
        return Ok(Seeded { password: mark.password, fresh: false });
    }
    demo(store, &tenant, now, password_hash, catalogue.unwrap_or_else(generated_catalogue)).await?;
    rival(store, now, password_hash).await?;
    // Last: what lacks the mark is seeded again.
    store.set_demo_mark(DemoMark { password: password.to_owned() }).await?;
    Ok(Seeded { password: password.to_owned(), fresh: true })
}

async fn demo(
    store: &dyn Store,
    tenant: &TenantId,
    now: Timestamp,
    password_hash: &str,
    catalogue: Catalogue,
) -> Result<(), SeedError> {
    let place = FacilityId::new("STORE_1")?;
    store.put_tenant(tenant, "Ginti Demo").await?;
    store.put_facility(tenant, &Facility { id: place.clone(), name: "Central Store".to_owned() }).await?;
    let people = [
        ("counter", "Asha Counter", Role::Counter),
        ("counter2", "Ben Counter", Role::Counter),
        ("lead", "Leo Lead", Role::Lead),
        ("manager", "Mira Manager", Role::Manager),
        ("admin", "Ada Admin", Role::Admin),
    ];
    for (id, name, role) in people {
        put_user(store, tenant, &place, (id, name, role), password_hash).await?;
    }
    let directed = NewSession {
        session: session("M101428", "Aisle 4 recount", &place, Purpose::DirectedCount, now, 2)?,
        assignments: list(&catalogue.products)?,
    };
    let hard = session("M101429", "Full store count", &place, Purpose::HardCount, now, 7)?;
    let stock = PutStock { tenant: tenant.clone(), facility: place.clone(), lines: stock(&catalogue.products), now };
    store.put_products(tenant, catalogue).await?;
    run_on(store, stock).await?;
    create(store, tenant, directed).await?;
    create(store, tenant, NewSession { session: hard, assignments: Vec::new() }).await
}

async fn rival(store: &dyn Store, now: Timestamp, password_hash: &str) -> Result<(), SeedError> {
    let (tenant, place) = (TenantId::new("rival")?, FacilityId::new("RIVAL_1")?);
    store.put_tenant(&tenant, "Rival Stores").await?;
    store.put_facility(&tenant, &Facility { id: place.clone(), name: "Rival Store".to_owned() }).await?;
    put_user(store, &tenant, &place, ("rival", "Remy Rival", Role::Counter), password_hash).await?;
    let session = session("R200001", "Rival's count", &place, Purpose::HardCount, now, 7)?;
    create(store, &tenant, NewSession { session, assignments: Vec::new() }).await
}

async fn put_user(
    store: &dyn Store,
    tenant: &TenantId,
    place: &FacilityId,
    (id, name, role): (&str, &str, Role),
    password_hash: &str,
) -> Result<(), SeedError> {
    let user = User {
        id: UserLoginId::new(id)?,
        tenant: tenant.clone(),
        name: name.to_owned(),
        role,
        facilities: (role != Role::Admin).then(|| vec![place.clone()]),
    };
    Ok(store.put_user(tenant, NewUser { user, password_hash: password_hash.to_owned() }).await?)
}

fn session(
    id: &str,
    name: &str,
    facility: &FacilityId,
    purpose: Purpose,
    now: Timestamp,
    due_days: i64,
) -> Result<Session, IdError> {
    Ok(Session {
        id: SessionId::new(id)?,
        name: name.to_owned(),
        facility: facility.clone(),
        purpose,
        status: SessionStatus::SessionAssigned,
        due: Some(Timestamp::from_unix_ms(now.unix_ms() + due_days * DAY_MS)),
        created: now,
    })
}

/// What should lie in the store: a few of each, at a few units of money.
fn stock(products: &[Product]) -> Vec<StockLine> {
    const UNIT: i64 = 1_000_000;
    let line = |(product, n): (&Product, i64)| StockLine {
        product: product.id.clone(),
        on_hand: (3 + n * 7 % 11) * UNIT,
        unit_cost: Some((2 + n * 5 % 13) * UNIT - UNIT / 100),
    };
    products.iter().zip(0..).map(line).collect()
}

/// Adds a session; one that is there from an interrupted seeding stays.
async fn create(store: &dyn Store, tenant: &TenantId, session: NewSession) -> Result<(), SeedError> {
    match store.create_session(tenant, session).await {
        Ok(()) | Err(StoreError::Exists(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A list drawn evenly from the catalogue, from what can be scanned if there is any.
fn list(products: &[Product]) -> Result<Vec<Assignment>, IdError> {
    let scannable: Vec<_> = products.iter().filter(|product| !product.barcodes.is_empty()).collect();
    let from = if scannable.is_empty() { products.iter().collect() } else { scannable };
    let lines = from.len().min(LIST_LINES);
    (0..lines)
        .map(|line| {
            Ok(Assignment {
                import_item_seq_id: ItemSeqId::new(format!("{:05}", line + 1))?,
                product_id: from[line * from.len() / lines].id.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
