//! Load held: thousands of devices over real HTTP, a third of what they send doubled or out of order; afterwards each count is
//! there, once.

use std::{sync::atomic::Ordering, time::Instant};

use anyhow::{Result, ensure};

use crate::{
    fleet::{Fleet, Manner},
    kills::look,
    load::lock,
    server::{Program, Reader},
};

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Devices.
    pub devices: u32,
    /// Batches in all.
    pub batches: u64,
    /// Requests on their way at once.
    pub in_flight: usize,
    /// What chance follows from.
    pub seed: u64,
}

/// Sends them all and looks at what is there; a report in a sentence.
pub async fn run(program: &Program, options: Options) -> Result<String> {
    let server = program.start(0, None).await?;
    let reader = Reader::sign_in(server.address).await?;
    let manner = Manner {
        devices: options.devices,
        batches_each: Some(options.batches.div_ceil(u64::from(options.devices))),
        in_flight: options.in_flight,
        storm: None,
        pace: None,
        seed: options.seed,
    };
    let start = Instant::now();
    let (truth, numbers) = Fleet::begin(&reader, &manner).home().await?;
    let took = start.elapsed();
    let ledger_seq = look(&reader, &truth, 0).await?;
    let truth = lock(&truth);
    truth.settled(ledger_seq)?;
    let number = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
    let odd = number(&numbers.doubled) + number(&numbers.reordered);
    ensure!(odd * 10 >= truth.batches * 3, "only {odd} of {} batches were doubled or out of order", truth.batches);
    Ok(format!(
        "{} devices, {} batches with {} counts in {} s; {} deliveries, of these {} doubled, {} out of order, {} given up before their \
         answer, {} asked to come back; the ledger has {ledger_seq} entries: each count is there, once",
        options.devices,
        truth.batches,
        truth.counts,
        took.as_secs(),
        number(&numbers.deliveries),
        number(&numbers.doubled),
        number(&numbers.reordered),
        number(&numbers.abandoned),
        number(&numbers.put_off),
    ))
}
