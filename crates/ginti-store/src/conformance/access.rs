//! Who sees what: tenants, facilities.

use ginti_types::{Outcome, SessionStatus};

use super::{
    Fixture,
    world::{
        NOW_MS, ann, at, batch, count, device, everywhere, facility, new_session, outcomes, row, rows, see, send,
        session, stored, tenant, world,
    },
};
use crate::{Access, Assignment, Catalogue, Import, Imported, NewSession, Product, Store};

/// A session in a facility one does not work in looks just like one that is not there.
pub async fn a_session_outside_the_facilities_is_as_good_as_none(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let ids =
        |sessions: Vec<crate::SessionSummary>| sessions.iter().map(|s| s.session.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(store.sessions(&ann()).await.unwrap()), ["S1"]);
    assert_eq!(ids(store.sessions(&everywhere("acme", "ann")).await.unwrap()), ["S1", "S2"]);
    let nowhere = Access { facilities: Some(Vec::new()), ..ann() };
    assert!(store.sessions(&nowhere).await.unwrap().is_empty());
    sees_nothing(&*store, &ann(), "S2").await;
    sees_nothing(&*store, &nowhere, "S1").await;
    let both = Access { facilities: Some(vec![facility("F2"), facility("F1")]), ..ann() };
    assert_eq!(ids(store.sessions(&both).await.unwrap()), ["S1", "S2"]);
    assert!(store.items(&both, &session("S2"), 0, 10).await.unwrap().is_some());
}

async fn sees_nothing(store: &dyn Store, access: &Access, id: &str) {
    assert_eq!(store.session(access, &session(id)).await.unwrap(), None);
    assert_eq!(store.items(access, &session(id), 0, 10).await.unwrap(), None);
    assert_eq!(store.history(access, &session(id), &row("1")).await.unwrap(), None);
    assert_eq!(store.assignments(access, &session(id), "", 10).await.unwrap(), None);
}

/// No such session, another facility's, another tenant's: the same answer, and nothing stored.
pub async fn an_import_needs_a_session_the_sender_may_work_in(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let items = || vec![count("1", 10, 1)];
    let refused = [
        Import { session_id: session("S9"), ..batch("d1", 1, items()) },
        Import { session_id: session("S2"), ..batch("d1", 2, items()) },
        Import { access: everywhere("nobody", "ann"), ..batch("d1", 3, items()) },
        Import { session_id: session("S2"), access: everywhere("other", "eve"), ..batch("d1", 4, items()) },
    ];
    for import in refused {
        assert_eq!(store.import(import).await.unwrap(), Imported::SessionNotAllowed);
    }
    assert_eq!(store.ledger().await.unwrap().ledger_seq, 0);
    let allowed = Import { session_id: session("S2"), access: everywhere("acme", "ann"), ..batch("d1", 2, items()) };
    assert_eq!(
        outcomes(&stored(&*store, allowed).await),
        [Outcome::Applied],
        "the refused batch id was not remembered"
    );
}

/// Same session id, row, device and user names, same stamps: two worlds.
pub async fn the_same_ids_in_two_tenants_never_meet(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let theirs = |number, items| Import { access: everywhere("other", "ann"), ..batch("d1", number, items) };
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    let receipt = stored(&*store, theirs(2, vec![count("1", 10, 2)])).await;
    assert_eq!(outcomes(&receipt), [Outcome::Applied], "no revision is reused here");
    stored(&*store, theirs(3, vec![count("1", 99, 3)])).await;
    assert_eq!(rows(&*store).await[0].stamp.revision.get(), 10);
    let eve = everywhere("other", "eve");
    let page = store.items(&eve, &session("S1"), 0, 10).await.unwrap().unwrap();
    assert_eq!((page.items.len(), page.items[0].stamp.revision.get()), (1, 99));
    assert_eq!(store.history(&eve, &session("S1"), &row("1")).await.unwrap().unwrap().len(), 2);
}

/// What one tenant does to its sessions, devices, products and people shows nowhere in the other.
pub async fn every_method_stays_in_its_tenant(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let (acme, other) = (tenant("acme"), tenant("other"));
    let eve = everywhere("other", "eve");

    assert!(store.set_session_status(&acme, &session("S1"), SessionStatus::SessionVoided).await.unwrap());
    assert!(!store.set_session_status(&other, &session("S2"), SessionStatus::SessionVoided).await.unwrap());
    let theirs = store.session(&eve, &session("S1")).await.unwrap().unwrap();
    assert_eq!(theirs.session.status, SessionStatus::SessionAssigned);
    assert_eq!(theirs.facility_name, "other F1");
    assert_eq!(store.facilities(&other).await.unwrap().len(), 1);

    let list = NewSession {
        assignments: vec![Assignment {
            import_item_seq_id: row("1"),
            product_id: ginti_types::ProductId::new("p").unwrap(),
        }],
        ..new_session("S3", "F1")
    };
    store.create_session(&acme, list).await.unwrap();
    sees_nothing(&*store, &eve, "S3").await;

    let product = Product {
        id: ginti_types::ProductId::new("p").unwrap(),
        name: "Tea".to_owned(),
        sku: None,
        barcodes: vec!["1".to_owned()],
    };
    store.put_products(&acme, Catalogue { products: vec![product] }).await.unwrap();
    let theirs = store.products(&other, "", 10).await.unwrap();
    assert_eq!((theirs.products.len(), theirs.total), (0, 0));

    store.see_device(&acme, see("d1", None, "ann")).await.unwrap();
    store.see_device(&other, see("d1", None, "eve")).await.unwrap();
    store.set_device_revoked(&acme, &device("d1"), true).await.unwrap();
    let import = Import { access: eve, now: at(NOW_MS), ..batch("d1", 1, vec![count("1", 10, 1)]) };
    assert!(matches!(store.import(import).await.unwrap(), Imported::Stored(_)));

    let ann = super::world::person("ann");
    assert!(store.user(&acme, &ann).await.unwrap().is_some());
    assert_eq!(store.user(&other, &ann).await.unwrap(), None);
}
