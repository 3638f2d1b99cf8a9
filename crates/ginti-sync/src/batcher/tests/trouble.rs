//! Stories in which somebody would wait for ever, ask without end, or believe too much.

use ginti_types::{ItemSeqId, Outcome, Problem, Receipt, UserLoginId};

use super::super::{testkit::*, *};
use crate::record::Truth;

#[test]
fn a_device_that_cannot_tell_its_new_id_does_not_ask_without_end() {
    let mut page = Page::new(1);
    page.scan("apple");
    page.device.next_device_id = Some(ginti_types::DeviceId::new("next").unwrap());
    page.now = page.now.plus_ms(3_600_000);
    let plan = page.plan(Trigger::Tick);
    assert!(plan.announce && plan.sends.is_empty());
    let wait_ms = plan.wake_at.expect("counts wait").0 - page.now.0;
    assert!(wait_ms >= page.machine.config().cadence_ms, "asked again after {wait_ms} ms");
}

#[test]
fn a_restored_server_is_noticed_by_a_device_that_never_stops_talking_to_it() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    for n in 0..20 {
        page.scan(&format!("product-{n}"));
    }
    page.flush(&mut server);
    server.rows.clear();
    server.ledger_seq = 0;
    for _ in 0..8 {
        page.now = page.now.plus_ms(20_000);
        page.scan("fig");
        page.flush(&mut server);
    }
    assert_eq!(server.rows.len(), 21, "what the copy lacked was sent again");
}

#[test]
fn a_receipt_is_read_by_row_and_not_by_place() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    let poison = page.scan("apple");
    page.scan("pear");
    server.poison.push(poison);
    let bodies = page.push(Trigger::Manual);
    let (id, status, answer) = server.receive(&bodies[0], page.now);
    let mut problem: Problem = serde_json::from_str(&answer).unwrap();
    let receipt: &mut Receipt = problem.receipt.as_mut().unwrap();
    receipt.items.reverse();
    assert_eq!(receipt.items[1].outcome, Outcome::Rejected);
    page.answer(id, status, serde_json::to_string(&problem).unwrap());
    page.settle();
    assert_eq!(page.truth("apple"), Truth::Refused);
    assert_eq!(page.truth("pear"), Truth::Confirmed);
}

#[test]
fn a_receipt_that_does_not_name_a_row_says_nothing_about_it() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    page.scan("apple");
    page.scan("pear");
    let bodies = page.push(Trigger::Manual);
    let (id, status, answer) = server.receive(&bodies[0], page.now);
    let mut receipt: Receipt = serde_json::from_str(&answer).unwrap();
    receipt.items.pop();
    page.answer(id, status, serde_json::to_string(&receipt).unwrap());
    page.settle();
    assert_eq!(page.truth("apple"), Truth::Confirmed);
    assert_eq!(page.truth("pear"), Truth::Saved, "neither confirmed nor refused: it goes out again");
}

#[test]
fn a_device_whose_every_answer_is_given_a_second_time_still_learns_the_time() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    server.ahead_ms = -73 * 3_600_000;
    page.scan("apple");
    for _ in 0..3 {
        server.hear_of(&mut page);
        let bodies = page.push(Trigger::Manual);
        let Some(body) = bodies.first() else { break };
        let (id, status, answer) = server.receive(body, page.now);
        page.now = page.now.plus_ms(50_000);
        page.answer_again(id, status, answer);
        page.settle();
        page.now = page.now.plus_ms(60_000);
    }
    assert_eq!(page.truth("apple"), Truth::Confirmed, "stamped by the server's clock");
    assert_eq!(page.device.skew_ms, server.ahead_ms - 50_000, "not later than it can be");
}

#[test]
fn an_answer_given_a_second_time_does_not_spoil_what_is_known_of_the_time() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    page.scan("apple");
    page.flush(&mut server);
    page.scan("pear");
    let bodies = page.push(Trigger::Manual);
    let (id, status, answer) = server.receive(&bodies[0], page.now);
    page.now = page.now.plus_ms(40 * 60_000);
    page.answer_again(id, status, answer);
    page.settle();
    assert_eq!(page.truth("pear"), Truth::Confirmed);
    assert_eq!(page.device.skew_ms, 0);
}

/// The server's row as another device's list would bring it.
fn absorb_row_of(page: &mut Page, server: &Server, row: &ItemSeqId) {
    let (stamp, content) = server.rows[row].clone();
    let remote = RemoteItem {
        import_item_seq_id: row.clone(),
        product_id: content.product_id,
        product_identifier: content.product_identifier,
        quantity: content.quantity,
        revision: stamp.revision,
        device_id: stamp.device_id,
        counted_at: content.counted_at.expect("counts say when"),
        counted_by_user_login_id: content.counted_by_user_login_id.expect("counts name their counter"),
        is_requested: None,
        location_seq_id: None,
        note: content.note,
        outcome: Outcome::Applied,
    };
    let absorbed = page.machine.absorb(Absorb {
        now: page.now,
        device: page.device.clone(),
        inventory_count_import_id: session(),
        remote: vec![remote],
        local: page.items.values().cloned().collect(),
    });
    page.put(absorbed.device, absorbed.items);
}

fn correct(page: &mut Page, row: &ItemSeqId, units: i64) {
    let counted = page
        .machine
        .count(CountIn {
            now: page.now,
            device: page.device.clone(),
            item: Some(page.items[row].clone()),
            row: None,
            count: Count::Set { quantity: quantity(units) },
            counted_by_user_login_id: UserLoginId::new("counter").unwrap(),
            product_identifier: None,
        })
        .expect("a correction fits");
    page.put(counted.device, vec![counted.item]);
}

fn learns_of(page: &mut Page, server: &Server) {
    let seen = page.machine.seen(Seen {
        now: page.now,
        device: page.device.clone(),
        epoch: server.epoch.clone(),
        ledger_seq: server.ledger_seq,
        server_time: server.time(page.now),
    });
    assert!(seen.epoch_changed);
    page.device = seen.device;
    page.unconfirm();
}

#[test]
fn after_a_wipe_each_device_brings_back_what_was_counted_on_it_and_nothing_else() {
    let (mut first, mut second) = (Page::new(1), Page::new(2));
    let mut server = Server::new("e1");
    let row = first.scan("apple");
    first.scan("pear");
    first.flush(&mut server);
    absorb_row_of(&mut second, &server, &row);
    assert!(!second.items[&row].counted_here);
    second.now = second.now.plus_ms(60_000);
    correct(&mut second, &row, 7);
    assert!(second.items[&row].counted_here);
    second.flush(&mut server);
    first.now = first.now.plus_ms(120_000);
    absorb_row_of(&mut first, &server, &row);
    assert_eq!(first.items[&row].quantity, quantity(7));
    assert!(first.items[&row].own && !first.items[&row].counted_here, "its row, another's count");

    let mut wiped = Server::new("e2");
    for page in [&mut first, &mut second] {
        page.now = page.now.plus_ms(600_000);
        learns_of(page, &wiped);
    }
    first.flush(&mut wiped);
    assert_eq!(wiped.rows.len(), 1, "the pear; who counted the apple last brings it");
    second.flush(&mut wiped);
    let (stamp, content) = &wiped.rows[&row];
    assert_eq!(content.quantity, quantity(7));
    assert_eq!(stamp.device_id, second.device.device_id);
}

#[test]
fn a_device_that_heard_nothing_for_long_asks_how_the_server_stands() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    let standing_ms = page.machine.config().standing_ms;
    page.now = page.now.plus_ms(2 * standing_ms);
    assert!(!page.plan(Trigger::Tick).ask, "what never met a server has nothing to compare");
    page.scan("apple");
    page.flush(&mut server);
    let heard_at = page.now;
    page.now = heard_at.plus_ms(standing_ms - 60_000);
    assert!(!page.plan(Trigger::Tick).ask);
    page.now = heard_at.plus_ms(standing_ms + 60_000);
    assert!(!page.plan(Trigger::Online).ask, "a whole fleet hears of the network at once");
    assert!(page.plan(Trigger::Tick).ask);
    page.now = page.now.plus_ms(15_000);
    assert!(!page.plan(Trigger::Tick).ask, "asked, and without an answer so far");
    page.now = page.now.plus_ms(standing_ms);
    assert!(page.plan(Trigger::Tick).ask, "asked again when there was none");
}

#[test]
fn a_clock_set_back_does_not_stop_the_asking() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    page.scan("apple");
    page.flush(&mut server);
    page.now = page.now.plus_ms(-30 * 24 * 3_600_000);
    let asks = (0..100).any(|_| {
        page.now = page.now.plus_ms(15_000);
        page.plan(Trigger::Tick).ask
    });
    assert!(asks, "nobody asks for a month");
}

#[test]
fn a_backlog_longer_than_a_plan_goes_on_as_soon_as_there_is_room() {
    let mut page = Page::new(1);
    let mut server = Server::new("e1");
    page.machine = Batcher::new(BatcherConfig {
        batch_items_max: 3,
        outstanding_max: 2,
        outstanding_full_max: 4,
        ..BatcherConfig::default()
    });
    for n in 0..20 {
        page.scan(&format!("product-{n}"));
    }
    let begun = page.now;
    let mut sizes = Vec::new();
    let mut trigger = Trigger::Manual;
    loop {
        let bodies = page.push(trigger);
        assert!(bodies.len() <= 4, "full ones may be more than two");
        sizes.extend(bodies.iter().map(|body| super::batch(body).items.len()));
        for body in &bodies {
            let (id, status, answer) = server.receive(body, page.now);
            page.answer(id, status, answer);
        }
        if !page.settle().iter().any(|settled| settled.plan_now) {
            break;
        }
        trigger = Trigger::Settled;
    }
    assert_eq!(sizes, [3, 3, 3, 3, 3, 3, 2]);
    assert_eq!(page.now, begun, "without waiting for the cadence");
}

#[test]
fn a_device_whose_record_is_damaged_counts_on_and_each_row_has_an_id_of_its_own() {
    let mut page = Page::new(1);
    page.device.next_item_seq = u64::MAX;
    page.device.batch_items_max = usize::MAX;
    let mut rows: Vec<_> = ["apple", "fig", "plum"].iter().map(|product| page.scan(product)).collect();
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 3, "{rows:?}");
    let mut server = Server::new("e1");
    page.flush(&mut server);
    assert_eq!(server.rows.len(), 3);
    assert_eq!(page.device.batch_items_max, page.machine.config().batch_items_max);
}
