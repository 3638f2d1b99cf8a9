//! Copies: made while the store takes counts, put back, and recognised wherever they are opened.

mod common;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{batch, seeded, units};
use ginti_sqlite::{Executor, Options, SqliteStore, backup, restore};
use ginti_store::{Imported, Store, StoreError};
use ginti_types::Outcome;

fn inline() -> Options {
    Options { executor: Executor::Inline, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_counts_come_in_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let store = Arc::new(SqliteStore::open(&path, Options::default()).unwrap());
    seeded(&*store).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let counting = {
        let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                assert!(matches!(store.import(batch(number, 20)).await.unwrap(), Imported::Stored(_)));
            }
            number
        })
    };
    for number in 0..5 {
        let before = store.ledger().await.unwrap().ledger_seq;
        let copy = folder.path().join(format!("copy-{number}.db"));
        let (from, to) = (path.clone(), copy.clone());
        let copied = tokio::task::spawn_blocking(move || backup(&from, &to)).await.unwrap().unwrap();
        let after = store.ledger().await.unwrap();
        assert!((before..=after.ledger_seq).contains(&copied.ledger.ledger_seq), "{before} {copied:?} {after:?}");
        assert_eq!(copied.ledger.ledger_seq % 20, 0, "whole batches and nothing else");
        assert_eq!(copied.ledger.epoch, after.epoch);
        assert!(copied.bytes > 0);
        let opened = SqliteStore::open(&copy, inline()).unwrap();
        let rows = usize::try_from(copied.ledger.ledger_seq).unwrap();
        assert_eq!(units(&opened).await, (rows, i64::try_from(rows).unwrap() / 20 * 190));
    }
    is_over.store(true, Ordering::Relaxed);
    let batches = counting.await.unwrap();
    assert_eq!(store.ledger().await.unwrap().ledger_seq, batches * 20, "the copies cost no count");
}

#[tokio::test]
async fn whoever_opens_a_copy_begins_a_new_epoch_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("ginti.db"), folder.path().join("copy.db"));
    let store = SqliteStore::open(&path, inline()).unwrap();
    seeded(&store).await;
    store.import(batch(1, 3)).await.unwrap();
    let epoch = backup(&path, &copy).unwrap().ledger.epoch;
    assert_eq!(store.ledger().await.unwrap().epoch, epoch);
    store.close().await.unwrap();
    // Put in place by hand, without any command of ours.
    let by_hand = folder.path().join("by-hand.db");
    fs::copy(&copy, &by_hand).unwrap();
    let opened = SqliteStore::open(&by_hand, inline()).unwrap();
    let anew = opened.ledger().await.unwrap();
    assert_ne!(anew.epoch, epoch);
    assert_eq!(anew.ledger_seq, 3);
    opened.close().await.unwrap();
    assert_eq!(SqliteStore::open(&by_hand, inline()).unwrap().ledger().await.unwrap(), anew, "once is enough");
    assert_eq!(
        SqliteStore::open(&path, inline()).unwrap().ledger().await.unwrap().epoch,
        epoch,
        "the original is itself"
    );
}

#[tokio::test]
async fn what_is_put_back_takes_the_place_and_what_was_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("ginti.db"), folder.path().join("copy.db"));
    let store = SqliteStore::open(&path, inline()).unwrap();
    seeded(&store).await;
    store.import(batch(1, 3)).await.unwrap();
    backup(&path, &copy).unwrap();
    assert!(matches!(backup(&path, &copy), Err(StoreError::Exists(_))), "a copy replaces nothing");
    store.import(batch(2, 4)).await.unwrap();
    let epoch = store.ledger().await.unwrap().epoch;
    assert!(matches!(restore(&copy, &path, true), Err(StoreError::Locked(_))), "it is in use");
    // As a killed process leaves it: the log is not folded in.
    let killed = folder.path().join("killed.db");
    for suffix in ["", "-wal"] {
        let name = |path: &std::path::Path| format!("{}{suffix}", path.display());
        fs::copy(name(&path), name(&killed)).unwrap();
    }
    drop(store);

    assert!(matches!(restore(&copy, &killed, false), Err(StoreError::Exists(_))), "not without leave");
    let (copied, aside) = restore(&copy, &killed, true).unwrap();
    assert_eq!(copied.ledger.ledger_seq, 3);
    let restored = SqliteStore::open(&killed, inline()).unwrap();
    assert_eq!(restored.ledger().await.unwrap().ledger_seq, 3);
    assert_ne!(restored.ledger().await.unwrap().epoch, epoch);
    let Imported::Stored(receipt) = restored.import(batch(2, 4)).await.unwrap() else { panic!("not stored") };
    assert!(receipt.items.iter().all(|item| item.outcome == Outcome::Applied), "devices send again what is missing");
    let old = SqliteStore::open(aside.unwrap(), inline()).unwrap();
    assert_eq!(old.ledger().await.unwrap().ledger_seq, 7, "with its log");
    assert_eq!(old.ledger().await.unwrap().epoch, epoch);
}

#[test]
fn only_a_sound_database_of_ours_is_copied_or_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ginti.db");
    let to = folder.path().join("to.db");
    assert!(matches!(backup(&path, &to), Err(StoreError::Missing(_))));
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (id)").unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "not a database at all, but long enough to be taken for one".repeat(20)).unwrap();
    for bad in [&foreign, &text] {
        assert!(matches!(backup(bad, &to), Err(StoreError::Failed(_))));
        assert!(matches!(restore(bad, &to, true), Err(StoreError::Failed(_))));
    }
    drop(SqliteStore::open(&path, inline()).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 8_192 * 4_096;
    for byte in &mut bytes[half..half + 4_096] {
        *byte = 0xA5;
    }
    let damaged = folder.path().join("damaged.db");
    fs::write(&damaged, bytes).unwrap();
    assert!(matches!(restore(&damaged, &to, true), Err(StoreError::Failed(_))));
    assert!(!to.exists(), "nothing half done is left");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_copy_is_as_private_as_its_original() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("ginti.db"), folder.path().join("copy.db"));
    let _store = SqliteStore::open(&path, inline()).unwrap();
    backup(&path, &copy).unwrap();
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o077, 0);
}
