//! Problems (RFC 9457): every error answer, and the one table of codes, statuses and titles.

use serde::{Deserialize, Serialize};

use crate::Receipt;

/// An error answer, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words; the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This occurrence, in a sentence somebody can act on.
    pub detail: String,
    /// The stable machine-readable code.
    pub code: String,
    /// What is wrong where, when the problem lies in the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The receipt of all items, when some of the batch's items were refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Of a session that cannot be handed in: its devices, each with how it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<serde_json::Value>,
}

impl Problem {
    /// A problem of that code, said in a sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:ginti:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code: code.as_str().to_owned(),
            errors: Vec::new(),
            receipt: None,
            devices: Vec::new(),
        }
    }

    /// The same with the places in the body that are wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The same with a receipt.
    #[must_use]
    pub fn with_receipt(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(receipt);
        self
    }
}

/// One thing wrong in a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The stable machine-readable code.
    pub code: String,
    /// What is wrong, in a sentence.
    pub detail: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)*) => {
        /// Every code Ginti answers with. Codes never change their meaning; new ones may come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant),* }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The HTTP status of a problem of this code (of the whole answer, for an item's code).
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// The kind of problem in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// From the code on the wire; none for a code of a later version.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    // The whole request.
    /// The body is not JSON.
    MalformedJson = "malformed-json", 400, "The body is not JSON";
    /// A query, path or header value is unusable.
    InvalidParameter = "invalid-parameter", 400, "A parameter is not usable";
    /// The batch lacks something or has something that does not belong.
    BatchInvalid = "batch-invalid", 422, "The batch is not usable";
    /// The batch has no items.
    NoItems = "no-items", 422, "The batch has no items";
    /// More than 1,000 items.
    TooManyItems = "too-many-items", 413, "The batch has too many items";
    /// More than 1 MiB after decompression.
    BodyTooLarge = "body-too-large", 413, "The body is too large";
    /// The connection broke while the body was on its way.
    BodyIncomplete = "body-incomplete", 408, "The body is incomplete";
    /// Not `application/json`.
    UnsupportedMediaType = "unsupported-media-type", 415, "The body's type is not accepted";
    /// Not `gzip` or `identity`, or not what it says.
    UnsupportedEncoding = "unsupported-encoding", 415, "The body's encoding is not accepted";
    /// The same batch id with other content.
    BatchIdReused = "batch-id-reused", 409, "The batch id was used for other content";
    /// A session cannot be handed in: something that a device counted has not arrived.
    SessionIncomplete = "session-incomplete", 409, "Something has not arrived";
    /// A session cannot go from where it stands to where it was to be moved.
    StatusNotAllowed = "status-not-allowed", 409, "Not from this status";
    /// Some items of the batch were refused; the others are stored.
    ItemsRefused = "items-refused", 422, "Some counts were refused";
    /// No token.
    TokenMissing = "token-missing", 401, "Sign in first";
    /// The token was good once.
    TokenExpired = "token-expired", 401, "The sign-in has expired";
    /// The token is no token of this server.
    TokenInvalid = "token-invalid", 401, "The token is not valid";
    /// Wrong name or password.
    CredentialsWrong = "credentials-wrong", 401, "Wrong user name or password";
    /// The current password, given to change it, is another one.
    PasswordWrong = "password-wrong", 403, "The current password is wrong";
    /// An admin has disabled the account.
    AccountDisabled = "account-disabled", 403, "This account is disabled";
    /// The refresh cookie is missing, expired, revoked or reused.
    RefreshRefused = "refresh-refused", 401, "Sign in again";
    /// The person may not do this.
    NotAllowed = "not-allowed", 403, "Not allowed";
    /// No session of that id that this person may count in.
    SessionNotAllowed = "session-not-allowed", 403, "No such session for you";
    /// The device was revoked.
    DeviceRevoked = "device-revoked", 403, "This device was blocked";
    /// Nothing there.
    NotFound = "not-found", 404, "Not found";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", 405, "The method is not allowed here";
    /// Too many requests.
    TooManyRequests = "too-many-requests", 429, "Too many requests";
    /// Something broke inside.
    InternalError = "internal-error", 500, "The server failed";
    /// The server has more to do than it can take on now.
    Busy = "busy", 503, "The server is busy";
    /// The server is shutting down.
    Draining = "draining", 503, "The server is restarting";
    /// The database cannot be written.
    StorageUnavailable = "storage-unavailable", 503, "The database is unavailable";

    // One item.
    /// An id is empty, too long or has control characters.
    IdInvalid = "id-invalid", 422, "An id is not usable";
    /// A member is missing.
    FieldMissing = "field-missing", 422, "A member is missing";
    /// A member that the format does not have.
    FieldUnknown = "field-unknown", 422, "A member is unknown";
    /// A member stands twice.
    FieldDuplicate = "field-duplicate", 422, "A member stands twice";
    /// A member has the wrong type or value.
    FieldInvalid = "field-invalid", 422, "A member has a wrong value";
    /// The quantity is not a number.
    QuantityInvalid = "quantity-invalid", 422, "The quantity is not a number";
    /// The quantity is below zero.
    QuantityNegative = "quantity-negative", 422, "The quantity is below zero";
    /// The quantity has more than six decimals.
    QuantityTooPrecise = "quantity-too-precise", 422, "The quantity has too many decimals";
    /// The quantity is too large.
    QuantityTooLarge = "quantity-too-large", 422, "The quantity is too large";
    /// The revision is no whole number from 1 to 2^53 − 1.
    RevisionInvalid = "revision-invalid", 422, "The revision is not usable";
    /// The stamp was used for other content.
    RevisionReused = "revision-reused", 422, "The revision was used for other content";
    /// The device's clock runs ahead.
    ClockSkew = "clock-skew", 422, "The device's clock runs ahead";
    /// Neither product nor identifier.
    ProductMissing = "product-missing", 422, "Neither product nor barcode is given";
    /// Counted by someone who has not signed in on this device.
    AttributionNotAllowed = "attribution-not-allowed", 422, "The counter has not signed in on this device";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::from_name(code.as_str()), Some(*code));
            assert!(Code::ALL[..at].iter().all(|other| other.as_str() != code.as_str()));
            assert!((400..600).contains(&code.status()));
        }
    }
}
