//! The values that everything else is made of: quantities, revisions, times, ids and notes.

use ginti_types::{
    BatchId, DeviceId, Note, NoteError, ProductIdentifier, Quantity, QuantityError, Revision, Timestamp,
    limits::{ID_CHARS_MAX, NOTE_CHARS_MAX, PRODUCT_IDENTIFIER_CHARS_MAX},
};
use serde_json::value::RawValue;

use super::text;
use crate::Target;

const NUMBERS: &[&str] =
    &["e", "E", "-", "+", ".", "0", "999999999.999999", "1e-6", "9007199254740991", "1e308", "000000"];

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "quantity",
        holds: "A number of JSON's grammar is a quantity or is refused for what it is; anything else is no number; a quantity is \
                written and read again exactly, as a text, as JSON and through a double.",
        check: quantity,
        bytes_max: 48,
        words: NUMBERS,
    },
    Target {
        name: "revision",
        holds: "A revision is a whole number from 1 to 2^53 − 1, lies between the lowest and the highest of its millisecond, and the \
                next one is not below it.",
        check: revision,
        bytes_max: 32,
        words: NUMBERS,
    },
    Target {
        name: "time",
        holds: "A time lies between 1970 and 9999, and is written and read again as it was; a date of HTTP likewise.",
        check: time,
        bytes_max: 48,
        words: &[
            "2026-11-22T09:14:03.120Z",
            "Sun, 22 Nov 2026 09:14:03 GMT",
            "9999-12-31T23:59:60Z",
            "+23:59",
            "-00:00",
            ".999999999",
            "T24:00:00",
        ],
    },
    Target {
        name: "text",
        holds: "An id has 1 to 40 characters (a scanned code 200, a note 500) and no control character, is kept as it stands, and comes \
                through JSON as it was; what a person pasted is made a note or is too long.",
        check: texts,
        bytes_max: 600,
        words: &[
            "\u{0}",
            "\n",
            "\r\n",
            "\t",
            "\u{85}",
            "\u{2028}",
            "é",
            "𝄞",
            "019aab7e-1111-7222-8333-444455556666",
            "{",
            "}",
            "urn:uuid:",
        ],
    },
];

fn quantity(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let read = text.parse::<Quantity>();
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && !text.ends_with(|last: char| last.is_ascii_whitespace())
        && serde_json::from_str::<&RawValue>(text).is_ok();
    assert_eq!(is_number, read != Err(QuantityError::NotANumber), "JSON's grammar decides what a number is");
    let double = text.parse::<f64>();
    match (read, double) {
        (Ok(quantity), double) => {
            assert!((0..=Quantity::MAX.micros()).contains(&quantity.micros()));
            assert_eq!(quantity.to_string().parse(), Ok(quantity));
            let json = serde_json::to_string(&quantity).expect("a quantity is JSON");
            assert_eq!(json.parse(), Ok(quantity));
            assert_eq!(serde_json::from_str::<Quantity>(&json).expect("its own JSON"), quantity);
            // What a JavaScript engine makes of it.
            let through: f64 = json.parse().expect("a number");
            assert_eq!(through.to_string().parse(), Ok(quantity));
            let double = double.expect("a quantity is a number");
            assert!((through - double).abs() <= f64::EPSILON * double.abs(), "{text} is not {json}");
        }
        (Err(QuantityError::Negative), Ok(double)) => assert!(double <= 0.0, "{text} is below zero"),
        (Err(QuantityError::TooLarge), Ok(double)) => assert!(double > 999_999_999.999_998, "{text} is too large"),
        _ => {}
    }
}

fn revision(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(revision) = serde_json::from_str::<Revision>(text) else {
        let is_one = text.parse::<u64>().is_ok_and(|number| Revision::new(number).is_ok());
        assert!(!is_one || text.starts_with(['0', '+']), "{text} is one");
        return;
    };
    assert!((1..=Revision::MAX.get()).contains(&revision.get()));
    assert_eq!(serde_json::to_string(&revision).expect("JSON"), revision.get().to_string());
    let ms = revision.unix_ms();
    assert!(Revision::from_unix_ms(ms) <= revision && revision <= Revision::last_of_unix_ms(ms));
    assert!(revision.next() >= revision && revision.next() <= Revision::MAX);
}

fn time(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    for time in [Timestamp::parse(text), Timestamp::parse_http_date(text)].into_iter().flatten() {
        assert_eq!(Timestamp::from_unix_ms(time.unix_ms()), time, "within the years that can be written");
        let written = time.to_string();
        assert_eq!(written.len(), 24);
        assert_eq!(Timestamp::parse(&written), Ok(time));
    }
}

fn texts(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let is_plain = |max| (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let id = DeviceId::new(text);
    assert_eq!(id.is_ok(), is_plain(ID_CHARS_MAX));
    if let Ok(id) = id {
        assert_eq!(id.as_str(), text, "kept as it stands");
        let json = serde_json::to_string(&id).expect("JSON");
        assert_eq!(serde_json::from_str::<DeviceId>(&json).expect("its own JSON"), id);
    }
    assert_eq!(ProductIdentifier::new(text).is_ok(), is_plain(PRODUCT_IDENTIFIER_CHARS_MAX));
    if let Ok(batch) = BatchId::parse(text) {
        assert_eq!(BatchId::parse(&batch.to_string()), Ok(batch));
        assert_eq!(BatchId::from_bytes(*batch.as_bytes()), batch);
    }
    notes(text);
}

fn notes(text: &str) {
    match Note::new(text) {
        Ok(note) => {
            assert_eq!(Note::new(note.as_str()).as_ref(), Ok(&note), "nothing more to trim");
            assert!((1..=NOTE_CHARS_MAX).contains(&note.as_str().chars().count()));
            assert_eq!(Note::from_typed(text), Ok(Some(note)), "what is a note is one when typed");
        }
        Err(NoteError::Control) => assert!(text.chars().any(char::is_control)),
        Err(NoteError::Empty | NoteError::TooLong { .. }) => {}
    }
    match Note::from_typed(text) {
        Ok(Some(note)) => assert!(Note::new(note.as_str()).is_ok()),
        Ok(None) => assert!(text.chars().all(|char| char.is_whitespace() || char.is_control())),
        Err(chars) => assert!(chars > NOTE_CHARS_MAX),
    }
}
