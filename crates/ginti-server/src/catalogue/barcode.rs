//! What a barcode cell really says: spreadsheets prefix it with an apostrophe, eat its zeros or round it.

use ginti_types::ProductIdentifier;

use super::{gtin, report::Done};

/// Digits from which a missing zero is believed: shorter codes are a shop's own numbers, valid by chance one time in ten.
const PADDED_FROM: usize = 7;

/// What a cell holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Barcode {
    /// Codes under which the product is found: none, one, or the mended and the original one.
    pub(super) codes: Vec<String>,
    /// What was wrong and what was done about it.
    pub(super) findings: Vec<(String, Done)>,
}

pub(super) fn read(cell: &str) -> Barcode {
    let mut findings = Vec::new();
    let cell = cell.trim();
    let bare = cell.trim_matches(['\'', '’']).trim();
    let mut code = bare.to_owned();
    if bare.len() < cell.len() {
        let what = "the barcode stands behind an apostrophe".to_owned();
        findings.push((what, Done::Mended("apostrophe removed".to_owned())));
    }
    if code.is_empty() {
        findings.push(("no barcode".to_owned(), Done::Noted("taken; it cannot be scanned".to_owned())));
        return Barcode { codes: Vec::new(), findings };
    }
    if is_scientific(&code) {
        let what = format!("the barcode {code} was rounded by a spreadsheet; its last digits are lost");
        findings.push((what, Done::Refused("taken without barcode".to_owned())));
        return Barcode { codes: Vec::new(), findings };
    }
    if ProductIdentifier::new(code.as_str()).is_err() {
        let what = "the barcode is longer than any code or contains a line break".to_owned();
        findings.push((what, Done::Refused("taken without barcode".to_owned())));
        return Barcode { codes: Vec::new(), findings };
    }
    let digits: String = code.chars().filter(|&c| c != ' ' && c != '-').collect();
    if digits != code && gtin::is_valid(&digits) {
        findings.push((format!("the barcode {code} is written in groups"), Done::Mended(format!("taken as {digits}"))));
        code = digits;
    }
    let codes = settle(code, &mut findings);
    Barcode { codes, findings }
}

/// The codes of a cell's text, its zeros put back.
fn settle(code: String, findings: &mut Vec<(String, Done)>) -> Vec<String> {
    if gtin::is_valid(&code) {
        return vec![code];
    }
    let all_digits = code.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits {
        let what = format!("the barcode {code} is not a GTIN");
        findings.push((what, Done::Noted("kept as it stands".to_owned())));
        return vec![code];
    }
    if gtin::LENGTHS.contains(&code.len()) {
        let what = format!("the check digit of the barcode {code} is wrong");
        findings.push((what, Done::Noted("kept as it stands; it is found when it is scanned so".to_owned())));
        return vec![code];
    }
    let longer = gtin::LENGTHS.into_iter().find(|&length| length > code.len());
    match longer {
        Some(length) if code.len() >= PADDED_FROM && gtin::ends_with_check_digit(&code) => {
            let padded = format!("{code:0>length$}");
            let what = format!("the barcode {code} has lost its leading zeros");
            findings.push((what, Done::Mended(format!("taken as {padded}"))));
            // One missing zero is a UPC without doubt. More could be a shop's own number: then it is found by that too.
            if length - code.len() == 1 { vec![padded] } else { vec![padded, code] }
        }
        _ => {
            let what = format!("the barcode {code} has {} digits, which no GTIN has", code.len());
            findings.push((what, Done::Noted("kept as it stands".to_owned())));
            vec![code]
        }
    }
}

/// `9.00952E+12`: a number, not a code any more.
fn is_scientific(code: &str) -> bool {
    let Some((mantissa, exponent)) = code.split_once(['e', 'E']) else { return false };
    let Some(exponent) = exponent.strip_prefix('+') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(exponent) && mantissa.split(['.', ',']).all(digits) && mantissa.split(['.', ',']).count() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(cell: &str) -> Vec<String> {
        read(cell).codes
    }

    fn done(cell: &str) -> Vec<Done> {
        read(cell).findings.into_iter().map(|(_, done)| done).collect()
    }

    #[test]
    fn a_good_code_passes_without_a_word() {
        for code in ["4006381333931", "036000291452", "96385074", "10614141000415"] {
            assert_eq!(read(&format!(" {code} ")), Barcode { codes: vec![code.to_owned()], findings: Vec::new() });
        }
    }

    #[test]
    fn apostrophes_and_groups_are_removed() {
        assert_eq!(codes("'4006381333931"), ["4006381333931"]);
        assert_eq!(done("'4006381333931"), [Done::Mended("apostrophe removed".to_owned())]);
        assert_eq!(codes("0 36000-29145 2"), ["036000291452"]);
        assert_eq!(
            done("'"),
            [Done::Mended("apostrophe removed".to_owned()), Done::Noted("taken; it cannot be scanned".to_owned())]
        );
    }

    #[test]
    fn lost_zeros_are_put_back_where_the_check_digit_agrees() {
        assert_eq!(codes("36000291452"), ["036000291452"]);
        assert_eq!(done("36000291452"), [Done::Mended("taken as 036000291452".to_owned())]);
        let short = gtin::complete("1234567").unwrap();
        assert_eq!(codes(&gtin::complete("012345").unwrap()), [gtin::complete("0012345").unwrap()], "7 digits were 8");
        assert_eq!(codes(&short), [short.as_str()], "8 digits are a GTIN-8 already");
        let nine = gtin::complete("98765432").unwrap();
        assert_eq!(codes(&nine), [format!("000{nine}"), nine.clone()], "found by either");
        assert_eq!(codes("36000291453"), ["36000291453"], "the check digit disagrees");
        assert_eq!(codes(&gtin::complete("4711").unwrap()).len(), 1, "a shop's own short number stays");
    }

    #[test]
    fn what_is_no_gtin_is_kept_as_a_plain_code() {
        for code in ["63810-1000", "4006381333932", "ABC-1", "123456789012345678"] {
            assert_eq!(codes(code), [code]);
            assert!(matches!(done(code)[..], [Done::Noted(_)]), "{code}");
        }
    }

    #[test]
    fn a_rounded_number_is_refused() {
        for code in ["9.00952E+12", "9,00952E+12", "9e+12", "'9.00952E+12"] {
            assert!(codes(code).is_empty(), "{code}");
            assert!(matches!(done(code).last(), Some(Done::Refused(_))), "{code}");
        }
        assert_eq!(codes("E+12"), ["E+12"]);
        assert_eq!(codes("1E5"), ["1E5"], "without its sign it is a code like any other");
        assert!(matches!(done(&"9".repeat(201))[..], [Done::Refused(_)]));
    }
}
