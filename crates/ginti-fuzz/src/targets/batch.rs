//! Batches of counts: the body of `POST /maarg/poorti/InventoryCountImport`.

use ginti_types::{
    Batch, Code, CountItem, ItemRefusal, ParsedBatch, Quantity, Revision, limits::BATCH_ITEMS_MAX, parse_batch,
    parse_batch_patiently,
};

use super::said;
use crate::Target;

pub(super) const TARGETS: &[Target] = &[Target {
    name: "batch",
    holds: "A batch is read or refused with a code and a sentence; the fast and the patient reader say the same; what was read \
            is written and read again as it was; every item is within its bounds or has a reason.",
    check: batch,
    bytes_max: 4_096,
    words: &[
        "\"batchId\":",
        "\"deviceId\":",
        "\"inventoryCountImportId\":",
        "\"items\":[",
        "\"importItemSeqId\":",
        "\"productId\":",
        "\"productIdentifier\":",
        "\"quantity\":",
        "\"revision\":",
        "\"countedAt\":",
        "\"countedByUserLoginId\":",
        "\"isRequested\":",
        "\"locationSeqId\":",
        "\"note\":",
        "\"Y\"",
        "\"N\"",
        "null",
        "1e400",
        "9007199254740991",
        "\"2026-11-22T09:14:03.120Z\"",
        "\"019aab7e-1111-7222-8333-444455556666\"",
        "\\u0000",
        "\\ud800",
        "},{",
        "[[",
        "0.000001",
    ],
}];

fn batch(bytes: &[u8]) {
    let read = parse_batch(bytes);
    let patiently = parse_batch_patiently(bytes);
    match (&read, &patiently) {
        (Ok(read), Ok(patiently)) => assert_eq!(read, patiently, "both readers say the same"),
        (Err(read), Err(patiently)) => assert_eq!(read, patiently, "both readers say the same"),
        (read, patiently) => panic!("one reader takes it and the other does not: {read:?} / {patiently:?}"),
    }
    match read {
        Err(problem) => said::problem(&problem),
        Ok(batch) => good(&batch),
    }
}

fn good(batch: &ParsedBatch) {
    assert!((1..=BATCH_ITEMS_MAX).contains(&batch.items.len()));
    let mut items = Vec::new();
    for item in &batch.items {
        match item {
            Ok(item) => {
                bounds(item);
                items.push(item.clone());
            }
            Err(refusal) => refused(refusal),
        }
    }
    if items.is_empty() {
        return;
    }
    let again = Batch {
        batch_id: batch.batch_id,
        device_id: batch.device_id.clone(),
        inventory_count_import_id: batch.inventory_count_import_id.clone(),
        items,
    };
    let written = serde_json::to_vec(&again).expect("a batch is JSON");
    let read = parse_batch(&written).expect("what is written is read");
    let read: Vec<_> = read.items.into_iter().map(|item| item.expect("a good item stays good")).collect();
    assert_eq!(read, again.items);
}

fn bounds(item: &CountItem) {
    assert!((0..=Quantity::MAX.micros()).contains(&item.content.quantity.micros()));
    assert!((1..=Revision::MAX.get()).contains(&item.revision.get()));
    assert!(item.content.product_id.is_some() || item.content.product_identifier.is_some());
}

fn refused(refusal: &ItemRefusal) {
    assert_ne!(refusal.code, Code::ItemsRefused, "that is said of the batch");
    said::sentence(&refusal.detail);
    if let Some(row) = &refusal.import_item_seq_id {
        assert!(row.chars().count() <= 200, "only the beginning of a long id is repeated");
    }
}
