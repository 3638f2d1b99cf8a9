//! The ID token: what the provider says of the person, and whether it can be believed.

use ginti_types::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::Refused;

/// How far the provider's clock and ours may be apart, in seconds.
const LEEWAY_SECONDS: i64 = 60;

/// What is asked of the token.
pub(super) struct Wanted<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// What the provider says of the person.
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    /// The provider's own id for the person.
    pub(super) sub: String,
    preferred_username: Option<String>,
    email: Option<String>,
    /// True, where the provider has checked the address.
    email_verified: Option<Json>,
}

impl Said {
    /// The name that the person is known by here.
    pub(super) fn name(&self) -> Option<&str> {
        let is_verified = self.email_verified == Some(Json::Bool(true));
        self.preferred_username.as_deref().or(self.email.as_deref().filter(|_| is_verified))
    }
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    /// One, or a list.
    aud: Json,
    azp: Option<String>,
    nonce: Option<String>,
    #[serde(flatten)]
    said: Said,
}

/// The id of the key that a token says it is signed with.
pub(super) fn key_id(token: &str) -> Result<Option<String>, Refused> {
    let header =
        jsonwebtoken::decode_header(token).map_err(|error| Refused::invalid(format!("no ID token: {error}")))?;
    Ok(header.kid)
}

/// The keys of a provider that can be read; it may have others, for other purposes.
pub(super) fn keys(published: &Json) -> JwkSet {
    let list = published["keys"].as_array().into_iter().flatten();
    JwkSet { keys: list.filter_map(|key| serde_json::from_value(key.clone()).ok()).collect() }
}

/// The key of that id; without an id, the only key there is for signatures.
pub(super) fn key<'a>(keys: &'a JwkSet, id: Option<&str>) -> Option<&'a Jwk> {
    let signs = |key: &&Jwk| key.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let mut found = keys.keys.iter().filter(signs).filter(|key| id.is_none() || key.common.key_id.as_deref() == id);
    let first = found.next()?;
    (id.is_some() || found.next().is_none()).then_some(first)
}

/// Checks a token: signature, issuer, audience, time and nonce.
pub(super) fn check(token: &str, key: &Jwk, wanted: &Wanted<'_>) -> Result<Said, Refused> {
    // The key says which algorithm it is for, not the token.
    let algorithm = match &key.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return Err(Refused::invalid("its key is neither an RSA key nor one on P-256")),
    };
    let decoding = DecodingKey::from_jwk(key).map_err(|error| Refused::invalid(format!("its key: {error}")))?;
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[wanted.issuer]);
    validation.set_audience(&[wanted.client_id]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    // Expiry is compared with the server's own injected clock, below.
    validation.validate_exp = false;
    let claims = decode::<Claims>(token, &decoding, &validation)
        .map_err(|error| Refused::invalid(format!("the ID token: {error}")))?
        .claims;
    if wanted.now.unix_ms() / 1_000 >= claims.exp.saturating_add(LEEWAY_SECONDS) {
        return Err(Refused::invalid("the ID token has expired"));
    }
    let is_for_several = claims.aud.as_array().is_some_and(|all| all.len() > 1);
    let is_ours = claims.azp.as_deref().map_or(!is_for_several, |party| party == wanted.client_id);
    if !is_ours {
        return Err(Refused::invalid("the ID token was made for another client"));
    }
    if claims.nonce.as_deref() != Some(wanted.nonce) {
        return Err(Refused::invalid("the ID token's nonce is not that of this sign-in"));
    }
    if claims.said.sub.is_empty() {
        return Err(Refused::invalid("the ID token names nobody"));
    }
    Ok(claims.said)
}

#[cfg(test)]
mod tests;
