//! One count of a batch as history keeps it. A batch that arrives is one record with all its counts inside: history then
//! costs a page per batch, where a record and two indexes for each count cost more than everything else together.

use ginti_types::{
    ItemContent, ItemSeqId, LocationSeqId, Note, Outcome, ProductId, ProductIdentifier, Requested, Revision, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// A count in the record of the batch it arrived in. Its number in the ledger follows from its place there.
///
/// `counted_at` and `counted_by` are as they were sent: left out, the record's own time and sender stand in for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<'a> {
    /// The row.
    pub item: &'a str,
    /// Its revision; the device is the record's.
    pub revision: u64,
    /// 0 applied, 1 superseded, 2 late, 3 rejected because its clock ran ahead.
    pub outcome: u8,
    /// Micro-units.
    pub quantity: i64,
    /// The product.
    pub product_id: Option<&'a str>,
    /// What was scanned, where it is no product's.
    pub product_identifier: Option<&'a str>,
    /// When it was counted, in milliseconds of Unix time.
    pub counted_at: Option<i64>,
    /// The counter's key in table `person`.
    pub counted_by: Option<i64>,
    /// Whether it was on a list.
    pub is_requested: Option<bool>,
    /// Where it lay.
    pub location_seq_id: Option<&'a str>,
    /// The number of the late entry that this one applies.
    pub origin: Option<i64>,
    /// What a person wrote beside it. Stands behind the entry if there is one (see `NOTE_FOLLOWS`).
    #[serde(skip)]
    pub note: Option<&'a str>,
}

/// Added to the outcome of an entry that has a note behind it. Histories from before there were notes have none, and read as
/// they always did.
const NOTE_FOLLOWS: u8 = 0x80;

impl<'a> Entry<'a> {
    /// Of a count that arrives.
    pub fn arriving(
        item: &'a ItemSeqId,
        revision: Revision,
        content: &'a ItemContent,
        counted_by: Option<i64>,
        outcome: Outcome,
    ) -> Self {
        Self {
            item: item.as_str(),
            revision: revision.get(),
            outcome: outcome_number(outcome),
            quantity: content.quantity.micros(),
            product_id: content.product_id.as_ref().map(ProductId::as_str),
            product_identifier: content.product_identifier.as_ref().map(ProductIdentifier::as_str),
            counted_at: content.counted_at.map(Timestamp::unix_ms),
            counted_by,
            is_requested: content.is_requested.map(|requested| requested == Requested::Y),
            location_seq_id: content.location_seq_id.as_ref().map(LocationSeqId::as_str),
            origin: None,
            note: content.note.as_ref().map(Note::as_str),
        }
    }

    /// Appends it.
    pub fn write(&self, to: &mut Vec<u8>) -> Result<(), StoreError> {
        let before = std::mem::take(to);
        *to = match self.note {
            None => postcard::to_extend(self, before),
            Some(note) => postcard::to_extend(&Self { outcome: self.outcome | NOTE_FOLLOWS, ..*self }, before)
                .and_then(|written| postcard::to_extend(note, written)),
        }
        .map_err(damaged)?;
        Ok(())
    }

    /// Takes the first of a record; the rest.
    fn read(record: &'a [u8]) -> postcard::Result<(Self, &'a [u8])> {
        let (mut entry, rest) = postcard::take_from_bytes::<Self>(record)?;
        if entry.outcome & NOTE_FOLLOWS == 0 {
            return Ok((entry, rest));
        }
        entry.outcome &= !NOTE_FOLLOWS;
        let (note, rest) = postcard::take_from_bytes(rest)?;
        entry.note = Some(note);
        Ok((entry, rest))
    }

    /// How it was decided.
    pub fn outcome(&self) -> Result<Outcome, StoreError> {
        match self.outcome {
            0 => Ok(Outcome::Applied),
            1 => Ok(Outcome::Superseded),
            2 => Ok(Outcome::Late),
            3 => Ok(Outcome::Rejected),
            other => Err(damaged(format!("outcome {other}"))),
        }
    }

    /// Whether it is the same stamp's arrival; the record's device must be the stamp's.
    pub fn is_arrival_of(&self, item: &str, revision: u64) -> bool {
        self.revision == revision && self.item == item && self.origin.is_none()
    }

    /// Whether both say the same of what was counted.
    pub fn has_content_of(&self, other: &Entry<'_>) -> bool {
        self.quantity == other.quantity
            && self.product_id == other.product_id
            && self.product_identifier == other.product_identifier
            && self.counted_at == other.counted_at
            && self.counted_by == other.counted_by
            && self.is_requested == other.is_requested
            && self.location_seq_id == other.location_seq_id
            && self.note == other.note
    }
}

/// How an outcome stands in an entry.
pub fn outcome_number(outcome: Outcome) -> u8 {
    match outcome {
        // A duplicate adds no entry; the count it repeats was applied.
        Outcome::Applied | Outcome::Duplicate => 0,
        Outcome::Superseded => 1,
        Outcome::Late => 2,
        Outcome::Rejected => 3,
    }
}

/// The entries of a record, in order of arrival.
pub fn entries(record: &[u8]) -> Entries<'_> {
    Entries { rest: record }
}

/// See [`entries`]. Ends after the first that cannot be read.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = Entry::read(self.rest);
        self.rest = read.as_ref().map_or(&[], |(_, rest)| *rest);
        Some(read.map(|(entry, _)| entry).map_err(damaged))
    }
}

pub(crate) fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("history holds something unexpected: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(item: &str, quantity: i64) -> Entry<'_> {
        Entry {
            item,
            revision: u64::MAX >> 1,
            outcome: 2,
            quantity,
            product_id: Some("P-1"),
            product_identifier: None,
            counted_at: Some(-1),
            counted_by: Some(i64::MAX),
            is_requested: Some(false),
            location_seq_id: Some(""),
            origin: None,
            note: None,
        }
    }

    /// Databases hold records of versions that knew no notes.
    #[test]
    fn an_entry_without_a_note_is_written_and_read_as_it_always_was() {
        let entry = Entry { revision: 300, counted_by: Some(-2), origin: Some(3), ..entry("row-1", 5) };
        let old = b"\x05row-1\xac\x02\x02\x0a\x01\x03P-1\x00\x01\x01\x01\x03\x01\x00\x01\x00\x01\x06";
        let mut record = Vec::new();
        entry.write(&mut record).unwrap();
        assert_eq!(record, old);
        assert_eq!(entries(old).collect::<Result<Vec<_>, _>>().unwrap(), [entry]);
    }

    #[test]
    fn what_was_written_is_read_in_its_order() {
        let all = [
            entry("row-1", 1_500_000),
            entry("row-2", 0),
            Entry { origin: Some(7), ..entry("row-1", i64::MAX) },
            Entry { note: Some("torn\nopen"), ..entry("row-3", 2) },
            entry("row-4", 3),
        ];
        let mut record = Vec::new();
        for entry in &all {
            entry.write(&mut record).unwrap();
        }
        assert_eq!(entries(&record).collect::<Result<Vec<_>, _>>().unwrap(), all);
    }

    #[test]
    fn a_damaged_record_is_an_error_and_has_an_end() {
        let mut record = Vec::new();
        entry("row-1", 1).write(&mut record).unwrap();
        record.pop();
        let read: Vec<_> = entries(&record).collect();
        assert!(matches!(read.as_slice(), [Err(_)]), "{read:?}");
        record.clear();
        Entry { note: Some("torn"), ..entry("row-1", 1) }.write(&mut record).unwrap();
        record.pop();
        let read: Vec<_> = entries(&record).collect();
        assert!(matches!(read.as_slice(), [Err(_)]), "{read:?}");
    }
}
