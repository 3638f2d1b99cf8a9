//! Soak: half of what the server can do, for a long while, a quarter of it through a hostile network. Its memory stays flat, it
//! complains of nothing, and in the end each count is there, once.

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use ginti_fault_proxy::{Proxy, Weather};
use tokio::sync::Semaphore;

use crate::{
    fleet::{Fleet, Manner},
    kills::look,
    load::lock,
    server::{Program, Reader, Server},
};

/// How long, how hard.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Devices.
    pub devices: u32,
    /// How long at half of the peak.
    pub length: Duration,
    /// How long the peak is measured.
    pub peak: Duration,
    /// What chance follows from.
    pub seed: u64,
}

/// Of a thousand exchanges in the hostile network, so many are struck.
const STRUCK: u64 = 150;
/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How far memory may be above where it was, in a hundred: what an allocator keeps varies.
const FLAT_PERCENT: u64 = 115;

/// Measures the peak, holds half of it, looks; a report in a sentence.
pub async fn run(program: &Program, options: Options) -> Result<String> {
    let server = program.start(0, None).await?;
    let reader = Reader::sign_in(server.address).await?;
    let proxy = Proxy::start(server.address, options.seed).await?;
    proxy.set(Weather::storm(STRUCK));
    let permits = Arc::new(Semaphore::new(0));
    let manner = Manner {
        devices: options.devices,
        batches_each: None,
        in_flight: 256,
        storm: Some(format!("http://{}", proxy.address())),
        pace: Some(Arc::clone(&permits)),
        seed: options.seed,
    };
    let fleet = Fleet::begin(&reader, &manner);
    permits.add_permits(Semaphore::MAX_PERMITS / 2);
    let (before, since) = (lock(&fleet.truth).batches, Instant::now());
    tokio::time::sleep(options.peak).await;
    let peak = per_second(lock(&fleet.truth).batches - before, since.elapsed());
    permits.forget_permits(Semaphore::MAX_PERMITS);
    let memory = hold(&server, &fleet, &permits, peak / 2, options.length).await?;
    permits.add_permits(Semaphore::MAX_PERMITS / 2);
    fleet.call_home();
    let (truth, numbers) = fleet.home().await?;
    proxy.set(Weather::fair());
    let ledger_seq = look(&reader, &truth, 0).await?;
    let truth = lock(&truth);
    truth.settled(ledger_seq)?;
    let (early, late) = is_flat(&memory)?;
    complains_of_nothing(program.log.as_deref())?;
    let struck: u64 = proxy.tally().iter().map(|(_, times)| times).sum();
    Ok(format!(
        "{} s at {} batches a second, half of the peak; {} counts in {} batches; {struck} of {} exchanges struck in the hostile network, {} \
         requests given up, {} asked to come back; memory {early} KB in the first third and {late} KB in the last; each count is there, once",
        options.length.as_secs(),
        peak / 2,
        truth.counts,
        truth.batches,
        proxy.exchanges(),
        numbers.abandoned.load(Ordering::Relaxed),
        numbers.put_off.load(Ordering::Relaxed),
    ))
}

/// Holds that rate for so long; what memory the server had, look by look.
async fn hold(server: &Server, fleet: &Fleet, permits: &Semaphore, rate: u64, length: Duration) -> Result<Vec<u64>> {
    ensure!(rate > 0, "the peak was nothing: nothing can be held");
    let (start, mut given, mut memory) = (Instant::now(), 0, Vec::new());
    let (mut tick, mut next_look) = (tokio::time::interval(Duration::from_millis(20)), Duration::ZERO);
    while start.elapsed() < length {
        tick.tick().await;
        let due = u64::try_from(start.elapsed().as_millis())? * rate / 1_000;
        permits.add_permits(usize::try_from(due - given)?);
        given = due;
        if start.elapsed() >= next_look {
            next_look += LOOK_EVERY;
            memory.push(resident_kb(server.process()?)?);
            if fleet.has_an_end() {
                bail!("a device ended before its time");
            }
        }
    }
    Ok(memory)
}

fn per_second(count: u64, length: Duration) -> u64 {
    count * 1_000 / u64::try_from(length.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn resident_kb(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.trim().trim_end_matches("kB").trim().parse().context("an odd VmRSS")
}

/// The median of the first third and of the last, which must not lie above it.
fn is_flat(memory: &[u64]) -> Result<(u64, u64)> {
    let third = memory.len() / 3;
    ensure!(third > 0, "memory was looked at {} times only", memory.len());
    let (early, late) = (median(&memory[..third]), median(&memory[memory.len() - third..]));
    ensure!(late * 100 <= early * FLAT_PERCENT, "memory grew from {early} KB to {late} KB: {memory:?}");
    Ok((early, late))
}

fn median(numbers: &[u64]) -> u64 {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

/// A log without errors and warnings.
fn complains_of_nothing(log: Option<&Path>) -> Result<()> {
    let Some(log) = log else { return Ok(()) };
    let text = fs::read_to_string(log)?;
    let complaint = text.lines().find(|line| line.contains("ERROR") || line.contains("panicked"));
    ensure!(complaint.is_none(), "the server complained: {}", complaint.unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_grows_is_not_flat() {
        assert_eq!(is_flat(&[100, 101, 99, 103, 100, 102]).unwrap(), (101, 102));
        assert!(is_flat(&[100, 100, 110, 120, 130, 140]).is_err());
        assert!(is_flat(&[100]).is_err());
    }

    #[test]
    fn a_complaint_in_the_log_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "INFO fine\n").unwrap();
        complains_of_nothing(Some(&log)).unwrap();
        fs::write(&log, "INFO fine\nERROR ginti: a request failed\n").unwrap();
        assert!(complains_of_nothing(Some(&log)).is_err());
    }
}
