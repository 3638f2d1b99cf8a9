//! Many devices that send small batches, each of its own rows and of some that all write: out of order, twice, long after, and
//! without waiting for an answer that takes too long.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use ginti_fault_proxy::Dice;
use ginti_types::{BatchId, Receipt, Revision};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    load::lock,
    server::{IMPORTS, Reader, SESSION},
    truth::{Sent, Stamp, Truth, device_id, row_name},
};

/// Rows of each device alone.
const OWN_ROWS: u32 = 20;
/// Rows that all devices write.
const SHARED_ROWS: u32 = 500;
/// Batches a device has at hand at once, to be sent in any order.
const HAND: u64 = 4;
/// A batch that waits longer for its answer is sent again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// A batch as it was cut.
#[derive(Clone, Debug)]
struct Mail {
    items: Vec<Sent>,
    body: String,
    tries: u32,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Deliveries tried.
    pub deliveries: AtomicU64,
    /// Deliveries of a batch that had been acknowledged already.
    pub doubled: AtomicU64,
    /// First deliveries of a batch that was cut before one that had been acknowledged.
    pub reordered: AtomicU64,
    /// Requests given up before their answer.
    pub abandoned: AtomicU64,
    /// Requests without an answer, or with one of somebody else's.
    pub broken: AtomicU64,
    /// Requests that the server asked to repeat later.
    pub put_off: AtomicU64,
}

/// How the devices go about it.
#[derive(Clone, Debug)]
pub struct Manner {
    /// How many there are.
    pub devices: u32,
    /// Batches each cuts, or without end.
    pub batches_each: Option<u64>,
    /// Requests on their way at once.
    pub in_flight: usize,
    /// Every fourth device sends to this address instead, where a hostile network is.
    pub storm: Option<String>,
    /// Permits to cut a batch, for those that must not be faster than so many a second.
    pub pace: Option<Arc<Semaphore>>,
    /// What chance follows from.
    pub seed: u64,
}

/// Devices at work.
pub struct Fleet {
    /// What is known.
    pub truth: Arc<Mutex<Truth>>,
    /// What came of it so far.
    pub numbers: Arc<Numbers>,
    is_over: Arc<AtomicBool>,
    devices: Vec<JoinHandle<Result<()>>>,
}

impl Fleet {
    /// Begins.
    pub fn begin(reader: &Reader, manner: &Manner) -> Self {
        let (truth, numbers) = (Arc::new(Mutex::new(Truth::default())), Arc::new(Numbers::default()));
        let (is_over, way) = (Arc::new(AtomicBool::new(false)), Arc::new(Semaphore::new(manner.in_flight)));
        let start = |number: u32| {
            let storm = manner.storm.clone().filter(|_| number.is_multiple_of(4));
            let device = Device {
                number,
                client: reader.client.clone(),
                url: format!("{}{IMPORTS}", storm.unwrap_or_else(|| reader.base.clone())),
                token: reader.token.clone(),
                dice: Dice::new(manner.seed, u64::from(number)),
                last: 0,
                truth: Arc::clone(&truth),
                numbers: Arc::clone(&numbers),
                way: Arc::clone(&way),
                pace: manner.pace.clone(),
                kept: None,
            };
            tokio::spawn(device.work(manner.batches_each, Arc::clone(&is_over)))
        };
        let devices = (1..=manner.devices).map(start).collect();
        Self { truth, numbers, is_over, devices }
    }

    /// Whether a device has given up or has cut all of its batches.
    pub fn has_an_end(&self) -> bool {
        self.devices.iter().any(JoinHandle::is_finished)
    }

    /// Lets the devices that have no end finish what they have begun.
    pub fn call_home(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Waits until each has finished.
    pub async fn home(self) -> Result<(Arc<Mutex<Truth>>, Arc<Numbers>)> {
        for device in self.devices {
            device.await??;
        }
        Ok((self.truth, self.numbers))
    }
}

struct Device {
    number: u32,
    client: reqwest::Client,
    url: String,
    token: String,
    dice: Dice,
    last: u64,
    truth: Arc<Mutex<Truth>>,
    numbers: Arc<Numbers>,
    way: Arc<Semaphore>,
    pace: Option<Arc<Semaphore>>,
    /// A batch from long ago, to be sent once more.
    kept: Option<Mail>,
}

impl Device {
    async fn work(mut self, batches: Option<u64>, is_over: Arc<AtomicBool>) -> Result<()> {
        let mut left = batches.unwrap_or(u64::MAX);
        while left > 0 && !is_over.load(Ordering::Relaxed) {
            let hand = left.min(HAND);
            left -= hand;
            self.round(hand).await.with_context(|| format!("device {}", self.number))?;
        }
        Ok(())
    }

    /// Cuts some batches and sends them in an order of chance, some twice, until each has been acknowledged.
    async fn round(&mut self, hand: u64) -> Result<()> {
        let mut mails = Vec::new();
        for _ in 0..hand {
            if let Some(pace) = &self.pace {
                pace.acquire().await?.forget();
            }
            let items = self.items()?;
            lock(&self.truth).sending(&items);
            mails.push(Mail { body: self.body(&items)?, items, tries: 0 });
        }
        // Each at its place or further back, and some once more.
        let mut order: Vec<usize> = (0..mails.len()).collect();
        for place in 0..order.len() {
            if self.dice.below(4) == 0 {
                order.swap(place, mails.len() - 1);
            }
            if self.dice.below(4) == 0 {
                let again = usize::try_from(self.dice.below(mails.len() as u64))?;
                order.push(again);
            }
        }
        let mut is_acknowledged = vec![false; mails.len()];
        let mut queue = std::collections::VecDeque::from(order);
        while let Some(which) = queue.pop_front() {
            let mail = &mut mails[which];
            mail.tries += 1;
            let (mail, was) = (mail.clone(), is_acknowledged[which]);
            let Some(receipt) = self.send(&mail).await? else {
                queue.push_back(which);
                continue;
            };
            if was {
                self.numbers.doubled.fetch_add(1, Ordering::Relaxed);
                again(&mail, &receipt)?;
            } else {
                let is_late = is_acknowledged[which + 1..].iter().any(|later| *later);
                self.numbers.reordered.fetch_add(u64::from(is_late), Ordering::Relaxed);
                lock(&self.truth).acknowledge(&mail.items, &receipt, mail.tries)?;
                is_acknowledged[which] = true;
            }
        }
        self.remember(mails).await
    }

    /// Sends what was kept once more, or keeps one of these.
    async fn remember(&mut self, mut mails: Vec<Mail>) -> Result<()> {
        let Some(old) = self.kept.take_if(|_| self.dice.below(2) == 0) else {
            if self.kept.is_none() {
                self.kept = mails.pop();
            }
            return Ok(());
        };
        if let Some(receipt) = self.send(&old).await? {
            self.numbers.doubled.fetch_add(1, Ordering::Relaxed);
            again(&old, &receipt)?;
        }
        Ok(())
    }

    /// The receipt, or none if there was no answer of the server's or one that says to come back.
    async fn send(&mut self, mail: &Mail) -> Result<Option<Receipt>> {
        let numbers = Arc::clone(&self.numbers);
        let way = self.way.clone().acquire_owned().await?;
        numbers.deliveries.fetch_add(1, Ordering::Relaxed);
        let is_impatient = self.dice.below(50) == 0;
        let patience = if is_impatient { Duration::from_millis(self.dice.below(10)) } else { ANSWERED_WITHIN };
        let request = self
            .client
            .post(&self.url)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .timeout(patience)
            .body(mail.body.clone());
        let answer = match request.send().await {
            Ok(answer) => {
                let (status, later) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
                answer.text().await.map(|text| (status, later, text))
            }
            Err(error) => Err(error),
        };
        drop(way);
        let receipt = match answer {
            Ok((200, _, text)) => match serde_json::from_str(&text) {
                Ok(receipt) => Some(receipt),
                Err(_) if text.starts_with('<') => None,
                Err(error) => bail!("an odd receipt ({error}): {text}"),
            },
            Ok((429 | 503, true, _)) => {
                numbers.put_off.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50 + self.dice.below(400))).await;
                return Ok(None);
            }
            Ok((502 | 504, _, text)) if text.starts_with('<') => None,
            Ok((status, _, text)) => bail!("answered {status}: {text}"),
            Err(_) if is_impatient => {
                numbers.abandoned.fetch_add(1, Ordering::Relaxed);
                return Ok(None);
            }
            Err(_) => None,
        };
        if receipt.is_none() {
            numbers.broken.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5 + self.dice.below(50))).await;
        }
        Ok(receipt)
    }

    fn items(&mut self) -> Result<Vec<Sent>> {
        let size = 1 + self.dice.below(6);
        let mut rows = std::collections::BTreeSet::new();
        for _ in 0..size {
            let draw = self.dice.draw();
            let row = if draw.is_multiple_of(8) {
                u32::try_from((draw >> 8) % u64::from(SHARED_ROWS))?
            } else {
                SHARED_ROWS + self.number * OWN_ROWS + u32::try_from((draw >> 8) % u64::from(OWN_ROWS))?
            };
            rows.insert(row);
        }
        self.last = self.last.max(Revision::from_unix_ms(i64::try_from(now()?)?).get());
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
            "batchId": BatchId::from_time(now()?, entropy),
            "deviceId": device_id(self.number),
            "inventoryCountImportId": SESSION,
            "items": lines,
        })
        .to_string())
    }
}

fn now() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// What was acknowledged before is answered as what it is.
fn again(mail: &Mail, receipt: &Receipt) -> Result<()> {
    use ginti_types::Outcome::{Applied, Duplicate, Superseded};
    ensure!(receipt.items.len() == mail.items.len(), "a receipt of {} items", receipt.items.len());
    for (item, told) in mail.items.iter().zip(&receipt.items) {
        let is_taken = matches!(told.outcome, Applied | Superseded | Duplicate);
        ensure!(is_taken, "row {}, sent again, was answered {:?}: {:?}", item.row, told.outcome, told.detail);
    }
    Ok(())
}
