//! Any multiset of deliveries, in any order and any cut into batches, gives one table: the reference's, of the newest stamps.

use std::collections::BTreeMap;

use ginti_types::Stamp;

use super::{
    Draws, Fixture, Reference,
    world::{ann, batch, count, row, rows, session, stamp, tenant, world},
};
use crate::Import;

const SEEDS: u64 = 12;
const DEVICES: u64 = 4;

/// One delivery: the row, its stamp and its content.
#[derive(Clone, Debug)]
struct Write {
    item: String,
    stamp: Stamp,
    units: i64,
}

/// Invariants 2 and 3 of the design, with reused revisions thrown in.
pub async fn any_multiset_in_any_order_gives_the_reference_table(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let mut reference = Reference::of(&*store, &[tenant("acme")]).await.unwrap();
    let mut newest: BTreeMap<String, Stamp> = BTreeMap::new();
    let mut number = 0;
    for seed in 0..SEEDS {
        let mut draws = Draws(seed);
        let mut deliveries = deliveries(&mut draws, seed);
        for Write { item, stamp, .. } in &deliveries {
            let held = newest.entry(item.clone()).or_insert_with(|| stamp.clone());
            if stamp > held {
                *held = stamp.clone();
            }
        }
        while !deliveries.is_empty() {
            number += 1;
            let import = cut(&mut draws, &mut deliveries, number);
            let expected = reference.import(&import);
            assert_eq!(store.import(import.clone()).await.unwrap(), expected, "seed {seed}: {import:?}");
        }
        let rows = rows(&*store).await;
        assert_eq!(Some(&rows), reference.listed(&ann(), &session("S1")).as_ref(), "seed {seed}");
        let table: BTreeMap<_, _> =
            rows.into_iter().map(|row| (row.import_item_seq_id.to_string(), row.stamp)).collect();
        assert_eq!(table, newest, "seed {seed}: whatever came first");
    }
    for item in newest.keys() {
        let found = store.history(&ann(), &session("S1"), &row(item)).await.unwrap();
        assert_eq!(found, reference.history(&ann(), &session("S1"), &row(item)));
    }
    assert_eq!(store.ledger().await.unwrap(), *reference.ledger());
}

/// A batch is of one device: the deliveries of the first one's device among the next few.
fn cut(draws: &mut Draws, deliveries: &mut Vec<Write>, number: u64) -> Import {
    let sender = deliveries[0].stamp.device_id.clone();
    let mut left = 1 + draws.below(9);
    let (sent, kept): (Vec<_>, Vec<_>) = std::mem::take(deliveries).into_iter().partition(|write| {
        let taken = write.stamp.device_id == sender && left > 0;
        left -= u64::from(taken);
        taken
    });
    *deliveries = kept;
    let items = sent.iter().map(|write| count(&write.item, write.stamp.revision.get(), write.units)).collect();
    batch(sender.as_str(), number, items)
}

/// A shuffled multiset: each write one to three times, now and then with other content.
fn deliveries(draws: &mut Draws, seed: u64) -> Vec<Write> {
    let mut deliveries = Vec::new();
    for _ in 0..60 {
        let (item, revision, device) = (draws.below(8), 1 + draws.below(20) + seed * 6, draws.below(DEVICES));
        let units = i64::try_from(item * 100 + revision).expect("small");
        let write = Write { item: format!("row-{item}"), stamp: stamp(revision, &format!("device-{device}")), units };
        for _ in 0..=draws.below(3) {
            deliveries.push(write.clone());
        }
        if draws.below(10) == 0 {
            deliveries.push(Write { units: units + 1, ..write });
        }
    }
    draws.shuffle(&mut deliveries);
    deliveries
}
