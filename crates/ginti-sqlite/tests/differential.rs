//! That the differential run can fail: each planted fault is found within a few seeds.

use std::sync::Arc;

use ginti_sqlite::{Executor, Options, SqliteStore};
use ginti_store::{
    Import, ImportItem, Imported, Store, StoreError, async_trait,
    conformance::{Behind, Between, differential::run},
};
use ginti_types::{ItemContent, Quantity};
use rusqlite::Connection;

const SEEDS_MAX: u64 = 30;

/// How a fault gets there.
#[derive(Clone, Copy)]
enum Plant {
    /// By a trigger in the database: the store itself does the wrong thing, in its tables and its answers.
    Trigger(&'static str),
    /// By a change to each count on its way in.
    Change(fn(&Import, &mut ItemContent)),
}

/// What the store does wrong, and what makes it so.
const FAULTS: [(&str, Plant); 13] = [
    (
        "the count that arrived last holds, not the newest",
        Plant::Trigger(
            "BEFORE INSERT ON item BEGIN
                DELETE FROM item WHERE session_key = new.session_key AND item_seq = new.item_seq;
            END",
        ),
    ),
    (
        "a session that was handed in goes on taking counts",
        Plant::Trigger(
            "AFTER UPDATE OF status ON session WHEN new.status <> 'SESSION_ASSIGNED' BEGIN
                UPDATE session SET status = 'SESSION_ASSIGNED' WHERE session_key = new.session_key;
            END",
        ),
    ),
    (
        "a batch that was answered is not remembered",
        Plant::Trigger("AFTER INSERT ON receipt BEGIN DELETE FROM receipt WHERE receipt_key = new.receipt_key; END"),
    ),
    (
        "a remembered receipt is of another content",
        Plant::Trigger(
            "AFTER INSERT ON receipt BEGIN
                UPDATE receipt SET digest = zeroblob(16) WHERE receipt_key = new.receipt_key;
            END",
        ),
    ),
    (
        "an old stamp is taken for a new one",
        Plant::Trigger(
            "AFTER UPDATE OF newest ON device WHEN new.newest > 0 BEGIN
                UPDATE device SET newest = 0 WHERE device_key = new.device_key;
            END",
        ),
    ),
    (
        "what arrived is not found again",
        Plant::Trigger(
            "AFTER INSERT ON arrival BEGIN
                UPDATE arrival SET oldest = 0, newest = 0 WHERE last_seq = new.last_seq;
            END",
        ),
    ),
    (
        "an id that was given up is believed for ever",
        Plant::Trigger(
            "AFTER UPDATE OF believed_to ON device WHEN new.believed_to IS NOT NULL BEGIN
                UPDATE device SET believed_to = NULL WHERE device_key = new.device_key;
            END",
        ),
    ),
    (
        "a blocked device goes on",
        Plant::Trigger(
            "AFTER UPDATE OF revoked ON device WHEN new.revoked BEGIN
                UPDATE device SET revoked = 0 WHERE device_key = new.device_key;
            END",
        ),
    ),
    (
        "a device speaks for everyone",
        Plant::Trigger(
            "AFTER INSERT ON device_person BEGIN
                INSERT INTO device_person SELECT new.device_key, person_key FROM person WHERE true
                ON CONFLICT DO NOTHING;
            END",
        ),
    ),
    (
        "a count was sent by whoever came first",
        Plant::Trigger(
            "AFTER INSERT ON arrival BEGIN
                UPDATE arrival SET sent_by = (SELECT min(person_key) FROM person) WHERE last_seq = new.last_seq;
            END",
        ),
    ),
    (
        "a batch with a single count leaves no history",
        Plant::Trigger(
            "AFTER INSERT ON arrival WHEN new.count = 1 BEGIN DELETE FROM arrival WHERE last_seq = new.last_seq; END",
        ),
    ),
    (
        "whoever sends a count has counted it",
        Plant::Change(|import, content| content.counted_by_user_login_id = Some(import.access.user.clone())),
    ),
    (
        "parts of a unit are lost",
        Plant::Change(|_, content| {
            let whole = content.quantity.micros() / 1_000_000 * 1_000_000;
            content.quantity = Quantity::from_micros(whole).expect("less than a quantity is one");
        }),
    ),
];

#[tokio::test]
async fn each_planted_fault_is_found() {
    for (fault, plant) in FAULTS {
        let difference = first_difference(plant).await.unwrap_or_else(|| panic!("not found: {fault}"));
        assert!(difference.starts_with("seed "), "{difference}");
        assert!(difference.contains("\nreference: ") && difference.contains("\nfound"), "both answers: {difference}");
    }
}

#[tokio::test]
async fn a_seed_goes_wrong_at_the_same_step_again() {
    let place = |difference: Option<String>| difference.unwrap().split_once(": ").unwrap().0.to_owned();
    let (_, plant) = FAULTS[0];
    let first = place(first_difference(plant).await);
    assert!(first.contains("step"), "{first}");
    assert_eq!(place(first_difference(plant).await), first);
}

/// What the first seed that meets the fault says.
async fn first_difference(plant: Plant) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let store = SqliteStore::open(&path, Options { executor: Executor::Inline, ..Options::default() }).unwrap();
    if let Plant::Trigger(trigger) = plant {
        Connection::open(&path).unwrap().execute_batch(&format!("CREATE TRIGGER fault {trigger}")).unwrap();
    }
    let store = Behind { between: plant, store: Arc::new(store) };
    for seed in 0..SEEDS_MAX {
        if let Err(difference) = run(&store, seed).await {
            return Some(difference);
        }
    }
    None
}

#[async_trait]
impl Between for Plant {
    async fn import(&self, store: &dyn Store, mut import: Import) -> Result<Imported, StoreError> {
        if let Self::Change(change) = self {
            let before = import.clone();
            for item in &mut import.items {
                if let ImportItem::Count { content, .. } = item {
                    change(&before, content);
                }
            }
        }
        store.import(import).await
    }
}
