//! The device's wall clock as the host reads it: milliseconds since 1970. It may jump either way at any time.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970 on the device's own, untrusted clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// So many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Whether at least `ms` have passed since `earlier`. A moment from the future counts as long ago: the clock was set
    /// back, and nothing may wait for it to come round again.
    pub fn has_passed(self, earlier: Self, ms: i64) -> bool {
        let elapsed = self.0.saturating_sub(earlier.0);
        elapsed >= ms || elapsed < -CLOCK_SET_BACK_MS
    }

    /// `until`, unless it lies further ahead than any wait of `wait_ms_max` could have set it: then the clock was set
    /// back, and waiting is over.
    #[must_use]
    pub fn believable(self, until: Self, wait_ms_max: i64) -> Self {
        if until.0 > self.0.saturating_add(wait_ms_max).saturating_add(CLOCK_SET_BACK_MS) { self } else { until }
    }
}

/// Smaller steps back are ordinary clock adjustment.
const CLOCK_SET_BACK_MS: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_never_makes_anyone_wait_for_it() {
        let year_ms = 365 * 86_400_000;
        assert!(Moment(0).has_passed(Moment(year_ms), 20_000));
        assert!(!Moment(0).has_passed(Moment(5_000), 20_000));
        assert!(Moment(25_000).has_passed(Moment(5_000), 20_000));
        assert_eq!(Moment(10).believable(Moment(year_ms), 300_000), Moment(10));
        assert_eq!(Moment(10).believable(Moment(300_000), 300_000), Moment(300_000));
    }
}
