//! A tenant with two stores, a catalogue and some stock; and short ways to plan, count and look.

use std::{path::Path, sync::Arc};

use ginti_desk::{
    CreateRun, Desk, Filter, Order, Plan, PlanRun, PlannedSession, PutStock, Refresh, ReviewLine, ReviewLines,
    ReviewPage, Stale, StockLine,
};
use ginti_postgres::PostgresStore;
use ginti_sqlite::SqliteStore;
use ginti_store::{Access, Catalogue, Facility, Import, ImportItem, Imported, NewUser, Product, Role, Store, User};
use ginti_types::{
    BatchId, DeviceId, FacilityId, ItemContent, ItemSeqId, LocationSeqId, ProductId, ProductIdentifier, Purpose,
    Quantity, Revision, SessionId, SessionStatus, TenantId, Timestamp, UserLoginId,
};

pub(crate) const NOW_MS: i64 = 1_795_338_843_120;

pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) desk: Desk,
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

pub(crate) fn session(id: &str) -> SessionId {
    SessionId::new(id).unwrap()
}

pub(crate) fn person(id: &str) -> UserLoginId {
    UserLoginId::new(id).unwrap()
}

pub(crate) fn product(id: &str) -> ProductId {
    ProductId::new(id).unwrap()
}

pub(crate) fn device(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}

pub(crate) fn units(units: i64) -> i64 {
    units * 1_000_000
}

/// Sees every store.
pub(crate) fn boss() -> Access {
    Access { tenant: tenant(), user: person("boss"), facilities: None }
}

/// Sees one store.
pub(crate) fn of_store(id: &str) -> Access {
    Access { tenant: tenant(), user: person("mia"), facilities: Some(vec![FacilityId::new(id).unwrap()]) }
}

pub(crate) fn planned(id: &str, store: &str, list: &[&str]) -> PlannedSession {
    PlannedSession {
        id: session(id),
        name: format!("Count {id}"),
        facility: FacilityId::new(store).unwrap(),
        area: Some("Aisle 3".to_owned()),
        purpose: if list.is_empty() { Purpose::HardCount } else { Purpose::DirectedCount },
        due: Some(at(NOW_MS + 1)),
        assigned_to: None,
        is_blind: true,
        is_recount: false,
        products: list.iter().map(|id| product(id)).collect(),
    }
}

/// A count: row, product, units, place.
pub(crate) type Count<'a> = (&'a str, &'a str, i64, Option<&'a str>);

impl World {
    pub(crate) async fn on_sqlite(folder: &Path) -> Self {
        let store = SqliteStore::open(folder.join("ginti.db"), ginti_sqlite::Options::default()).unwrap();
        Self::over(Arc::new(store)).await
    }

    pub(crate) async fn on_postgres(url: &str) -> Self {
        Self::over(Arc::new(PostgresStore::connect(url, ginti_postgres::Options::default()).await.unwrap())).await
    }

    async fn over(store: Arc<dyn Store>) -> Self {
        store.put_tenant(&tenant(), "Acme").await.unwrap();
        for id in ["F1", "F2"] {
            let facility = Facility { id: FacilityId::new(id).unwrap(), name: format!("Store {id}") };
            store.put_facility(&tenant(), &facility).await.unwrap();
        }
        for name in ["ann", "ben"] {
            let user = User {
                id: person(name),
                tenant: tenant(),
                name: name.to_owned(),
                role: Role::Counter,
                facilities: None,
            };
            store.put_user(&tenant(), NewUser { user, password_hash: "-".to_owned() }).await.unwrap();
        }
        let one = |(id, name): (&str, &str)| Product {
            id: product(id),
            name: name.to_owned(),
            sku: Some(format!("SKU_{id}")),
            barcodes: Vec::new(),
        };
        let names = [("p1", "Basmati rice"), ("p2", "Lentils 100%"), ("p3", "Oats"), ("p4", "Soap")];
        store.put_products(&tenant(), Catalogue { products: names.into_iter().map(one).collect() }).await.unwrap();
        let desk = Desk::new(Arc::clone(&store));
        let line = |(id, on_hand, cost): (&str, i64, Option<i64>)| StockLine {
            product: product(id),
            on_hand: units(on_hand),
            unit_cost: cost,
        };
        let lines = [("p1", 10, Some(2_500_000)), ("p2", 4, Some(1_000_000)), ("p3", 7, None), ("p4", 0, Some(100))];
        let facility = FacilityId::new("F1").unwrap();
        let stock =
            PutStock { tenant: tenant(), facility, lines: lines.into_iter().map(line).collect(), now: at(NOW_MS) };
        desk.run(stock).await.unwrap();
        Self { store, desk }
    }

    /// A run with sessions.
    pub(crate) async fn plan(&self, run: &str, sessions: Vec<PlannedSession>) {
        assert_eq!(self.create(run).await, Plan::Made);
        assert_eq!(self.add(run, sessions).await, Plan::Made);
    }

    pub(crate) async fn create(&self, run: &str) -> Plan {
        let name = format!("Run {run}");
        let op = CreateRun { access: boss(), id: run.to_owned(), name, due: None, now: at(NOW_MS) };
        self.desk.run(op).await.unwrap()
    }

    pub(crate) async fn add(&self, run: &str, sessions: Vec<PlannedSession>) -> Plan {
        let op = PlanRun { access: boss(), run: run.to_owned(), sessions, now: at(NOW_MS) };
        self.desk.run(op).await.unwrap()
    }

    /// Counts of a device; `revision` is the first one's.
    pub(crate) async fn count(
        &self,
        session_id: &str,
        device_id: &str,
        who: &str,
        revision: u64,
        counts: &[Count<'_>],
    ) -> BatchId {
        let item = |((row, of, quantity, place), revision): (&Count<'_>, u64)| ImportItem::Count {
            item: ItemSeqId::new(*row).unwrap(),
            revision: Revision::new(revision).unwrap(),
            content: ItemContent {
                product_id: (!of.starts_with('?')).then(|| product(of)),
                product_identifier: of.strip_prefix('?').map(|code| ProductIdentifier::new(code).unwrap()),
                quantity: Quantity::from_micros(units(*quantity)).unwrap(),
                counted_at: Some(at(NOW_MS - 5_000)),
                counted_by_user_login_id: None,
                is_requested: None,
                location_seq_id: place.map(|place| LocationSeqId::new(place).unwrap()),
                note: None,
            },
        };
        let batch_id = BatchId::from_bytes(*uuid::Uuid::now_v7().as_bytes());
        let import = Import {
            access: Access { user: person(who), ..boss() },
            batch_id,
            digest: [0; 16],
            device_id: device(device_id),
            session_id: session(session_id),
            now: at(NOW_MS),
            items: counts.iter().zip(revision..).map(item).collect(),
        };
        match self.store.import(import).await.unwrap() {
            Imported::Stored(receipt) => {
                assert!(receipt.items.iter().all(|item| item.code.is_none()), "{receipt:?}");
            }
            other => panic!("the batch was not stored: {other:?}"),
        }
        batch_id
    }

    /// What should lie in F1 of a product.
    pub(crate) async fn stock(&self, id: &str, on_hand: i64) {
        let lines = vec![StockLine { product: product(id), on_hand: units(on_hand), unit_cost: None }];
        let facility = FacilityId::new("F1").unwrap();
        self.desk.run(PutStock { tenant: tenant(), facility, lines, now: at(NOW_MS) }).await.unwrap();
    }

    pub(crate) async fn stand(&self, session_id: &str, status: SessionStatus) {
        assert!(self.store.set_session_status(&tenant(), &session(session_id), status).await.unwrap());
    }

    pub(crate) async fn submit(&self, session_id: &str) {
        self.stand(session_id, SessionStatus::SessionSubmitted).await;
    }

    pub(crate) async fn refresh(&self, run: &str) {
        while self.desk.run(Refresh { access: boss(), run: run.to_owned() }).await.unwrap() == Stale::Yes {}
    }

    pub(crate) fn all_lines(run: &str) -> ReviewLines {
        ReviewLines {
            access: boss(),
            run: run.to_owned(),
            facility: None,
            search: None,
            filter: Filter::All,
            order: Order::Subject,
            offset: 0,
            limit: 100,
        }
    }

    /// The review as it is after looking again.
    pub(crate) async fn lines(&self, run: &str) -> Vec<ReviewLine> {
        self.refresh(run).await;
        self.ask(Self::all_lines(run)).await
    }

    pub(crate) async fn ask(&self, lines: ReviewLines) -> Vec<ReviewLine> {
        match self.desk.run(lines).await.unwrap() {
            ReviewPage::Lines(lines, _) => lines,
            other => panic!("no lines: {other:?}"),
        }
    }

    /// `(subject, units counted, attention)` of each line.
    pub(crate) async fn short(&self, run: &str) -> Vec<(String, Option<i64>)> {
        let lines = self.lines(run).await;
        lines.into_iter().map(|line| (line.subject, line.counted.map(|micros| micros / 1_000_000))).collect()
    }
}
