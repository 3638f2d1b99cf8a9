//! A note beside a count: the row goes out again with it, its count and its counter unchanged.

use ginti_types::{Note, Timestamp, UserLoginId, limits::NOTE_CHARS_MAX};
use serde::{Deserialize, Serialize};

use super::{Batcher, Counted, identity};
use crate::{
    Moment,
    record::{DeviceRecord, ItemRecord, ScanKind, ScanRecord},
};

/// Input of [`Batcher::annotate`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnnotateIn {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// The row.
    pub item: ItemRecord,
    /// As it was typed; none, or nothing but white space, takes the note away.
    pub note: Option<String>,
    /// Who writes. The count stays its counter's.
    pub noted_by_user_login_id: UserLoginId,
}

/// Why a note cannot be taken. Nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnotateError {
    /// More than a note can hold.
    #[error("That note is too long: {chars} characters, at most {NOTE_CHARS_MAX} fit.")]
    TooLong {
        /// Characters found.
        chars: usize,
    },
    /// This device cannot vouch for a count that somebody made elsewhere.
    #[error("That count was made on another device; its note has to be written there.")]
    CountedElsewhere,
}

impl Batcher {
    /// Writes a row's note, or takes it away.
    pub fn annotate(&self, input: AnnotateIn) -> Result<Counted, AnnotateError> {
        let AnnotateIn { now, mut device, mut item, note, noted_by_user_login_id } = input;
        if !item.counted_here {
            return Err(AnnotateError::CountedElsewhere);
        }
        item.note =
            Note::from_typed(note.as_deref().unwrap_or_default()).map_err(|chars| AnnotateError::TooLong { chars })?;
        item.restamps = 0;
        item.late = false;
        identity::restamp(&mut device, &mut item, now);
        let scan = ScanRecord {
            inventory_count_import_id: item.inventory_count_import_id.clone(),
            import_item_seq_id: item.import_item_seq_id.clone(),
            kind: ScanKind::Note,
            before: item.quantity,
            after: item.quantity,
            revision: item.revision,
            counted_at: Timestamp::from_unix_ms(device.server_ms(now)),
            counted_by_user_login_id: noted_by_user_login_id,
            product_identifier: item.product_identifier.clone(),
        };
        Ok(Counted { device, item, scan })
    }
}
