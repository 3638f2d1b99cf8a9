//! What a session is for and where it stands, in the words integrators already have (FIELD.md section 4).

use serde::{Deserialize, Deserializer, Serialize};

use crate::object::named;

/// Why a session counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// Count everything there is.
    HardCount,
    /// Count a list.
    DirectedCount,
}

/// A session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionStatus {
    /// Planned.
    SessionCreated,
    /// Given to people; counting.
    SessionAssigned,
    /// Handed in; takes no more changes.
    SessionSubmitted,
    /// Accepted.
    SessionApproved,
    /// Called off.
    SessionVoided,
}

impl SessionStatus {
    /// Whether counts that arrive now change the session; otherwise they are `late`.
    pub fn takes_counts(self) -> bool {
        matches!(self, Self::SessionCreated | Self::SessionAssigned)
    }
}

macro_rules! wire_names {
    ($type:ident: $expected:literal { $($variant:ident = $name:literal),* $(,)? }) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                named(deserializer, $expected, Self::from_name)
            }
        }

        impl $type {
            /// The name on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// From the name on the wire; none for any other text.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

wire_names!(Purpose: "HARD_COUNT or DIRECTED_COUNT" { HardCount = "HARD_COUNT", DirectedCount = "DIRECTED_COUNT" });
wire_names!(SessionStatus: "a status such as SESSION_SUBMITTED" {
    SessionCreated = "SESSION_CREATED",
    SessionAssigned = "SESSION_ASSIGNED",
    SessionSubmitted = "SESSION_SUBMITTED",
    SessionApproved = "SESSION_APPROVED",
    SessionVoided = "SESSION_VOIDED",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_with_the_wire() {
        for status in [
            SessionStatus::SessionCreated,
            SessionStatus::SessionAssigned,
            SessionStatus::SessionSubmitted,
            SessionStatus::SessionApproved,
            SessionStatus::SessionVoided,
        ] {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", status.as_str()));
            assert_eq!(SessionStatus::from_name(status.as_str()), Some(status));
        }
        assert_eq!(serde_json::to_string(&Purpose::HardCount).unwrap(), "\"HARD_COUNT\"");
        assert_eq!(Purpose::from_name("DIRECTED_COUNT"), Some(Purpose::DirectedCount));
        assert_eq!(Purpose::from_name("directed"), None);
    }
}
