//! A variant's id and name.
//!
//! The id follows from the handle and the option values alone: they name a variant in the shop, while SKUs are left out,
//! repeated or changed. So importing a file again, or a later export of the same shop, replaces products and doubles none.
//! It is those texts joined by colons; where that is longer than an id may be, or a text has a colon or a control character
//! of its own, the beginning and 12 hex digits (48 bits) of a SHA-256 over the texts.

use std::fmt::Write;

use ginti_types::{ProductId, limits::ID_CHARS_MAX};
use sha2::{Digest, Sha256};

/// What the shop writes for a product that has no options.
const NO_OPTIONS: &str = "Default Title";
const HASH_BYTES: usize = 6;

/// The id of a variant.
pub(super) fn product_id(handle: &str, options: [&str; 3]) -> Option<ProductId> {
    let parts: Vec<_> = std::iter::once(handle).chain(said(options)).collect();
    let plain = Some(parts.join(":")).filter(|_| parts.iter().all(|part| !part.contains(':')));
    plain.and_then(|id| ProductId::new(id).ok()).or_else(|| ProductId::new(hashed(&parts)).ok())
}

/// The name of a variant: the title and the options that tell it from its siblings.
pub(super) fn name(title: &str, options: [&str; 3]) -> String {
    let options: Vec<_> = said(options).filter(|option| *option != title).collect();
    let name = if options.is_empty() { title.to_owned() } else { format!("{title} – {}", options.join(" / ")) };
    one_line(&name)
}

/// Control characters become spaces: nobody sees them, and databases do not keep all of them.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn said(options: [&str; 3]) -> impl Iterator<Item = &str> {
    options.into_iter().filter(|option| !option.is_empty() && *option != NO_OPTIONS)
}

/// Beginning and hash; characters that an id cannot have become spaces (the hash is of what stood there).
fn hashed(parts: &[&str]) -> String {
    let kept = ID_CHARS_MAX - 1 - 2 * HASH_BYTES;
    let mut id: String = parts.join(":").chars().take(kept).map(|c| if c.is_control() { ' ' } else { c }).collect();
    id.push('~');
    for byte in &Sha256::digest(parts.join("\0").as_bytes())[..HASH_BYTES] {
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_texts_while_they_fit() {
        let id = |handle: &str, options| product_id(handle, options).unwrap().to_string();
        assert_eq!(id("tea", ["Default Title", "", ""]), "tea");
        assert_eq!(id("tea", ["Green", "", "20 g"]), "tea:Green:20 g");
        assert_eq!(id(&"x".repeat(40), ["", "", ""]), "x".repeat(40));
    }

    #[test]
    fn long_ids_are_cut_stable_and_distinct() {
        let long = "a-handle-that-goes-on-and-on-for-ever";
        let id = |option: &'static str| product_id(long, [option, "", ""]).unwrap().to_string();
        assert_eq!(id("Small"), "a-handle-that-goes-on-and-o~4cbbe5217177");
        assert_eq!(id("Small").chars().count(), 40);
        assert_ne!(id("Small"), id("Large"));
        assert_ne!(product_id("a", ["b:c", "", ""]), product_id("a", ["b", "c", ""]));
        let odd = product_id("tea", ["a\nb", "", ""]).unwrap();
        assert!(odd.as_str().starts_with("tea:a b~"));
    }

    #[test]
    fn names_say_what_tells_variants_apart() {
        assert_eq!(name("Tea", ["Default Title", "", ""]), "Tea");
        assert_eq!(name("Tea", ["Tea", "", ""]), "Tea");
        assert_eq!(name("Tea", ["Green", "20 g", ""]), "Tea – Green / 20 g");
    }
}
