//! Receipts: what is answered for each item of a batch.

use std::collections::{HashMap, HashSet};

use ginti_types::{ItemSeqId, Outcome, ReceiptItem, Stamp};

use crate::{Import, ImportItem, Refusal};

fn row(item: &ImportItem) -> Option<&str> {
    match item {
        ImportItem::Count { item, .. } => Some(item.as_str()),
        ImportItem::Refused(refusal) => refusal.import_item_seq_id.as_deref(),
    }
}

/// Whether a row is named more than once.
pub fn has_repeated_rows(items: &[ImportItem]) -> bool {
    // Devices name them in order.
    let is_in_order = items.windows(2).all(|pair| row(&pair[0]) < row(&pair[1]));
    !is_in_order && {
        let mut seen = HashSet::with_capacity(items.len());
        !items.iter().filter_map(row).all(|row| seen.insert(row))
    }
}

/// Each answer tells what held after its own item. Where a batch names a row again, its last answer is true of all.
pub fn settle_repeated_rows(items: &mut [ReceiptItem]) {
    let mut last = HashMap::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        last.insert(item.import_item_seq_id.as_deref(), at);
    }
    if last.len() == items.len() {
        return;
    }
    let held: Vec<_> = items
        .iter()
        .map(|item| last.get(&item.import_item_seq_id.as_deref()).map(|&at| &items[at]))
        .map(|last| last.and_then(|last| last.revision.zip(last.device_id.clone())).unzip())
        .collect();
    for (item, (revision, device_id)) in items.iter_mut().zip(held) {
        item.revision = revision;
        item.device_id = device_id;
    }
}

/// What became of an item, and what holds in its row.
pub fn answer(item: &ItemSeqId, outcome: Outcome, held: Option<Stamp>) -> ReceiptItem {
    let (revision, device_id) = held.map(|stamp| (stamp.revision, stamp.device_id)).unzip();
    let import_item_seq_id = Some(item.as_str().to_owned());
    ReceiptItem { import_item_seq_id, outcome, revision, device_id, code: None, detail: None }
}

/// Why an item was refused, and what holds in its row.
pub fn refused(refusal: Refusal, held: Option<Stamp>) -> ReceiptItem {
    let (revision, device_id) = held.map(|stamp| (stamp.revision, stamp.device_id)).unzip();
    ReceiptItem {
        import_item_seq_id: refusal.import_item_seq_id,
        outcome: Outcome::Rejected,
        revision,
        device_id,
        code: Some(refusal.code.as_str().to_owned()),
        detail: Some(refusal.detail),
    }
}

/// Whether a batch went in whole: its receipt then follows from the batch, by [`all_applied`].
pub fn is_all_applied(import: &Import, answers: &[ReceiptItem]) -> bool {
    answers.len() == import.items.len()
        && answers.iter().zip(&import.items).all(|(answer, item)| {
            let sent = if let ImportItem::Count { revision, .. } = item { Some(*revision) } else { None };
            answer.outcome == Outcome::Applied && answer.revision == sent
        })
}

/// The receipt of a batch that went in whole, from the batch itself: each item then holds its own row.
pub fn all_applied(import: &Import) -> Vec<ReceiptItem> {
    import
        .items
        .iter()
        .filter_map(|item| match item {
            ImportItem::Count { item, revision, .. } => Some(ReceiptItem {
                import_item_seq_id: Some(item.as_str().to_owned()),
                outcome: Outcome::Applied,
                revision: Some(*revision),
                device_id: Some(import.device_id.clone()),
                code: None,
                detail: None,
            }),
            ImportItem::Refused(_) => None,
        })
        .collect()
}
