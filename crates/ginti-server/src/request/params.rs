//! Extractors for query and path parameters that answer faults with problems.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use ginti_types::Code;
use serde::de::DeserializeOwned;

use crate::ProblemResponse;

/// The query's parameters.
pub(crate) struct Params<T>(pub(crate) T);

/// The path's parameters.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        no_nul(parts.uri.query().unwrap_or_default(), "query")?;
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(invalid(&format!("The query cannot be used: {}.", rejection.body_text()))),
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        no_nul(parts.uri.path(), "path")?;
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(invalid(&format!("The path cannot be used: {}.", rejection.body_text()))),
        }
    }
}

/// NUL stands in no text that a database keeps, and in an address only escaped.
fn no_nul(escaped: &str, what: &str) -> Result<(), ProblemResponse> {
    if escaped.contains("%00") {
        return Err(invalid(&format!("The {what} holds the character NUL (%00), which no text here can have.")));
    }
    Ok(())
}

fn invalid(detail: &str) -> ProblemResponse {
    ProblemResponse::new(Code::InvalidParameter, detail)
}
