//! Randomness handed in by the host, drawn from in order. The machines own none.

/// Bytes the host got from its own random source for one call. Give at least 32; more draws than bytes are stretched
/// deterministically, so that a short supply weakens an id but never stops a count.
#[derive(Clone, Debug)]
pub struct Entropy {
    bytes: Vec<u8>,
    at: usize,
    stretch: u64,
}

impl Entropy {
    /// From the host's bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let seed = bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { bytes: bytes.to_vec(), at: 0, stretch: seed }
    }

    /// The next `N` bytes.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next_byte())
    }

    /// A whole number from 0 to `max` inclusive. (The bias of the remainder is far below what jitter needs.)
    pub fn up_to(&mut self, max: u64) -> u64 {
        u64::from_le_bytes(self.take()) % max.saturating_add(1).max(1)
    }

    fn next_byte(&mut self) -> u8 {
        if let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            return byte;
        }
        // SplitMix64 (Steele, Lea, Flood 2014), a byte at a time.
        self.stretch = self.stretch.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.stretch;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_in_order_and_never_run_out() {
        let mut entropy = Entropy::new(&[1, 2, 3]);
        assert_eq!(entropy.take::<2>(), [1, 2]);
        let mut again = Entropy::new(&[1, 2, 3]);
        again.take::<2>();
        assert_eq!(entropy.take::<16>(), again.take::<16>(), "the same supply gives the same draws");
        assert!(entropy.up_to(0) == 0);
        assert!((0..100).all(|_| entropy.up_to(5) <= 5));
    }
}
