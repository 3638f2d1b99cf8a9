//! JSON objects that are only ever read from objects.
//!
//! What serde derives reads a struct from an array too, its members by their order, and a name of a list from an object. Nobody
//! means that, the OpenAPI document does not say it, and the patient parser refuses it.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};

/// Read from a JSON object, and from nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Visitor(PhantomData)).map(Self)
    }
}

struct Visitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Reads a name of a list from a text, and from nothing else.
pub(crate) fn named<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    from_name: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Named { expected, from_name })
}

struct Named<T> {
    expected: &'static str,
    from_name: fn(&str) -> Option<T>,
}

impl<T> de::Visitor<'_> for Named<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.from_name)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Purpose, Requested, SessionStatus};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Pair {
        a: u8,
        b: Option<u8>,
    }

    #[test]
    fn an_array_is_no_object_and_an_object_is_no_name() {
        let read = serde_json::from_str::<Object<Pair>>(r#"{"b":2,"a":1}"#).expect("an object");
        assert_eq!(read, Object(Pair { a: 1, b: Some(2) }));
        assert!(serde_json::from_str::<Pair>("[1,2]").is_ok(), "which is why this exists");
        let error = serde_json::from_str::<Object<Pair>>("[1,2]").expect_err("an array");
        assert!(error.to_string().contains("expected a JSON object"), "{error}");
        assert!(serde_json::from_str::<Object<Pair>>("null").is_err());

        for no_name in [r#"{"Y":null}"#, "0", r#""y""#, r#""""#] {
            assert!(serde_json::from_str::<Requested>(no_name).is_err(), "{no_name}");
        }
        assert!(serde_json::from_str::<SessionStatus>(r#"{"SESSION_SUBMITTED":null}"#).is_err());
        assert!(serde_json::from_str::<Purpose>(r#"{"HARD_COUNT":null}"#).is_err());
    }
}
