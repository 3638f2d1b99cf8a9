//! Many devices at once on the same rows.

use std::{collections::BTreeMap, sync::Arc};

use ginti_types::{Outcome, Receipt, Stamp};

use super::{
    Fixture,
    world::{ann, batch, count, row, rows, session, stamp, world},
};
use crate::{Import, Imported, Store, StoreError};

const TASKS: u64 = 64;
const BATCHES: u64 = 5;
const ROWS: u64 = 10;

/// The final table holds the newest stamps, history is complete, and every receipt was true.
pub async fn many_devices_on_the_same_rows(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            let mut receipts = Vec::new();
            for number in 0..BATCHES {
                receipts.push(import(&*store, write(task, number)).await);
            }
            receipts
        }));
    }
    let mut answers: BTreeMap<(String, Stamp), Outcome> = BTreeMap::new();
    for (task, handle) in (0..TASKS).zip(tasks) {
        for (number, receipt) in (0..BATCHES).zip(handle.await.unwrap()) {
            let own = stamp(revision(task, number), &device_name(task));
            assert_eq!(receipt.items.len() as u64, ROWS);
            for item in receipt.items {
                let held = Stamp { revision: item.revision.unwrap(), device_id: item.device_id.unwrap() };
                match item.outcome {
                    Outcome::Applied => assert_eq!(held, own),
                    Outcome::Superseded => assert!(held > own),
                    other => panic!("{other:?} for a stamp sent once"),
                }
                answers.insert((item.import_item_seq_id.unwrap(), own.clone()), item.outcome);
            }
        }
    }
    let newest = (0..TASKS)
        .flat_map(|task| (0..BATCHES).map(move |number| stamp(revision(task, number), &device_name(task))))
        .max()
        .unwrap();
    let table = rows(&*store).await;
    assert_eq!(table.len() as u64, ROWS);
    assert!(table.iter().all(|found| found.stamp == newest));
    assert_eq!(store.ledger().await.unwrap().ledger_seq, TASKS * BATCHES * ROWS);
    for item in 0..ROWS {
        check_history(&*store, &item.to_string(), &answers).await;
    }
}

/// Each entry of the row's history was answered as it stands there, and the applied ones only grew.
async fn check_history(store: &dyn Store, item: &str, answers: &BTreeMap<(String, Stamp), Outcome>) {
    let entries = store.history(&ann(), &session("S1"), &row(item)).await.unwrap().unwrap();
    assert_eq!(entries.len() as u64, TASKS * BATCHES);
    let mut held: Option<Stamp> = None;
    for entry in entries {
        let (stamp, outcome) = (entry.row.stamp, entry.row.outcome);
        assert_eq!(answers[&(item.to_owned(), stamp.clone())], outcome);
        if outcome == Outcome::Applied {
            assert!(held.is_none_or(|held| held < stamp));
            held = Some(stamp);
        } else {
            assert!(held.as_ref().is_some_and(|held| *held > stamp));
        }
    }
}

fn write(task: u64, number: u64) -> Import {
    let items = (0..ROWS).map(|item| count(&item.to_string(), revision(task, number), 1)).collect();
    batch(&device_name(task), 1 + task * BATCHES + number, items)
}

/// Revisions collide between devices now and then, and do not follow the order of sending.
fn revision(task: u64, number: u64) -> u64 {
    1 + (task * 7 + number * 31) % 97 + number
}

fn device_name(task: u64) -> String {
    format!("device-{task:02}")
}

/// Sends until the store has room for it.
async fn import(store: &dyn Store, import: Import) -> Receipt {
    loop {
        match store.import(import.clone()).await {
            Ok(Imported::Stored(receipt)) => return receipt,
            Err(StoreError::Busy) => tokio::task::yield_now().await,
            other => panic!("not stored: {other:?}"),
        }
    }
}
