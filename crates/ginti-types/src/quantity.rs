//! A counted quantity: an exact decimal ≥ 0 with at most six decimals, never a float in any decision or database.
//!
//! The largest quantity has 15 significant digits. That is what an IEEE double carries exactly through
//! text → number → text, so a JSON number survives every parser that a quantity can meet on its way.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MICROS_PER_UNIT: i64 = 1_000_000;
const DECIMALS_MAX: usize = 6;
/// Digits an exponent may have before the number is absurd whatever its digits.
const EXPONENT_MAX: i32 = 400;

/// Why a number is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a JSON number.
    #[error("is not a number")]
    NotANumber,
    /// Below zero.
    #[error("is below zero; a count is zero or more")]
    Negative,
    /// More than six decimals.
    #[error("has more than 6 decimals")]
    TooPrecise,
    /// Beyond 999,999,999.999999.
    #[error("is larger than 999,999,999.999999")]
    TooLarge,
}

/// Exact decimal quantity in millionths of a unit, between [`Quantity::ZERO`] and [`Quantity::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

impl Quantity {
    /// Counted, and none there. Different from not counted, which is the absence of a quantity.
    pub const ZERO: Self = Self(0);
    /// One unit.
    pub const ONE: Self = Self(MICROS_PER_UNIT);
    /// The largest quantity.
    pub const MAX: Self = Self(999_999_999_999_999);

    /// From millionths of a unit.
    pub fn from_micros(micros: i64) -> Result<Self, QuantityError> {
        match micros {
            ..0 => Err(QuantityError::Negative),
            0..=999_999_999_999_999 => Ok(Self(micros)),
            _ => Err(QuantityError::TooLarge),
        }
    }

    /// In millionths of a unit.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The sum, if it is still a quantity.
    pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        Self::from_micros(self.0 + other.0)
    }

    /// The difference, if it is still a quantity.
    pub fn checked_sub(self, other: Self) -> Result<Self, QuantityError> {
        Self::from_micros(self.0 - other.0)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    /// Parses the JSON number grammar exactly, digit by digit: `12`, `0.5`, `1.2e1`. Trailing zeros do not count as decimals.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !all_digits(whole) || !all_digits(fraction) || leading_zero {
            return Err(QuantityError::NotANumber);
        }
        let all: String = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        if negative {
            return Err(QuantityError::Negative);
        }
        let trimmed = significant.trim_end_matches('0');
        let dropped = significant.len() - trimmed.len();
        // The value is `trimmed × 10^power`; all of these lengths are bounded by the body limit.
        let power = i64::from(exponent) - to_i64(fraction.len()) + to_i64(dropped);
        if power < -to_i64(DECIMALS_MAX) {
            return Err(QuantityError::TooPrecise);
        }
        let scale = u32::try_from(power + to_i64(DECIMALS_MAX)).map_err(|_| QuantityError::TooLarge)?;
        if trimmed.len() > 15 || scale > 15 {
            return Err(QuantityError::TooLarge);
        }
        let value: i64 = trimmed.parse().map_err(|_| QuantityError::TooLarge)?;
        let micros = value.checked_mul(10_i64.pow(scale)).ok_or(QuantityError::TooLarge)?;
        Self::from_micros(micros)
    }
}

fn parse_exponent(text: &str) -> Result<i32, QuantityError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !all_digits(digits) {
        return Err(QuantityError::NotANumber);
    }
    // An exponent too long for an i32 is clamped: it is out of range in either direction all the same.
    let size = digits.parse::<i32>().unwrap_or(EXPONENT_MAX).min(EXPONENT_MAX);
    Ok(if text.starts_with('-') { -size } else { size })
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn to_i64(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / MICROS_PER_UNIT, self.0 % MICROS_PER_UNIT);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{fraction:06}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % MICROS_PER_UNIT == 0 {
            return serializer.serialize_i64(self.0 / MICROS_PER_UNIT);
        }
        // Exact: both operands are integers below 2^53, so the division is the double nearest to the decimal, and the
        // shortest text of that double is the decimal itself (15 digits at most).
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let value = self.0 as f64 / MICROS_PER_UNIT as f64;
        serializer.serialize_f64(value)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    /// From a number that some JSON parser has already read. The wire's own parser reads the text instead
    /// ([`crate::parse_batch`]), because a double would round a twentieth decimal away unseen.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity: a number, zero or more, with at most 6 decimals")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
                value.to_string().parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Quantity, E> {
                value.to_string().parse().map_err(E::custom)
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Quantity, E> {
                value.to_string().parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(text: &str) -> Result<i64, QuantityError> {
        text.parse::<Quantity>().map(Quantity::micros)
    }

    #[test]
    fn reads_the_json_number_grammar_exactly() {
        assert_eq!(micros("12"), Ok(12_000_000));
        assert_eq!(micros("0"), Ok(0));
        assert_eq!(micros("-0"), Ok(0));
        assert_eq!(micros("0.000001"), Ok(1));
        assert_eq!(micros("1.50000000000"), Ok(1_500_000));
        assert_eq!(micros("1.2e1"), Ok(12_000_000));
        assert_eq!(micros("1e-6"), Ok(1));
        assert_eq!(micros("999999999.999999"), Ok(999_999_999_999_999));
    }

    #[test]
    fn refuses_what_is_no_count() {
        assert_eq!(micros("-1"), Err(QuantityError::Negative));
        assert_eq!(micros("0.0000001"), Err(QuantityError::TooPrecise));
        assert_eq!(micros("0.10000000000000000001"), Err(QuantityError::TooPrecise));
        assert_eq!(micros("1000000000"), Err(QuantityError::TooLarge));
        assert_eq!(micros("1e400"), Err(QuantityError::TooLarge));
        assert_eq!(micros("1e-400"), Err(QuantityError::TooPrecise));
        assert_eq!(micros("1e99999999999"), Err(QuantityError::TooLarge));
        for text in ["", "-", ".5", "5.", "1e", "1e+", "0x1", "NaN", "01", " 1", "1 ", "\"1\"", "1_0"] {
            assert_eq!(micros(text), Err(QuantityError::NotANumber), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_quantity_survives_json_and_text(micros in 0..=Quantity::MAX.micros()) {
            let quantity = Quantity::from_micros(micros).unwrap();
            prop_assert_eq!(quantity.to_string().parse::<Quantity>().unwrap(), quantity);
            let json = serde_json::to_string(&quantity).unwrap();
            prop_assert_eq!(json.parse::<Quantity>().unwrap(), quantity);
            prop_assert_eq!(serde_json::from_str::<Quantity>(&json).unwrap(), quantity);
            // A JavaScript engine parses to a double and prints the shortest text that reads back the same.
            let double: f64 = json.parse().unwrap();
            prop_assert_eq!(double.to_string().parse::<Quantity>().unwrap(), quantity);
        }

        #[test]
        fn parsing_never_panics(text in "[-+0-9.eE]{0,24}") {
            let _ = micros(&text);
        }
    }
}
