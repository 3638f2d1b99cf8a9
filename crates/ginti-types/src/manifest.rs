//! What a device says it counted in a session: how many rows, and a digest of their stamps. A submit waits until the server
//! has the same.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of the digest that are kept.
const DIGEST_BYTES: usize = 16;

/// Rows of one device in one session, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Rows.
    pub item_count: u64,
    /// Over each row's id and revision, in the order of the ids: 32 hexadecimal digits.
    pub digest: String,
}

impl Manifest {
    /// Of these rows and revisions, in any order.
    pub fn of<'a>(rows: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_unstable();
        let mut hash = Sha256::new();
        for (row, revision) in &rows {
            hash.update(format!("{row}\n{revision}\n"));
        }
        let digest = hash.finalize().iter().take(DIGEST_BYTES).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Self { item_count: u64::try_from(rows.len()).unwrap_or(u64::MAX), digest }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_has_a_manifest_too() {
        let nothing = Manifest::of([]);
        assert_eq!(nothing.item_count, 0);
        assert_eq!(nothing.digest, "e3b0c44298fc1c149afbf4c8996fb924", "SHA-256 of nothing, the first half");
    }

    #[test]
    fn where_an_id_ends_makes_a_difference() {
        assert_ne!(Manifest::of([("a1", 2)]), Manifest::of([("a", 12)]));
        assert_ne!(Manifest::of([("a", 1), ("b", 1)]), Manifest::of([("a", 1)]));
    }

    proptest! {
        #[test]
        fn order_makes_no_difference_and_any_change_does(
            rows in proptest::collection::btree_map("[a-z0-9-]{1,12}", 1..1_000_000_u64, 1..20),
            seed in any::<usize>(),
        ) {
            let rows: Vec<_> = rows.iter().map(|(row, revision)| (row.as_str(), *revision)).collect();
            let mut turned = rows.clone();
            turned.rotate_left(seed % rows.len());
            prop_assert_eq!(Manifest::of(rows.clone()), Manifest::of(turned.clone()));
            turned[0].1 += 1;
            prop_assert_ne!(Manifest::of(rows), Manifest::of(turned));
        }
    }
}
