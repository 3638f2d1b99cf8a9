//! Clients that send as devices do: what has no answer is sent again under the same id until it has one.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use ginti_fault_proxy::Dice;
use ginti_types::{BatchId, Receipt, Revision};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    server::{IMPORTS, Reader, SESSION},
    truth::{Sent, Stamp, Truth, device_id, row_name},
};

/// Items in a batch.
const BATCH_ITEMS: usize = 50;
/// Rows of each client alone.
const OWN_ROWS: u32 = 300;
/// Rows that all clients write.
const SHARED_ROWS: u32 = 40;
/// A batch that waits longer for its answer is sent again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Clients at work.
pub struct Load {
    /// What is known.
    pub truth: Arc<Mutex<Truth>>,
    /// What a client was last told when it was asked to come back.
    pub told: Arc<Mutex<Option<String>>>,
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Result<()>>>,
}

/// Whatever happened in another task: the numbers in here are whole.
pub fn lock(truth: &Mutex<Truth>) -> MutexGuard<'_, Truth> {
    truth.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Begins.
    pub fn begin(reader: &Reader, clients: u32, seed: u64) -> Self {
        let (truth, is_over) = (Arc::new(Mutex::new(Truth::default())), Arc::new(AtomicBool::new(false)));
        let told = Arc::default();
        let start = |number| {
            let client = Client {
                number,
                reader: reader.clone(),
                dice: Dice::new(seed, u64::from(number) + 1),
                last: 0,
                truth: Arc::clone(&truth),
                told: Arc::clone(&told),
            };
            tokio::spawn(client.work(Arc::clone(&is_over)))
        };
        let clients = (1..=clients).map(start).collect();
        Self { truth, told, is_over, clients }
    }

    /// Whether a client has given up: something was answered that must not be.
    pub fn has_failed(&self) -> bool {
        self.clients.iter().any(JoinHandle::is_finished)
    }

    /// Lets every client finish what it has begun.
    pub async fn settle(self) -> Result<Arc<Mutex<Truth>>> {
        self.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await??;
        }
        Ok(self.truth)
    }
}

struct Client {
    number: u32,
    reader: Reader,
    dice: Dice,
    last: u64,
    truth: Arc<Mutex<Truth>>,
    told: Arc<Mutex<Option<String>>>,
}

impl Client {
    async fn work(mut self, is_over: Arc<AtomicBool>) -> Result<()> {
        while !is_over.load(Ordering::Relaxed) {
            let items = self.items()?;
            let body = self.body(&items)?;
            lock(&self.truth).sending(&items);
            let mut tries = 0;
            let receipt = loop {
                tries += 1;
                if let Some(receipt) = self.send(body.clone()).await? {
                    break receipt;
                }
                tokio::time::sleep(Duration::from_millis(5 + self.dice.below(20))).await;
            };
            lock(&self.truth).acknowledge(&items, &receipt, tries)?;
            // Sometimes at once, sometimes after a breath: kills then find every stage, and the ledger stays short enough to read.
            tokio::time::sleep(Duration::from_micros(self.dice.below(5) * self.dice.below(30_000))).await;
        }
        Ok(())
    }

    /// The receipt, or none if there was no answer or one that says to come back.
    async fn send(&self, body: String) -> Result<Option<Receipt>> {
        let request = self
            .reader
            .client
            .post(format!("{}{IMPORTS}", self.reader.base))
            .bearer_auth(&self.reader.token)
            .header("content-type", "application/json")
            .timeout(ANSWERED_WITHIN)
            .body(body);
        let Ok(answer) = request.send().await else { return Ok(None) };
        let status = answer.status().as_u16();
        let Ok(text) = answer.text().await else { return Ok(None) };
        match status {
            200 => Ok(Some(serde_json::from_str(&text).with_context(|| format!("an odd receipt: {text}"))?)),
            429 | 503 => {
                *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                Ok(None)
            }
            _ => bail!("client {} was answered {status}: {text}", self.number),
        }
    }

    fn items(&mut self) -> Result<Vec<Sent>> {
        let mut rows = std::collections::BTreeSet::new();
        while rows.len() < BATCH_ITEMS {
            let draw = self.dice.draw();
            let row = if draw.is_multiple_of(8) {
                u32::try_from((draw >> 8) % u64::from(SHARED_ROWS))?
            } else {
                SHARED_ROWS + self.number * OWN_ROWS + u32::try_from((draw >> 8) % u64::from(OWN_ROWS))?
            };
            rows.insert(row);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        self.last = self.last.max(Revision::from_unix_ms(i64::try_from(now)?).get());
        let items = rows.into_iter().map(|row| {
            self.last += 1;
            let stamp = Stamp { revision: self.last, client: self.number };
            Sent { row, stamp, quantity: u32::try_from(self.dice.below(1_000)).unwrap_or(0) }
        });
        Ok(items.collect())
    }

    fn body(&mut self, items: &[Sent]) -> Result<String> {
        let mut entropy = [0; 10];
        getrandom::fill(&mut entropy).context("no random bytes")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let lines: Vec<_> = items
            .iter()
            .map(|item| {
                json!({
                    "importItemSeqId": row_name(item.row),
                    "productId": format!("1{:04}", item.row),
                    "quantity": item.quantity,
                    "revision": item.stamp.revision,
                })
            })
            .collect();
        Ok(json!({
            "batchId": BatchId::from_time(u64::try_from(now)?, entropy),
            "deviceId": device_id(self.number),
            "inventoryCountImportId": SESSION,
            "items": lines,
        })
        .to_string())
    }
}
