//! Following a session by cursor.

use std::{collections::BTreeMap, sync::Arc};

use ginti_types::{ItemSeqId, Stamp};

use super::{
    Draws, Fixture,
    world::{ann, batch, count, rows, send, session, stored, world},
};
use crate::{ItemPage, Store};

async fn page(store: &dyn Store, after: u64, limit: usize) -> ItemPage {
    store.items(&ann(), &session("S1"), after, limit).await.unwrap().unwrap()
}

/// Whoever follows the cursor while others write ends with the whole table.
pub async fn pages_are_complete_while_counts_come_in(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let writer = tokio::spawn(write_for_a_while(Arc::clone(&store)));
    let mut seen: BTreeMap<ItemSeqId, Stamp> = BTreeMap::new();
    let mut cursor = 0;
    loop {
        let finished = writer.is_finished();
        let page = page(&*store, cursor, 3).await;
        assert!(page.items.len() <= 3 && page.ledger_seq >= cursor);
        for item in page.items {
            assert!(item.ledger_seq > cursor && item.ledger_seq <= page.ledger_seq);
            let before = seen.insert(item.import_item_seq_id, item.stamp.clone());
            assert!(before.is_none_or(|before| before < item.stamp), "a row never goes back");
        }
        // The writer had ended before this page was read: an unmoved cursor then means the end.
        if page.ledger_seq == cursor && finished {
            break;
        }
        cursor = page.ledger_seq;
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    let table: BTreeMap<_, _> =
        rows(&*store).await.into_iter().map(|row| (row.import_item_seq_id, row.stamp)).collect();
    assert_eq!(seen, table);
    assert_eq!(table.len(), 20);
}

async fn write_for_a_while(store: Arc<dyn Store>) {
    let mut draws = Draws(1);
    for number in 1..=150 {
        let items =
            (0..4).map(|_| count(&draws.below(20).to_string(), 1 + draws.below(500) * 100 + number, 1)).collect();
        stored(&*store, batch("d1", number, items)).await;
    }
}

/// Rows changed since, each once, in ledger order; superseded counts are not among them.
pub async fn only_what_holds_is_listed_after_the_cursor(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 10, 1), count("2", 10, 1), count("3", 10, 1)]).await;
    let cursor = page(&*store, 0, 100).await.ledger_seq;
    send(&*store, "d2", 2, vec![count("3", 20, 1), count("1", 5, 1), count("4", 20, 1)]).await;
    send(&*store, "d2", 3, vec![count("3", 30, 1)]).await;
    let listed = |page: &ItemPage| {
        page.items.iter().map(|row| (row.import_item_seq_id.to_string(), row.stamp.revision.get())).collect::<Vec<_>>()
    };
    let news = page(&*store, cursor, 100).await;
    assert_eq!(listed(&news), [("4".to_owned(), 20), ("3".to_owned(), 30)]);
    assert_eq!(news.ledger_seq, store.ledger().await.unwrap().ledger_seq);
    assert_eq!(news.epoch, store.ledger().await.unwrap().epoch);
    let all = page(&*store, 0, 100).await;
    assert_eq!(listed(&all), [("1".to_owned(), 10), ("2".to_owned(), 10), ("4".to_owned(), 20), ("3".to_owned(), 30)]);
    let first = page(&*store, 0, 1).await;
    assert_eq!(listed(&first), [("1".to_owned(), 10)]);
    assert_eq!(page(&*store, 0, 0).await.ledger_seq, 0, "no room, no move");
}

/// At the end and beyond it (a device that knew a longer ledger), the answer is empty and the cursor as given.
pub async fn a_cursor_at_the_end_stays_where_it_is(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    assert_eq!(page(&*store, 0, 10).await.ledger_seq, 0);
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    for after in [1, 2, 1 << 53, u64::MAX] {
        let page = page(&*store, after, 10).await;
        assert_eq!((page.items.len(), page.ledger_seq), (0, after));
    }
}
