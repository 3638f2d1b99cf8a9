//! Sign-in with an external OpenID Connect provider: authorization code flow with PKCE.
//!
//! `flow` keeps what belongs to one sign-in in a signed cookie, `provider` speaks with the provider, `id_token` checks what it says.
//! Who comes back must be a person that Ginti knows already; the routes then set the same refresh cookie as any sign-in.

pub(crate) mod flow;
mod id_token;
mod provider;

use std::fmt;

use reqwest::Url;

pub(crate) use provider::Provider;

/// The provider, and what this server is to it.
#[derive(Clone)]
pub struct OidcConfig {
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    allows_http: bool,
}

impl OidcConfig {
    /// Checked: the issuer must be an `https://` address. `http_on_loopback` also lets it be an `http://` one of this machine, for tests.
    pub fn new(
        issuer: &str,
        client_id: &str,
        client_secret: Option<String>,
        http_on_loopback: bool,
    ) -> Result<Self, String> {
        let config = Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.filter(|secret| !secret.is_empty()),
            allows_http: http_on_loopback,
        };
        if client_id.is_empty() {
            return Err("The client id is empty. Give the one that the provider knows this server by.".to_owned());
        }
        config.check_url(issuer)?;
        Ok(config)
    }

    /// Whether secrets may go to that address.
    fn check_url(&self, url: &str) -> Result<Url, String> {
        let parsed: Url =
            url.parse().map_err(|_| format!("\"{url}\" is not an address. Give one like https://login.example."))?;
        let is_loopback = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let is_good = parsed.scheme() == "https" || (parsed.scheme() == "http" && is_loopback && self.allows_http);
        if is_good && parsed.host_str().is_some() && parsed.username().is_empty() && parsed.password().is_none() {
            return Ok(parsed);
        }
        Err(format!("\"{url}\" is no https:// address without a user name in it."))
    }
}

impl fmt::Debug for OidcConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.issuer, self.client_id)
    }
}

/// Why a sign-in failed: a code for the page, and the reason for the log.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) reason: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// The provider is away, or does not speak as it should.
    fn unreachable(reason: impl Into<String>) -> Self {
        Self::new("provider-unreachable", reason)
    }

    /// What the provider says of the person cannot be believed.
    fn invalid(reason: impl Into<String>) -> Self {
        Self::new("provider-answer-invalid", reason)
    }
}

/// Whether a token would be believed that somebody brings from the sign-in called "nonce" at a provider with these keys.
pub(crate) fn is_believed(token: &str, published: &serde_json::Value, now: ginti_types::Timestamp) -> bool {
    crate::auth::install_algorithms();
    let wanted = id_token::Wanted { issuer: "https://login.example", client_id: "ginti", nonce: "nonce", now };
    let keys = id_token::keys(published);
    let Ok(id) = id_token::key_id(token) else { return false };
    id_token::key(&keys, id.as_deref()).is_some_and(|key| id_token::check(token, key, &wanted).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine_when_asked_for() {
        let of = |issuer: &str, loopback: bool| OidcConfig::new(issuer, "ginti", None, loopback).is_ok();
        assert!(of("https://login.example/realms/acme", false));
        assert!(
            of("http://127.0.0.1:3000", true) && of("http://localhost:3000/", true) && of("http://[::1]:3000", true)
        );
        for bad in ["http://127.0.0.1:3000", "http://login.example", "ftp://login.example", "login.example", ""] {
            assert!(!of(bad, false), "{bad}");
        }
        assert!(!of("http://login.example", true) && !of("https://me:secret@login.example", true));
        assert!(OidcConfig::new("https://login.example", "", None, false).is_err());
        let config = OidcConfig::new("https://login.example", "ginti", Some("hush".to_owned()), false).unwrap();
        assert_eq!(format!("{config:?}"), "https://login.example as ginti");
    }
}
