//! That the differential run can fail: each planted fault is found within a few seeds.
//!
//! A fault is a trigger in the database, so that the store itself does the wrong thing, in its tables and its answers.

use ginti_sqlite::{Executor, Options, SqliteStore};
use ginti_store::conformance::differential::run;
use rusqlite::Connection;

const SEEDS_MAX: u64 = 30;

/// What the store does wrong, and the trigger that makes it so.
const FAULTS: [(&str, &str); 13] = [
    (
        "the count that arrived last holds, not the newest",
        "AFTER INSERT ON history WHEN new.outcome = 1 BEGIN
            UPDATE item SET revision = new.revision, device_key = new.device_key, ledger_seq = new.ledger_seq
            WHERE session_key = new.session_key AND item_seq = new.item_seq;
        END",
    ),
    (
        "a late count holds at once",
        "AFTER INSERT ON history WHEN new.outcome = 2 BEGIN
            INSERT OR REPLACE INTO item (session_key, item_seq, revision, device_key, ledger_seq, last_seq)
            VALUES (new.session_key, new.item_seq, new.revision, new.device_key, new.ledger_seq, new.ledger_seq);
        END",
    ),
    (
        "a session that was handed in goes on taking counts",
        "AFTER UPDATE OF status ON session WHEN new.status <> 'SESSION_ASSIGNED' BEGIN
            UPDATE session SET status = 'SESSION_ASSIGNED' WHERE session_key = new.session_key;
        END",
    ),
    (
        "a batch that was answered is not remembered",
        "AFTER INSERT ON receipt BEGIN DELETE FROM receipt WHERE receipt_key = new.receipt_key; END",
    ),
    (
        "a remembered receipt is of another content",
        "AFTER INSERT ON receipt BEGIN
            UPDATE receipt SET digest = zeroblob(16) WHERE receipt_key = new.receipt_key;
        END",
    ),
    (
        "what was refused for its clock is forgotten",
        "AFTER INSERT ON history WHEN new.outcome = 3 BEGIN
            UPDATE history SET revision = 1 WHERE ledger_seq = new.ledger_seq;
        END",
    ),
    (
        "an id that was given up is believed for ever",
        "AFTER UPDATE OF believed_to ON device WHEN new.believed_to IS NOT NULL BEGIN
            UPDATE device SET believed_to = NULL WHERE device_key = new.device_key;
        END",
    ),
    (
        "a blocked device goes on",
        "AFTER UPDATE OF revoked ON device WHEN new.revoked BEGIN
            UPDATE device SET revoked = 0 WHERE device_key = new.device_key;
        END",
    ),
    (
        "a device speaks for everyone",
        "AFTER INSERT ON device_person BEGIN
            INSERT INTO device_person SELECT new.device_key, person_key FROM person WHERE true ON CONFLICT DO NOTHING;
        END",
    ),
    (
        "whoever sends a count has counted it",
        "AFTER INSERT ON history WHEN new.counted_by IS NOT NULL BEGIN
            UPDATE history SET counted_by = new.sent_by WHERE ledger_seq = new.ledger_seq;
        END",
    ),
    (
        "whoever delivers a late count again has counted it",
        "AFTER INSERT ON history WHEN new.origin IS NOT NULL BEGIN
            UPDATE history SET counted_by = new.sent_by WHERE ledger_seq = new.ledger_seq;
        END",
    ),
    (
        "parts of a unit are lost",
        "AFTER INSERT ON history BEGIN
            UPDATE history SET quantity = quantity / 1000000 * 1000000 WHERE ledger_seq = new.ledger_seq;
        END",
    ),
    (
        "a superseded count is not in its row's history",
        "AFTER UPDATE OF last_seq ON item WHEN new.ledger_seq < new.last_seq BEGIN
            UPDATE item SET last_seq = old.last_seq WHERE session_key = new.session_key AND item_seq = new.item_seq;
        END",
    ),
];

#[tokio::test]
async fn each_planted_fault_is_found() {
    for (fault, trigger) in FAULTS {
        let difference = first_difference(trigger).await.unwrap_or_else(|| panic!("not found: {fault}"));
        assert!(difference.starts_with("seed "), "{difference}");
        assert!(difference.contains("\nreference: ") && difference.contains("\nfound"), "both answers: {difference}");
    }
}

#[tokio::test]
async fn a_seed_goes_wrong_at_the_same_step_again() {
    let place = |difference: Option<String>| difference.unwrap().split_once(": ").unwrap().0.to_owned();
    let (_, trigger) = FAULTS[0];
    let first = place(first_difference(trigger).await);
    assert!(first.contains("step"), "{first}");
    assert_eq!(place(first_difference(trigger).await), first);
}

/// What the first seed that meets the fault says.
async fn first_difference(trigger: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let store = SqliteStore::open(&path, Options { executor: Executor::Inline, ..Options::default() }).unwrap();
    Connection::open(&path).unwrap().execute_batch(&format!("CREATE TRIGGER fault {trigger}")).unwrap();
    for seed in 0..SEEDS_MAX {
        if let Err(difference) = run(&store, seed).await {
            return Some(difference);
        }
    }
    None
}
