//! Refuses cookie-bearing requests that another site's page has made.
//!
//! SameSite=Strict already keeps the cookie from them; this is the second lock, for browsers and proxies that err.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use ginti_types::Code;

use crate::ProblemResponse;

/// Extractor: the request comes from this very origin, or from no browser at all.
pub(crate) struct SameOrigin;

impl<S: Send + Sync> FromRequestParts<S> for SameOrigin {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let same = match parts.headers.get("sec-fetch-site") {
            // The browser's own word, which no page can forge.
            Some(site) => site == "same-origin" || site == "none",
            None => {
                parts.headers.get(header::ORIGIN).is_none_or(|origin| names_host(origin.as_bytes(), &parts.headers))
            }
        };
        if same {
            return Ok(Self);
        }
        Err(ProblemResponse::new(
            Code::NotAllowed,
            "Signing in and out works only from Ginti's own pages, not from another site.",
        ))
    }
}

fn names_host(origin: &[u8], headers: &HeaderMap) -> bool {
    let origin = std::str::from_utf8(origin).unwrap_or_default();
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    authority.is_some() && authority == host
}
