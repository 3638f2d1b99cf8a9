//! Stories of one device. Properties over random ones are in [`properties`], dead ends in [`trouble`],
//! notes in [`noting`].

mod noting;
mod properties;
mod trouble;

use std::collections::BTreeSet;

use super::{testkit::*, *};
use crate::{
    Moment,
    record::{DeliveryState, Truth},
};
use ginti_types::{Batch, Quantity, Revision, Timestamp};

fn seconds(page: &mut Page, seconds: i64) {
    page.now = page.now.plus_ms(seconds * 1_000);
}

fn batch(body: &str) -> Batch {
    serde_json::from_str(body).unwrap()
}

#[test]
fn a_scan_is_a_journal_row_an_absolute_count_and_a_stamp() {
    let mut page = Page::new(1);
    page.scan("apple");
    let row = page.scan("apple");
    let item = &page.items[&row];
    assert_eq!((item.quantity, item.truth), (quantity(2), Truth::Saved));
    assert_eq!(
        page.scans.iter().map(|scan| (scan.before, scan.after)).collect::<Vec<_>>(),
        [(quantity(0), quantity(1)), (quantity(1), quantity(2))]
    );
    assert!(page.scans[0].revision < page.scans[1].revision, "two scans in one millisecond have two revisions");
    assert!(row.as_str().starts_with(page.device.device_id.as_str()), "no other device makes this row");
}

#[test]
fn zero_is_a_count_and_below_zero_is_none() {
    let mut page = Page::new(1);
    let row = page.try_count("apple", Count::Set { quantity: Quantity::ZERO }).unwrap();
    assert_eq!(page.items[&row].quantity, Quantity::ZERO);
    assert_eq!(page.try_count("apple", Count::Subtract { quantity: Quantity::ONE }), Err(CountError::BelowZero));
    page.scan("apple");
    let undo = Count::Undo { before: quantity(0), after: quantity(1) };
    page.try_count("apple", undo).unwrap();
    assert_eq!(page.try_count("apple", undo), Err(CountError::BelowZero));
    assert_eq!(page.scans.len(), 3, "what was refused leaves no trace");
}

#[test]
fn the_first_scan_goes_at_once_and_the_next_ones_wait_for_the_cadence() {
    let mut page = Page::new(1);
    page.scan("apple");
    assert_eq!(page.push(Trigger::Tick).len(), 1);
    seconds(&mut page, 5);
    page.scan("pear");
    let plan = page.plan(Trigger::Tick);
    assert!(plan.sends.is_empty());
    assert_eq!(plan.wake_at, Some(Moment(NOON_MS + 20_000)));
    seconds(&mut page, 15);
    assert_eq!(page.push(Trigger::Tick).len(), 1);
}

#[test]
fn resume_online_submit_and_hidden_do_not_wait() {
    for trigger in [Trigger::Start, Trigger::Resume, Trigger::Online, Trigger::Submit, Trigger::Hidden, Trigger::Manual]
    {
        let mut page = Page::new(1);
        page.scan("apple");
        page.push(Trigger::Tick);
        page.scan("apple");
        assert_eq!(page.push(trigger).len(), 1, "{trigger:?}");
    }
}

#[test]
fn an_offline_shift_coalesces_in_its_rows() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    let mut bodies = Vec::new();
    for n in 0..4_000 {
        page.scan(&format!("product-{}", n % 50));
        seconds(&mut page, 7);
        bodies.extend(page.push(Trigger::Tick));
        // The courier lives, but the network does not.
        let now = page.now;
        for delivery in page.deliveries.values_mut() {
            delivery.heard_at = Some(now);
        }
    }
    assert_eq!(bodies.len(), 2, "no more than two batches wait, however long it takes");
    for body in bodies {
        let (id, status, answer) = server.receive(&body, page.now);
        page.answer(id, status, answer);
    }
    assert!(page.settle().iter().all(|settled| settled.plan_now));
    assert_eq!(page.flush(&mut server), 1, "fifty distinct rows are one batch");
    assert!(server.rows.values().all(|(_, content)| content.quantity == quantity(80)));
}

#[test]
fn a_scan_made_in_flight_stays_dirty() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    page.scan("apple");
    let bodies = page.push(Trigger::Manual);
    assert_eq!(page.truth("apple"), Truth::Sending);
    page.scan("apple");
    assert_eq!(page.truth("apple"), Truth::Saved);
    let (id, status, answer) = server.receive(&bodies[0], page.now);
    page.answer(id, status, answer);
    page.settle();
    assert_eq!(
        page.truth("apple"),
        Truth::Saved,
        "the receipt confirms the revision that was sent, not the one on screen"
    );
    page.flush(&mut server);
    assert_eq!(page.truth("apple"), Truth::Confirmed);
    assert_eq!(server.rows.values().next().unwrap().1.quantity, quantity(2));
}

#[test]
fn batches_are_bounded_by_items_and_bytes_and_hold_one_session_each() {
    let mut page = Page::new(1);
    page.machine = Batcher::new(BatcherConfig { batch_items_max: 30, outstanding_max: 10, ..BatcherConfig::default() });
    for n in 0..100 {
        page.scan(&format!("product-{n}"));
    }
    let bodies = page.push(Trigger::Manual);
    assert_eq!(bodies.iter().map(|body| batch(body).items.len()).collect::<Vec<_>>(), [30, 30, 30, 10]);

    let mut page = Page::new(2);
    page.machine =
        Batcher::new(BatcherConfig { batch_bytes_max: 2_000, outstanding_max: 50, ..BatcherConfig::default() });
    for n in 0..20 {
        page.scan(&format!("product-{n}"));
    }
    let bodies = page.push(Trigger::Manual);
    assert!(bodies.len() > 1 && bodies.iter().all(|body| body.len() <= 2_000));
    assert_eq!(bodies.iter().map(|body| batch(body).items.len()).sum::<usize>(), 20);
}

#[test]
fn custody_returns_from_a_tab_that_died_and_from_a_courier_that_fell_silent() {
    let mut page = Page::new(1);
    page.scan("apple");
    let plan = page.plan(Trigger::Manual);
    let first = plan.sends[0].batch_id;
    assert_eq!(plan.wake_at, Some(Moment(NOON_MS + 30_000)));
    seconds(&mut page, 30);
    let plan = page.plan(Trigger::Tick);
    assert_eq!(page.deliveries[&first].state, DeliveryState::Withdrawn);
    assert_eq!(plan.sends.len(), 1, "taken back and cut again in one go");

    let second = plan.sends[0].batch_id;
    page.hand(second);
    seconds(&mut page, 599);
    assert!(page.plan(Trigger::Manual).sends.is_empty());
    seconds(&mut page, 1);
    assert_eq!(page.plan(Trigger::Manual).sends.len(), 1);
    assert_eq!(page.deliveries[&second].state, DeliveryState::Withdrawn);
}

#[test]
fn an_answer_that_waits_to_be_settled_still_holds_its_rows() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    page.scan("apple");
    let bodies = page.push(Trigger::Manual);
    let (id, status, answer) = server.receive(&bodies[0], page.now);
    page.answer(id, status, answer);
    assert!(
        page.plan(Trigger::Manual).sends.is_empty(),
        "nothing is sent twice only because settling comes a moment later"
    );
    page.settle();
    assert_eq!(page.truth("apple"), Truth::Confirmed);
}

#[test]
fn a_receipt_counts_even_after_custody_was_taken_back() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    page.scan("apple");
    let bodies = page.push(Trigger::Manual);
    seconds(&mut page, 700);
    let again = page.push(Trigger::Manual);
    assert_eq!(again.len(), 1);
    let (id, status, answer) = server.receive(&bodies[0], page.now);
    page.answer(id, status, answer);
    page.settle();
    assert_eq!(page.truth("apple"), Truth::Confirmed);
}

#[test]
fn a_failed_hand_over_gives_the_rows_back_and_slows_down() {
    let mut page = Page::new(1);
    page.scan("apple");
    let mut last_hold = Moment(0);
    for failures in 1..=12 {
        let plan = page.plan(Trigger::Manual);
        let id = plan.sends[0].batch_id;
        let entropy = page.entropy();
        let released = page.machine.handover_failed(HandoverFailed {
            now: page.now,
            device: page.device.clone(),
            delivery: page.deliveries[&id].clone(),
            items: page.items.values().cloned().collect(),
            reason: "The browser could not store the batch.".to_owned(),
            entropy,
        });
        page.deliveries.insert(id, released.delivery.clone());
        page.put(released.device, released.items);
        assert_eq!(page.truth("apple"), Truth::Saved);
        assert_eq!(page.device.handover_failures, failures);
        last_hold = page.device.hold_until;
        assert!(last_hold.0 - page.now.0 <= 300_000);
    }
    page.now = Moment(last_hold.0.max(page.now.0 + 20_000));
    assert_eq!(page.push(Trigger::Tick).len(), 1, "it slows, it never ends");
    assert_eq!(page.device.handover_failures, 0);
}

#[test]
fn a_poison_row_is_a_dead_letter_and_the_rest_goes_through() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    let bad = page.scan("rotten");
    page.scan("apple");
    server.poison.push(bad.clone());
    page.flush(&mut server);
    assert_eq!((page.truth("apple"), page.truth("rotten")), (Truth::Confirmed, Truth::Refused));
    assert_eq!(page.items[&bad].problem.as_ref().unwrap().code, "field-invalid");
    seconds(&mut page, 60);
    assert!(page.push(Trigger::Manual).is_empty(), "a dead letter is not sent over and over");

    server.poison.clear();
    let retried =
        page.machine.retry(Retry { now: page.now, device: page.device.clone(), item: page.items[&bad].clone() });
    page.put(retried.device, vec![retried.item]);
    page.flush(&mut server);
    assert_eq!(page.truth("rotten"), Truth::Confirmed);
}

#[test]
fn what_was_refused_for_who_was_signed_in_goes_out_after_the_next_sign_in() {
    for (code, again) in [
        (ginti_types::Code::SessionNotAllowed, true),
        (ginti_types::Code::DeviceRevoked, true),
        (ginti_types::Code::NotFound, false),
    ] {
        let mut page = Page::new(1);
        page.scan("apple");
        let cut = batch(&page.push(Trigger::Manual)[0]);
        let problem = ginti_types::Problem::new(code, "No.");
        page.answer(cut.batch_id, code.status(), serde_json::to_string(&problem).unwrap());
        page.settle();
        assert_eq!(page.truth("apple"), Truth::Refused);
        let items = page.items.values().cloned().collect();
        let tried = page.machine.signed_in(SignedIn { now: page.now, device: page.device.clone(), items });
        page.put(tried.device, tried.items);
        assert_eq!(page.truth("apple") == Truth::Saved, again, "{code:?}");
        assert_eq!(page.push(Trigger::Manual).len(), usize::from(again), "{code:?}");
    }
}

#[test]
fn a_batch_refused_whole_is_halved_until_the_poison_stands_alone() {
    let mut page = Page::new(1);
    for n in 0..9 {
        page.scan(&format!("product-{n}"));
    }
    let poison = page.row_of("product-4").unwrap().import_item_seq_id.clone();
    let mut server = Server::new("e1");
    for _ in 0..40 {
        for body in page.push(Trigger::Manual) {
            let cut = batch(&body);
            if cut.items.iter().any(|item| item.import_item_seq_id == poison) {
                let problem = ginti_types::Problem::new(ginti_types::Code::MalformedJson, "The body is not JSON.");
                page.answer(cut.batch_id, 400, serde_json::to_string(&problem).unwrap());
            } else {
                let (id, status, answer) = server.receive(&body, page.now);
                page.answer(id, status, answer);
            }
        }
        page.settle();
    }
    assert_eq!(page.truth("product-4"), Truth::Refused);
    assert_eq!(page.items.values().filter(|item| item.truth == Truth::Confirmed).count(), 8);
    assert!(page.device.batch_items_max > 1, "and batches grow again");
}

#[test]
fn a_phone_set_to_2035_is_put_right_by_itself() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    let nine_years_ms = 9 * 365 * 86_400_000;
    page.now = page.now.plus_ms(nine_years_ms);
    server.ahead_ms = -nine_years_ms;
    let first_id = page.device.device_id.to_string();
    let row = page.scan("apple");
    page.scan("pear");
    page.flush(&mut server);
    assert_eq!((page.truth("apple"), page.truth("pear")), (Truth::Confirmed, Truth::Confirmed));
    let stored = server.rows[&row].0.revision.unix_ms();
    assert!((stored - server.time(page.now).unix_ms()).abs() < 3_600_000, "stamped in the server's time");
    assert_ne!(page.device.device_id.as_str(), first_id, "what the old id stamped in the future must never win later");
    let before = page.items[&row].revision;
    page.scan("apple");
    assert!(page.items[&row].revision > before);
    assert_eq!(page.flush(&mut server), 1, "and from then on without a detour");
}

#[test]
fn a_server_that_always_cries_skew_is_not_hammered() {
    let mut page = Page::new(1);
    page.scan("apple");
    let mut at_once = 0;
    for _ in 0..20 {
        let bodies = page.push(Trigger::Settled);
        at_once += bodies.len();
        for body in bodies {
            let cut = batch(&body);
            let mut server = Server::new("e1");
            server.ahead_ms = -3_600_000;
            // A proxy's clock in the receipts: the device is never told the time it would need.
            let (id, status, answer) = server.receive(&body, page.now);
            let mut problem: ginti_types::Problem = serde_json::from_str(&answer).unwrap();
            problem.receipt.as_mut().unwrap().server_time = Timestamp::from_unix_ms(page.now.0);
            assert_eq!(cut.items.len(), 1);
            page.answer(id, status, serde_json::to_string(&problem).unwrap());
        }
        page.settle();
        let server_time = Timestamp::from_unix_ms(page.now.0);
        page.device = page.machine.announced(Announced { device: page.device.clone(), server_time }).device;
    }
    assert!(at_once <= 3, "sent {at_once} times without a pause");
}

#[test]
fn a_cloned_device_takes_a_new_id_and_resends_by_itself() {
    let mut server = Server::new("e1");
    let mut original = Page::new(1);
    original.scan("apple");
    original.flush(&mut server);
    // The clone counts differently from the same record, in the same millisecond.
    let mut clone = Page::new(1);
    clone.device = original.device.clone();
    clone.items.clone_from(&original.items);
    (original.now, clone.now) = (page_noon(60), page_noon(60));
    original.scan("apple");
    clone.try_count("apple", Count::Set { quantity: quantity(7) }).unwrap();
    original.flush(&mut server);

    let bodies = clone.push(Trigger::Manual);
    let (id, status, answer) = server.receive(&bodies[0], clone.now);
    clone.answer(id, status, answer);
    clone.settle();
    let plan = clone.plan(Trigger::Manual);
    assert!(plan.announce && plan.sends.is_empty(), "nothing goes out before the server knows the new id");
    assert!(!clone.device.retire, "the original goes on under the old one");
    clone.flush(&mut server);
    assert_eq!(clone.truth("apple"), Truth::Confirmed);
    assert_ne!(clone.device.device_id, original.device.device_id);
}

fn page_noon(seconds: i64) -> Moment {
    Moment(NOON_MS + seconds * 1_000)
}

#[test]
fn a_wiped_server_gets_everything_again_without_a_scan() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    for n in 0..5 {
        page.scan(&format!("product-{n}"));
    }
    page.flush(&mut server);
    let mut wiped = Server::new("e2");
    seconds(&mut page, 60);
    let seen = page.machine.seen(Seen {
        now: page.now,
        device: page.device.clone(),
        epoch: wiped.epoch.clone(),
        ledger_seq: 0,
        server_time: wiped.time(page.now),
    });
    assert!(seen.epoch_changed);
    page.device = seen.device;
    page.unconfirm();
    assert_eq!(page.truth("product-0"), Truth::Saved);
    page.flush(&mut wiped);
    assert_eq!(wiped.rows.len(), 5);
    assert_eq!(page.truth("product-0"), Truth::Confirmed);
}

#[test]
fn a_server_put_back_from_a_copy_is_noticed_by_its_shorter_ledger() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    page.scan("apple");
    page.scan("pear");
    page.flush(&mut server);
    let reads_meanwhile = Seen {
        now: page.now,
        device: page.device.clone(),
        epoch: server.epoch.clone(),
        ledger_seq: 1,
        server_time: Timestamp::from_unix_ms(server.time(page.now).unix_ms() + 5_000),
    };
    assert!(!page.machine.seen(reads_meanwhile).epoch_changed, "a list read while a batch was committed is no sign");
    server.rows.clear();
    server.ledger_seq = 0;
    seconds(&mut page, 61);
    page.scan("fig");
    page.flush(&mut server);
    assert_eq!(server.rows.len(), 3, "the receipt of the fig betrayed the loss of the others");
}

#[test]
fn an_answer_of_a_former_history_confirms_nothing() {
    let mut page = Page::new(1);
    let mut old = Server::new("e1");
    page.scan("apple");
    page.flush(&mut old);
    page.scan("pear");
    let bodies = page.push(Trigger::Manual);
    let (id, status, late_answer) = old.receive(&bodies[0], page.now);
    let mut new = Server::new("e2");
    seconds(&mut page, 30);
    let seen = page.machine.seen(Seen {
        now: page.now,
        device: page.device.clone(),
        epoch: new.epoch.clone(),
        ledger_seq: 0,
        server_time: new.time(page.now),
    });
    page.device = seen.device;
    page.unconfirm();
    page.answer(id, status, late_answer);
    page.settle();
    assert_eq!(page.truth("pear"), Truth::Saved);
    page.flush(&mut new);
    assert_eq!(new.rows.len(), 2);
}

fn remote(page: &Page, row: &ginti_types::ItemSeqId, device: &str, revision: Revision, units: i64) -> RemoteItem {
    RemoteItem {
        import_item_seq_id: row.clone(),
        product_id: Some(ginti_types::ProductId::new("apple").unwrap()),
        product_identifier: None,
        quantity: quantity(units),
        revision,
        device_id: ginti_types::DeviceId::new(device).unwrap(),
        counted_at: Timestamp::from_unix_ms(page.now.0),
        counted_by_user_login_id: ginti_types::UserLoginId::new("counter2").unwrap(),
        is_requested: None,
        location_seq_id: None,
        note: None,
        outcome: ginti_types::Outcome::Applied,
    }
}

fn absorb(page: &mut Page, remote: Vec<RemoteItem>) {
    let absorbed = page.machine.absorb(Absorb {
        now: page.now,
        device: page.device.clone(),
        inventory_count_import_id: session(),
        remote,
        local: page.items.values().cloned().collect(),
    });
    page.put(absorbed.device, absorbed.items);
}

#[test]
fn a_refetch_never_overwrites_what_is_not_confirmed_yet() {
    let mut page = Page::new(1);
    let row = page.scan("apple");
    let newer = Revision::from_unix_ms(page.now.0 + 60_000);
    let from_elsewhere = remote(&page, &row, "other-device", newer, 99);
    absorb(&mut page, vec![from_elsewhere.clone()]);
    assert_eq!((page.items[&row].quantity, page.truth("apple")), (quantity(1), Truth::Saved));

    // Once ours is in the server's history, the newer one is taken over, and the next scan is above it.
    let mut server = Server::new("e1");
    server.rows.insert(
        row.clone(),
        (
            ginti_types::Stamp { revision: newer, device_id: from_elsewhere.device_id.clone() },
            page.items[&row].content(),
        ),
    );
    let bodies = page.push(Trigger::Manual);
    let (id, status, answer) = server.receive(&bodies[0], page.now);
    page.answer(id, status, answer);
    assert!(page.settle()[0].refetch);
    absorb(&mut page, vec![from_elsewhere]);
    assert_eq!(page.items[&row].quantity, quantity(99));
    page.scan("apple");
    assert!(page.items[&row].revision > newer);
    assert_eq!(page.items[&row].quantity, quantity(100));
}

#[test]
fn a_row_seen_on_the_server_proves_a_lost_receipt() {
    let mut page = Page::new(1);
    let row = page.scan("apple");
    let item = page.items[&row].clone();
    let mut proof = remote(&page, &row, item.device_id.as_str(), item.revision, 1);
    proof.counted_at = item.counted_at;
    proof.counted_by_user_login_id = item.counted_by_user_login_id.clone();
    absorb(&mut page, vec![proof]);
    assert_eq!(page.truth("apple"), Truth::Confirmed);
}

#[test]
fn rows_of_other_devices_arrive_and_are_not_ours() {
    let mut page = Page::new(1);
    let row = ginti_types::ItemSeqId::new("other-1").unwrap();
    let revision = Revision::from_unix_ms(page.now.0);
    let theirs = remote(&page, &row, "other-device", revision, 5);
    absorb(&mut page, vec![theirs]);
    assert_eq!((page.items[&row].own, page.items[&row].truth), (false, Truth::Confirmed));
    assert_ne!(page.scan("apple"), row, "this device counts in a row of its own");
}

#[test]
fn records_survive_the_way_through_javascript() {
    let mut page = Page::new(1);
    page.scan("apple");
    page.push(Trigger::Manual);
    let ids: BTreeSet<_> = page.deliveries.keys().copied().collect();
    let device = serde_json::to_string(&page.device).unwrap();
    assert_eq!(serde_json::from_str::<crate::record::DeviceRecord>(&device).unwrap(), page.device);
    for item in page.items.values() {
        let json = serde_json::to_string(item).unwrap();
        assert_eq!(serde_json::from_str::<crate::record::ItemRecord>(&json).unwrap(), *item);
    }
    for id in ids {
        let json = serde_json::to_string(&page.deliveries[&id]).unwrap();
        assert_eq!(serde_json::from_str::<crate::record::DeliveryRecord>(&json).unwrap(), page.deliveries[&id]);
    }
}

#[test]
fn a_matched_row_keeps_its_count_and_its_counter_and_goes_out_again() {
    let mut page = Page::new(1);
    let row = page.scan("apple");
    let before = page.items[&row].clone();
    page.now = Moment(page.now.0 + 5_000);
    let matched = page.machine.match_product(MatchIn {
        now: page.now,
        device: page.device.clone(),
        item: before.clone(),
        product_id: ginti_types::ProductId::new("pear").unwrap(),
        is_requested: None,
        matched_by_user_login_id: ginti_types::UserLoginId::new("lead").unwrap(),
    });
    assert_eq!(matched.item.product_id.as_ref().map(ginti_types::ProductId::as_str), Some("pear"));
    assert_eq!(matched.item.import_item_seq_id, before.import_item_seq_id, "moved, not doubled");
    assert_eq!((matched.item.quantity, matched.item.counted_at), (before.quantity, before.counted_at));
    assert_eq!(matched.item.counted_by_user_login_id, before.counted_by_user_login_id);
    assert!(matched.item.revision > before.revision);
    assert_eq!(matched.item.truth, Truth::Saved);
    assert_eq!((matched.scan.before, matched.scan.after), (before.quantity, before.quantity));
}

#[test]
fn a_manifest_names_every_own_row_and_what_is_unsent() {
    let mut page = Page::new(1);
    let apple = page.scan("apple");
    let first = page.items[&apple].revision;
    page.items.get_mut(&apple).expect("counted").truth = Truth::Confirmed;
    page.now = Moment(page.now.0 + 5_000);
    let pear = page.scan("pear");
    let theirs = ginti_types::ItemSeqId::new("other-1").unwrap();
    let other = remote(&page, &theirs, "other-device", Revision::from_unix_ms(page.now.0), 5);
    absorb(&mut page, vec![other]);
    let input = ManifestIn { device: page.device.clone(), items: page.items.values().cloned().collect() };
    let stated = page.machine.manifest(&input);
    let second = page.items[&pear].revision;
    let rows = [(pear.as_str(), second.get()), (apple.as_str(), first.get())];
    assert_eq!(stated.manifest, ginti_types::Manifest::of(rows));
    assert_eq!((stated.unsent, stated.oldest_unsent_at), (1, Some(second.unix_ms())));
}
