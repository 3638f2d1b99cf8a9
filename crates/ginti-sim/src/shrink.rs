//! Makes a failing story small: takes out devices, faults and steps as long as the same invariant still fails.

use anyhow::Result;

use crate::{
    mutants::Mutant,
    oracle::{Invariant, Violation},
    scenario::Scenario,
    shop, world,
};

/// Stories played to make one smaller, at most.
const TRIES_MAX: u32 = 400;

/// A small story and what fails in it.
pub fn shrink(scenario: &Scenario, mutant: Option<Mutant>, violation: &Violation) -> Result<(Scenario, Violation)> {
    let mut shrinker = Shrinker {
        mutant,
        invariant: violation.invariant,
        tries: 0,
        best: scenario.clone(),
        violation: violation.clone(),
    };
    shrinker.cut_off()?;
    shrinker.without_devices()?;
    shrinker.thin(|scenario| scenario.faults.len(), |scenario, from, to| drop(scenario.faults.drain(from..to)))?;
    for at in 0..shrinker.best.devices.len() {
        shrinker.thin(
            |scenario| scenario.devices[at].steps.len(),
            |scenario, from, to| drop(scenario.devices[at].steps.drain(from..to)),
        )?;
    }
    shrinker.without_devices()?;
    Ok((shrinker.best, shrinker.violation))
}

struct Shrinker {
    mutant: Option<Mutant>,
    invariant: Invariant,
    tries: u32,
    best: Scenario,
    violation: Violation,
}

impl Shrinker {
    fn keep_if_it_fails(&mut self, smaller: Scenario) -> Result<bool> {
        if self.tries >= TRIES_MAX {
            return Ok(false);
        }
        self.tries += 1;
        let found = world::run(&smaller, self.mutant, false)?.violation;
        let Some(violation) = found.filter(|violation| violation.invariant == self.invariant) else { return Ok(false) };
        self.best = smaller;
        self.violation = violation;
        Ok(true)
    }

    /// What was to happen after the failure is not needed for it.
    fn cut_off(&mut self) -> Result<()> {
        let mut smaller = self.best.clone();
        let end_ms = self.violation.at_ms - shop::START_MS;
        smaller.faults.retain(|fault| fault.at_ms <= end_ms);
        for device in &mut smaller.devices {
            device.steps.retain(|step| step.at_ms <= end_ms);
        }
        self.keep_if_it_fails(smaller).map(|_| ())
    }

    fn without_devices(&mut self) -> Result<()> {
        let mut at = 0;
        while at < self.best.devices.len() && self.best.devices.len() > 1 {
            let mut smaller = self.best.clone();
            let gone = smaller.devices.remove(at).index;
            smaller.faults.retain(|fault| fault.device != Some(gone));
            if !self.keep_if_it_fails(smaller)? {
                at += 1;
            }
        }
        Ok(())
    }

    /// Takes out ever smaller runs of a list.
    fn thin(&mut self, len: impl Fn(&Scenario) -> usize, remove: impl Fn(&mut Scenario, usize, usize)) -> Result<()> {
        let mut size = len(&self.best).div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < len(&self.best) {
                let to = (from + size).min(len(&self.best));
                let mut smaller = self.best.clone();
                remove(&mut smaller, from, to);
                if !self.keep_if_it_fails(smaller)? {
                    from = to;
                }
            }
            size /= 2;
        }
        Ok(())
    }
}
