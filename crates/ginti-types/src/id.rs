//! Ids, parsed once at the edge: 1–40 characters, none of them a control character.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smol_str::SmolStr;

use crate::limits::{ID_CHARS_MAX, PRODUCT_IDENTIFIER_CHARS_MAX};

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("is empty; it needs 1 to {max} characters")]
    Empty {
        /// Characters allowed.
        max: usize,
    },
    /// The text is too long.
    #[error("has {chars} characters; at most {max} are allowed")]
    TooLong {
        /// Characters found.
        chars: usize,
        /// Characters allowed.
        max: usize,
    },
    /// The text holds a control character such as a line break or NUL.
    #[error("contains a control character (such as a line break or a tab), which an id cannot have")]
    Control,
    /// The text is not a UUID.
    #[error("is not a UUID such as 019aab7e-0000-7000-8000-000000000000")]
    NotUuid,
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident, $max:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks and takes the text as it stands: nothing is trimmed or folded.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                check(text, $max)?;
                Ok(Self(SmolStr::new(text)))
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(|text: &str| Self::new(text)))
            }
        }
    )*};
}

text_id! {
    /// A tenant: one company's data, invisible to every other.
    TenantId, ID_CHARS_MAX;
    /// A store or warehouse.
    FacilityId, ID_CHARS_MAX;
    /// A counting session, `inventoryCountImportId` on the wire.
    SessionId, ID_CHARS_MAX;
    /// One row of a session, `importItemSeqId` on the wire.
    ItemSeqId, ID_CHARS_MAX;
    /// A product of the catalogue.
    ProductId, ID_CHARS_MAX;
    /// A place in a facility.
    LocationSeqId, ID_CHARS_MAX;
    /// A person's sign-in name.
    UserLoginId, ID_CHARS_MAX;
    /// One installation of the app on one device.
    DeviceId, ID_CHARS_MAX;
    /// Identity of a database's history; a wiped or restored server has another.
    Epoch, ID_CHARS_MAX;
    /// What was scanned or typed to find a product: a GTIN, an SKU, any code.
    ProductIdentifier, PRODUCT_IDENTIFIER_CHARS_MAX;
}

/// Reads a text where it lies: a batch has hundreds of ids, and most are short enough to need no memory of their own.
struct Text<F>(F);

impl<T, F: FnOnce(&str) -> Result<T, IdError>> de::Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

fn check(text: &str, max: usize) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { max });
    }
    if text.len() <= max && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    let chars = text.chars().count();
    if chars > max {
        return Err(IdError::TooLong { chars, max });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control);
    }
    Ok(())
}

/// A batch's id: a UUID, made as version 7 by Ginti's own devices so that a server's receipts stay in time order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(uuid::Uuid);

impl BatchId {
    /// Parses the usual hyphenated form (any case; the plain 32-digit form too).
    pub fn parse(text: &str) -> Result<Self, IdError> {
        uuid::Uuid::try_parse(text).map(Self).map_err(|_| IdError::NotUuid)
    }

    /// A version 7 UUID from injected time and entropy: the caller owns both.
    pub fn from_time(unix_ms: u64, entropy: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &entropy).into_uuid())
    }

    /// The 16 bytes, in the order that sorts by time for version 7.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// From the 16 bytes of [`Self::as_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl Serialize for BatchId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BatchId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(Self::parse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_to_forty_characters_not_bytes() {
        assert_eq!(ItemSeqId::new(""), Err(IdError::Empty { max: 40 }));
        assert!(ItemSeqId::new("é".repeat(40)).is_ok());
        assert_eq!(ItemSeqId::new("x".repeat(41)), Err(IdError::TooLong { chars: 41, max: 40 }));
        assert_eq!(ItemSeqId::new("a\nb"), Err(IdError::Control));
    }

    #[test]
    fn a_batch_id_from_time_is_version_7_and_sorts_by_time() {
        let early = BatchId::from_time(1_000, [0xff; 10]);
        let late = BatchId::from_time(1_001, [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().as_bytes()[14], b'7');
        assert_eq!(BatchId::parse(&early.to_string()), Ok(early));
        assert_eq!(BatchId::parse("batch-1"), Err(IdError::NotUuid));
    }
}
