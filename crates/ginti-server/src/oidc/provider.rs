//! Speaks with the provider: what it offers, its keys, and the exchange of a code for what it says of a person.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use ginti_types::Timestamp;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use reqwest::{Client, RequestBuilder, Url, header, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::{
    OidcConfig, Refused,
    flow::Flow,
    id_token::{self, Said, Wanted},
};
use crate::auth::install_algorithms;

/// How long the provider may take for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What an answer may hold.
const ANSWER_BYTES_MAX: usize = 1_048_576;
/// How long what the provider offers is believed, in milliseconds.
const METADATA_MS: i64 = 60 * 60 * 1_000;
/// Keys are asked for anew at most so often, in milliseconds.
const KEYS_EVERY_MS: i64 = 60 * 1_000;
/// After a failure the provider is left in peace for so long, in milliseconds.
const PAUSE_MS: i64 = 2_000;
/// What is asked for.
const SCOPE: &str = "openid profile email";

/// The provider.
pub(crate) struct Provider {
    config: OidcConfig,
    client: Client,
    known: Mutex<Known>,
}

/// What was heard of it.
#[derive(Default)]
struct Known {
    metadata: Option<(Metadata, Timestamp)>,
    keys: Option<(JwkSet, Timestamp)>,
    failed: Option<Timestamp>,
}

/// What it offers (OpenID Connect Discovery 1.0).
#[derive(Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: Option<String>,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: Option<String>,
}

impl Provider {
    /// None, with a word in the log, if no client can be made.
    pub(crate) fn new(config: OidcConfig) -> Option<Self> {
        install_algorithms();
        // Another part of the program may have chosen one already: then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(Policy::none())
            .timeout(ANSWER_WITHIN)
            // Sign-ins are few: a connection that the other side has closed meanwhile would cost one.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("ginti/", env!("CARGO_PKG_VERSION")))
            .build();
        let client =
            client.inspect_err(|error| tracing::error!(%error, "nobody can sign in with the provider")).ok()?;
        Some(Self { config, client, known: Mutex::default() })
    }

    /// Where a person goes to sign in.
    pub(crate) async fn sign_in_url(&self, flow: &Flow, redirect: &str, now: Timestamp) -> Result<String, Refused> {
        let metadata = self.metadata(now).await?;
        let mut url = self.endpoint(&metadata.authorization_endpoint)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", SCOPE)
            .append_pair("state", &flow.state)
            .append_pair("nonce", &flow.nonce)
            .append_pair("code_challenge", &flow.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// The name that whoever came back with that code is known by here. `issuer`: who sent the person back, as far as they said.
    pub(crate) async fn name_of(
        &self,
        (code, issuer): (&str, Option<&str>),
        flow: &Flow,
        redirect: &str,
        now: Timestamp,
    ) -> Result<String, Refused> {
        let metadata = self.metadata(now).await?;
        let is_missing = issuer.is_none() && metadata.authorization_response_iss_parameter_supported;
        if is_missing || issuer.is_some_and(|issuer| issuer != metadata.issuer) {
            return Err(Refused::invalid("another provider sent the person back"));
        }
        let answer = self.exchange(&metadata, code, &flow.verifier, redirect).await?;
        let token = answer.id_token.ok_or_else(|| Refused::invalid("there is no ID token"))?;
        let key = self.key(&metadata, id_token::key_id(&token)?.as_deref(), now).await?;
        let wanted = Wanted { issuer: &metadata.issuer, client_id: &self.config.client_id, nonce: &flow.nonce, now };
        let said = id_token::check(&token, &key, &wanted)?;
        if let Some(name) = said.name() {
            return Ok(name.to_owned());
        }
        // Many providers tell names only there.
        let (Some(endpoint), Some(access)) = (&metadata.userinfo_endpoint, answer.access_token) else {
            return Err(nameless());
        };
        let request = self.client.get(self.endpoint(endpoint)?).bearer_auth(access);
        let more: Said = self.json(request).await?;
        if more.sub != said.sub {
            return Err(Refused::invalid("the provider tells of somebody else than the ID token"));
        }
        more.name().map(str::to_owned).ok_or_else(nameless)
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
        redirect: &str,
    ) -> Result<TokenAnswer, Refused> {
        let id = self.config.client_id.as_str();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let mut request = self.client.post(self.endpoint(&metadata.token_endpoint)?);
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        let has = |method: &str| methods.is_some_and(|all| all.iter().any(|one| one == method));
        match &self.config.client_secret {
            None => fields.push(("client_id", id)),
            Some(secret) if has("client_secret_post") && !has("client_secret_basic") => {
                fields.extend([("client_id", id), ("client_secret", secret)]);
            }
            Some(secret) => {
                let both = format!("{}:{}", encoded(id), encoded(secret));
                request = request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(both)));
            }
        }
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(form(&fields));
        let (status, body) = self.send(request).await?;
        if status.is_client_error() {
            let said = serde_json::from_slice::<TokenRefusal>(&body).ok().and_then(|refusal| refusal.error);
            let said = said.unwrap_or_default();
            return Err(Refused::new("code-refused", format!("the provider did not take the code: {status} {said}")));
        }
        read(status, &body)
    }

    async fn metadata(&self, now: Timestamp) -> Result<Metadata, Refused> {
        let mut known = self.known.lock().await;
        if let Some((metadata, at)) = &known.metadata
            && is_within(*at, now, METADATA_MS)
        {
            return Ok(metadata.clone());
        }
        if known.failed.is_some_and(|at| is_within(at, now, PAUSE_MS)) {
            return Err(Refused::unreachable("the provider failed a moment ago"));
        }
        match self.discover().await {
            Ok(metadata) => {
                known.metadata = Some((metadata.clone(), now));
                known.failed = None;
                Ok(metadata)
            }
            Err(refused) => {
                known.failed = Some(now);
                // What it offered before is likely still true.
                let before = known.metadata.as_ref().map(|(metadata, _)| metadata.clone());
                before
                    .inspect(|_| tracing::warn!(reason = refused.reason, "the provider could not be asked"))
                    .ok_or(refused)
            }
        }
    }

    async fn discover(&self) -> Result<Metadata, Refused> {
        let issuer = self.config.issuer.trim_end_matches('/');
        let url = self.endpoint(&format!("{issuer}/.well-known/openid-configuration"))?;
        let metadata: Metadata = self.json(self.client.get(url)).await?;
        if metadata.issuer.trim_end_matches('/') != issuer {
            let said = &metadata.issuer;
            return Err(Refused::unreachable(format!("it calls itself \"{said}\", not as --oidc-issuer does")));
        }
        Ok(metadata)
    }

    async fn key(&self, metadata: &Metadata, id: Option<&str>, now: Timestamp) -> Result<Jwk, Refused> {
        let mut known = self.known.lock().await;
        if let Some(key) = known.keys.as_ref().and_then(|(keys, _)| id_token::key(keys, id)) {
            return Ok(key.clone());
        }
        // One that is not known may be new; but whoever names many that do not exist is not to make us ask for each.
        if known.keys.as_ref().is_none_or(|(_, at)| !is_within(*at, now, KEYS_EVERY_MS)) {
            let published = self.json(self.client.get(self.endpoint(&metadata.jwks_uri)?)).await?;
            known.keys = Some((id_token::keys(&published), now));
        }
        let key = known.keys.as_ref().and_then(|(keys, _)| id_token::key(keys, id));
        key.cloned()
            .ok_or_else(|| Refused::invalid("the ID token is signed with a key that the provider does not publish"))
    }

    fn endpoint(&self, url: &str) -> Result<Url, Refused> {
        self.config.check_url(url).map_err(Refused::unreachable)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refused> {
        let (status, body) = self.send(request.header(header::ACCEPT, "application/json")).await?;
        read(status, &body)
    }

    async fn send(&self, request: RequestBuilder) -> Result<(reqwest::StatusCode, Vec<u8>), Refused> {
        let failed = |error: reqwest::Error| Refused::unreachable(format!("{:#}", anyhow::Error::from(error)));
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(Refused::unreachable("the answer is too long"));
            }
        }
        Ok((response.status(), body))
    }
}

fn read<T: DeserializeOwned>(status: reqwest::StatusCode, body: &[u8]) -> Result<T, Refused> {
    if !status.is_success() {
        return Err(Refused::unreachable(format!("the provider answered {status}")));
    }
    serde_json::from_slice(body).map_err(|error| Refused::unreachable(format!("the provider's answer: {error}")))
}

fn nameless() -> Refused {
    Refused::new("user-unknown", "the provider gives neither a preferred_username nor a verified email")
}

/// Whether that was less than `ms` ago. After a clock that was set back it was not.
fn is_within(at: Timestamp, now: Timestamp, ms: i64) -> bool {
    (0..ms).contains(&(now.unix_ms() - at.unix_ms()))
}

/// As a form's fields are sent.
fn form(fields: &[(&str, &str)]) -> String {
    let mut url: Url = "http://form".parse().expect("an address");
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// One value as a form has it (RFC 6749, 2.3.1).
fn encoded(value: &str) -> String {
    form(&[("", value)]).replacen('=', "", 1)
}
