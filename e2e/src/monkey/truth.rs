//! What the monkey would swear to: each thing it did, once the app had shown it as done, and what follows from it by the app's rules.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::Tally;

/// All counts.
#[derive(Debug, Default)]
pub struct Truth {
    counts: BTreeMap<String, Journal>,
}

/// What was done in one count, and what it comes to.
#[derive(Debug, Default)]
struct Journal {
    entries: Vec<Entry>,
    held: BTreeMap<String, Held>,
}

#[derive(Debug)]
struct Entry {
    product: String,
    change: f64,
    is_taken_back: bool,
}

/// A product in a count.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// How many.
    pub quantity: f64,
    /// Who counted it last.
    pub by: String,
}

/// What a correction does to a product.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// So many more, or fewer.
    By(f64),
    /// Exactly so many.
    To(f64),
}

/// What became of taking something back.
#[derive(Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// It is.
    Done,
    /// There was nothing that stands.
    Nothing,
    /// The count would have been below zero: the app says so, and nothing changes.
    BelowZero,
}

impl Truth {
    /// A scan or a correction that the app has shown.
    pub fn count(&mut self, count: &str, person: &str, product: &str, change: Change) {
        let journal = self.counts.entry(count.to_owned()).or_default();
        let before = journal.quantity(product);
        let after = match change {
            Change::By(change) => before + change,
            Change::To(quantity) => quantity,
        };
        journal.entries.push(Entry { product: product.to_owned(), change: after - before, is_taken_back: false });
        journal.hold(product, after, person);
    }

    /// Takes back what stands, `newer` of which are newer: its change is undone, whatever happened since.
    pub fn take_back(&mut self, count: &str, person: &str, newer: usize) -> TakenBack {
        let journal = self.counts.entry(count.to_owned()).or_default();
        let standing = journal.entries.iter_mut().rev().filter(|entry| !entry.is_taken_back).nth(newer);
        let Some(entry) = standing else { return TakenBack::Nothing };
        let (product, change) = (entry.product.clone(), entry.change);
        let after = journal.held.get(&product).map_or(0.0, |held| held.quantity) - change;
        if after < 0.0 {
            return TakenBack::BelowZero;
        }
        entry.is_taken_back = true;
        journal.hold(&product, after, person);
        TakenBack::Done
    }

    /// Up to `most` scans were made and not acknowledged; so many does the app say it has. How many of them were counted.
    pub fn settle(&mut self, count: &str, person: &str, product: &str, most: u32, seen: f64) -> Result<u32> {
        let before = self.quantity(count, product);
        let counted = (0..=most).find(|times| (before + f64::from(*times) - seen).abs() < 1e-9);
        ensure!(
            counted.is_some(),
            "product {product}: {before} were acknowledged and {most} more scanned, and it says {seen}"
        );
        let counted = counted.unwrap_or_default();
        for _ in 0..counted {
            self.count(count, person, product, Change::By(1.0));
        }
        Ok(counted)
    }

    /// How many there are of a product.
    pub fn quantity(&self, count: &str, product: &str) -> f64 {
        self.counts.get(count).map_or(0.0, |journal| journal.quantity(product))
    }

    /// What the screen has to show of a count.
    pub fn tally(&self, count: &str) -> Tally {
        self.held(count).map(|(product, held)| (product.clone(), held.quantity)).collect()
    }

    /// Every product of a count.
    pub fn held(&self, count: &str) -> impl Iterator<Item = (&String, &Held)> {
        self.counts.get(count).into_iter().flat_map(|journal| &journal.held)
    }

    /// Entries of all journals, and those of them that were taken back.
    pub fn entries(&self) -> (usize, usize) {
        let all = || self.counts.values().flat_map(|journal| &journal.entries);
        (all().count(), all().filter(|entry| entry.is_taken_back).count())
    }
}

impl Journal {
    fn quantity(&self, product: &str) -> f64 {
        self.held.get(product).map_or(0.0, |held| held.quantity)
    }

    fn hold(&mut self, product: &str, quantity: f64, person: &str) {
        self.held.insert(product.to_owned(), Held { quantity, by: person.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(times: u32) -> Truth {
        let mut truth = Truth::default();
        for _ in 0..times {
            truth.count("A", "asha", "1", Change::By(1.0));
        }
        truth
    }

    fn of(products: &[(&str, f64)]) -> Tally {
        products.iter().map(|(product, quantity)| ((*product).to_owned(), *quantity)).collect()
    }

    #[test]
    fn taking_back_the_only_scan_leaves_a_counted_zero() {
        let mut truth = scanned(1);
        assert_eq!(truth.take_back("A", "ben", 0), TakenBack::Done);
        assert_eq!(truth.tally("A"), of(&[("1", 0.0)]));
        assert_eq!(truth.held("A").next().map(|(_, held)| held.by.as_str()), Some("ben"));
        assert_eq!(truth.take_back("A", "ben", 0), TakenBack::Nothing);
        assert_eq!(truth.entries(), (1, 1));
    }

    #[test]
    fn what_was_set_is_taken_back_to_what_was_before_and_counts_do_not_mix() {
        let mut truth = scanned(2);
        truth.count("A", "asha", "1", Change::To(7.5));
        truth.count("B", "asha", "1", Change::By(1.0));
        truth.take_back("A", "asha", 0);
        assert_eq!((truth.tally("A"), truth.tally("B")), (of(&[("1", 2.0)]), of(&[("1", 1.0)])));
    }

    #[test]
    fn an_older_entry_is_taken_back_whatever_came_after_it_but_never_below_zero() {
        let mut truth = scanned(1);
        truth.count("A", "asha", "2", Change::By(1.0));
        truth.count("A", "asha", "1", Change::By(1.0));
        assert_eq!(truth.take_back("A", "asha", 2), TakenBack::Done);
        assert_eq!(truth.tally("A"), of(&[("1", 1.0), ("2", 1.0)]));
        truth.count("A", "asha", "1", Change::To(0.0));
        assert_eq!(truth.take_back("A", "asha", 1), TakenBack::BelowZero);
        assert_eq!(truth.take_back("A", "asha", 0), TakenBack::Done);
        assert_eq!(truth.tally("A"), of(&[("1", 1.0), ("2", 1.0)]));
    }

    #[test]
    fn of_what_was_not_acknowledged_any_part_may_have_been_counted_but_nothing_else() {
        let mut truth = scanned(2);
        assert!(truth.settle("A", "asha", "1", 3, 1.0).is_err(), "less than was acknowledged");
        assert!(truth.settle("A", "asha", "1", 3, 6.0).is_err(), "more than was scanned");
        assert!(truth.settle("A", "asha", "1", 3, 3.5).is_err(), "half a scan");
        assert_eq!(truth.settle("A", "asha", "1", 3, 4.0).expect("two of three"), 2);
        assert_eq!(truth.tally("A"), of(&[("1", 4.0)]));
        truth.take_back("A", "asha", 0);
        assert_eq!(truth.tally("A"), of(&[("1", 3.0)]), "each of them by itself");
    }
}
