//! Revisions (a 53-bit hybrid logical clock), stamps, and the clock that makes them.
//!
//! Hybrid logical clocks: Kulkarni et al., "Logical Physical Clocks", 2014. 53 bits so that every JSON parser, those that
//! read numbers as doubles included, carries a revision unharmed.

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::DeviceId;

/// 2020-01-01T00:00:00Z in milliseconds since 1970.
const EPOCH_2020_MS: i64 = 1_577_836_800_000;
const COUNTER_BITS: u32 = 12;
const REVISION_MAX: u64 = (1 << 53) - 1;

/// The number is not a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a revision: a whole number from 1 to 9007199254740991")]
pub struct RevisionError;

/// When an item was last written, as its device's clock says: milliseconds since 2020 above, a counter in the low 12 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The largest revision, in the year 2089.
    pub const MAX: Self = Self(REVISION_MAX);

    /// Checks the range 1 ..= 2^53 − 1.
    pub fn new(value: u64) -> Result<Self, RevisionError> {
        if (1..=REVISION_MAX).contains(&value) { Ok(Self(value)) } else { Err(RevisionError) }
    }

    /// The lowest revision of that millisecond.
    pub fn from_unix_ms(unix_ms: i64) -> Self {
        let ms = u64::try_from(unix_ms.saturating_sub(EPOCH_2020_MS)).unwrap_or(0);
        Self((ms.min(REVISION_MAX >> COUNTER_BITS) << COUNTER_BITS).clamp(1, REVISION_MAX))
    }

    /// The highest revision of that millisecond.
    pub fn last_of_unix_ms(unix_ms: i64) -> Self {
        Self(Self::from_unix_ms(unix_ms).0 | ((1 << COUNTER_BITS) - 1))
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The millisecond it names, since 1970.
    pub fn unix_ms(self) -> i64 {
        i64::try_from(self.0 >> COUNTER_BITS).unwrap_or(i64::MAX - EPOCH_2020_MS) + EPOCH_2020_MS
    }

    /// The next revision; saturates at the end of 53 bits.
    #[must_use]
    pub fn next(self) -> Self {
        Self((self.0 + 1).min(REVISION_MAX))
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The total order of writes to one item: by revision, then by device id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stamp {
    /// When.
    pub revision: Revision,
    /// Which device; breaks ties.
    pub device_id: DeviceId,
}

/// Makes revisions that only grow, whatever the wall clock does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Clock {
    last: Option<Revision>,
}

impl Clock {
    /// A clock that has seen `last`.
    pub const fn after(last: Revision) -> Self {
        Self { last: Some(last) }
    }

    /// The last revision made or seen.
    pub const fn last(self) -> Option<Revision> {
        self.last
    }

    /// A new revision: the wall clock's, or one more than the last if the wall clock has not moved past it.
    pub fn tick(&mut self, unix_ms: i64) -> Revision {
        let wall = Revision::from_unix_ms(unix_ms);
        let next = self.last.map_or(wall, |last| wall.max(last.next()));
        self.last = Some(next);
        next
    }

    /// Takes note of a revision from elsewhere, so that the next tick is above it.
    pub fn observe(&mut self, seen: Revision) {
        self.last = self.last.max(Some(seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_revision_names_its_millisecond() {
        let revision = Revision::from_unix_ms(1_795_338_843_120);
        assert_eq!(revision.unix_ms(), 1_795_338_843_120);
        assert!(Revision::new(0).is_err());
        assert!(Revision::new(1 << 53).is_err());
        assert_eq!(Revision::from_unix_ms(0).get(), 1, "a clock before 2020 still makes a valid revision");
        assert_eq!(Revision::from_unix_ms(i64::MAX).get() >> 12, REVISION_MAX >> 12);
    }

    proptest! {
        #[test]
        fn ticks_only_grow_whatever_the_wall_clock_does(walls in proptest::collection::vec(0..4_000_000_000_000_i64, 1..50)) {
            let mut clock = Clock::default();
            let ticks: Vec<_> = walls.iter().map(|&ms| clock.tick(ms)).collect();
            prop_assert!(ticks.is_sorted_by(|a, b| a < b));
        }

        #[test]
        fn a_tick_is_above_everything_seen(seen in 1..REVISION_MAX, wall in 0..4_000_000_000_000_i64) {
            let mut clock = Clock::default();
            clock.observe(Revision::new(seen).unwrap());
            prop_assert!(clock.tick(wall).get() > seen);
        }
    }
}
