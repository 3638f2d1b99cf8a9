//! Why a store refuses an item, in words that are the same in every back end.

use ginti_types::{Code, ItemSeqId, Revision, Timestamp, UserLoginId, limits::CLOCK_AHEAD_MS_MAX};

use crate::Refusal;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

impl Refusal {
    /// How far the revision runs ahead of `now`, in milliseconds, if that is more than is accepted.
    pub fn clock_ahead_ms(revision: Revision, now: Timestamp) -> Option<u64> {
        let ahead = u64::try_from(revision.unix_ms() - now.unix_ms()).unwrap_or(0);
        (ahead > CLOCK_AHEAD_MS_MAX).then_some(ahead)
    }

    /// The revision runs ahead of the server's clock.
    pub fn clock_skew(item: &ItemSeqId, ahead_ms: u64) -> Self {
        let detail = format!(
            "The revision is {} ahead of the server's clock; at most {} are accepted. Set the device's clock, take a \
             new revision and send the count again.",
            span(ahead_ms),
            span(CLOCK_AHEAD_MS_MAX)
        );
        Self::of(item, Code::ClockSkew, detail)
    }

    /// A copy of what a device stamped while its clock ran ahead, before it took a new id.
    pub fn stamped_ahead(item: &ItemSeqId) -> Self {
        let detail = "The device's clock ran ahead when it stamped this count, and it has taken a new id since. Take a new \
                      revision under that id and send the count again.";
        Self::of(item, Code::ClockSkew, detail.to_owned())
    }

    /// The stamp came before with other content.
    pub fn revision_reused(item: &ItemSeqId, revision: Revision) -> Self {
        let detail = format!(
            "Revision {} of this row came from this device before, with other content: the device's data was copied \
             or restored. Take a new device id and a new revision and send the count again.",
            revision.get()
        );
        Self::of(item, Code::RevisionReused, detail)
    }

    /// The counter has not signed in on the device.
    pub fn attribution_not_allowed(item: &ItemSeqId, user: &UserLoginId) -> Self {
        let detail = format!(
            "\"{user}\" has never signed in on this device, so the device cannot send counts in that name. Let \
             \"{user}\" sign in on it once, then send the count again."
        );
        Self::of(item, Code::AttributionNotAllowed, detail)
    }

    fn of(item: &ItemSeqId, code: Code, detail: String) -> Self {
        Self { import_item_seq_id: Some(item.as_str().to_owned()), code, detail }
    }
}

/// A length of time in the unit that a person would use for it.
fn span(ms: u64) -> String {
    let units = [(DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute")];
    let (length, unit) = units.into_iter().find(|(length, _)| ms >= *length).unwrap_or((SECOND_MS, "second"));
    let amount = ms / length;
    format!("{amount} {unit}{}", if amount == 1 { "" } else { "s" })
}
