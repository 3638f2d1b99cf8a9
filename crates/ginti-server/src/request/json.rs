//! Extractors for small typed JSON bodies.

use axum::{extract::FromRequest, extract::Request, http::header};
use ginti_types::Code;
use serde::de::DeserializeOwned;
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

    async fn from_request(request: Request, deps: &Deps) -> Result<Self, Self::Rejection> {
        let headers = request.headers();
        let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
            && !headers.contains_key(header::TRANSFER_ENCODING)
            && !headers.contains_key(header::CONTENT_TYPE);
        if empty {
            return Ok(Self(T::default()));
        }
        Json::<Option<T>>::from_request(request, deps).await.map(|Json(value)| Self(value.unwrap_or_default()))
    }
}

/// From bytes that were read already.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => {
            ProblemResponse::new(Code::FieldInvalid, format!("The body does not have the expected members: {error}."))
        }
        Category::Syntax | Category::Eof | Category::Io => {
            ProblemResponse::new(Code::MalformedJson, format!("The body is not JSON: {error}."))
        }
    })
}
