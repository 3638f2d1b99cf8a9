//! The database as a file: locked, newer, foreign, full, copied in the middle of things.

mod common;

use std::{fs, num::NonZeroUsize, path::Path, sync::Arc};

use common::{batch, seeded, units};
use ginti_sqlite::{Executor, Options, SqliteStore};
use ginti_store::{Imported, Store, StoreError};
use ginti_types::Outcome;

#[tokio::test]
async fn a_second_store_on_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let first = SqliteStore::open(&path, Options::default()).unwrap();
    let inline = Options { executor: Executor::Inline, ..Options::default() };
    for options in [Options::default(), inline] {
        let Err(StoreError::Locked(detail)) = SqliteStore::open(&path, options) else { panic!("it opened twice") };
        assert!(detail.contains("another ginti") && detail.ends_with('.'), "{detail}");
    }
    first.ping().await.unwrap();
    drop(first);
    SqliteStore::open(&path, Options::default()).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_closed_database_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    for executor in [Executor::default(), Executor::Inline] {
        let store = SqliteStore::open(&path, Options { executor, ..Options::default() }).unwrap();
        store.put_tenant(&ginti_types::TenantId::new("t").unwrap(), "Tenant").await.unwrap();
        assert!(with_suffix(&path, "-wal").exists());
        store.close().await.unwrap();
        assert!(!with_suffix(&path, "-wal").exists(), "{executor:?}: the log is folded in");
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_the_file_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let _first = SqliteStore::open(&path, Options::default()).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(SqliteStore::open(&link, Options::default()), Err(StoreError::Locked(_))));
}

/// It holds the key that signs tokens and everyone's password hash.
#[cfg(unix)]
#[test]
fn a_new_database_is_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let _store = SqliteStore::open(&path, Options::default()).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mode = fs::metadata(with_suffix(&path, suffix)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{suffix:?} {mode:o}");
    }
}

#[test]
fn a_newer_schema_and_foreign_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    drop(SqliteStore::open(&path, Options::default()).unwrap());
    let conn = rusqlite::Connection::open(&path).unwrap();
    let known: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    conn.pragma_update(None, "user_version", 999).unwrap();
    drop(conn);
    let newer = StoreError::NewerSchema { found: 999, known };
    assert_eq!(SqliteStore::open(&path, Options::default()).unwrap_err(), newer);

    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (id)").unwrap();
    refused(&foreign, "another program");
    let text = folder.path().join("notes.txt");
    fs::write(&text, "not a database at all, but long enough to be taken for one".repeat(20)).unwrap();
    refused(&text, "not a database");
    refused(&folder.path().join("no such folder").join("ginti.db"), "cannot open");
}

fn refused(path: &Path, why: &str) {
    match SqliteStore::open(path, Options::default()) {
        Err(StoreError::Failed(detail)) => assert!(detail.contains(why), "{detail}"),
        other => panic!("{other:?}"),
    }
}

/// The file and its log, copied while the store is open, are what a killed process leaves behind.
#[tokio::test]
async fn what_was_answered_is_in_a_copy_made_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let store = Arc::new(SqliteStore::open(&path, Options::default()).unwrap());
    seeded(&*store).await;
    for number in 1..=20_u64 {
        let Imported::Stored(receipt) = store.import(batch(number, 50)).await.unwrap() else { panic!("not stored") };
        let copy = folder.path().join(format!("copy-{number}.db"));
        for suffix in ["", "-wal"] {
            let (from, to) = (with_suffix(&path, suffix), with_suffix(&copy, suffix));
            if from.exists() {
                fs::copy(from, to).unwrap();
            }
        }
        let copy = SqliteStore::open(&copy, Options { executor: Executor::Inline, ..Options::default() }).unwrap();
        assert_eq!(copy.ledger().await.unwrap(), store.ledger().await.unwrap());
        assert_eq!(copy.import(batch(number, 50)).await.unwrap(), Imported::Replayed(receipt));
        assert_eq!(units(&copy).await, units(&*store).await);
    }
}

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_half_written_and_the_store_usable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let tight = Options { size_pages_max: Some(120), ..Options::default() };
    let store = SqliteStore::open(&path, tight).unwrap();
    seeded(&store).await;
    let mut number = 0;
    let detail = loop {
        number += 1;
        match store.import(batch(number, 100)).await {
            Ok(imported) => assert!(matches!(imported, Imported::Stored(_))),
            Err(StoreError::Full(detail)) => break detail,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(detail.contains("Free space"), "{detail}");
    let before = (store.ledger().await.unwrap(), units(&store).await);
    assert!(number > 1 && before.0.ledger_seq == (number - 1) * 100, "whole batches and nothing else");
    assert!(matches!(store.import(batch(number, 100)).await, Err(StoreError::Full(_))), "still full");
    let Imported::Replayed(_) = store.import(batch(1, 100)).await.unwrap() else { panic!("not answered") };
    assert_eq!((store.ledger().await.unwrap(), units(&store).await), before);
    store.close().await.unwrap();
    drop(store);
    let roomy = SqliteStore::open(&path, Options::default()).unwrap();
    let Imported::Stored(receipt) = roomy.import(batch(number, 100)).await.unwrap() else { panic!("not stored") };
    assert!(receipt.items.iter().all(|item| item.outcome == Outcome::Applied));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_busy_and_what_was_accepted_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let one = NonZeroUsize::MIN;
    let options = Options { executor: Executor::Threads { readers: one, waiting_max: one }, ..Options::default() };
    let store = Arc::new(SqliteStore::open(folder.path().join("ginti.db"), options).unwrap());
    seeded(&*store).await;
    let sends: Vec<_> = (1..=64)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.import(batch(number, 500)).await })
        })
        .collect();
    let (mut kept, mut busy) = (0, 0);
    for send in sends {
        match send.await.unwrap() {
            Ok(Imported::Stored(_)) => kept += 1,
            Err(StoreError::Busy) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(kept > 0 && busy > 0, "{kept} stored, {busy} busy");
    assert_eq!(store.ledger().await.unwrap().ledger_seq, kept * 500);
}

#[tokio::test]
async fn receipts_are_forgotten_after_their_time_and_counts_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let store = SqliteStore::open(&path, Options { executor: Executor::Inline, ..Options::default() }).unwrap();
    seeded(&store).await;
    let day = 86_400_000_i64;
    for number in 1..=400_u64 {
        let mut import = batch(number, 1);
        import.now =
            ginti_types::Timestamp::from_unix_ms(import.now.unix_ms() + i64::try_from(number).unwrap() * day / 10);
        assert!(matches!(store.import(import).await.unwrap(), Imported::Stored(_)));
    }
    let mut recent = batch(400, 1);
    recent.now = ginti_types::Timestamp::from_unix_ms(recent.now.unix_ms() + 40 * day);
    assert!(matches!(store.import(recent).await.unwrap(), Imported::Replayed(_)));
    let Imported::Stored(receipt) = store.import(batch(1, 1)).await.unwrap() else { panic!("remembered for ever") };
    assert_eq!(receipt.items[0].outcome, Outcome::Duplicate, "the rule needs no memory of batches");
    assert_eq!(receipt.ledger_seq, 400);
}
