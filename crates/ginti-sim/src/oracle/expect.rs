//! What a person expects to see: the number in a row after each thing they did, as far as they can know it. A count that was
//! cut off half way may have happened or not, and never twice.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// A device's own row of one thing: device, session, product or code.
pub(crate) type Thing = (usize, String, String);

/// Possible numbers, in millionths; none at all when it may be any.
type Possible = BTreeSet<i64>;

/// Everybody's expectations.
#[derive(Default)]
pub struct Expectations {
    rows: RefCell<BTreeMap<Thing, Possible>>,
    /// While something is being done: what was possible before.
    before: RefCell<BTreeMap<Thing, Possible>>,
    /// Things something may still happen to at any time: begun, and never heard of again while its tab lives.
    wild: RefCell<BTreeSet<Thing>>,
    /// The same for everything in a session: an undo is under way.
    wild_sessions: RefCell<BTreeSet<(usize, String)>>,
}

impl Expectations {
    /// Somebody begins to do something that changes the number in that way; a change that is not possible gives none.
    pub fn begin(&self, thing: &Thing, change: impl Fn(i64) -> Option<i64>) {
        let mut rows = self.rows.borrow_mut();
        let possible = rows.entry(thing.clone()).or_insert_with(|| BTreeSet::from([0]));
        self.before.borrow_mut().insert(thing.clone(), possible.clone());
        let after: Vec<_> = possible.iter().filter_map(|number| change(*number)).collect();
        possible.extend(after);
    }

    /// They were told that it is done: from which number to which. False if that cannot be.
    pub fn done(&self, thing: &Thing, from: i64, to: i64, change: impl Fn(i64) -> Option<i64>) -> bool {
        let before = self.before.borrow_mut().remove(thing).unwrap_or_else(|| BTreeSet::from([0]));
        self.rows.borrow_mut().insert(thing.clone(), BTreeSet::from([to]));
        let is_wild = self.is_wild(thing);
        (is_wild || before.is_empty() || before.contains(&from)) && change(from) == Some(to)
    }

    /// What they did may still happen, whenever its tab runs on.
    pub fn pending(&self, thing: &Thing) {
        self.wild.borrow_mut().insert(thing.clone());
    }

    /// They were told that it could not be done.
    pub fn refused(&self, thing: &Thing) {
        if let Some(before) = self.before.borrow_mut().remove(thing) {
            self.rows.borrow_mut().insert(thing.clone(), before);
        }
    }

    /// Something was taken back: the number was one of the possible ones. False if it was not.
    pub fn undone(&self, thing: &Thing, from: i64, to: i64) -> bool {
        let possible = self.rows.borrow_mut().insert(thing.clone(), BTreeSet::from([to]));
        let is_wild = self.is_wild(thing);
        is_wild || possible.is_none_or(|possible| possible.is_empty() || possible.contains(&from))
    }

    /// An undo may have happened to any row of the session, or not.
    pub fn undo_unknown(&self, device: usize, session: &str, is_pending: bool) {
        let mut rows = self.rows.borrow_mut();
        for (_, possible) in rows.iter_mut().filter(|(thing, _)| thing.0 == device && thing.1 == session) {
            possible.clear();
        }
        if is_pending {
            self.wild_sessions.borrow_mut().insert((device, session.to_owned()));
        }
    }

    fn is_wild(&self, thing: &Thing) -> bool {
        self.wild.borrow().contains(thing) || self.wild_sessions.borrow().contains(&(thing.0, thing.1.clone()))
    }

    /// The device was begun anew, or somebody else wrote its rows.
    pub fn forget(&self, device: usize) {
        self.rows.borrow_mut().retain(|thing, _| thing.0 != device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_cut_off_half_way_happened_once_or_not_at_all() {
        let expectations = Expectations::default();
        let thing = (0, "M1".to_owned(), "10001".to_owned());
        let add = |number| Some(number + 1);
        expectations.begin(&thing, add);
        assert!(expectations.done(&thing, 0, 1, add));
        expectations.begin(&thing, add);
        // Nobody was told how that ended.
        expectations.begin(&thing, add);
        assert!(expectations.done(&thing, 2, 3, add), "it had happened");
        expectations.begin(&thing, add);
        expectations.begin(&thing, add);
        assert!(!expectations.done(&thing, 5, 6, add), "counted twice");
    }
}
