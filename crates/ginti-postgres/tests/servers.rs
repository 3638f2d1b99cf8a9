//! Several servers over one database, and a database that goes away, comes back, or turns out to be another one.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ginti_cluster::{Cluster, Database, execute};
use ginti_postgres::{Options, PostgresStore};
use ginti_store::{
    Access, Facility, Import, ImportItem, Imported, NewSession, Session, Store, StoreError, async_trait,
    conformance::{Behind, Between, Fixture, concurrency, convergence, differential},
};
use ginti_types::{
    BatchId, DeviceId, FacilityId, ItemContent, ItemSeqId, ProductId, Purpose, Quantity, Revision, SessionId,
    SessionStatus, TenantId, Timestamp, UserLoginId,
};

const NOW_MS: i64 = 1_795_338_843_120;

async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(PostgresStore::connect(url, Options::default()).await?))
}

/// Two servers; batches go to one and the other in turn, everything else to the first.
struct Two(Database);

struct InTurn {
    other: Arc<dyn Store>,
    sent: AtomicUsize,
}

#[async_trait]
impl Between for InTurn {
    async fn import(&self, store: &dyn Store, import: Import) -> Result<Imported, StoreError> {
        let is_first = self.sent.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        if is_first { store.import(import).await } else { self.other.import(import).await }
    }
}

#[async_trait]
impl Fixture for Two {
    async fn open(&self) -> Arc<dyn Store> {
        let (store, other) = (open(&self.0.url).await.unwrap(), open(&self.0.url).await.unwrap());
        Arc::new(Behind { between: InTurn { other, sent: AtomicUsize::new(0) }, store })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_decide_as_one() {
    let two = Two(Database::new().await.unwrap());
    differential::random_histories_are_answered_as_by_the_reference(&two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_decide_as_one_on_what_arrives_together() {
    let two = Two(Database::new().await.unwrap());
    differential::batches_that_arrive_together_are_answered_as_one_after_the_other(&two).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_converge() {
    convergence::any_multiset_in_any_order_gives_the_reference_table(&Two(Database::new().await.unwrap())).await;
    concurrency::many_devices_on_the_same_rows(&Two(Database::new().await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_at_once_make_one_schema() {
    let database = Database::new().await.unwrap();
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = database.url.clone();
        starting.spawn(async move { open(&url).await.unwrap().ledger().await.unwrap().epoch });
    }
    let epochs = starting.join_all().await;
    assert!(epochs.windows(2).all(|pair| pair[0] == pair[1]), "{epochs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_hears_of_every_change() {
    let database = Database::new().await.unwrap();
    let (one, other) = (open(&database.url).await.unwrap(), open(&database.url).await.unwrap());
    plan(&*one).await;
    let (mut here, mut there) = (one.changes(), other.changes());
    one.import(batch(1)).await.unwrap();
    for heard in [&mut here, &mut there] {
        tokio::time::timeout(Duration::from_secs(30), heard.wait_for(|length| *length == 2)).await.unwrap().unwrap();
    }
    let repeated = other.import(batch(1)).await.unwrap();
    assert!(matches!(repeated, Imported::Replayed(_)), "a receipt is every server's: {repeated:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_another_history() {
    let cluster = Cluster::start("").unwrap();
    cluster.create("shop").await.unwrap();
    let store = open(&cluster.url("shop")).await.unwrap();
    plan(&*store).await;
    store.import(batch(1)).await.unwrap();
    let before = store.ledger().await.unwrap();
    store.close().await.unwrap();
    let again = open(&cluster.url("shop")).await.unwrap();
    assert_eq!(again.ledger().await.unwrap(), before, "the same place, the same history");
    again.close().await.unwrap();
    let copy = "CREATE DATABASE put_back TEMPLATE shop OWNER ginti";
    execute(&cluster.superuser_url("postgres"), copy).await.unwrap();
    let copy = open(&cluster.url("put_back")).await.unwrap();
    let after = copy.ledger().await.unwrap();
    assert_eq!(after.ledger_seq, before.ledger_seq);
    assert_ne!(after.epoch, before.epoch, "devices must notice, and send again what the copy may lack");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_died_is_taken_up_again() {
    let cluster = Cluster::start("").unwrap();
    cluster.create("shop").await.unwrap();
    let store = open(&cluster.url("shop")).await.unwrap();
    plan(&*store).await;
    store.import(batch(1)).await.unwrap();
    cluster.kill().unwrap();
    let error = store.import(batch(2)).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
    cluster.start_again().unwrap();
    let mut heard = store.changes();
    let receipt = store.import(batch(2)).await.unwrap();
    assert!(matches!(receipt, Imported::Stored(_)), "nothing of it was stored before: {receipt:?}");
    assert!(matches!(store.import(batch(1)).await.unwrap(), Imported::Replayed(_)), "what was answered is there");
    tokio::time::timeout(Duration::from_secs(30), heard.wait_for(|length| *length == 4)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_several_companies_share_a_transaction_and_stay_each_its_own() {
    let database = Database::new().await.unwrap();
    let options = Options { writers: NonZeroUsize::MIN, ..Options::default() };
    let store = PostgresStore::connect(&database.url, options).await.unwrap();
    let companies = ["acme", "rival"].map(|id| TenantId::new(id).unwrap());
    for company in &companies {
        plan_of(&store, company.clone()).await;
    }
    let imports = (1..=16_u8).map(|number| {
        let tenant = companies[usize::from(number % 2)].clone();
        let device_id = DeviceId::new(format!("d{number}")).unwrap();
        store.import(Import { access: Access { tenant, ..access() }, device_id, ..batch(number) })
    });
    for imported in futures_util::future::join_all(imports).await {
        assert!(matches!(imported, Ok(Imported::Stored(_))), "{imported:?}");
    }
    let (client, connection) = tokio_postgres::connect(&database.superuser_url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "SELECT count(*), count(DISTINCT arrival.xmin::text), count(*) FILTER (WHERE of_tenant = tenant_key)
               FROM arrival JOIN session USING (session_key)";
    let row = client.query_one(sql, &[]).await.unwrap();
    let (records, transactions, own): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!((records, own), (16, 16));
    assert!(transactions < 16, "nothing was taken together");
    for (company, rows) in companies.iter().zip([2, 2]) {
        let access = Access { tenant: company.clone(), ..access() };
        let page = store.items(&access, &SessionId::new("S1").unwrap(), 0, 100).await.unwrap().unwrap();
        assert_eq!(page.items.len(), rows, "{company}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_or_newer_database_is_refused() {
    let foreign = Database::new().await.unwrap();
    execute(&foreign.url, "CREATE TABLE meta (name text PRIMARY KEY, value text NOT NULL)").await.unwrap();
    let error = open(&foreign.url).await.err().unwrap();
    assert!(error.to_string().contains("tables of another program"), "{error}");

    let newer = Database::new().await.unwrap();
    open(&newer.url).await.unwrap().close().await.unwrap();
    execute(&newer.url, "UPDATE meta SET value = '999' WHERE name = 'schema-version'").await.unwrap();
    let refused = open(&newer.url).await.err().unwrap();
    assert!(matches!(refused, StoreError::NewerSchema { found: 999, known: 2.. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_travel_encrypted_and_certificates_are_checked() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut cluster = Cluster::start("").unwrap();
    cluster.create("shop").await.unwrap();
    let certificate = cluster.write("server.crt", &made.cert.pem()).unwrap().display().to_string();
    let key = cluster.write("server.key", &made.signing_key.serialize_pem()).unwrap().display().to_string();
    cluster.kill().unwrap();
    cluster.set(&format!(
        "-c listen_addresses=localhost -c port={port} -c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key}"
    ));
    cluster.start_again().unwrap();
    let url = format!("postgres://ginti@localhost:{port}/shop?sslmode=require");
    let error = open(&url).await.err().unwrap().to_string();
    assert!(error.to_lowercase().contains("certificate"), "nobody vouches for it: {error}");
    let store = PostgresStore::connect(&format!("{url}&sslrootcert={certificate}"), Options::default()).await.unwrap();
    plan(&store).await;
    assert!(matches!(store.import(batch(1)).await.unwrap(), Imported::Stored(_)));
}

fn access() -> Access {
    Access { tenant: TenantId::new("acme").unwrap(), user: UserLoginId::new("ann").unwrap(), facilities: None }
}

async fn plan(store: &dyn Store) {
    plan_of(store, access().tenant).await;
}

async fn plan_of(store: &dyn Store, tenant: TenantId) {
    store.put_tenant(&tenant, "A company").await.unwrap();
    let facility = FacilityId::new("F1").unwrap();
    store.put_facility(&tenant, &Facility { id: facility.clone(), name: "Shop".to_owned() }).await.unwrap();
    let session = Session {
        id: SessionId::new("S1").unwrap(),
        name: "Shelves".to_owned(),
        facility,
        purpose: Purpose::HardCount,
        status: SessionStatus::SessionAssigned,
        due: None,
        created: Timestamp::from_unix_ms(NOW_MS),
    };
    store.create_session(&tenant, NewSession { session, assignments: Vec::new() }).await.unwrap();
}

/// Two counts.
fn batch(number: u8) -> Import {
    let count = |row: &str| ImportItem::Count {
        item: ItemSeqId::new(row).unwrap(),
        revision: Revision::new(u64::from(number)).unwrap(),
        content: ItemContent {
            product_id: Some(ProductId::new("P1").unwrap()),
            product_identifier: None,
            quantity: Quantity::from_micros(1_000_000).unwrap(),
            counted_at: None,
            counted_by_user_login_id: None,
            is_requested: None,
            location_seq_id: None,
            note: None,
        },
    };
    Import {
        access: access(),
        batch_id: BatchId::from_bytes([number; 16]),
        digest: [number; 16],
        device_id: DeviceId::new("d1").unwrap(),
        session_id: SessionId::new("S1").unwrap(),
        now: Timestamp::from_unix_ms(NOW_MS),
        items: vec![count("1"), count("2")],
    }
}
