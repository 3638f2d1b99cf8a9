//! API tokens: what programs call with in the place of a sign-in.
//!
//! A token says nothing by itself; the store knows it by its SHA-256. So that the hot path reads no database for it, what the
//! store said is believed for half a minute: that is how long another server may still take one that was revoked.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ginti_desk::{ApiToken, Desk, FindApiToken, NoteTokenUse, TOKEN_USE_EVERY_MS};
use ginti_store::{Access, StoreError};
use ginti_types::Timestamp;
use sha2::{Digest, Sha256};

use super::token::{Granted, TokenError};
use crate::Deps;

/// What every API token begins with, so that it is known for one wherever it turns up.
const PREFIX: &str = "gt_";
/// How long the store's word is believed, in milliseconds.
const BELIEVED_MS: i64 = 30_000;
/// Tokens remembered; with more of them some are asked for more often.
const REMEMBERED_MAX: usize = 1_024;

/// A token as its program holds it.
pub(crate) struct ApiTokenText(String);

impl ApiTokenText {
    /// From fresh random bytes.
    pub(crate) fn new(random: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
    }

    /// What the store knows it by.
    pub(crate) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }

    /// The text itself, to be told once.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// What the store said of tokens a moment ago.
#[derive(Clone, Default)]
pub struct ApiTokens {
    known: Arc<Mutex<HashMap<[u8; 32], Known>>>,
}

struct Known {
    asked: Timestamp,
    token: ApiToken,
}

impl ApiTokens {
    /// Whether a bearer's token is of this kind.
    pub(super) fn is_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// What a token allows, if there is one of that text and it is still good.
    pub(super) async fn check(&self, deps: &Deps, text: &str) -> Result<Result<Granted, TokenError>, StoreError> {
        let (hash, now) = (hash(text), deps.now());
        let token = match self.believed(&hash, now) {
            Some(token) => Some(token),
            None => self.ask(deps, hash, now).await?,
        };
        let Some(token) = token else { return Ok(Err(TokenError::Invalid)) };
        if token.expires.is_some_and(|expires| expires <= now) {
            return Ok(Err(TokenError::Expired));
        }
        let access = Access { tenant: token.tenant, user: token.user, facilities: token.facilities };
        Ok(Ok(Granted { access, role: token.role }))
    }

    /// Forgets a token that was revoked here.
    pub(crate) fn forget(&self, id: i64) {
        self.lock().retain(|_, known| known.token.id != id);
    }

    fn believed(&self, hash: &[u8; 32], now: Timestamp) -> Option<ApiToken> {
        let known = self.lock();
        let known = known.get(hash)?;
        let age_ms = now.unix_ms() - known.asked.unix_ms();
        // Below zero: the clock was set back.
        (0..BELIEVED_MS).contains(&age_ms).then(|| known.token.clone())
    }

    async fn ask(&self, deps: &Deps, hash: [u8; 32], now: Timestamp) -> Result<Option<ApiToken>, StoreError> {
        let desk = Desk::new(deps.store.clone());
        // What is no token is not remembered: whoever tries many of them takes no other's place.
        let Some(token) = desk.run(FindApiToken { hash }).await? else {
            self.lock().remove(&hash);
            return Ok(None);
        };
        let is_good = token.expires.is_none_or(|expires| expires > now);
        let is_news = token.last_used.is_none_or(|used| now.unix_ms() - used.unix_ms() >= TOKEN_USE_EVERY_MS);
        if is_good
            && is_news
            && let Err(error) = desk.run(NoteTokenUse { id: token.id, now }).await
        {
            // It is noted with one of the next calls.
            tracing::debug!(%error, "the use of a token could not be noted");
        }
        let mut known = self.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(hash, Known { asked: now, token: token.clone() });
        Ok(Some(token))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ApiTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiTokens")
    }
}
