//! Any multiset of deliveries, in any order and any cut into batches, gives the reference's table, receipts and history.

use super::{
    Fixture,
    reference::{Draws, Reference, Write},
    world::{batch, count, history, rows, stamp, stored, world},
};

const SEEDS: u64 = 12;
const DEVICES: u64 = 4;

/// Invariants 2 and 3 of the design, with reused revisions thrown in.
pub async fn any_multiset_in_any_order_gives_the_reference_table(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let mut reference = Reference::default();
    let mut number = 0;
    for seed in 0..SEEDS {
        let mut draws = Draws(seed);
        let mut deliveries = deliveries(&mut draws, seed);
        while !deliveries.is_empty() {
            // A batch is of one device: the deliveries of the first one's device among the next few.
            let sender = deliveries[0].stamp.device_id.clone();
            let size = 1 + draws.below(9);
            let mut left = size;
            let (sent, kept): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(|write| {
                let taken = write.stamp.device_id == sender && left > 0;
                left -= u64::from(taken);
                taken
            });
            deliveries = kept;
            number += 1;
            let items = sent.iter().map(|write| count(&write.item, write.stamp.revision.get(), write.units)).collect();
            let receipt = stored(&*store, batch(sender.as_str(), number, items)).await;
            for (write, item) in sent.iter().zip(&receipt.items) {
                assert_eq!(item.outcome, reference.deliver(write), "seed {seed}: {write:?}");
            }
            for (write, item) in sent.iter().zip(&receipt.items) {
                let (held, _) = &reference.table[&write.item];
                assert_eq!((item.revision, item.device_id.as_ref()), (Some(held.revision), Some(&held.device_id)));
            }
        }
        let table: Vec<_> =
            reference.table.iter().map(|(item, (stamp, units))| (item.clone(), stamp, *units)).collect();
        let rows = rows(&*store).await;
        let mut found: Vec<_> = rows
            .iter()
            .map(|row| (row.import_item_seq_id.to_string(), &row.stamp, row.content.quantity.micros() / 1_000_000))
            .collect();
        found.sort();
        assert_eq!(found, table, "seed {seed}");
    }
    for item in reference.table.keys() {
        let arrived = reference.history.keys().filter(|(row, _)| row == item).count();
        assert_eq!(history(&*store, item).await.len(), arrived, "every stamp is in history once");
    }
    assert_eq!(store.ledger().await.unwrap().ledger_seq, reference.history.len() as u64);
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
