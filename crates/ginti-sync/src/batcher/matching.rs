//! A code that nobody knew turns out to be a product: the row moves there as it is, with its count and its counter.

use ginti_types::{ProductId, Requested, Timestamp, UserLoginId};
use serde::{Deserialize, Serialize};

use super::{Batcher, Counted, identity};
use crate::{
    Moment,
    record::{DeviceRecord, ItemRecord, ScanKind, ScanRecord},
};

/// Input of [`Batcher::match_product`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchIn {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// The row.
    pub item: ItemRecord,
    /// What it is.
    pub product_id: ProductId,
    /// Whether the list asks for that product.
    pub is_requested: Option<Requested>,
    /// Who says so. The count stays its counter's.
    pub matched_by_user_login_id: UserLoginId,
}

impl Batcher {
    /// Moves a row to a product. A product's total is the sum of its rows, so nothing is added up and nothing doubled.
    pub fn match_product(&self, input: MatchIn) -> Counted {
        let MatchIn { now, mut device, mut item, product_id, is_requested, matched_by_user_login_id } = input;
        item.product_id = Some(product_id);
        item.is_requested = is_requested;
        item.counted_here = true;
        item.restamps = 0;
        item.late = false;
        identity::restamp(&mut device, &mut item, now);
        let scan = ScanRecord {
            inventory_count_import_id: item.inventory_count_import_id.clone(),
            import_item_seq_id: item.import_item_seq_id.clone(),
            kind: ScanKind::Match,
            before: item.quantity,
            after: item.quantity,
            revision: item.revision,
            counted_at: Timestamp::from_unix_ms(device.server_ms(now)),
            counted_by_user_login_id: matched_by_user_login_id,
            product_identifier: item.product_identifier.clone(),
        };
        Counted { device, item, scan }
    }
}
