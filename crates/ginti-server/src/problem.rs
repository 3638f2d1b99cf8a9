//! Every error answer: `application/problem+json` (RFC 9457), and the one map from the store's errors to problems.
//!
//! What a client is told and what the operator's log says are two texts: a client learns what it can do, the log why.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ginti_store::StoreError;
use ginti_types::{Code, Problem};

use crate::auth::TooManyChecks;

/// A problem on its way to the client.
#[derive(Debug)]
pub struct ProblemResponse {
    problem: Box<Problem>,
    retry_after_seconds: Option<u32>,
    replayed: bool,
}

/// What a handler returns.
pub(crate) type Answer<T> = Result<T, ProblemResponse>;

/// What a `503` says in `Retry-After` where nothing more precise is known, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;

impl ProblemResponse {
    /// A problem of that code, said in a sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// What the client is told.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Tells when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Marks the answer as the repetition of an earlier one.
    #[must_use]
    pub fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }

    /// What kind of problem it is.
    pub fn code(&self) -> Code {
        Code::from_name(&self.problem.code).unwrap_or(Code::InternalError)
    }

    /// The server is shutting down.
    pub fn draining() -> Self {
        Self::new(
            Code::Draining,
            "The server is restarting and takes no new counts just now. Nothing was stored; send it again shortly.",
        )
    }

    /// Nothing there, or nothing this person may see: one answer for both, so that ids cannot be probed.
    pub fn no_session() -> Self {
        Self::new(Code::NotFound, "There is no counting session of that id that you may see.")
    }
}

impl From<Problem> for ProblemResponse {
    fn from(problem: Problem) -> Self {
        Box::new(problem).into()
    }
}

impl From<Box<Problem>> for ProblemResponse {
    fn from(problem: Box<Problem>) -> Self {
        let retry_after_seconds = matches!(problem.status, 429 | 503).then_some(RETRY_AFTER_SECONDS);
        Self { problem, retry_after_seconds, replayed: false }
    }
}

impl From<StoreError> for ProblemResponse {
    fn from(error: StoreError) -> Self {
        let (code, detail) = match &error {
            StoreError::Busy => {
                return Self::new(
                    Code::Busy,
                    "The server has more to do than it can take on right now. Nothing was stored; send it again in a moment.",
                );
            }
            StoreError::Closed => return Self::draining(),
            StoreError::Full(_) => (
                Code::StorageUnavailable,
                "The server's disk is full, so nothing was stored. It works again when the operator has made room.",
            ),
            StoreError::Locked(_) => (
                Code::StorageUnavailable,
                "The server's database is in use by another program, so nothing was stored. Send it again in a moment.",
            ),
            StoreError::Failed(_) => (
                Code::StorageUnavailable,
                "The server's database failed, so nothing was stored. Send it again in a moment; the operator's log says more.",
            ),
            StoreError::NewerSchema { .. } => (
                Code::StorageUnavailable,
                "The server's database belongs to a newer version, so nothing was stored. The operator must update the server.",
            ),
            StoreError::Exists(_) | StoreError::Missing(_) => {
                (Code::InternalError, "The server could not do this. The operator's log says why.")
            }
        };
        tracing::error!(?error, code = code.as_str(), "the store refused");
        Self::new(code, detail)
    }
}

impl From<TooManyChecks> for ProblemResponse {
    fn from(_: TooManyChecks) -> Self {
        Self::new(Code::Busy, "Too many people are signing in at this moment. Try it again in a few seconds.")
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let code = self.code();
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.problem).expect("a problem is always JSON");
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        // For the log, which the layer around all routes writes.
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge(&self.problem.code)));
        }
        if self.replayed {
            headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
        }
        response
    }
}

/// RFC 6750: a request without a token gets no error attribute.
fn challenge(code: &str) -> &'static str {
    match Code::from_name(code) {
        Some(Code::TokenExpired | Code::TokenInvalid) => "Bearer realm=\"ginti\", error=\"invalid_token\"",
        _ => "Bearer realm=\"ginti\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_of_the_store_is_told_without_its_inner_text() {
        let secret = || "/var/lib/ginti/ginti.db: row 7".to_owned();
        let cases = [
            (StoreError::Busy, Code::Busy),
            (StoreError::Closed, Code::Draining),
            (StoreError::Full(secret()), Code::StorageUnavailable),
            (StoreError::Locked(secret()), Code::StorageUnavailable),
            (StoreError::Failed(secret()), Code::StorageUnavailable),
            (StoreError::NewerSchema { found: 9, known: 1 }, Code::StorageUnavailable),
            (StoreError::Exists(secret()), Code::InternalError),
            (StoreError::Missing(secret()), Code::InternalError),
        ];
        for (error, code) in cases {
            let answer = ProblemResponse::from(error);
            assert_eq!(answer.problem.code, code.as_str());
            assert!(!answer.problem.detail.contains("ginti.db"), "{}", answer.problem.detail);
            let status = answer.problem.status;
            let response = answer.into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503);
        }
    }
}
