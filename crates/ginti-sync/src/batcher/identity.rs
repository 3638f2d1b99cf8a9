//! Device ids, rows of a device's own, and the stamps they get.

use ginti_types::{Clock, DeviceId, ItemSeqId, Revision, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::Batcher;
use crate::{
    Entropy, Moment,
    record::{DeviceRecord, ItemRecord},
};

/// Crockford's base 32: no two letters that look alike, so that an id can be read out.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DEVICE_ID_CHARS: usize = 20;

/// Input of [`Batcher::new_device`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewDeviceIn {
    /// At least 20 random bytes.
    pub entropy: Vec<u8>,
}

/// Output of [`Batcher::new_device`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewDevice {
    /// The record to keep.
    pub device: DeviceRecord,
}

/// Input of [`Batcher::announced`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announced {
    /// This device, with the id that was announced as its next.
    pub device: DeviceRecord,
    /// The server's clock in the answer.
    pub server_time: Timestamp,
}

/// Output of [`Batcher::announced`]: to put.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Adopted {
    /// This device, under its new id.
    pub device: DeviceRecord,
}

impl Batcher {
    /// A fresh installation.
    pub fn new_device(&self, input: &NewDeviceIn) -> NewDevice {
        NewDevice {
            device: DeviceRecord {
                device_id: mint_device_id(&mut Entropy::new(&input.entropy)),
                next_device_id: None,
                retire: false,
                clock: Clock::default(),
                skew_ms: 0,
                epoch: None,
                ledger_seq: 0,
                server_time: None,
                next_item_seq: 1,
                last_push_at: None,
                backlog: false,
                handover_failures: 0,
                hold_until: Moment(0),
                batch_items_max: self.config.batch_items_max,
                last_contact_at: None,
                asked_at: None,
                last_error: None,
            },
        }
    }

    /// The server knows the next id: from now on it is this device's. What was stamped under the former one and is not
    /// confirmed gets new stamps when it is cut.
    pub fn announced(&self, input: Announced) -> Adopted {
        let Announced { mut device, server_time } = input;
        if let Some(next) = device.next_device_id.take() {
            device.device_id = next;
            if std::mem::take(&mut device.retire) {
                // Of the former id the server takes nothing above this any more, but it may have taken anything up to it.
                // New stamps begin above: acceptable a millisecond later, and above every copy that may still stray in.
                device.clock = Clock::after(Revision::last_of_unix_ms(furthest_ms(server_time)));
            }
        }
        Adopted { device }
    }
}

/// How far ahead a revision may be for the server at that time.
pub(super) fn furthest_ms(server_time: Timestamp) -> i64 {
    let ahead_ms = i64::try_from(limits::CLOCK_AHEAD_MS_MAX).unwrap_or(i64::MAX);
    server_time.unix_ms().saturating_add(ahead_ms)
}

/// Twenty letters, 100 bits.
pub(super) fn mint_device_id(entropy: &mut Entropy) -> DeviceId {
    let bytes: [u8; DEVICE_ID_CHARS] = entropy.take();
    let text: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    DeviceId::new(text).expect("twenty letters are an id")
}

/// What a number of JavaScript holds exactly.
const ITEM_SEQ_MAX: u64 = (1 << 53) - 1;

/// A row id no other device makes: the device's own id and a number.
pub(super) fn mint_row(device: &mut DeviceRecord) -> ItemSeqId {
    let prefix: String = device.device_id.as_str().chars().take(DEVICE_ID_CHARS).collect();
    let number = match device.next_item_seq {
        number @ ..=ITEM_SEQ_MAX => {
            device.next_item_seq = number + 1;
            number
        }
        // No device counts so far: the record is damaged. The clock's number was never a row's either, and only grows.
        _ => device.clock.last().map_or(0, Revision::get),
    };
    ItemSeqId::new(format!("{prefix}-{number}")).expect("a device id's 20 letters and a number fit into 40")
}

/// A new revision for the row: above everything the server has of it and everything this device made or saw.
pub(super) fn next_revision(device: &mut DeviceRecord, confirmed: Option<Revision>, now: Moment) -> Revision {
    if let Some(confirmed) = confirmed {
        device.clock.observe(confirmed);
    }
    let server_ms = device.server_ms(now);
    device.clock.tick(server_ms)
}

/// Gives the row's present content a new stamp of this device.
pub(super) fn restamp(device: &mut DeviceRecord, item: &mut ItemRecord, now: Moment) {
    item.revision = next_revision(device, item.confirmed, now);
    item.device_id = device.device_id.clone();
    item.problem = None;
    item.refresh_truth();
}

/// The device has to go on under a new id: because it turned out to be a copy of another, or because its clock `ran_ahead`.
///
/// In the second case copies of what it stamped in the future may still be on their way, and would win over newer counts
/// once that future has come; so the server is told to refuse those for ever, before anything is sent under the new id.
pub(super) fn renew(device: &mut DeviceRecord, entropy: &mut Entropy, ran_ahead: bool) {
    if device.next_device_id.is_none() {
        device.next_device_id = Some(mint_device_id(entropy));
    }
    device.retire |= ran_ahead;
}
