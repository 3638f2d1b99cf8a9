//! The demo on a real database.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use ginti_sqlite::{Executor, Options, SqliteStore};
use ginti_store::Access;

use super::*;
use crate::catalogue::gtin;

const NOW_MS: i64 = 1_795_338_843_120;

fn open(folder: &tempfile::TempDir) -> SqliteStore {
    let options = Options { executor: Executor::Inline, ..Options::default() };
    SqliteStore::open(folder.path().join("demo.db"), options).unwrap()
}

async fn plant(store: &dyn Store, password: &str, catalogue: Option<Catalogue>) -> Seeded {
    let now = Timestamp::from_unix_ms(NOW_MS);
    seed(store, now, &format!("hash of {password}"), password, catalogue).await.unwrap()
}

fn access(tenant: &str, user: &str) -> Access {
    Access { tenant: TenantId::new(tenant).unwrap(), user: UserLoginId::new(user).unwrap(), facilities: None }
}

/// Everything the seed made, as text.
async fn everything(store: &dyn Store) -> String {
    let mut all = String::new();
    for (tenant, user) in [("demo", "counter"), ("rival", "rival")] {
        let access = access(tenant, user);
        let sessions = store.sessions(&access).await.unwrap();
        for found in &sessions {
            let list = store.assignments(&access, &found.session.id, "", 1_000).await.unwrap().unwrap();
            writeln!(all, "{list:?}").unwrap();
        }
        let facilities = store.facilities(&access.tenant).await.unwrap();
        let products = store.products(&access.tenant, "", 10_000).await.unwrap();
        writeln!(all, "{sessions:?}\n{facilities:?}\n{products:?}").unwrap();
    }
    for user in ["counter", "counter2", "manager", "admin", "rival"] {
        let login = store.login(&UserLoginId::new(user).unwrap()).await.unwrap().unwrap();
        writeln!(all, "{login:?}").unwrap();
    }
    all
}

#[tokio::test]
async fn seeding_twice_is_seeding_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    assert_eq!(plant(&store, "first", None).await, Seeded { password: "first".to_owned(), fresh: true });
    let once = everything(&store).await;
    assert!(once.contains("hash of first"));
    assert_eq!(plant(&store, "second", None).await, Seeded { password: "first".to_owned(), fresh: false });
    assert_eq!(everything(&store).await, once);
    drop(store);
    let store = open(&folder);
    assert_eq!(plant(&store, "third", None).await.password, "first");
    assert_eq!(everything(&store).await, once);
}

#[tokio::test]
async fn an_interrupted_seeding_is_completed() {
    let (whole, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (whole, broken) = (open(&whole), open(&broken));
    plant(&whole, "p", None).await;
    let (tenant, now) = (TenantId::new("demo").unwrap(), Timestamp::from_unix_ms(NOW_MS));
    demo(&broken, &tenant, now, "hash of p", generated_catalogue()).await.unwrap();
    assert!(plant(&broken, "p", None).await.fresh);
    assert_eq!(everything(&broken).await, everything(&whole).await);
}

#[tokio::test]
async fn there_is_a_directed_and_a_hard_count_and_a_rival_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    plant(&store, "p", None).await;
    let sessions = store.sessions(&access("demo", "counter")).await.unwrap();
    let found: Vec<_> = sessions
        .iter()
        .map(|found| (found.session.id.as_str(), found.session.purpose, found.items_requested))
        .collect();
    assert_eq!(found, [("M101428", Purpose::DirectedCount, 40), ("M101429", Purpose::HardCount, 0)]);
    for found in &sessions {
        assert_eq!(found.session.status, SessionStatus::SessionAssigned);
        assert_eq!((found.session.facility.as_str(), found.facility_name.as_str()), ("STORE_1", "Central Store"));
        assert!(found.session.due.unwrap().unix_ms() > NOW_MS);
    }
    let rivals = store.sessions(&access("rival", "rival")).await.unwrap();
    assert_eq!(rivals.iter().map(|found| found.session.id.as_str()).collect::<Vec<_>>(), ["R200001"]);
    let roles = [
        ("counter", Role::Counter, true),
        ("counter2", Role::Counter, true),
        ("manager", Role::Manager, true),
        ("admin", Role::Admin, false),
        ("rival", Role::Counter, true),
    ];
    for (name, role, bounded) in roles {
        let user = store.login(&UserLoginId::new(name).unwrap()).await.unwrap().unwrap().user;
        assert_eq!((user.role, user.facilities.is_some()), (role, bounded), "{name}");
    }
}

#[tokio::test]
async fn the_list_is_of_products_that_can_be_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    plant(&store, "p", None).await;
    let products = generated_catalogue().products;
    let codes: BTreeMap<_, _> = products.iter().map(|product| (&product.id, product.barcodes.len())).collect();
    let list = store.assignments(&access("demo", "counter"), &SessionId::new("M101428").unwrap(), "", 100).await;
    let list = list.unwrap().unwrap().assignments;
    assert_eq!(list.iter().map(|line| &line.product_id).collect::<BTreeSet<_>>().len(), 40, "each once");
    assert!(list.iter().all(|line| codes[&line.product_id] == 1));
}

#[tokio::test]
async fn a_catalogue_given_takes_the_place_of_the_generated_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut given = generated_catalogue();
    given.products.truncate(60);
    for product in &mut given.products {
        product.name = format!("Given {}", product.name);
    }
    plant(&store, "p", Some(given.clone())).await;
    let tenant = TenantId::new("demo").unwrap();
    assert_eq!(store.products(&tenant, "", 1_000).await.unwrap().products, given.products);
    let more = generated_catalogue();
    plant(&store, "p", Some(more.clone())).await;
    assert_eq!(store.products(&tenant, "", 1_000).await.unwrap().products, more.products, "they go in later, too");
    let few = list(&given.products[..3]).unwrap();
    assert_eq!(few.len(), 3);
    assert!(list(&[]).unwrap().is_empty());
}

#[test]
fn every_generated_product_is_well_made() {
    let products = generated_catalogue().products;
    assert_eq!(products.len(), 400);
    assert_eq!(products, generated_catalogue().products, "the same every time");
    let codes: Vec<_> = products.iter().flat_map(|product| &product.barcodes).collect();
    assert!(codes.iter().all(|code| gtin::is_valid(code)));
    assert!(codes.iter().all(|code| code.starts_with('2') || (code.len() == 12 && code.starts_with('4'))));
    for (length, least) in [(8, 20), (12, 10), (13, 300)] {
        assert!(codes.iter().filter(|code| code.len() == length).count() >= least, "{length}");
    }
    assert_eq!(products.iter().filter(|product| product.barcodes.is_empty()).count(), 8);
    let distinct = |texts: Vec<&str>| texts.iter().collect::<BTreeSet<_>>().len();
    assert_eq!(distinct(codes.iter().map(|code| code.as_str()).collect()), codes.len());
    assert_eq!(distinct(products.iter().map(|product| product.name.as_str()).collect()), 400);
    assert_eq!(distinct(products.iter().filter_map(|product| product.sku.as_deref()).collect()), 400);
}
