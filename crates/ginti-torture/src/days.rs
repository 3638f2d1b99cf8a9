//! Bad days of a database: somebody locks it, or the primary dies and its standby takes over. The server says so, goes on by
//! itself, and every acknowledged count is there, once.

use std::{path::Path, sync::PoisonError, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use ginti_cluster::{Cluster, execute};
use rusqlite::Connection;
use serde_json::Value;

use crate::{
    kills::look,
    load::{Load, lock},
    server::{IMPORTS, Program, Reader, SESSION},
    truth::Truth,
};

/// Clients that send meanwhile.
const CLIENTS: u32 = 4;
/// How long things go well before and after.
const PHASE: Duration = Duration::from_millis(700);
/// A state that does not come within this will not come.
const WITHIN: Duration = Duration::from_secs(60);

/// Another program holds SQLite's lock for writing, for as long as it takes until somebody is told.
pub async fn sqlite_locked(program: &Program, file: &Path, seed: u64) -> Result<String> {
    let server = program.start(0, None).await?;
    let reader = Reader::sign_in(server.address).await?;
    let load = Load::begin(&reader, CLIENTS, seed);
    tokio::time::sleep(PHASE).await;
    let stranger = Connection::open(file)?;
    stranger.busy_timeout(WITHIN)?;
    stranger.execute_batch("BEGIN IMMEDIATE")?;
    let told = told_to_come_back(&load).await?;
    look(&reader, &load.truth, 0).await.context("reading goes on while the database is locked")?;
    stranger.execute_batch("ROLLBACK")?;
    goes_on(&load).await?;
    finish(load, &reader).await?;
    Ok(format!("locked by another program: \"{told}\"; when the lock was gone, everything was taken"))
}

/// Somebody holds the table of rows, as a careless migration by hand does.
pub async fn postgres_locked(program: &Program, cluster: &Cluster, seed: u64) -> Result<String> {
    let server = program.start(0, None).await?;
    let reader = Reader::sign_in(server.address).await?;
    let load = Load::begin(&reader, CLIENTS, seed);
    tokio::time::sleep(PHASE).await;
    let url = cluster.url("ginti");
    let mut stranger = tokio::spawn(async move { hold_the_rows(&url).await });
    let told = tokio::select! {
        told = told_to_come_back(&load) => told?,
        ended = &mut stranger => {
            ended??;
            bail!("the table was locked for 12 seconds, and no client was asked to come back")
        }
    };
    stranger.await??;
    goes_on(&load).await?;
    finish(load, &reader).await?;
    Ok(format!("a table locked by somebody: \"{told}\"; when the lock was gone, everything was taken"))
}

/// Takes the table from the writers. It and they may come to wait for each other; PostgreSQL then sends one of them away, and where that is
/// this one, it tries again.
async fn hold_the_rows(url: &str) -> Result<()> {
    let statements = "BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(12); ROLLBACK";
    loop {
        match execute(url, statements).await {
            Err(error) if format!("{error:#?}").contains("deadlock") => {}
            held => return held,
        }
    }
}

/// The primary is killed under load and its synchronous standby promoted: nothing acknowledged is missing.
pub async fn failover(program: &Program, primary: &Cluster, standby: &Cluster, seed: u64) -> Result<String> {
    let server = program.start(0, None).await?;
    let reader = Reader::sign_in(server.address).await?;
    let before = epoch(&reader).await?;
    let load = Load::begin(&reader, CLIENTS, seed);
    goes_on(&load).await?;
    tokio::time::sleep(PHASE).await;
    primary.kill()?;
    tokio::time::sleep(PHASE).await;
    standby.promote()?;
    goes_on(&load).await?;
    tokio::time::sleep(PHASE).await;
    let counts = finish(load, &reader).await?;
    let after = epoch(&reader).await?;
    ensure!(after != before, "a standby took over, and devices are not told to compare what they have");
    Ok(format!(
        "the primary killed, its standby promoted: {counts} counts acknowledged before and after; each is there, once"
    ))
}

/// The standby lagged when the primary died: what it had not heard of is gone, and the devices are told, by a new epoch.
pub async fn failover_behind(program: &Program, primary: &Cluster, standby: &Cluster, seed: u64) -> Result<String> {
    let server = program.start(0, None).await?;
    let reader = Reader::sign_in(server.address).await?;
    let before = epoch(&reader).await?;
    let load = Load::begin(&reader, CLIENTS, seed);
    goes_on(&load).await?;
    // From here on the standby hears nothing.
    standby.kill()?;
    goes_on(&load).await?;
    let counts = finish(load, &reader).await?;
    let (_, had) = reader.rows(0).await?;
    primary.kill()?;
    standby.start_again()?;
    standby.promote()?;
    let has =
        eventually("the standby answers", async || Ok(reader.rows(0).await.ok().map(|(_, ledger_seq)| ledger_seq)))
            .await?;
    ensure!(has < had, "the standby has all {had} entries: nothing was tried");
    let after =
        eventually("the epoch is another", async || Ok(epoch(&reader).await.ok().filter(|epoch| *epoch != before)))
            .await?;
    Ok(format!(
        "the primary killed, a standby promoted that lagged by {} of {counts} counts: the epoch went from {before} to {after}, upon which \
         devices send what is missing",
        had - has
    ))
}

async fn epoch(reader: &Reader) -> Result<String> {
    let url = format!("{}{IMPORTS}/{SESSION}/items?after={}", reader.base, u64::from(u32::MAX));
    let answer = reader.client.get(url).bearer_auth(&reader.token).send().await?.error_for_status()?;
    let answer: Value = answer.json().await?;
    Ok(answer["epoch"].as_str().context("no epoch")?.to_owned())
}

/// The sentence with which a client is asked to come back.
async fn told_to_come_back(load: &Load) -> Result<String> {
    let told = eventually("a client is asked to come back", async || {
        ensure!(!load.has_failed(), "a client ended before its time");
        Ok(load.told.lock().unwrap_or_else(PoisonError::into_inner).take())
    });
    let problem: Value = serde_json::from_str(&told.await?).context("a refusal without words")?;
    ensure!(problem["code"] == "storage-unavailable" || problem["code"] == "busy", "{problem}");
    Ok(problem["detail"].as_str().context("no sentence")?.to_owned())
}

async fn goes_on(load: &Load) -> Result<()> {
    let before = lock(&load.truth).batches;
    eventually("batches are acknowledged again", async || {
        ensure!(!load.has_failed(), "a client ended before its time");
        Ok((lock(&load.truth).batches > before + u64::from(CLIENTS)).then_some(()))
    })
    .await
}

async fn finish(load: Load, reader: &Reader) -> Result<u64> {
    let truth = load.settle().await?;
    let ledger_seq = look(reader, &truth, 0).await?;
    let truth: std::sync::MutexGuard<'_, Truth> = lock(&truth);
    truth.settled(ledger_seq)?;
    Ok(truth.counts)
}

async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WITHIN, asking).await.with_context(|| format!("waited in vain until {what}"))?
}
