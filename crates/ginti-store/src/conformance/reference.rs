//! The merge rule over a table in memory: what a store's table and receipts are compared with.

use std::collections::BTreeMap;

use ginti_types::{Outcome, Stamp, Verdict, merge};

/// One delivery: the row, its stamp and its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) item: String,
    pub(super) stamp: Stamp,
    pub(super) units: i64,
}

/// Rows as they hold, and how often each outcome added to history.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) table: BTreeMap<String, (Stamp, i64)>,
    pub(super) history: BTreeMap<(String, Stamp), i64>,
}

impl Reference {
    /// Delivers a write to a session that takes counts; what the receipt must say.
    pub(super) fn deliver(&mut self, write: &Write) -> Outcome {
        let name = (write.item.clone(), write.stamp.clone());
        if self.history.get(&name).is_some_and(|units| *units != write.units) {
            return Outcome::Rejected;
        }
        self.history.insert(name, write.units);
        let held = self.table.get(&write.item);
        match merge(held.map(|(stamp, _)| stamp), &write.stamp, || held.is_some_and(|(_, units)| *units == write.units))
        {
            Verdict::Apply => {
                self.table.insert(write.item.clone(), (write.stamp.clone(), write.units));
                Outcome::Applied
            }
            Verdict::Duplicate => Outcome::Duplicate,
            Verdict::Superseded => Outcome::Superseded,
            Verdict::RevisionReused => Outcome::Rejected,
        }
    }
}

/// A small seeded generator (SplitMix64): the same draws on every machine.
#[derive(Debug)]
pub(super) struct Draws(pub(super) u64);

impl Draws {
    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Any order.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.below(last as u64 + 1);
            list.swap(last, usize::try_from(other).expect("below the list's length"));
        }
    }
}
