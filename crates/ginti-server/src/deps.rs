//! What the server is made of: everything it needs from outside comes in here, so that tests and the simulator can fix
//! the clock, the randomness and the store.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ginti_store::Store;
use ginti_types::Timestamp;
use ipnet::IpNet;

use crate::{
    assets::AppFiles,
    auth::{ApiTokens, Passwords, Quota, TokenKeys},
    drain::Drain,
    oidc::OidcConfig,
};

/// Gives the server's time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Fills a buffer with unpredictable bytes.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Everything the router needs. Cheap to clone: handlers get a clone each.
#[derive(Clone)]
pub struct Deps {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The server's time.
    pub clock: Clock,
    /// Randomness for refresh tokens and request ids.
    pub entropy: Entropy,
    /// Keys that sign and check access tokens.
    pub tokens: Arc<TokenKeys>,
    /// API tokens that the store said something of a moment ago.
    pub api_tokens: ApiTokens,
    /// Checks passwords, a few at a time.
    pub passwords: Passwords,
    /// Whether the server is shutting down.
    pub drain: Drain,
    /// The web app's files.
    pub app: AppFiles,
    /// Limits and lifetimes.
    pub config: Config,
}

impl Deps {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Fresh unpredictable bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes);
        bytes
    }
}

/// Limits and lifetimes.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long an access token is good for, in seconds. A change of role or facilities takes effect when the token is
    /// renewed, so this is also how stale a permission can be.
    pub access_token_seconds: u32,
    /// How long a sign-in lasts without a password, in milliseconds from the sign-in.
    pub refresh_family_ms: i64,
    /// How long after its first use a refresh token may be exchanged again, in milliseconds: its answer may have been lost.
    pub refresh_grace_ms: i64,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Requests worked on at once; more are turned away with `busy`.
    pub requests_in_flight_max: usize,
    /// Tries of a password for one user name.
    pub tries_per_account: Quota,
    /// Tries of passwords from one address.
    pub tries_per_address: Quota,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections open at once; more wait until others end.
    pub connections_max: usize,
    /// Connections open at once from one address that is no trusted proxy; more are closed.
    pub connections_per_address_max: usize,
    /// How long a request's head may take to come in. A connection that is idle between two requests is closed by it too.
    pub head_within: Duration,
    /// How long `/readyz` says "not ready" before the listener closes, so that a load balancer has looked.
    pub drain_notice: Duration,
    /// Whether results may be delivered inside the operator's own network, and without TLS.
    pub private_receivers: bool,
    /// How often somebody looks for what tenants are alerted of.
    pub alerts_every: Duration,
    /// Where people can sign in besides; none: with a password only.
    pub oidc: Option<OidcConfig>,
    /// A test aid: ends the process between commit and answer.
    pub crash: Option<CrashAfterCommits>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            access_token_seconds: 600,
            refresh_family_ms: 30 * 24 * 60 * 60 * 1_000,
            refresh_grace_ms: 60 * 1_000,
            request_timeout: Duration::from_secs(30),
            requests_in_flight_max: 1_024,
            tries_per_account: Quota { tries: 10, seconds: 900 },
            tries_per_address: Quota { tries: 100, seconds: 900 },
            trusted_proxies: Vec::new(),
            connections_max: 16_384,
            connections_per_address_max: 1_024,
            head_within: Duration::from_secs(75),
            drain_notice: Duration::ZERO,
            private_receivers: false,
            alerts_every: Duration::from_secs(15),
            oidc: None,
            crash: None,
        }
    }
}

/// Ends the process hard, as a power cut would, after the n-th import has been committed and before it is answered.
///
/// A device must come through that moment without losing or doubling a count; this makes the moment reproducible.
/// `ginti serve` honours it only together with `--demo`.
#[derive(Clone)]
pub struct CrashAfterCommits(Arc<AtomicU64>);

impl CrashAfterCommits {
    /// Crash at the n-th commit, the first being 1.
    pub fn new(commits: u64) -> Self {
        Self(Arc::new(AtomicU64::new(commits)))
    }

    /// Notes a commit.
    pub fn committed(&self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            tracing::warn!("GINTI_CRASH_AFTER_COMMITS: the process ends here, after the commit and before the answer");
            std::process::abort();
        }
    }
}

impl fmt::Debug for CrashAfterCommits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} commits", self.0.load(Ordering::SeqCst))
    }
}

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_ms(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    })
}

/// The operating system's randomness.
pub fn os_entropy() -> Entropy {
    Arc::new(|bytes| getrandom::fill(bytes).expect("the operating system gives random bytes"))
}
