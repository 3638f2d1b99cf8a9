//! Random stories of one device and a bad network: whatever happens, every count arrives.

use proptest::prelude::*;

use super::super::{testkit::*, *};
use crate::record::{DeliveryState, Truth};

/// What can happen to a device and its network.
#[derive(Clone, Debug)]
enum Step {
    Scan(u8),
    Set(u8, u8),
    Plan(bool),
    /// The n-th body ever sent arrives (again).
    Arrive(prop::sample::Index),
    /// Its answer comes back to the page.
    Answer,
    LoseAnswers,
    Settle,
    Wait(u16),
    ClockJump(i16),
    TabDies,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_u8).prop_map(Step::Scan),
        1 => (0..6_u8, any::<u8>()).prop_map(|(product, units)| Step::Set(product, units)),
        3 => any::<bool>().prop_map(Step::Plan),
        3 => any::<prop::sample::Index>().prop_map(Step::Arrive),
        2 => Just(Step::Answer),
        1 => Just(Step::LoseAnswers),
        2 => Just(Step::Settle),
        2 => (0..900_u16).prop_map(Step::Wait),
        1 => any::<i16>().prop_map(Step::ClockJump),
        1 => Just(Step::TabDies),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Lost, repeated, delayed and reordered in any way: once the network is back, every count is on the server with the
    /// quantity on the screen, confirmed, without another scan. And nothing is ever called confirmed that is not there.
    #[test]
    fn whatever_happens_every_count_arrives(steps in prop::collection::vec(step(), 1..120)) {
        let mut page = Page::new(7);
        let mut server = Server::new("e1");
        let mut bodies: Vec<String> = Vec::new();
        let mut answers = Vec::new();
        for step in steps {
            match step {
                Step::Scan(product) => { page.scan(&product.to_string()); }
                Step::Set(product, units) => {
                    page.try_count(&product.to_string(), Count::Set { quantity: quantity(units.into()) }).unwrap();
                }
                Step::Plan(manual) => {
                    server.hear_of(&mut page);
                    let trigger = if manual { Trigger::Manual } else { Trigger::Tick };
                    bodies.extend(page.push(trigger));
                    let open = page.deliveries.values().filter(|d| matches!(d.state, DeliveryState::Cut | DeliveryState::Custody));
                    prop_assert!(open.count() <= 2);
                }
                Step::Arrive(index) if !bodies.is_empty() => {
                    let body = index.get(&bodies).clone();
                    answers.push(server.receive(&body, page.now));
                }
                Step::Answer => if let Some((id, status, body)) = answers.pop() { page.answer(id, status, body) },
                Step::LoseAnswers => answers.clear(),
                Step::Settle => { page.settle(); }
                Step::Wait(seconds) => page.now = page.now.plus_ms(i64::from(seconds) * 1_000),
                Step::ClockJump(minutes) => {
                    page.now = page.now.plus_ms(i64::from(minutes) * 60_000);
                    server.ahead_ms -= i64::from(minutes) * 60_000;
                }
                Step::TabDies => { page.plan(Trigger::Tick); }
                Step::Arrive(_) => {}
            }
            for item in page.items.values().filter(|item| item.truth == Truth::Confirmed) {
                let held = server.rows.get(&item.import_item_seq_id);
                prop_assert!(held.is_some_and(|(stamp, _)| *stamp >= item.stamp()), "confirmed, but not on the server");
            }
        }
        // The network is back. Nobody scans.
        page.now = page.now.plus_ms(3_600_000);
        page.flush(&mut server);
        page.now = page.now.plus_ms(3_600_000);
        page.flush(&mut server);
        for item in page.items.values() {
            prop_assert_eq!(item.truth, Truth::Confirmed);
            prop_assert_eq!(server.rows[&item.import_item_seq_id].1.quantity, item.quantity);
        }
        // And whatever strays in afterwards changes nothing.
        let settled = server.rows.clone();
        for body in &bodies {
            server.receive(body, page.now);
        }
        prop_assert_eq!(&server.rows, &settled);
    }
}
