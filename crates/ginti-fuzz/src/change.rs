//! Changes to an input, the same ones for the same seed: what a fuzzer does, without its guidance.

/// Makes changed inputs from a seed.
#[derive(Clone, Debug)]
pub struct Changes {
    state: u64,
}

impl Changes {
    /// The same seed makes the same changes.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// One of the inputs, changed in a few places, and no longer than `bytes_max`.
    pub fn next(&mut self, inputs: &[(String, Vec<u8>)], words: &[&str], bytes_max: usize) -> Vec<u8> {
        let mut bytes = self.one_of(inputs).map_or_else(Vec::new, |(_, bytes)| bytes.clone());
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, inputs, words);
        }
        bytes.truncate(bytes_max);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[(String, Vec<u8>)], words: &[&str]) {
        let at = self.below(bytes.len() + 1);
        match self.below(7) {
            0 => bytes.truncate(at),
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            2 => bytes.insert(at, u8::try_from(self.below(256)).unwrap_or(0)),
            3 => {
                let end = (at + self.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + 1 + self.below(40)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let word = self.one_of(words).copied().unwrap_or("0");
                bytes.splice(at..at, word.bytes());
            }
            _ => {
                // The beginning of this one and the end of another.
                let other = self.one_of(inputs).map_or_else(Vec::new, |(_, other)| other.clone());
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let at = self.below(all.len().max(1));
        all.get(at)
    }

    /// A number below that one.
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from((z ^ (z >> 31)) % bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_changes_and_none_is_too_long() {
        let inputs = [("a".to_owned(), b"{\"quantity\":1}".to_vec()), ("b".to_owned(), b"[]".to_vec())];
        let made = |seed| {
            let mut changes = Changes::new(seed);
            (0..200).map(|_| changes.next(&inputs, &["null"], 20)).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert!(made(3).iter().all(|bytes| bytes.len() <= 20));
    }
}
