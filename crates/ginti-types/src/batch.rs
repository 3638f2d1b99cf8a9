//! A batch: an immutable set of absolute counts, as devices send it (DESIGN.md section 4).

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    BatchId, DeviceId, ItemSeqId, LocationSeqId, Note, ProductId, ProductIdentifier, Quantity, Revision, SessionId,
    Stamp, Timestamp, UserLoginId,
};

/// `POST /maarg/poorti/InventoryCountImport`'s body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// Names this set of items for ever; the same id never carries other content.
    pub batch_id: BatchId,
    /// The device whose stamps these are.
    pub device_id: DeviceId,
    /// The session all of the items belong to.
    pub inventory_count_import_id: SessionId,
    /// At least one item.
    pub items: Vec<CountItem>,
}

/// One count: the row, its revision and its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountItem {
    /// The row within the session.
    pub import_item_seq_id: ItemSeqId,
    /// The device clock's revision of this content.
    pub revision: Revision,
    /// What was counted, how much, by whom and when.
    #[serde(flatten)]
    pub content: ItemContent,
}

impl CountItem {
    /// The stamp of this count when it comes from `device_id`.
    pub fn stamp(&self, device_id: &DeviceId) -> Stamp {
        Stamp { revision: self.revision, device_id: device_id.clone() }
    }
}

/// Everything of a count that a stamp vouches for: two deliveries of one stamp must agree on all of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemContent {
    /// The product; none while a barcode is unmatched, and then `product_identifier` is there.
    #[serde(default)]
    pub product_id: Option<ProductId>,
    /// What was scanned or typed.
    #[serde(default)]
    pub product_identifier: Option<ProductIdentifier>,
    /// The absolute count of the row.
    pub quantity: Quantity,
    /// When it was counted (not sent). The server takes the time of arrival when it is left out.
    #[serde(default)]
    pub counted_at: Option<Timestamp>,
    /// Who counted it (not who sent it). The server takes the signed-in user when it is left out.
    #[serde(default)]
    pub counted_by_user_login_id: Option<UserLoginId>,
    /// Whether a directed list asked for it.
    #[serde(default)]
    pub is_requested: Option<Requested>,
    /// Where in the facility.
    #[serde(default)]
    pub location_seq_id: Option<LocationSeqId>,
    /// What a person wrote beside it. Not written when there is none, so that a count without one is what it always was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// Moqui's indicator: `Y` or `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Requested {
    /// On the list.
    Y,
    /// Found besides.
    N,
}

impl Requested {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "Y" => Some(Self::Y),
            "N" => Some(Self::N),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Requested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::object::named(deserializer, "Y or N", Self::from_name)
    }
}
