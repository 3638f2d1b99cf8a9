//! What becomes of a count, from what a store knows of its row and its stamp: the decisions of [`crate::Import`] that are the
//! same in every back end, without the tables.

use ginti_types::{ItemSeqId, Outcome, Revision, Stamp, Timestamp, Verdict, merge};

use crate::Refusal;

/// A count about to be taken.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its row.
    pub item: &'a ItemSeqId,
    /// Its stamp.
    pub stamp: &'a Stamp,
    /// The last revision believed of its device, if the device's id was given up.
    pub believed_to: Option<Revision>,
    /// The server's clock.
    pub now: Timestamp,
    /// Whether the session takes counts.
    pub takes_counts: bool,
}

/// What history says of the same stamp.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// Its number in the ledger.
    pub ledger_seq: u64,
    /// How it was decided.
    pub outcome: Outcome,
    /// When.
    pub received_at: Timestamp,
    /// Whether it said the same of what was counted.
    pub same_content: bool,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Goes into history with that outcome, and holds in its row if that is `Applied`. `origin` is the late entry it applies:
    /// its attribution and time stay what they were then.
    Keep {
        /// `Applied`, `Late` or `Superseded`.
        outcome: Outcome,
        /// See above.
        origin: Option<u64>,
    },
    /// Goes into history as rejected, and is refused.
    KeepRefused(Refusal),
    /// Is answered so; nothing is written.
    Answer(Outcome),
    /// Is refused; nothing is written.
    Refuse(Refusal),
}

impl Candidate<'_> {
    /// Decides, given the stamp that holds in the row and what history says of this one.
    pub fn decide(&self, held: Option<&Stamp>, arrived: Option<Arrived>) -> Decision {
        match arrived {
            Some(arrived) => self.again(held, arrived),
            None => self.fresh(held),
        }
    }

    /// Why the stamp is too far in the future to be taken at that time, if it is.
    pub fn ahead(&self, time: Timestamp) -> Option<Refusal> {
        match Refusal::clock_ahead_ms(self.stamp.revision, time) {
            Some(ms) => Some(Refusal::clock_skew(self.item, ms)),
            None if self.believed_to.is_some_and(|bound| self.stamp.revision > bound) => {
                Some(Refusal::stamped_ahead(self.item))
            }
            None => None,
        }
    }

    fn fresh(&self, held: Option<&Stamp>) -> Decision {
        if let Some(refusal) = self.ahead(self.now) {
            return Decision::KeepRefused(refusal);
        }
        let outcome = match merge(held, self.stamp, || true) {
            Verdict::Apply if self.takes_counts => Outcome::Applied,
            Verdict::Apply => Outcome::Late,
            Verdict::Superseded | Verdict::Duplicate | Verdict::RevisionReused => Outcome::Superseded,
        };
        Decision::Keep { outcome, origin: None }
    }

    /// A stamp that arrived before: answered as it was decided then, as far as that still holds.
    fn again(&self, held: Option<&Stamp>, arrived: Arrived) -> Decision {
        if !arrived.same_content {
            return Decision::Refuse(Refusal::revision_reused(self.item, self.stamp.revision));
        }
        if arrived.outcome == Outcome::Rejected {
            let ahead = self.ahead(arrived.received_at);
            return Decision::Refuse(ahead.unwrap_or_else(|| Refusal::stamped_ahead(self.item)));
        }
        match merge(held, self.stamp, || true) {
            Verdict::Duplicate | Verdict::RevisionReused => Decision::Answer(Outcome::Duplicate),
            Verdict::Superseded => Decision::Answer(Outcome::Superseded),
            // Only a late count can be in history and still be newer than what holds.
            Verdict::Apply if self.takes_counts => {
                Decision::Keep { outcome: Outcome::Applied, origin: Some(arrived.ledger_seq) }
            }
            Verdict::Apply => Decision::Answer(Outcome::Late),
        }
    }
}
