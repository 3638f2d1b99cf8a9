//! The page's machine: stamps counts, decides when to cut batches and what goes into them, and turns answers into truth.
//!
//! Each method is one decision: records in, records out. See the [crate] docs for the order in which a host calls them.

mod absorb;
mod count;
mod identity;
mod manifest;
mod matching;
mod noting;
mod plan;
mod settle;

pub use absorb::{Absorb, Absorbed, RemoteItem};
pub use count::{Count, CountError, CountIn, Counted, NewRow, Retried, Retry, SignedIn, TriedAgain};
pub use identity::{Adopted, Announced, NewDevice, NewDeviceIn};
pub use manifest::{ManifestIn, Stated};
pub use matching::MatchIn;
pub use noting::{AnnotateError, AnnotateIn};
pub use plan::{Handed, HandedOver, HandoverFailed, HandoverReleased, Plan, PlanIn, Send, Trigger};
pub use settle::{Seen, SeenOut, Settle, Settled, Unconfirm, Unconfirmed};

use ginti_types::limits;
use serde::{Deserialize, Serialize};

use crate::Backoff;

/// The batcher's settings. All durations in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatcherConfig {
    /// Time between pushes while there is something to push.
    pub cadence_ms: i64,
    /// Batches that may be on their way at once: an offline shift coalesces in its rows instead of piling up in the queue.
    pub outstanding_max: usize,
    /// Full batches that may be: a backlog of many rows goes in one plan. They do not pile up either, for they are as many as the
    /// rows fill.
    pub outstanding_full_max: usize,
    /// Items of a batch, at most.
    pub batch_items_max: usize,
    /// Bytes of a batch, at most.
    pub batch_bytes_max: usize,
    /// A batch that was cut but not handed over for so long was cut by a tab that is gone.
    pub handover_ms_max: i64,
    /// A courier that says nothing about a batch for so long has lost it.
    pub custody_silence_ms_max: i64,
    /// A device that has heard nothing of the server for so long asks how it stands: what a wiped or restored server has lost
    /// is sent again by devices that have nothing new to send.
    pub standing_ms: i64,
    /// Waits after failed hand-overs.
    pub backoff: Backoff,
    /// Times a row is stamped anew before a person is asked.
    pub restamps_max: u32,
}

impl Default for BatcherConfig {
    fn default() -> Self {
        Self {
            cadence_ms: 20_000,
            outstanding_max: 2,
            outstanding_full_max: 6,
            batch_items_max: limits::BATCH_ITEMS_MAX,
            batch_bytes_max: limits::BATCH_BYTES_MAX / 2,
            handover_ms_max: 30_000,
            custody_silence_ms_max: 10 * 60_000,
            standing_ms: 10 * 60_000,
            backoff: Backoff::default(),
            restamps_max: 8,
        }
    }
}

/// The machine. Holds its settings and nothing else.
#[derive(Clone, Debug, Default)]
pub struct Batcher {
    config: BatcherConfig,
}

impl Batcher {
    /// With these settings.
    pub fn new(config: BatcherConfig) -> Self {
        Self { config }
    }

    /// The settings.
    pub fn config(&self) -> &BatcherConfig {
        &self.config
    }
}

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
