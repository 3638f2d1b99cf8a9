//! A scan or a correction: journal entry, absolute count and stamp, to be put in one transaction.

use ginti_types::{
    Code, LocationSeqId, ProductId, ProductIdentifier, Quantity, QuantityError, Requested, Revision, SessionId,
    Timestamp, UserLoginId,
};
use serde::{Deserialize, Serialize};

use super::{Batcher, identity};
use crate::{
    Moment,
    record::{DeviceRecord, ItemRecord, ScanKind, ScanRecord, Truth},
};

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Count {
    /// Scanned once, or added several by hand.
    Add {
        /// How many.
        quantity: Quantity,
    },
    /// Took some away.
    Subtract {
        /// How many.
        quantity: Quantity,
    },
    /// Set the row to a number; zero means "counted, none there".
    Set {
        /// The number.
        quantity: Quantity,
    },
    /// Takes back a journal entry, whatever happened since.
    Undo {
        /// The entry's count before.
        before: Quantity,
        /// The entry's count after.
        after: Quantity,
    },
}

/// Input of [`Batcher::count`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountIn {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// The row to count into; none to make one.
    pub item: Option<ItemRecord>,
    /// What a new row is about.
    pub row: Option<NewRow>,
    /// What was done.
    pub count: Count,
    /// Who did it.
    pub counted_by_user_login_id: UserLoginId,
    /// What was scanned this time.
    pub product_identifier: Option<ProductIdentifier>,
}

/// What a new row is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewRow {
    /// The session.
    pub inventory_count_import_id: SessionId,
    /// The product; none for an unmatched code.
    pub product_id: Option<ProductId>,
    /// The code it was found by.
    pub product_identifier: Option<ProductIdentifier>,
    /// Whether the list asks for it.
    pub is_requested: Option<Requested>,
    /// Where.
    pub location_seq_id: Option<LocationSeqId>,
}

/// Output of [`Batcher::count`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// To put.
    pub device: DeviceRecord,
    /// To put.
    pub item: ItemRecord,
    /// To append.
    pub scan: ScanRecord,
}

/// Why a count cannot be taken. Nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// The result would be below zero.
    #[error("That would bring the count below zero.")]
    BelowZero,
    /// The result would be too large.
    #[error("That is more than a count can hold (999,999,999.999999).")]
    TooLarge,
    /// Neither a row nor what a new one is about.
    #[error("There is no product or code to count.")]
    NoProduct,
}

/// Input of [`Batcher::retry`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Retry {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// The refused row.
    pub item: ItemRecord,
}

/// Output of [`Batcher::retry`]: to put.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Retried {
    /// This device.
    pub device: DeviceRecord,
    /// The row, dirty again.
    pub item: ItemRecord,
}

/// Input of [`Batcher::signed_in`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedIn {
    /// The device's clock.
    pub now: Moment,
    /// This device.
    pub device: DeviceRecord,
    /// Rows with truth `refused`.
    pub items: Vec<ItemRecord>,
}

/// Output of [`Batcher::signed_in`]: to put.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TriedAgain {
    /// This device.
    pub device: DeviceRecord,
    /// Rows that go out again; the other refused ones wait for a person.
    pub items: Vec<ItemRecord>,
}

impl Batcher {
    /// Takes one count. Costs the same however much was counted before.
    pub fn count(&self, input: CountIn) -> Result<Counted, CountError> {
        let CountIn { now, mut device, item, row, count, counted_by_user_login_id, product_identifier } = input;
        let before = item.as_ref().map_or(Quantity::ZERO, |item| item.quantity);
        let after = apply(before, count)?;
        let counted_at = Timestamp::from_unix_ms(device.server_ms(now));
        let mut item = match (item, row) {
            (Some(item), _) => item,
            (None, Some(row)) if row.product_id.is_some() || row.product_identifier.is_some() => {
                fresh_row(&mut device, row, counted_at, counted_by_user_login_id.clone())
            }
            (None, _) => return Err(CountError::NoProduct),
        };
        item.quantity = after;
        item.counted_at = counted_at;
        item.counted_by_user_login_id = counted_by_user_login_id;
        item.counted_here = true;
        item.restamps = 0;
        item.late = false;
        identity::restamp(&mut device, &mut item, now);
        let scan = ScanRecord {
            inventory_count_import_id: item.inventory_count_import_id.clone(),
            import_item_seq_id: item.import_item_seq_id.clone(),
            kind: kind(count),
            before,
            after,
            revision: item.revision,
            counted_at,
            counted_by_user_login_id: item.counted_by_user_login_id.clone(),
            product_identifier,
        };
        Ok(Counted { device, item, scan })
    }

    /// Sends a refused row again as it is: the cause may be gone.
    pub fn retry(&self, input: Retry) -> Retried {
        let Retry { now, mut device, mut item } = input;
        item.restamps = 0;
        identity::restamp(&mut device, &mut item, now);
        Retried { device, item }
    }

    /// Somebody signed in: rows that were refused because of who was signed in before go out again.
    pub fn signed_in(&self, input: SignedIn) -> TriedAgain {
        let SignedIn { now, mut device, items } = input;
        let mut again = Vec::new();
        for item in items.into_iter().filter(was_refused_for_a_sign_in) {
            let retried = self.retry(Retry { now, device, item });
            device = retried.device;
            again.push(retried.item);
        }
        TriedAgain { device, items: again }
    }
}

/// Whether the refusal says something of who has signed in, and nothing of the count: the person whose sign-in carried the
/// batch, or the counter, whom a restored server no longer knows on this device.
fn was_refused_for_a_sign_in(item: &ItemRecord) -> bool {
    let code = item.problem.as_ref().and_then(|problem| Code::from_name(&problem.code));
    item.truth == Truth::Refused
        && matches!(
            code,
            Some(Code::SessionNotAllowed | Code::NotAllowed | Code::DeviceRevoked | Code::AttributionNotAllowed)
        )
}

fn apply(before: Quantity, count: Count) -> Result<Quantity, CountError> {
    let result = match count {
        Count::Add { quantity } => before.checked_add(quantity),
        Count::Subtract { quantity } => before.checked_sub(quantity),
        Count::Set { quantity } => Ok(quantity),
        Count::Undo { before: was, after } => Quantity::from_micros(before.micros() - (after.micros() - was.micros())),
    };
    result.map_err(|error| match error {
        QuantityError::Negative => CountError::BelowZero,
        QuantityError::TooLarge | QuantityError::NotANumber | QuantityError::TooPrecise => CountError::TooLarge,
    })
}

fn kind(count: Count) -> ScanKind {
    match count {
        Count::Add { .. } => ScanKind::Add,
        Count::Subtract { .. } => ScanKind::Subtract,
        Count::Set { .. } => ScanKind::Set,
        Count::Undo { .. } => ScanKind::Undo,
    }
}

fn fresh_row(device: &mut DeviceRecord, row: NewRow, counted_at: Timestamp, counted_by: UserLoginId) -> ItemRecord {
    ItemRecord {
        inventory_count_import_id: row.inventory_count_import_id,
        import_item_seq_id: identity::mint_row(device),
        product_id: row.product_id,
        product_identifier: row.product_identifier,
        quantity: Quantity::ZERO,
        counted_at,
        counted_by_user_login_id: counted_by,
        is_requested: row.is_requested,
        location_seq_id: row.location_seq_id,
        note: None,
        // Stamped properly before anyone sees it.
        revision: Revision::from_unix_ms(0),
        device_id: device.device_id.clone(),
        own: true,
        counted_here: true,
        confirmed: None,
        custody: None,
        problem: None,
        late: false,
        restamps: 0,
        truth: Truth::Saved,
    }
}
