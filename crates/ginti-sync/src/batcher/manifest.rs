//! What this device says of a session: the rows whose present count is its own, sent or not, and what is still unsent.

use ginti_types::Manifest;
use serde::{Deserialize, Serialize};

use super::Batcher;
use crate::record::{DeviceRecord, ItemRecord, Truth};

/// Input of [`Batcher::manifest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestIn {
    /// This device.
    pub device: DeviceRecord,
    /// All rows of the session.
    pub items: Vec<ItemRecord>,
}

/// Output of [`Batcher::manifest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stated {
    /// Rows and their digest.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// Rows that the server has not confirmed.
    pub unsent: u64,
    /// When the oldest of these was counted, in milliseconds since 1970.
    pub oldest_unsent_at: Option<i64>,
}

impl Batcher {
    /// Everything that the server must have before the session is complete, as far as this device knows.
    pub fn manifest(&self, input: &ManifestIn) -> Stated {
        let ManifestIn { device, items } = input;
        let is_ours = |item: &&ItemRecord| item.counted_here && item.device_id == device.device_id;
        let ours: Vec<_> = items.iter().filter(is_ours).collect();
        let unsent: Vec<_> = ours.iter().filter(|item| item.truth != Truth::Confirmed).collect();
        Stated {
            manifest: Manifest::of(ours.iter().map(|item| (item.import_item_seq_id.as_str(), item.revision.get()))),
            unsent: u64::try_from(unsent.len()).unwrap_or(u64::MAX),
            oldest_unsent_at: unsent.iter().map(|item| item.revision.unix_ms()).min(),
        }
    }
}
