//! Points in time: milliseconds since 1970, as RFC 3339 text with milliseconds on the wire.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{
    OffsetDateTime,
    format_description::well_known::{Rfc2822, Rfc3339},
};

/// The text is not an RFC 3339 time between the years 1970 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a time such as 2026-11-22T09:14:03.120Z")]
pub struct TimestampError;

/// Milliseconds since 1970-01-01T00:00:00Z. Finer digits are cut off when parsed; any offset is accepted and kept as UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const YEAR_10000_MS: i64 = 253_402_300_800_000;

impl Timestamp {
    /// From milliseconds since 1970; clamped to the years 1970–9999, which is what RFC 3339 can write.
    pub fn from_unix_ms(ms: i64) -> Self {
        Self(ms.clamp(0, YEAR_10000_MS - 1))
    }

    /// Milliseconds since 1970.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 text.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        Self::from_moment(OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?)
    }

    /// Parses an HTTP date (RFC 9110, 5.6.7) such as `Sun, 22 Nov 2026 09:14:03 GMT`.
    pub fn parse_http_date(text: &str) -> Result<Self, TimestampError> {
        Self::from_moment(OffsetDateTime::parse(text, &Rfc2822).map_err(|_| TimestampError)?)
    }

    fn from_moment(moment: OffsetDateTime) -> Result<Self, TimestampError> {
        let ms = i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| TimestampError)?;
        if (0..YEAR_10000_MS).contains(&ms) { Ok(Self(ms)) } else { Err(TimestampError) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1_000)).map_err(|_| fmt::Error)?;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            moment.year(),
            u8::from(moment.month()),
            moment.day(),
            moment.hour(),
            moment.minute(),
            moment.second(),
            self.0.rem_euclid(1_000)
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn offsets_become_utc_and_finer_digits_are_cut() {
        let time = Timestamp::parse("2026-11-22T10:14:03.1209+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-22T09:14:03.120Z");
        let date = Timestamp::parse_http_date("Sun, 22 Nov 2026 09:14:03 GMT").unwrap();
        assert_eq!(date.to_string(), "2026-11-22T09:14:03.000Z");
        assert_eq!(Timestamp::parse("yesterday"), Err(TimestampError));
        assert_eq!(Timestamp::parse("1969-12-31T23:59:59Z"), Err(TimestampError));
    }

    proptest! {
        #[test]
        fn text_round_trips(ms in 0..YEAR_10000_MS) {
            let time = Timestamp::from_unix_ms(ms);
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        }
    }
}
