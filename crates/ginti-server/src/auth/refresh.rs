//! Refresh tokens: 32 random bytes in a cookie that no script can read; the store keeps only their SHA-256.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::{Cookie, SameSite, time::Duration};
use sha2::{Digest, Sha256};

/// The `__Host-` prefix makes browsers insist on Secure, Path=/ and no Domain.
const NAME: &str = "__Host-ginti-refresh";

/// A token as the browser holds it.
pub(crate) struct RefreshToken([u8; 32]);

impl RefreshToken {
    /// From fresh random bytes.
    pub(crate) fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// What the store knows it by.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

/// The cookie in both directions.
pub(crate) struct RefreshCookie;

impl RefreshCookie {
    /// The token of a request, if its cookie holds one.
    pub(crate) fn read(headers: &HeaderMap) -> Option<RefreshToken> {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let value = cookies.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == NAME)?;
        let bytes = URL_SAFE_NO_PAD.decode(value.value()).ok()?;
        Some(RefreshToken(bytes.try_into().ok()?))
    }

    /// `Set-Cookie` for that token, kept for `ms`.
    pub(crate) fn set(token: &RefreshToken, ms: i64) -> HeaderValue {
        let cookie = Cookie::build((NAME, URL_SAFE_NO_PAD.encode(token.0))).max_age(Duration::milliseconds(ms));
        header_value(cookie)
    }

    /// `Set-Cookie` that takes it away.
    pub(crate) fn clear() -> HeaderValue {
        header_value(Cookie::build((NAME, "")).max_age(Duration::ZERO))
    }
}

fn header_value(cookie: cookie::CookieBuilder<'_>) -> HeaderValue {
    let cookie = cookie.path("/").secure(true).http_only(true).same_site(SameSite::Strict).build();
    HeaderValue::try_from(cookie.to_string()).expect("a cookie of base64url text is a header value")
}
