//! What the monkey is going to do: step after step, all of it from one seed and nothing else.
//!
//! Steps are drawn like cards: each deck holds every kind, the frequent ones many times, so that a short run does everything too.

use ginti_fault_proxy::{Dice, Fault, Weather};

/// The stream of chance that steps are drawn from; the proxy's are numbered from 0.
const STREAM: u64 = u64::MAX;
/// Products it counts. Few, so that the same rows are hit again and again.
pub(crate) const PRODUCTS: u64 = 24;

/// One thing it does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Scans a product some times in a row.
    Scan {
        /// Which, by number.
        product: usize,
        /// How often.
        times: u32,
    },
    /// Presses "one more".
    OneMore,
    /// Presses "one less".
    OneLess,
    /// Types a quantity for what was counted last.
    Enter {
        /// In halves.
        halves: u32,
    },
    /// Says that there is none of it.
    EnterNone,
    /// Takes back what was scanned last, some times in a row.
    Undo {
        /// How often.
        times: u32,
    },
    /// Takes back an older entry of the journal.
    TakeBack {
        /// How many that stand are newer.
        newer: usize,
    },
    /// Presses "send now".
    SendNow,
    /// Other weather on the way to the server.
    Weather(Sky),
    /// The network is gone.
    Cut {
        /// The browser is told, and not only left without answers.
        is_told: bool,
    },
    /// The network is back.
    Mend,
    /// Kills the service worker, with everything else where it cannot be killed alone.
    KillWorker,
    /// Loads the page again.
    Reload,
    /// Scans, and loads the page again before anything was acknowledged.
    ScanAndReload {
        /// Which, by number.
        product: usize,
        /// How often.
        times: u32,
    },
    /// Scans, and kills the worker before anything was acknowledged.
    ScanAndKill {
        /// Which, by number.
        product: usize,
        /// How often.
        times: u32,
    },
    /// Goes on in the other tab; opens it when there is none.
    OtherTab,
    /// Closes the other tab.
    CloseTab,
    /// Goes back to the list and into the other count.
    OtherCount,
    /// Looks at the page of this device.
    LookAtDevice,
    /// Looks at the journal.
    LookAtJournal,
    /// Signs out; the other person signs in.
    NextPerson,
    /// Closes the browser and opens it again.
    Reopen,
    /// Does nothing for a while.
    Wait {
        /// How long.
        ms: u64,
    },
}

/// What the way to the server is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sky {
    /// Nothing goes wrong.
    Fair,
    /// So many of a thousand requests are struck by anything.
    Storm(u64),
    /// Each request is struck by that.
    Only(Fault),
}

impl Sky {
    /// The proxy's word for it.
    pub(crate) fn weather(self) -> Weather {
        match self {
            Self::Fair => Weather::fair(),
            Self::Storm(per_mille) => Weather::storm(per_mille),
            Self::Only(fault) => Weather::always(fault),
        }
    }
}

impl Step {
    /// What it is called in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scan { .. } => "scan",
            Self::OneMore => "one more",
            Self::OneLess => "one less",
            Self::Enter { .. } => "enter a quantity",
            Self::EnterNone => "enter none",
            Self::Undo { .. } => "undo",
            Self::TakeBack { .. } => "take back from the journal",
            Self::SendNow => "send now",
            Self::Weather(_) => "other weather",
            Self::Cut { .. } => "network off",
            Self::Mend => "network on",
            Self::KillWorker => "kill the worker",
            Self::Reload => "reload",
            Self::ScanAndReload { .. } => "scan and reload at once",
            Self::ScanAndKill { .. } => "scan and kill the worker at once",
            Self::OtherTab => "other tab",
            Self::CloseTab => "close the other tab",
            Self::OtherCount => "other count",
            Self::LookAtDevice => "look at the device's page",
            Self::LookAtJournal => "look at the journal",
            Self::NextPerson => "sign out, next person in",
            Self::Reopen => "close and open the browser",
            Self::Wait { .. } => "wait",
        }
    }
}

/// A kind of step, its details not drawn yet.
#[derive(Clone, Copy, Debug)]
enum Card {
    Scan,
    OneMore,
    OneLess,
    Enter,
    EnterNone,
    Undo,
    TakeBack,
    SendNow,
    Weather,
    Cut,
    KillWorker,
    Reload,
    ScanAndReload,
    ScanAndKill,
    OtherTab,
    CloseTab,
    OtherCount,
    LookAtDevice,
    LookAtJournal,
    NextPerson,
    Reopen,
    Wait,
}

/// A deck: how many there are of each kind.
const DECK: &[(Card, usize)] = &[
    (Card::Scan, 20),
    (Card::OneMore, 3),
    (Card::OneLess, 2),
    (Card::Enter, 3),
    (Card::EnterNone, 1),
    (Card::Undo, 4),
    (Card::TakeBack, 2),
    (Card::SendNow, 3),
    (Card::Weather, 5),
    (Card::Cut, 3),
    (Card::KillWorker, 3),
    (Card::Reload, 2),
    (Card::ScanAndReload, 2),
    (Card::ScanAndKill, 2),
    (Card::OtherTab, 3),
    (Card::CloseTab, 1),
    (Card::OtherCount, 2),
    (Card::LookAtDevice, 1),
    (Card::LookAtJournal, 1),
    (Card::NextPerson, 1),
    (Card::Reopen, 1),
    (Card::Wait, 3),
];

/// Within so many steps every kind has come: a deck, and the network back that was cut by its last cards.
pub(crate) fn steps_for_all() -> usize {
    DECK.iter().map(|(_, times)| times).sum::<usize>() + 15
}

/// All steps of a seed, without end.
#[derive(Debug)]
pub struct Plan {
    dice: Dice,
    deck: Vec<Card>,
    /// While the network is gone: so many steps until it is back.
    until_mended: Option<u64>,
}

impl Plan {
    /// The plan of that seed.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed, STREAM), deck: Vec::new(), until_mended: None }
    }

    fn draw(&mut self) -> Card {
        if self.deck.is_empty() {
            self.deck = DECK.iter().flat_map(|(card, times)| vec![*card; *times]).collect();
        }
        let at = self.below(self.deck.len() as u64);
        self.deck.swap_remove(at)
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.dice.below(bound)).unwrap_or_default()
    }

    fn times(&mut self, most: u64) -> u32 {
        1 + u32::try_from(self.dice.below(most)).unwrap_or_default()
    }

    /// Half of the scans go to four products: those are counted, corrected and sent at the same time.
    fn product(&mut self) -> usize {
        let among = if self.dice.below(2) == 0 { 4 } else { PRODUCTS };
        self.below(among)
    }

    fn sky(&mut self) -> Sky {
        match self.dice.below(5) {
            0 => Sky::Fair,
            1 => Sky::Only(Fault::ALL[self.below(Fault::ALL.len() as u64)]),
            _ => Sky::Storm(100 + self.dice.below(500)),
        }
    }

    fn step(&mut self, card: Card) -> Step {
        match card {
            Card::Scan => Step::Scan { product: self.product(), times: self.times(4) },
            Card::OneMore => Step::OneMore,
            Card::OneLess => Step::OneLess,
            Card::Enter => Step::Enter { halves: self.times(60) },
            Card::EnterNone => Step::EnterNone,
            Card::Undo => Step::Undo { times: self.times(3) },
            Card::TakeBack => Step::TakeBack { newer: self.below(5) },
            // Without a network it is pressed in vain.
            Card::Cut if self.until_mended.is_some() => Step::SendNow,
            Card::Cut => {
                self.until_mended = Some(1 + self.dice.below(10));
                Step::Cut { is_told: self.dice.below(2) == 0 }
            }
            Card::SendNow => Step::SendNow,
            Card::Weather => Step::Weather(self.sky()),
            Card::KillWorker => Step::KillWorker,
            Card::Reload => Step::Reload,
            Card::ScanAndReload => Step::ScanAndReload { product: self.product(), times: self.times(5) },
            Card::ScanAndKill => Step::ScanAndKill { product: self.product(), times: self.times(5) },
            Card::OtherTab => Step::OtherTab,
            Card::CloseTab => Step::CloseTab,
            Card::OtherCount => Step::OtherCount,
            Card::LookAtDevice => Step::LookAtDevice,
            Card::LookAtJournal => Step::LookAtJournal,
            Card::NextPerson => Step::NextPerson,
            Card::Reopen => Step::Reopen,
            Card::Wait => Step::Wait { ms: 100 + self.dice.below(2_400) },
        }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.until_mended == Some(0) {
            self.until_mended = None;
            return Some(Step::Mend);
        }
        self.until_mended = self.until_mended.map(|left| left - 1);
        let card = self.draw();
        Some(self.step(card))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn steps(seed: u64, count: usize) -> Vec<Step> {
        Plan::new(seed).take(count).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_steps_and_another_seed_others() {
        assert_eq!(steps(7, 2_000), steps(7, 2_000));
        assert_ne!(steps(7, 100), steps(8, 100));
    }

    #[test]
    fn every_kind_comes_with_each_deck() {
        for seed in 0..50 {
            // A network that is back is no card.
            let names: BTreeSet<_> = steps(seed, steps_for_all()).into_iter().map(Step::name).collect();
            assert_eq!(names.len(), DECK.len() + 1, "seed {seed}: {names:?}");
        }
    }

    #[test]
    fn a_network_that_is_gone_comes_back_before_it_goes_again() {
        let mut is_down = false;
        for step in steps(3, 5_000) {
            match step {
                Step::Cut { .. } => assert!(!std::mem::replace(&mut is_down, true)),
                Step::Mend => assert!(std::mem::replace(&mut is_down, false)),
                _ => {}
            }
        }
    }
}
