//! Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015). It slows; it never ends.

use serde::{Deserialize, Serialize};

use crate::Entropy;

/// How long to wait after failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Backoff {
    /// Upper bound of the wait after the first failure, in milliseconds.
    pub base_ms: u64,
    /// Upper bound of any wait, in milliseconds.
    pub cap_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base_ms: 1_000, cap_ms: 5 * 60 * 1_000 }
    }
}

impl Backoff {
    /// A wait after that many failures in a row (1 for the first): uniform between 0 and min(cap, base × 2^(failures − 1)).
    pub fn wait_ms(&self, failures: u32, entropy: &mut Entropy) -> i64 {
        i64::try_from(entropy.up_to(self.ceiling_ms(failures))).unwrap_or(i64::MAX)
    }

    /// The longest that [`Self::wait_ms`] can be.
    pub fn ceiling_ms(&self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(62);
        self.base_ms.saturating_mul(1 << doublings).min(self.cap_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap_and_stays_there_for_ever() {
        let backoff = Backoff::default();
        assert_eq!([1, 2, 3].map(|n| backoff.ceiling_ms(n)), [1_000, 2_000, 4_000]);
        assert_eq!(backoff.ceiling_ms(10), 300_000);
        assert_eq!(backoff.ceiling_ms(u32::MAX), 300_000);
    }

    proptest! {
        #[test]
        fn waits_use_the_whole_range(failures in 1..20_u32, bytes in any::<[u8; 32]>()) {
            let backoff = Backoff::default();
            let wait = backoff.wait_ms(failures, &mut Entropy::new(&bytes));
            prop_assert!((0..=i64::try_from(backoff.ceiling_ms(failures)).unwrap()).contains(&wait));
        }
    }

    #[test]
    fn a_fleet_spreads_over_the_range() {
        let backoff = Backoff::default();
        let mut buckets = [0_u32; 10];
        for device in 0..10_000_u32 {
            let wait = backoff.wait_ms(5, &mut Entropy::new(&device.to_le_bytes()));
            buckets[usize::try_from(wait * 10 / 16_001).unwrap()] += 1;
        }
        assert!(buckets.iter().all(|&n| (800..1_200).contains(&n)), "{buckets:?}");
    }
}
