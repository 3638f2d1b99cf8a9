//! A note on a count: what a person writes beside the number.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use smol_str::SmolStr;

use crate::limits::NOTE_CHARS_MAX;

/// Why a text is not a note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Nothing but white space.
    #[error("is empty; leave it out or give it 1 to {NOTE_CHARS_MAX} characters")]
    Empty,
    /// The text is too long.
    #[error("has {chars} characters; at most {NOTE_CHARS_MAX} are allowed")]
    TooLong {
        /// Characters found.
        chars: usize,
    },
    /// The text holds a control character that is not a line break.
    #[error("contains a control character (such as a tab); a note may have line breaks (\\n) and no others")]
    Control,
}

/// Free text of 1 to 500 characters without white space around it. The only control character in it is the line feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Note(SmolStr);

impl Note {
    /// Checks the text and takes it without the white space around it.
    pub fn new(text: impl AsRef<str>) -> Result<Self, NoteError> {
        let text = text.as_ref().trim();
        if text.is_empty() {
            return Err(NoteError::Empty);
        }
        let chars = text.chars().count();
        if chars > NOTE_CHARS_MAX {
            return Err(NoteError::TooLong { chars });
        }
        if text.chars().any(|char| char.is_control() && char != '\n') {
            return Err(NoteError::Control);
        }
        Ok(Self(SmolStr::new(text)))
    }

    /// What a person typed or pasted: line breaks of any kind are one, other control characters become spaces, and nothing
    /// but white space is no note. The error is the number of characters: too many is all that can be wrong with it.
    pub fn from_typed(text: &str) -> Result<Option<Self>, usize> {
        let text: String = text
            .replace("\r\n", "\n")
            .chars()
            .map(|char| match char {
                '\n' | '\r' => '\n',
                char if char.is_control() => ' ',
                char => char,
            })
            .collect();
        match Self::new(text) {
            Ok(note) => Ok(Some(note)),
            Err(NoteError::TooLong { chars }) => Err(chars),
            Err(NoteError::Empty | NoteError::Control) => Ok(None),
        }
    }

    /// The note's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Note;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Note, E> {
                Note::new(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_one_to_five_hundred_characters_and_nothing_around_them() {
        assert_eq!(Note::new(" two boxes\nopen \n").unwrap().as_str(), "two boxes\nopen");
        assert_eq!(Note::new(" \n "), Err(NoteError::Empty));
        assert!(Note::new(format!(" {} ", "é".repeat(500))).is_ok());
        assert_eq!(Note::new("é".repeat(501)), Err(NoteError::TooLong { chars: 501 }));
    }

    #[test]
    fn the_line_feed_is_the_only_control_character() {
        for text in ["a\tb", "a\r\nb", "a\0b", "a\u{85}b"] {
            assert_eq!(Note::new(text), Err(NoteError::Control), "{text:?}");
        }
    }

    #[test]
    fn what_a_person_pasted_is_made_fit() {
        assert_eq!(Note::from_typed("a\tb\r\nc\rd\n").unwrap().unwrap().as_str(), "a b\nc\nd");
        assert_eq!(Note::from_typed(" \t\n"), Ok(None));
        assert_eq!(Note::from_typed(&"x".repeat(501)), Err(501));
    }
}
