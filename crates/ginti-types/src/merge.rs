//! The merge rule (DESIGN.md section 5): an item is a last-writer-wins register ordered by stamp.
//!
//! One pure function, used by the server for what arrives and by the device for what it fetches back. Because it only
//! compares stamps, deliveries commute, associate and are idempotent: any multiset of them in any order gives one state.

use crate::Stamp;

/// What an incoming write does to the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The incoming write is newer (or the first): it takes the place of the stored one.
    Apply,
    /// It is the stored write, delivered again.
    Duplicate,
    /// A newer write is stored: the incoming one goes to history only.
    Superseded,
    /// The same stamp with other content: a cloned or restored device. Refused.
    RevisionReused,
}

/// Decides what `incoming` does to `stored`. `same_content` is asked only when the stamps are equal.
///
/// ```
/// use ginti_types::{merge, Verdict, Stamp, Revision, DeviceId};
/// let stamp = |revision, device: &str| Stamp {
///     revision: Revision::new(revision).unwrap(),
///     device_id: DeviceId::new(device).unwrap(),
/// };
/// assert_eq!(merge(None, &stamp(1, "a"), || true), Verdict::Apply);
/// assert_eq!(merge(Some(&stamp(2, "a")), &stamp(1, "b"), || true), Verdict::Superseded);
/// assert_eq!(merge(Some(&stamp(2, "a")), &stamp(2, "b"), || true), Verdict::Apply);
/// ```
pub fn merge(stored: Option<&Stamp>, incoming: &Stamp, same_content: impl FnOnce() -> bool) -> Verdict {
    let Some(stored) = stored else { return Verdict::Apply };
    match incoming.cmp(stored) {
        std::cmp::Ordering::Greater => Verdict::Apply,
        std::cmp::Ordering::Less => Verdict::Superseded,
        std::cmp::Ordering::Equal if same_content() => Verdict::Duplicate,
        std::cmp::Ordering::Equal => Verdict::RevisionReused,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{DeviceId, Quantity, Revision};
    use proptest::prelude::*;

    type Item = u8;
    type State = BTreeMap<Item, (Stamp, Quantity)>;
    type Write = (Item, Stamp, Quantity);

    /// A write's content follows from its stamp and item, as it does for a device that never reuses a revision.
    fn write(item: Item, revision: u64, device: u8) -> Write {
        let stamp = Stamp {
            revision: Revision::new(revision).unwrap(),
            device_id: DeviceId::new(format!("device-{device}")).unwrap(),
        };
        let micros = i64::from(item) * 1_000 + i64::try_from(revision).unwrap() * 10 + i64::from(device);
        (item, stamp, Quantity::from_micros(micros).unwrap())
    }

    fn deliver(state: &mut State, (item, stamp, quantity): &Write) -> Verdict {
        let stored = state.get(item);
        let verdict = merge(stored.map(|(stamp, _)| stamp), stamp, || stored.is_some_and(|(_, held)| held == quantity));
        if verdict == Verdict::Apply {
            state.insert(*item, (stamp.clone(), *quantity));
        }
        verdict
    }

    fn deliver_all<'a>(writes: impl IntoIterator<Item = &'a Write>) -> State {
        let mut state = State::new();
        for write in writes {
            deliver(&mut state, write);
        }
        state
    }

    /// The join of two replicas' states: each side's rows delivered to the other.
    fn join(left: &State, right: &State) -> State {
        let mut joined = left.clone();
        for (item, (stamp, quantity)) in right {
            deliver(&mut joined, &(*item, stamp.clone(), *quantity));
        }
        joined
    }

    fn writes() -> impl Strategy<Value = Vec<Write>> {
        proptest::collection::vec((0..4_u8, 1..8_u64, 0..3_u8).prop_map(|(i, r, d)| write(i, r, d)), 0..24)
    }

    /// The writes, some of them several times, in some order.
    fn deliveries() -> impl Strategy<Value = (Vec<Write>, Vec<Write>)> {
        writes().prop_flat_map(|writes| {
            let repeats = proptest::collection::vec(1..4_usize, writes.len());
            (Just(writes), repeats).prop_flat_map(|(writes, repeats)| {
                let multiset: Vec<_> =
                    writes.iter().zip(repeats).flat_map(|(write, n)| std::iter::repeat_n(write.clone(), n)).collect();
                (Just(writes), Just(multiset).prop_shuffle())
            })
        })
    }

    proptest! {
        #[test]
        fn any_multiset_in_any_order_gives_one_state((once, many_times_shuffled) in deliveries()) {
            prop_assert_eq!(deliver_all(&once), deliver_all(&many_times_shuffled));
        }

        #[test]
        fn joins_commute_associate_and_are_idempotent(a in writes(), b in writes(), c in writes()) {
            let (a, b, c) = (deliver_all(&a), deliver_all(&b), deliver_all(&c));
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
            prop_assert_eq!(&join(&a, &a), &a);
        }

        #[test]
        fn the_state_is_the_newest_stamp_of_each_item(writes in writes()) {
            for (item, (stamp, _)) in deliver_all(&writes) {
                let newest = writes.iter().filter(|write| write.0 == item).map(|write| &write.1).max();
                prop_assert_eq!(Some(&stamp), newest);
            }
        }

        #[test]
        fn a_redelivery_is_never_applied(writes in writes(), again in any::<proptest::sample::Index>()) {
            prop_assume!(!writes.is_empty());
            let mut state = deliver_all(&writes);
            let before = state.clone();
            let verdict = deliver(&mut state, again.get(&writes));
            prop_assert!(matches!(verdict, Verdict::Duplicate | Verdict::Superseded));
            prop_assert_eq!(state, before);
        }
    }

    #[test]
    fn the_same_stamp_with_other_content_is_refused_and_changes_nothing() {
        let mut state = deliver_all(&[write(1, 5, 1)]);
        let before = state.clone();
        let (item, stamp, quantity) = write(1, 5, 1);
        let other = quantity.checked_add(Quantity::ONE).unwrap();
        assert_eq!(deliver(&mut state, &(item, stamp, other)), Verdict::RevisionReused);
        assert_eq!(state, before);
    }
}
