//! Global Trade Item Numbers: GTIN-8, -12 (UPC-A), -13 (EAN-13) and -14, and their check digit.
//!
//! GS1 General Specifications, section 7.9: from the right, digits weigh 3 and 1 in turn; the check digit brings the sum
//! to a multiple of ten. Weights count from the right, so leading zeros change nothing.

/// Lengths a GTIN can have.
pub const LENGTHS: [usize; 4] = [8, 12, 13, 14];

/// The digit that follows `body`; none if that is empty or not all digits.
pub fn check_digit(body: &str) -> Option<u8> {
    if body.is_empty() || !body.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let sum: u64 =
        body.bytes().rev().zip([3, 1].into_iter().cycle()).map(|(byte, weight)| u64::from(byte - b'0') * weight).sum();
    u8::try_from((10 - sum % 10) % 10).ok()
}

/// Whether all of it is digits and the last one is the check digit of the others, whatever the length.
pub fn ends_with_check_digit(code: &str) -> bool {
    code.split_at_checked(code.len().saturating_sub(1))
        .and_then(|(body, last)| Some(check_digit(body)? == last.parse::<u8>().ok()?))
        .unwrap_or(false)
}

/// Whether it is a GTIN: one of the four lengths with a valid check digit.
pub fn is_valid(code: &str) -> bool {
    LENGTHS.contains(&code.len()) && ends_with_check_digit(code)
}

/// `body` followed by its check digit; none if `body` is not all digits.
pub fn complete(body: &str) -> Option<String> {
    Some(format!("{body}{}", check_digit(body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_are_valid() {
        for code in ["96385074", "036000291452", "4006381333931", "10614141000415", "00000000000000"] {
            assert!(is_valid(code), "{code}");
        }
    }

    #[test]
    fn any_single_wrong_digit_is_noticed() {
        let code = "4006381333931";
        for at in 0..code.len() {
            for digit in b'0'..=b'9' {
                let mut bytes = code.as_bytes().to_vec();
                let same = bytes[at] == digit;
                bytes[at] = digit;
                assert_eq!(is_valid(std::str::from_utf8(&bytes).unwrap()), same);
            }
        }
    }

    #[test]
    fn what_is_no_number_of_that_length_is_no_gtin() {
        for code in [
            "",
            "0",
            "00",
            "4006381333932",
            "400638133393",
            "٤006381333931",
            "4006381 33931",
            "éééé",
            "0004006381333931",
        ] {
            assert!(!is_valid(code), "{code}");
        }
        assert_eq!(check_digit(""), None);
        assert_eq!(check_digit("12a"), None);
    }

    #[test]
    fn leading_zeros_change_nothing() {
        assert_eq!(check_digit("3600029145"), check_digit("03600029145"));
        assert_eq!(complete("03600029145").as_deref(), Some("036000291452"));
        assert_eq!(complete("400638133393").as_deref(), Some("4006381333931"));
        assert!(ends_with_check_digit("36000291452") && !is_valid("36000291452"));
    }
}
