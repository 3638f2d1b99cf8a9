//! From a request body to a batch: strict, exact, and with a reason for every item it cannot take.
//!
//! A body that is well formed is read in one pass into typed structs. Only when that fails is it read again, member by
//! member, to find out which items are good, which are not, and why: one poison item never blocks the rest.

mod diagnose;
mod strict;

use crate::{BatchId, Code, CountItem, DeviceId, Problem, SessionId, limits::BATCH_ITEMS_MAX};

/// A batch whose frame is good. Its items may each be good or refused; they stand in the order of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedBatch {
    /// The batch's id.
    pub batch_id: BatchId,
    /// The device whose stamps these are.
    pub device_id: DeviceId,
    /// The session.
    pub inventory_count_import_id: SessionId,
    /// At least one, at most [`BATCH_ITEMS_MAX`].
    pub items: Vec<ParsedItem>,
}

/// A count, or why it is none.
pub type ParsedItem = Result<CountItem, ItemRefusal>;

/// Why one item was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRefusal {
    /// The row it named, as far as it can be read: an id of wrong length is echoed, its beginning if it is very long.
    pub import_item_seq_id: Option<String>,
    /// The member at fault; none when it is the item as a whole.
    pub member: Option<String>,
    /// Stable code.
    pub code: Code,
    /// A sentence.
    pub detail: String,
    /// The item's own text, so that a batch's content can be compared even where it could not be read.
    pub raw: String,
}

/// Reads a body. The error is for the whole batch: nothing of it can be stored.
pub fn parse_batch(body: &[u8]) -> Result<ParsedBatch, Box<Problem>> {
    let Some(batch) = strict::parse(body) else { return diagnose::parse(body) };
    check_count(batch.items.len())?;
    Ok(batch)
}

/// The same, member by member from the start: slower, and says the same of every body. For checks of just that.
pub fn parse_batch_patiently(body: &[u8]) -> Result<ParsedBatch, Box<Problem>> {
    diagnose::parse(body)
}

fn check_count(items: usize) -> Result<(), Box<Problem>> {
    match items {
        0 => {
            Err(Box::new(Problem::new(Code::NoItems, "The batch has no items. Send at least one count in \"items\".")))
        }
        1..=BATCH_ITEMS_MAX => Ok(()),
        count => Err(Box::new(Problem::new(
            Code::TooManyItems,
            format!(
                "The batch has {count} items; at most {BATCH_ITEMS_MAX} are accepted. Send them in several batches."
            ),
        ))),
    }
}

#[cfg(test)]
mod tests;
