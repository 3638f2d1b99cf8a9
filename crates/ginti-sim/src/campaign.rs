//! Many stories: seeds shared out over threads, and what the planted bugs cost until they are found.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Result, anyhow};

use crate::{
    mutants::Mutant,
    oracle::{Invariant, Violation},
    scenario::Scenario,
    world::{self, Outcome},
};

/// What many stories came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Stories played.
    pub seeds: u64,
    /// Counts made in them.
    pub counts: u64,
    /// Batches sent.
    pub batches: u64,
    /// The most batches one device sent in a minute.
    pub sends_a_minute: usize,
    /// The longest queue.
    pub longest_queue: usize,
    /// The longest time until everything had arrived.
    pub converged_ms: i64,
    /// What did not hold, by seed.
    pub failed: BTreeMap<u64, Violation>,
}

impl Report {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.seeds += 1;
        self.counts += outcome.counts;
        self.batches += outcome.batches;
        self.sends_a_minute = self.sends_a_minute.max(outcome.sends_a_minute);
        self.longest_queue = self.longest_queue.max(outcome.longest_queue);
        self.converged_ms = self.converged_ms.max(outcome.converged_ms);
        if let Some(violation) = outcome.violation {
            self.failed.insert(seed, violation);
        }
    }
}

/// Plays these seeds. Ends early once so many have failed.
pub fn play(first: u64, seeds: u64, mutant: Option<Mutant>, failures_max: usize) -> Result<Report> {
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let report = Mutex::new(Ok(Report::default()));
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        return;
                    }
                    let seed = first.wrapping_add(number);
                    let outcome = world::run(&Scenario::new(seed), mutant, false);
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    match (&mut *report, outcome) {
                        (Ok(report), Ok(outcome)) => {
                            report.add(seed, outcome);
                            if report.failed.len() >= failures_max {
                                is_over.store(true, Ordering::Relaxed);
                            }
                        }
                        (report @ Ok(_), Err(error)) => {
                            *report = Err(error.context(format!("seed {seed} could not be played")));
                            is_over.store(true, Ordering::Relaxed);
                        }
                        (Err(_), _) => {}
                    }
                }
            });
        }
    });
    report.into_inner().map_err(|_| anyhow!("a story broke off"))?
}

/// What it took to find a planted bug.
#[derive(Debug)]
pub struct Caught {
    /// Seeds played until it was found, from each start; none where it was not.
    pub seeds: Vec<Option<u64>>,
    /// What found it, and how often.
    pub by: BTreeMap<Invariant, usize>,
}

impl Caught {
    /// The median of the starts; none if it was not found from one of them.
    pub fn median(&self) -> Option<u64> {
        let mut seeds: Vec<_> = self.seeds.iter().copied().collect::<Option<_>>()?;
        seeds.sort_unstable();
        seeds.get(seeds.len() / 2).copied()
    }
}

/// Plays seeds with that bug planted until it is found, from each start until one does not find it.
pub fn catch(mutant: Mutant, starts: &[u64], seeds_max: u64) -> Result<Caught> {
    let mut caught = Caught { seeds: Vec::new(), by: BTreeMap::new() };
    for start in starts {
        let found = first_found(mutant, *start, seeds_max)?;
        if let Some((_, invariant)) = found {
            *caught.by.entry(invariant).or_default() += 1;
        }
        caught.seeds.push(found.map(|(seeds, _)| seeds));
        if found.is_none() {
            break;
        }
    }
    Ok(caught)
}

/// Seeds played until something did not hold that does hold without the bug, and what.
fn first_found(mutant: Mutant, start: u64, seeds_max: u64) -> Result<Option<(u64, Invariant)>> {
    let mut from = 0;
    while from < seeds_max {
        // Few at first: most bugs are found at once, and what the other threads play meanwhile is thrown away.
        let seeds = if from == 0 { 4 } else { 64 }.min(seeds_max - from);
        let report = play(start.wrapping_add(from), seeds, Some(mutant), usize::MAX)?;
        for (seed, violation) in report.failed {
            if world::run(&Scenario::new(seed), None, false)?.violation.is_none() {
                return Ok(Some((seed.wrapping_sub(start) + 1, violation.invariant)));
            }
        }
        from += seeds;
    }
    Ok(None)
}
