//! The fast way: one pass into typed structs. Says only yes or no; [`super::diagnose`] says why not.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::ParsedBatch;
use crate::{
    BatchId, CountItem, DeviceId, ItemContent, ItemSeqId, LocationSeqId, Note, Object, ProductId, ProductIdentifier,
    Quantity, Requested, Revision, SessionId, Timestamp, UserLoginId, limits::BATCH_ITEMS_MAX,
};

pub(super) fn parse(body: &[u8]) -> Option<ParsedBatch> {
    // Checked as a whole: text by text takes longer.
    let body = std::str::from_utf8(body).ok()?;
    let Object(batch) = serde_json::from_str::<Object<StrictBatch>>(body).ok()?;
    if batch.items.0.iter().any(|item| item.product_id.is_none() && item.product_identifier.is_none()) {
        return None;
    }
    Some(ParsedBatch {
        batch_id: batch.batch_id,
        device_id: batch.device_id,
        inventory_count_import_id: batch.inventory_count_import_id,
        items: batch.items.0.into_iter().map(|item| Ok(item.into())).collect(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StrictBatch {
    batch_id: BatchId,
    device_id: DeviceId,
    inventory_count_import_id: SessionId,
    items: StrictItems,
}

/// Items, refused as soon as there is one too many: memory stays bounded whatever the body holds.
struct StrictItems(Vec<StrictItem>);

impl<'de> Deserialize<'de> for StrictItems {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = StrictItems;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of items")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<StrictItems, A::Error> {
                let mut items = Vec::new();
                while let Some(Object(item)) = seq.next_element()? {
                    if items.len() == BATCH_ITEMS_MAX {
                        return Err(de::Error::custom("too many items"));
                    }
                    items.push(item);
                }
                Ok(StrictItems(items))
            }
        }

        deserializer.deserialize_seq(Visitor)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StrictItem {
    import_item_seq_id: ItemSeqId,
    #[serde(default)]
    product_id: Option<ProductId>,
    #[serde(default)]
    product_identifier: Option<ProductIdentifier>,
    quantity: ExactQuantity,
    revision: Revision,
    #[serde(default)]
    counted_at: Option<Timestamp>,
    #[serde(default)]
    counted_by_user_login_id: Option<UserLoginId>,
    #[serde(default)]
    is_requested: Option<Requested>,
    #[serde(default)]
    location_seq_id: Option<LocationSeqId>,
    #[serde(default)]
    note: Option<Note>,
}

/// A quantity read from the number's own text, before any double could round it.
struct ExactQuantity(Quantity);

impl<'de> Deserialize<'de> for ExactQuantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        raw.get().parse().map(Self).map_err(de::Error::custom)
    }
}

impl From<StrictItem> for CountItem {
    fn from(item: StrictItem) -> Self {
        Self {
            import_item_seq_id: item.import_item_seq_id,
            revision: item.revision,
            content: ItemContent {
                product_id: item.product_id,
                product_identifier: item.product_identifier,
                quantity: item.quantity.0,
                counted_at: item.counted_at,
                counted_by_user_login_id: item.counted_by_user_login_id,
                is_requested: item.is_requested,
                location_seq_id: item.location_seq_id,
                note: item.note,
            },
        }
    }
}
