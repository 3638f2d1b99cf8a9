//! A disk that is full and one that cannot keep what it was given: the server says so, holds nothing half-written, and works
//! again when the disk does.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use ginti_fault_proxy::Dice;
use serde_json::{Value, json};

use crate::{
    kills::{free_port, look},
    load::{Load, lock},
    server::{IMPORTS, Program, Reader, SESSION},
};

/// What the library lets fail while its file says so.
const FAULTS: &[&str] = &["sync", "space", "short"];
/// How long the disk is bad, and how long it is good again.
const PHASE: Duration = Duration::from_millis(400);

/// What it came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Times the disk went bad.
    pub faults: u64,
    /// Batches acknowledged.
    pub batches: u64,
    /// Batches that had to be sent more than once.
    pub repeated: u64,
}

/// Lets the disk fail under load, in each way so often; kills the server in some of these states.
pub async fn run(program: &Program, times: u64, seed: u64) -> Result<Report> {
    let (_, switch) = program.faults.as_ref().context("faults need their library")?;
    let mut dice = Dice::new(seed, 0);
    set(switch, "")?;
    let port = free_port(&mut dice)?;
    let mut server = program.start(port, None).await?;
    let reader = Reader::sign_in(server.address).await?;
    let load = Load::begin(&reader, 4, seed);
    let mut report = Report::default();
    let mut cursor = 0;
    for number in 0..times {
        for fault in FAULTS {
            tokio::time::sleep(PHASE).await;
            set(switch, fault)?;
            refused_with_a_sentence(&reader, fault).await?;
            // Reading goes on.
            cursor = look(&reader, &load.truth, cursor).await.with_context(|| format!("while {fault} fails"))?;
            tokio::time::sleep(PHASE).await;
            if dice.below(3) == 0 {
                server.kill().await?;
                set(switch, "")?;
                server = program.start(port, None).await?;
            }
            set(switch, "")?;
            cursor = look(&reader, &load.truth, cursor).await.with_context(|| format!("after {fault} failed"))?;
            report.faults += 1;
        }
        if load.has_failed() {
            load.settle().await?;
            bail!("a client ended before its time, in round {number}");
        }
    }
    let truth = load.settle().await?;
    lock(&truth).look_anew();
    let ledger_seq = look(&reader, &truth, 0).await?;
    lock(&truth).settled(ledger_seq)?;
    drop(server);
    let truth = lock(&truth);
    (report.batches, report.repeated) = (truth.batches, truth.repeated);
    ensure!(report.repeated > 0, "no batch ever failed: nothing was tried");
    Ok(report)
}

fn set(switch: &Path, fault: &str) -> Result<()> {
    fs::write(switch, fault).with_context(|| format!("cannot write {}", switch.display()))
}

/// A write is answered 503 with a code, a sentence and when to come back.
async fn refused_with_a_sentence(reader: &Reader, fault: &str) -> Result<()> {
    let batch = json!({
        "batchId": "019aab7e-1111-7222-8333-444455556666",
        "deviceId": "torture-0000",
        "inventoryCountImportId": SESSION,
        "items": [{ "importItemSeqId": "row-refused", "productId": "1", "quantity": 1, "revision": 1 }],
    });
    let url = format!("{}{IMPORTS}", reader.base);
    let answer = reader.client.post(url).bearer_auth(&reader.token).json(&batch).send().await?;
    let (status, retry_after) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
    let problem: Value = answer.json().await.context("a refusal without words")?;
    ensure!(
        status == 503 && retry_after && problem["code"] == "storage-unavailable",
        "while {fault} fails, a batch was answered {status}: {problem}"
    );
    let detail = problem["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("nothing was stored"), "{detail}");
    Ok(())
}
