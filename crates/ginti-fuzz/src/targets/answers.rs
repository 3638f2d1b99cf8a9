//! What a server, or somebody who says to be one, answers to a batch: read by the courier and by the batcher.

use ginti_sync::{
    Batcher, Courier, CourierConfig, Moment,
    batcher::{Count, CountIn, NewDeviceIn, NewRow, PlanIn, Settle, Trigger},
    courier::{CourierRecord, Effect, Event, QueuedEntry, WakeCause},
    record::{Answer, DeliveryRecord, DeviceRecord, ItemRecord, Truth},
};
use ginti_types::{BatchId, Problem, ProductId, Quantity, Receipt, SessionId, UserLoginId};

use super::text;
use crate::Target;

const NOW: Moment = Moment(1_795_348_800_000);
/// The first two bytes choose the status, the third the rest; what follows is the body.
const STATUSES: [u16; 16] = [200, 200, 422, 422, 400, 401, 403, 404, 408, 409, 413, 415, 425, 429, 500, 503];

const WORDS: &[&str] = &[
    "{\"batchId\":\"019aab7e-1111-7222-8333-444455556666\",",
    "\"epoch\":\"5a31\",",
    "\"ledgerSeq\":",
    "\"serverTime\":",
    "\"2026-11-22T09:14:03.120Z\"",
    "\"items\":[",
    "\"importItemSeqId\":",
    "\"outcome\":\"applied\"",
    "\"outcome\":\"rejected\"",
    "\"outcome\":\"superseded\"",
    "\"outcome\":\"late\"",
    "\"revision\":",
    "\"code\":\"clock-skew\"",
    "\"code\":\"revision-reused\"",
    "\"type\":\"urn:ginti:problem:x\",",
    "\"title\":\"\",",
    "\"status\":422,",
    "\"detail\":\"\",",
    "\"receipt\":",
    "\"errors\":[]",
    "18446744073709551615",
    "9007199254740991",
    "9999-12-31T23:59:59.999Z",
    "<html>",
];

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "problem",
        holds: "A problem and a receipt are read and written again as they were, and anything else is none.",
        check: problem,
        bytes_max: 1_024,
        words: WORDS,
    },
    Target {
        name: "courier",
        holds: "Whatever answers, the courier says in the end what to do next, gives up no entry but by Ginti's own words (or a 413), sends \
                only what is queued, and never waits longer than the longest wait there is.",
        check: courier,
        bytes_max: 1_024,
        words: WORDS,
    },
    Target {
        name: "settle",
        holds: "Whatever answers, no row is lost or changed in its count, and none is confirmed but by a receipt for its very revision.",
        check: settle,
        bytes_max: 1_024,
        words: WORDS,
    },
];

fn problem(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(problem) = serde_json::from_str::<Problem>(text) {
        let written = serde_json::to_string(&problem).expect("JSON");
        assert_eq!(serde_json::from_str::<Problem>(&written).expect("its own JSON"), problem);
    }
    if let Ok(receipt) = serde_json::from_str::<Receipt>(text) {
        let written = serde_json::to_string(&receipt).expect("JSON");
        assert_eq!(serde_json::from_str::<Receipt>(&written).expect("its own JSON"), receipt);
    }
}

/// An answer made of an input: status, the header `Retry-After`, whether it is a repetition, body.
fn answer(bytes: &[u8]) -> Option<(u16, Option<String>, bool, &str)> {
    let [status, other, how, rest @ ..] = bytes else { return None };
    let body = text(rest)?;
    let status =
        if *status < 16 { STATUSES[usize::from(*status)] } else { u16::from(*status) * 4 + u16::from(*other % 4) };
    // A header is the beginning of the body: what it is made of matters, not what it goes with.
    let retry_after = (how & 1 == 1).then(|| body.chars().take(usize::from(*other % 40)).collect());
    Some((status, retry_after, how & 2 == 2, body))
}

fn courier(bytes: &[u8]) {
    let Some((status, retry_after, replayed, body)) = answer(bytes) else { return };
    let batch = BatchId::parse("019aab7e-1111-7222-8333-444455556666").expect("a UUID");
    let entry = |id| QueuedEntry { id, batch_id: batch, realm: "demo".to_owned(), withdrawn: false };
    let config = CourierConfig::default();
    let longest_ms = config.retry_after_ms_max * 2;
    let mut machine = Courier::new(config, CourierRecord::default());
    let wake =
        Event::Wake { cause: WakeCause::Queued, entries: vec![entry(1), entry(2)], realm: Some("demo".to_owned()) };
    let effects = machine.handle(NOW, &[], wake);
    let Some(Effect::Send { entry: 1, .. }) = effects.last() else { panic!("the oldest is sent first: {effects:?}") };
    let answered = Event::Answered { entry: 1, status, retry_after, replayed, body: body.to_owned() };
    let effects = machine.handle(NOW.plus_ms(5), &bytes[..bytes.len().min(16)], answered);
    let (next, others) = effects.split_last().expect("something is to be done");
    match next {
        Effect::Send { entry, .. } => assert!([1, 2].contains(entry)),
        Effect::Refresh { .. } => assert_eq!(status, 401),
        Effect::Wait { until, .. } => assert!(until.0 - NOW.0 <= longest_ms, "{} ms are too long", until.0 - NOW.0),
        other => panic!("two were queued, and this is what is done next: {other:?}"),
    }
    for effect in others {
        match effect {
            Effect::Settle { entry, answer, .. } => {
                assert_eq!(*entry, 1);
                assert!(answer.is_some() && is_gintis(status, body, batch), "given up for {status} {body:?}");
            }
            Effect::Note { entry, .. } => assert_eq!(*entry, 1),
            Effect::Persist { record } => {
                let written = serde_json::to_string(record).expect("JSON");
                assert_eq!(serde_json::from_str::<CourierRecord>(&written).expect("its own JSON"), *record);
            }
            other => panic!("this says what to do next, and is not the last: {other:?}"),
        }
    }
}

fn is_gintis(status: u16, body: &str, batch: BatchId) -> bool {
    match status {
        200 => serde_json::from_str::<Receipt>(body).is_ok_and(|receipt| receipt.batch_id == batch),
        413 => true,
        400..=499 => serde_json::from_str::<Problem>(body).is_ok(),
        _ => false,
    }
}

/// A device that counted two rows and cut them into one batch.
struct Cut {
    machine: Batcher,
    device: DeviceRecord,
    items: Vec<ItemRecord>,
    delivery: DeliveryRecord,
}

fn cut() -> Cut {
    let machine = Batcher::default();
    let mut device = machine.new_device(&NewDeviceIn { entropy: vec![7; 32] }).device;
    let mut items = Vec::new();
    for product in ["p1", "p2"] {
        let counted = machine.count(CountIn {
            now: NOW,
            device,
            item: None,
            row: Some(NewRow {
                inventory_count_import_id: SessionId::new("M101428").expect("an id"),
                product_id: Some(ProductId::new(product).expect("an id")),
                product_identifier: None,
                is_requested: None,
                location_seq_id: None,
            }),
            count: Count::Set { quantity: Quantity::ONE },
            counted_by_user_login_id: UserLoginId::new("counter").expect("an id"),
            product_identifier: None,
        });
        let counted = counted.expect("one of it can be counted");
        device = counted.device;
        items.push(counted.item);
    }
    let trigger = Trigger::Manual;
    let plan = PlanIn {
        now: NOW,
        trigger,
        device,
        saved: items,
        open: Vec::new(),
        held_items: Vec::new(),
        entropy: vec![3; 32],
    };
    let plan = machine.plan(plan);
    let delivery = plan.deliveries.into_iter().next().expect("both are cut into a batch");
    Cut { machine, device: plan.device, items: plan.items, delivery }
}

fn settle(bytes: &[u8]) {
    let Some((status, _, replayed, body)) = answer(bytes) else { return };
    let Cut { machine, device, items, mut delivery } = cut();
    // So that an input need not guess what only this run knows.
    let mut body = body.replace("@batch", &delivery.batch_id.to_string());
    for (name, item) in ["@row1", "@row2"].iter().zip(&items) {
        body = body.replace(name, item.import_item_seq_id.as_str());
    }
    delivery.answer = Some(Answer { status, body: body.clone(), at: NOW.plus_ms(9), replayed });
    let batch = delivery.batch_id;
    let before = items.clone();
    let settled =
        machine.settle(Settle { now: NOW.plus_ms(10), device, delivery, items, entropy: bytes[..3].to_vec() });
    assert_eq!(settled.items.len(), before.len(), "no row is lost");
    let durable = durable_rows(status, &body, batch);
    for (before, after) in before.iter().zip(&settled.items) {
        assert_eq!(before.content(), after.content(), "a count stays what it was");
        assert!(after.revision >= before.revision);
        assert_eq!(after.custody, None, "nobody is working on it");
        let is_told = durable.iter().any(|row| row == before.import_item_seq_id.as_str());
        assert!(is_told || after.truth != Truth::Confirmed, "confirmed by {status} {body:?}");
    }
    assert!(settled.device.batch_items_max >= 1);
    let written = serde_json::to_string(&settled).expect("JSON");
    let read: ginti_sync::batcher::Settled = serde_json::from_str(&written).expect("its own JSON");
    assert_eq!((read.device, read.items, read.delivery), (settled.device, settled.items, settled.delivery));
}

/// Rows that the answer says are stored.
fn durable_rows(status: u16, body: &str, batch: BatchId) -> Vec<String> {
    let receipt = match status {
        200 => serde_json::from_str::<Receipt>(body).ok(),
        422 => serde_json::from_str::<Problem>(body).ok().and_then(|problem| problem.receipt),
        _ => None,
    };
    let told = receipt.filter(|receipt| receipt.batch_id == batch).map(|receipt| receipt.items).unwrap_or_default();
    told.into_iter().filter(|told| told.outcome.is_durable()).filter_map(|told| told.import_item_seq_id).collect()
}
