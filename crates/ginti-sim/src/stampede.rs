//! Ten thousand devices that come back in the same second: what reaches the server, second by second.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::{
    chance::Chance,
    oracle::Violation,
    scenario::{Act, Bad, DevicePlan, Fault, Kind, Scenario, Step, What},
    world,
};

/// Requests that may reach the server within one second, for each thousand devices that come back at once.
pub const PEAK_FOR_A_THOUSAND: u64 = 300;

/// How a fleet came back.
#[derive(Debug)]
pub struct Stampede {
    /// Devices.
    pub devices: usize,
    /// Requests in the busiest second after the network was back.
    pub peak: u64,
    /// Requests in the first minute.
    pub first_minute: u64,
    /// What did not hold.
    pub violation: Option<Violation>,
}

impl Stampede {
    /// Whether the fleet was a good citizen.
    pub fn holds(&self) -> bool {
        self.violation.is_none() && self.peak <= PEAK_FOR_A_THOUSAND * self.devices.div_ceil(1_000) as u64
    }
}

const MINUTE_MS: i64 = 60_000;
/// When the chain's network goes, and when it is back.
const GONE_MS: i64 = 20 * MINUTE_MS;
const BACK_MS: i64 = 110 * MINUTE_MS;

/// Signs everybody in over a quarter of an hour, takes the network away, has everybody count, and gives it back.
pub fn run(seed: u64, devices: usize) -> Result<Stampede> {
    let plan = |index: usize| {
        let mut chance = Chance::of(seed, "stampede", index as u64);
        let kind = chance.weighted(&[(4, Kind::Chromium), (2, Kind::Firefox), (1, Kind::NoWorker)]);
        let signs_in_ms = chance.within(0, 15 * MINUTE_MS);
        let scan = |at_ms, product| Step { at_ms, act: Act::Scan { session: 0, product } };
        let mut steps =
            vec![Step { at_ms: signs_in_ms, act: Act::OpenTab { shift: false } }, scan(signs_in_ms + 2_000, 1)];
        steps.extend((0..3_u8).map(|product| scan(GONE_MS + MINUTE_MS + chance.within(0, 60 * MINUTE_MS), product)));
        steps.sort_by_key(|step| step.at_ms);
        DevicePlan { index, kind, clock_ms: 0, person: u8::try_from(index % 4).unwrap_or(0), steps }
    };
    let gone = Fault { at_ms: GONE_MS, until_ms: BACK_MS, device: None, what: What::Bad(Bad::Offline) };
    let devices_planned = (0..devices).map(plan).collect();
    let scenario = Scenario { seed, length_ms: BACK_MS + 10 * MINUTE_MS, devices: devices_planned, faults: vec![gone] };
    let outcome = world::run_counting(&scenario, BACK_MS)?;
    let arrivals: &BTreeMap<i64, u64> = &outcome.arrivals;
    Ok(Stampede {
        devices,
        peak: arrivals.values().copied().max().unwrap_or(0),
        first_minute: arrivals.range(..60).map(|(_, requests)| requests).sum(),
        violation: outcome.violation,
    })
}
