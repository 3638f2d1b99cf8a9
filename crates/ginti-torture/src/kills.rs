//! SIGKILL at random points under load, again and again.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use ginti_cluster::Cluster;
use ginti_fault_proxy::Dice;

use crate::{
    load::{Load, lock},
    server::{Program, Reader},
    truth::Truth,
};

/// How often, how hard.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often the server is killed.
    pub kills: u64,
    /// Clients that send meanwhile.
    pub clients: u32,
    /// What chance follows from.
    pub seed: u64,
}

/// What it came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Deaths from outside.
    pub kills: u64,
    /// Deaths between a commit and its answer.
    pub crashes: u64,
    /// Deaths of the database, where that is a program of its own.
    pub database_kills: u64,
    /// Counts acknowledged.
    pub counts: u64,
    /// Batches acknowledged.
    pub batches: u64,
    /// Batches that had to be sent more than once.
    pub repeated: u64,
}

/// Until a server that was started answers.
const UP_WITHIN: Duration = Duration::from_secs(60);
/// A whole look from the first entry, every so many kills: the others only look at what has changed.
const WHOLE_LOOK_EVERY: u64 = 50;

/// Kills, starts, looks; at the end everything that was sent is there once.
pub async fn run(program: &Program, options: Options, cluster: Option<&Cluster>) -> Result<Report> {
    let mut dice = Dice::new(options.seed, 0);
    let mut report = Report::default();
    let port = free_port(&mut dice)?;
    let mut server = program.start(port, None).await?;
    let reader = Reader::sign_in(server.address).await?;
    let load = Load::begin(&reader, options.clients, options.seed);
    let mut cursor = 0;
    for number in 1..=options.kills {
        answered_again(&load).await?;
        tokio::time::sleep(Duration::from_micros(dice.below(150_000))).await;
        if let Some(cluster) = cluster.filter(|_| number % 3 == 0) {
            // The server outlives its database, and goes on with it.
            cluster.kill()?;
            tokio::time::sleep(Duration::from_micros(dice.below(100_000))).await;
            cluster.start_again()?;
            report.database_kills += 1;
            answered_again(&load).await?;
        }
        server.kill().await?;
        report.kills += 1;
        if dice.below(5) == 0 {
            let mut doomed = program.start(port, Some(1 + dice.below(30))).await?;
            tokio::time::timeout(UP_WITHIN, doomed.ended()).await.context("it was to end by itself")??;
            report.crashes += 1;
        }
        server = program.start(port, None).await?;
        if number % WHOLE_LOOK_EVERY == 0 {
            cursor = 0;
            lock(&load.truth).look_anew();
        }
        cursor = look(&reader, &load.truth, cursor).await.with_context(|| format!("after {number} kills"))?;
        if load.has_failed() {
            load.settle().await?;
            bail!("a client ended before its time");
        }
        if number % 100 == 0 {
            println!("{number} kills, {} counts acknowledged", lock(&load.truth).counts);
        }
    }
    let truth = load.settle().await?;
    lock(&truth).look_anew();
    let ledger_seq = look(&reader, &truth, 0).await?;
    lock(&truth).settled(ledger_seq)?;
    drop(server);
    let truth = lock(&truth);
    (report.counts, report.batches, report.repeated) = (truth.counts, truth.batches, truth.repeated);
    ensure!(report.repeated > 0 || options.kills < 20, "no kill ever met a batch on its way: nothing was tried");
    Ok(report)
}

/// A port that no outgoing connection is given, so that nobody takes it while the server is down.
pub fn free_port(dice: &mut Dice) -> Result<u16> {
    for _ in 0..100 {
        let port = u16::try_from(20_000 + dice.below(10_000))?;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between 20000 and 30000 is free")
}

/// Returns once a batch has been acknowledged since.
async fn answered_again(load: &Load) -> Result<()> {
    let (before, since) = (lock(&load.truth).batches, Instant::now());
    while lock(&load.truth).batches == before && !load.has_failed() {
        ensure!(since.elapsed() < UP_WITHIN, "no batch was acknowledged within {UP_WITHIN:?} of a start");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Looks at what has changed since the cursor; returns the new one.
pub async fn look(reader: &Reader, truth: &Mutex<Truth>, cursor: u64) -> Result<u64> {
    let expected = lock(truth).expected();
    let (rows, cursor) = reader.rows(cursor).await?;
    lock(truth).look(&rows, cursor, &expected)?;
    Ok(cursor)
}
