//! Stories in which somebody would wait for ever, ask without end, or believe too much.

use ginti_types::{Outcome, Problem, Receipt};

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
