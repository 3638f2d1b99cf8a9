//! What is measured: a tenant with a catalogue and stock in every store, a run whose sessions have counted all of it, a second
//! run that a writer counts in while people look, and a third that a file plans.

use std::{fmt::Write, sync::Arc, time::Instant};

use anyhow::{Result, ensure};
use ginti_desk::{CreateRun, Desk, Plan, PlanRun, PlannedSession, PutStock, StockLine};
use ginti_store::{Access, Catalogue, Facility, Import, ImportItem, Imported, NewUser, Product, Role, Store, User};
use ginti_types::{
    BatchId, DeviceId, FacilityId, ItemContent, ItemSeqId, ProductId, ProductIdentifier, Purpose, Quantity, Revision,
    SessionId, SessionStatus, TenantId, Timestamp, UserLoginId,
};

use super::{DeskArguments, count};
use crate::work::now_ms;

/// The run that is reviewed and approved.
pub(super) const RUN: &str = "annual";
/// The run that is counted while people look.
pub(super) const LIVE: &str = "live";
const PLANNED: &str = "planned";
/// Counts in a batch.
const BATCH: usize = 1_000;
const SESSIONS_OF_STORE: usize = 10;
/// Clients that fill the run.
const AT_ONCE: usize = 8;

/// Sees everything.
pub(super) fn boss() -> Access {
    Access {
        tenant: TenantId::new("bench").expect("an id"),
        user: UserLoginId::new("boss").expect("an id"),
        facilities: None,
    }
}

fn store_id(store: usize) -> FacilityId {
    FacilityId::new(format!("S{store:03}")).expect("an id")
}

fn product_id(product: usize) -> ProductId {
    ProductId::new(format!("P{product:05}")).expect("an id")
}

fn session_id(run: &str, session: usize) -> SessionId {
    SessionId::new(format!("{run}-{session:04}")).expect("an id")
}

/// Pieces that should lie there.
fn on_hand(product: usize) -> i64 {
    i64::try_from(product * 7 % 40).unwrap_or(0)
}

pub(super) struct World {
    store: Arc<dyn Store>,
    desk: Desk,
    sessions: usize,
    items: usize,
    /// The newest revision given.
    revision: u64,
    /// Batches made so far.
    batches: u128,
    /// Batches of the live run.
    written: usize,
}

impl World {
    pub(super) async fn make(store: Arc<dyn Store>, arguments: &DeskArguments) -> Result<Self> {
        let world = Self {
            desk: Desk::new(Arc::clone(&store)),
            store,
            sessions: arguments.sessions,
            items: arguments.items,
            revision: Revision::from_unix_ms(now_ms()).get(),
            batches: 0,
            written: 0,
        };
        world.tenant().await?;
        for run in [RUN, LIVE, PLANNED] {
            world.plan(run).await?;
        }
        Ok(world)
    }

    fn stores(&self) -> usize {
        self.sessions.div_ceil(SESSIONS_OF_STORE)
    }

    /// As many as the sessions of a store count together.
    fn products(&self) -> usize {
        self.items * SESSIONS_OF_STORE
    }

    async fn tenant(&self) -> Result<()> {
        let boss = boss();
        self.store.put_tenant(&boss.tenant, "Bench").await?;
        let user = User {
            id: boss.user,
            tenant: boss.tenant.clone(),
            name: "Manager".to_owned(),
            role: Role::Admin,
            facilities: None,
        };
        self.store.put_user(&boss.tenant, NewUser { user, password_hash: "-".to_owned() }).await?;
        let product = |number: usize| Product {
            id: product_id(number),
            name: format!("Product number {number}"),
            sku: Some(format!("SKU-{number:05}")),
            barcodes: vec![format!("40{number:010}")],
        };
        let products: Vec<_> = (0..self.products()).map(product).collect();
        for part in products.chunks(5_000) {
            self.store.put_products(&boss.tenant, Catalogue { products: part.to_vec() }).await?;
        }
        let lines: Vec<_> = (0..self.products())
            .map(|number| StockLine {
                product: product_id(number),
                on_hand: on_hand(number) * Quantity::ONE.micros(),
                unit_cost: (number % 4 != 0).then(|| 1_000_000 + i64::try_from(number % 500).unwrap_or(0) * 100_000),
            })
            .collect();
        for number in 0..self.stores() {
            let facility = Facility { id: store_id(number), name: format!("Store {number}") };
            self.store.put_facility(&boss.tenant, &facility).await?;
            let now = Timestamp::from_unix_ms(now_ms());
            let stock = PutStock { tenant: boss.tenant.clone(), facility: facility.id, lines: lines.clone(), now };
            self.desk.run(stock).await?;
        }
        Ok(())
    }

    async fn plan(&self, run: &str) -> Result<()> {
        let now = Timestamp::from_unix_ms(now_ms());
        let create = CreateRun { access: boss(), id: run.to_owned(), name: format!("Run {run}"), due: None, now };
        ensure!(self.desk.run(create).await? == Plan::Made, "no run {run}");
        let session = |number: usize| PlannedSession {
            id: session_id(run, number),
            name: format!("Section {}", number % SESSIONS_OF_STORE + 1),
            facility: store_id(number / SESSIONS_OF_STORE),
            area: Some(format!("Aisle {}", number % SESSIONS_OF_STORE + 1)),
            purpose: Purpose::HardCount,
            due: None,
            assigned_to: None,
            is_blind: true,
            is_recount: false,
            products: Vec::new(),
        };
        if run != PLANNED {
            let sessions = (0..self.sessions).map(session).collect();
            let plan = PlanRun { access: boss(), run: run.to_owned(), sessions, now };
            ensure!(self.desk.run(plan).await? == Plan::Made, "no sessions for {run}");
        }
        Ok(())
    }

    /// Counts everything in the run, from two devices in each session; counts a second.
    pub(super) async fn count(&mut self) -> Result<f64> {
        let mut imports = Vec::new();
        for session in 0..self.sessions {
            for first in (0..self.items).step_by(BATCH) {
                let device = first / BATCH % 2;
                let rows: Vec<_> = (first..(first + BATCH).min(self.items)).collect();
                let items = rows.iter().filter_map(|row| self.first_count(session, *row)).collect();
                imports.push(self.import(RUN, session, device, items));
                // Another device counted some of the same in the same place.
                let again = rows.iter().filter(|row| **row % 200 == 3);
                let items: Vec<_> =
                    again.map(|row| Self::item(&format!("again-{row}"), self.product(session, *row), 1)).collect();
                if !items.is_empty() {
                    imports.push(self.import(RUN, session, 1 - device, items));
                }
            }
        }
        let counts: usize = imports.iter().map(|import| import.items.len()).sum();
        let begun = Instant::now();
        let share = imports.len().div_ceil(AT_ONCE).max(1);
        let mut sending = Vec::new();
        while !imports.is_empty() {
            let part = imports.split_off(imports.len().saturating_sub(share));
            let store = Arc::clone(&self.store);
            sending.push(tokio::spawn(async move {
                for import in part {
                    send(&*store, import).await?;
                }
                Ok::<_, anyhow::Error>(())
            }));
        }
        for part in sending {
            part.await??;
        }
        Ok(count(counts) / begun.elapsed().as_secs_f64())
    }

    /// Most as they should be, some more or fewer, some not at all, and some of a code that is no product's.
    fn first_count(&self, session: usize, row: usize) -> Option<ImportItem> {
        let product = self.product(session, row);
        if product.is_multiple_of(97) {
            return None;
        }
        let off = if product.is_multiple_of(10) { i64::try_from(product % 7).unwrap_or(0) - 3 } else { 0 };
        let mut item = Self::item(&format!("row-{row}"), product, (on_hand(product) + off).max(0));
        if product % 500 == 1
            && let ImportItem::Count { content, .. } = &mut item
        {
            content.product_id = None;
            content.product_identifier = ProductIdentifier::new(format!("99{product:010}")).ok();
        }
        Some(item)
    }

    /// The sessions of a store divide the catalogue between them.
    fn product(&self, session: usize, row: usize) -> usize {
        session % SESSIONS_OF_STORE * self.items + row
    }

    fn item(row: &str, product: usize, pieces: i64) -> ImportItem {
        ImportItem::Count {
            item: ItemSeqId::new(row).expect("an id"),
            // Stamped when the batch is made.
            revision: Revision::from_unix_ms(0),
            content: ItemContent {
                product_id: Some(product_id(product)),
                product_identifier: None,
                quantity: Quantity::from_micros(pieces * Quantity::ONE.micros()).expect("a quantity"),
                counted_at: Some(Timestamp::from_unix_ms(now_ms() - 5_000)),
                counted_by_user_login_id: None,
                is_requested: None,
                location_seq_id: None,
                note: None,
            },
        }
    }

    fn import(&mut self, run: &str, session: usize, device: usize, mut items: Vec<ImportItem>) -> Import {
        for item in &mut items {
            self.revision += 1;
            if let ImportItem::Count { revision, .. } = item {
                *revision = Revision::new(self.revision).expect("a revision");
            }
        }
        self.batches += 1;
        Import {
            access: boss(),
            batch_id: BatchId::from_bytes(self.batches.to_be_bytes()),
            digest: [0; 16],
            device_id: DeviceId::new(format!("device-{session:04}-{device}")).expect("an id"),
            session_id: session_id(run, session),
            now: Timestamp::from_unix_ms(now_ms()),
            items,
        }
    }

    /// One writer, one batch after the other, in the sessions of the live run by turns, for so long; counts a second. Making the
    /// batches is not its work.
    pub(super) async fn write(&mut self, seconds: f64) -> Result<f64> {
        const MADE_AT_ONCE: usize = 50;
        let (mut counts, mut took) = (0, 0.0);
        while took < seconds {
            let imports: Vec<_> = (0..MADE_AT_ONCE).map(|_| self.live_import()).collect();
            counts += imports.iter().map(|import| import.items.len()).sum::<usize>();
            let store = Arc::clone(&self.store);
            // On a worker of the runtime, as a request is.
            let written = tokio::spawn(async move {
                let begun = Instant::now();
                for import in imports {
                    send(&*store, import).await?;
                }
                Ok::<_, anyhow::Error>(begun.elapsed().as_secs_f64())
            });
            took += written.await??;
        }
        Ok(count(counts) / took)
    }

    /// New rows as long as there are some in the session, then all of them again.
    fn live_import(&mut self) -> Import {
        let (session, turn) = (self.written % self.sessions, self.written / self.sessions);
        let rows = self.items.min(BATCH);
        let row = |at: usize| (turn * rows + at) % self.items;
        let item = |at| Self::item(&format!("row-{}", row(at)), self.product(session, row(at)), 2);
        let items = (0..rows).map(item).collect();
        self.written += 1;
        self.import(LIVE, session, 0, items)
    }

    /// Hands all sessions of the run in; some counts come too late.
    pub(super) async fn submit(&mut self) -> Result<()> {
        for session in 0..self.sessions {
            let id = session_id(RUN, session);
            let status = SessionStatus::SessionSubmitted;
            ensure!(self.store.set_session_status(&boss().tenant, &id, status).await?, "no session {id}");
            if session % 10 == 0 {
                self.late(session).await?;
            }
        }
        Ok(())
    }

    /// A few more of them.
    pub(super) async fn count_late(&mut self) -> Result<()> {
        self.late(0).await
    }

    async fn late(&mut self, session: usize) -> Result<()> {
        let rows = (0..self.items).step_by((self.items / 20).max(1));
        let items = rows.map(|row| Self::item(&format!("row-{row}"), self.product(session, row), 5)).collect();
        let import = self.import(RUN, session, 0, items);
        send(&*self.store, import).await
    }

    /// Lists of 2,000 products by SKU, in all stores by turns.
    pub(super) fn plan_file(&self, rows: usize) -> String {
        let mut text = "countImportName,productSku,purposeType,facility,estimatedCompletionDate\n".to_owned();
        for row in 0..rows {
            let (list, store) = (row / 2_000, row / 2_000 % self.stores());
            let product = row % self.products();
            let _ = writeln!(
                text,
                "List {list},SKU-{product:05},DIRECTED_COUNT,{},11-30-2027 18:00:00",
                store_id(store).as_str()
            );
        }
        text
    }
}

async fn send(store: &dyn Store, import: Import) -> Result<()> {
    let imported = store.import(import).await?;
    ensure!(matches!(imported, Imported::Stored(_)), "a batch was not stored: {imported:?}");
    Ok(())
}
