//! Extractors for small typed JSON bodies.

use std::fmt;

use axum::{extract::FromRequest, extract::Request, http::header};
use ginti_types::{Code, Object};
use serde::{Deserialize, Deserializer, de, de::DeserializeOwned};
use serde_json::error::Category;

use super::read;
use crate::{
    Deps,
    problem::{Answer, ProblemResponse},
};

/// Far more than any small request needs.
const SMALL_BODY_BYTES_MAX: usize = 16 * 1_024;

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON body that may hold a list.
pub(crate) struct Large<T>(pub(crate) T);

/// A list of 100,000 product ids, with room.
const LARGE_BODY_BYTES_MAX: usize = 8 * 1_024 * 1_024;

impl<T: DeserializeOwned> FromRequest<Deps> for Large<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, _deps: &Deps) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        parse(&read(&parts.headers, body, LARGE_BODY_BYTES_MAX).await?).map(Self)
    }
}

/// A JSON body, or `T`'s default when there is no body at all (or only `null`).
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Deps> for Json<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, _deps: &Deps) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        parse(&read(&parts.headers, body, SMALL_BODY_BYTES_MAX).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Deps> for OptionalJson<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, _deps: &Deps) -> Result<Self, Self::Rejection> {
        let headers = request.headers();
        let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
            && !headers.contains_key(header::TRANSFER_ENCODING)
            && !headers.contains_key(header::CONTENT_TYPE);
        if empty {
            return Ok(Self(T::default()));
        }
        let (parts, body) = request.into_parts();
        let given: Option<Object<T>> = any(&read(&parts.headers, body, SMALL_BODY_BYTES_MAX).await?)?;
        Ok(Self(given.map(|Object(given)| given).unwrap_or_default()))
    }
}

/// From bytes that were read already: an object.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    any::<Object<T>>(bytes).map(|Object(value)| value)
}

fn any<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    if has_nul(bytes) {
        let detail = "The body holds the character NUL (\\u0000), which no text here can have. Leave it out.";
        return Err(ProblemResponse::new(Code::FieldInvalid, detail));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => {
            ProblemResponse::new(Code::FieldInvalid, format!("The body does not have the expected members: {error}."))
        }
        Category::Syntax | Category::Eof | Category::Io => {
            ProblemResponse::new(Code::MalformedJson, format!("The body is not JSON: {error}."))
        }
    })
}

/// Whether a text of the JSON holds the character NUL, which databases do not keep. In JSON it is always escaped.
fn has_nul(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at + 1..].starts_with(b"u0000") {
            return true;
        }
        // What is escaped is passed over: it may be a backslash.
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

/// A whole number that every JSON parser and every database carries unharmed: 0 to 2^53 − 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeNumber)
    }
}

struct WholeNumber;

impl de::Visitor<'_> for WholeNumber {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 9007199254740991")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
        const MAX: u64 = (1 << 53) - 1;
        if number <= MAX { Ok(Whole(number)) } else { Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)) }
    }

    /// JSON does not tell 1.0 from 1.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
        let text = format!("{number:.0}");
        match text.parse() {
            Ok(whole) if number.fract() == 0.0 => self.visit_u64(whole),
            _ => Err(E::invalid_value(de::Unexpected::Float(number), &self)),
        }
    }

    /// As it stands in a query.
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
        match text.parse() {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Small {
        text: String,
        number: Option<Whole>,
    }

    fn refused(body: &str) -> String {
        let problem = serde_json::to_value(parse::<Small>(body.as_bytes()).expect_err(body).problem()).expect("JSON");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{problem}");
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_small_body_is_an_object_without_nul_and_with_numbers_that_everybody_can_carry() {
        let good = parse::<Small>(br#"{"text":"a\\u0000\u00001","number":9007199254740991}"#.as_slice());
        assert!(good.is_err(), "the second one is a NUL");
        let good = parse::<Small>(br#"{"text":"a\\u0000","number":9007199254740991}"#).expect("an escaped backslash");
        assert_eq!((good.text.as_str(), good.number), ("a\\u0000", Some(Whole(9_007_199_254_740_991))));
        assert_eq!(refused(r#"{"text":"a\u0000b"}"#), "field-invalid");
        assert_eq!(refused(r#"["a",1]"#), "field-invalid");
        assert_eq!(refused(r#"{"text":"a","number":9007199254740992}"#), "field-invalid");
        assert_eq!(refused(r#"{"text":"a","number":-1}"#), "field-invalid");
        assert_eq!(refused(r#"{"text":"a","number":1.5}"#), "field-invalid");
        assert_eq!(refused(r#"{"text":"a","number":1e300}"#), "field-invalid");
        assert_eq!(refused(r#"{"text":"a\"#), "malformed-json");
        let good = parse::<Small>(br#"{"text":"a","number":7.0}"#).expect("JSON does not tell 7.0 from 7");
        assert_eq!(good.number, Some(Whole(7)));
    }
}
