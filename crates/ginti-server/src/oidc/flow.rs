//! What belongs to one sign-in while its person is at the provider: in a signed cookie, nowhere else.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::{Cookie, CookieBuilder, SameSite, time::Duration};
use ginti_types::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Deps;

/// The `__Host-` prefix makes browsers insist on Secure, Path=/ and no Domain.
const NAME: &str = "__Host-ginti-oidc";
/// Tells the signed text from access tokens, which the same key signs.
pub(crate) const TYPE: &str = "ginti-oidc+jwt";
/// How long a person may take at the provider, in milliseconds.
const GOOD_FOR_MS: i64 = 10 * 60 * 1_000;
const RETURN_TO_BYTES_MAX: usize = 1_024;

/// One sign-in.
#[derive(Serialize, Deserialize)]
pub(crate) struct Flow {
    /// Comes back with the person.
    pub(crate) state: String,
    /// Comes back in the ID token.
    pub(crate) nonce: String,
    /// What the code is exchanged with (PKCE).
    pub(crate) verifier: String,
    /// Where in the app to go then.
    pub(crate) return_to: String,
    /// SHA-256 of the refresh token that the browser had when it left, if it had one: base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    /// Milliseconds.
    expires: i64,
}

impl Flow {
    /// A fresh one.
    pub(crate) fn begin(deps: &Deps, return_to: String, replaces: Option<[u8; 32]>) -> Self {
        let random = || URL_SAFE_NO_PAD.encode(deps.random::<32>());
        let expires = deps.now().unix_ms() + GOOD_FOR_MS;
        let replaces = replaces.map(|hash| URL_SAFE_NO_PAD.encode(hash));
        Self { state: random(), nonce: random(), verifier: random(), return_to, replaces, expires }
    }

    /// SHA-256 of the refresh token of the sign-in that this one takes the place of.
    pub(crate) fn replaces(&self) -> Option<[u8; 32]> {
        URL_SAFE_NO_PAD.decode(self.replaces.as_ref()?).ok()?.try_into().ok()
    }

    /// What the provider is told of the verifier beforehand.
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }

    /// The one of a request's cookie, if this server signed it and it is still good.
    pub(crate) fn read(deps: &Deps, headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == NAME)?;
        let flow: Self = deps.tokens.unseal(TYPE, cookie.value())?;
        (now.unix_ms() < flow.expires).then_some(flow)
    }

    /// `Set-Cookie` that keeps it.
    pub(crate) fn set(&self, deps: &Deps) -> HeaderValue {
        let text = deps.tokens.seal(TYPE, self);
        header_value(Cookie::build((NAME, text)).max_age(Duration::milliseconds(GOOD_FOR_MS)))
    }

    /// `Set-Cookie` that takes it away.
    pub(crate) fn clear() -> HeaderValue {
        header_value(Cookie::build((NAME, "")).max_age(Duration::ZERO))
    }
}

/// Lax and not Strict: the person comes back from another site.
fn header_value(cookie: CookieBuilder<'_>) -> HeaderValue {
    let cookie = cookie.path("/").secure(true).http_only(true).same_site(SameSite::Lax).build();
    HeaderValue::try_from(cookie.to_string()).expect("a cookie of base64url text is a header value")
}

/// Whether that leads to this very site, whatever a browser makes of it.
pub(crate) fn is_local(path: &str) -> bool {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    path.len() <= RETURN_TO_BYTES_MAX && path.starts_with('/') && !path.starts_with("//") && is_plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_returned_to() {
        for good in ["/", "/sessions", "/sessions/M1?signedIn=1#top", "/a//b"] {
            assert!(is_local(good), "{good}");
        }
        let long = format!("/{}", "x".repeat(RETURN_TO_BYTES_MAX));
        for bad in [
            "",
            "sessions",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "\\\\evil",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x",
            "/ä",
            &long,
        ] {
            assert!(!is_local(bad), "{bad}");
        }
    }
}
