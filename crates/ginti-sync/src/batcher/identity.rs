//! Device ids, rows of a device's own, and the stamps they get.

use ginti_types::{DeviceId, ItemSeqId, Revision};
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

impl Batcher {
    /// A fresh installation.
    pub fn new_device(&self, input: &NewDeviceIn) -> NewDevice {
        NewDevice {
            device: DeviceRecord {
                device_id: mint_device_id(&mut Entropy::new(&input.entropy)),
                former_device_id: None,
                announce: false,
                clock: ginti_types::Clock::default(),
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
                last_error: None,
            },
        }
    }
}

/// Twenty letters, 100 bits.
pub(super) fn mint_device_id(entropy: &mut Entropy) -> DeviceId {
    let bytes: [u8; DEVICE_ID_CHARS] = entropy.take();
    let text: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    DeviceId::new(text).expect("twenty letters are an id")
}

/// A row id no other device makes: the device's own id and a number.
pub(super) fn mint_row(device: &mut DeviceRecord) -> ItemSeqId {
    let prefix: String = device.device_id.as_str().chars().take(DEVICE_ID_CHARS).collect();
    let number = device.next_item_seq;
    device.next_item_seq += 1;
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

/// The device turned out to be a copy of another: it goes on under an id of its own.
pub(super) fn renew(device: &mut DeviceRecord, entropy: &mut Entropy) {
    let former = std::mem::replace(&mut device.device_id, mint_device_id(entropy));
    device.former_device_id = Some(former);
    device.announce = true;
}
