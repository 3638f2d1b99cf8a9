//! How often somebody may try a password: per name and per address, each a number that fills up again evenly.
//!
//! A try is taken before the password is looked at, so that many at once are no way around, and given back if it was the right
//! one. Names that nobody has are counted like others: a limit tells nobody which names there are. Each server counts for itself.

use std::{
    collections::HashMap,
    fmt::Write as _,
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ginti_types::Timestamp;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Names and addresses remembered, each. With more, those that have tried least are forgotten.
const REMEMBERED_MAX: usize = 50_000;

/// So many tries in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tries at once, from the beginning.
    pub tries: u32,
    /// How long it takes until all of them are there again, in seconds.
    pub seconds: u32,
}

impl Quota {
    fn each_ms(self) -> i64 {
        i64::from(self.seconds) * 1_000 / i64::from(self.tries.max(1))
    }

    fn all_ms(self) -> i64 {
        self.each_ms() * i64::from(self.tries.max(1))
    }
}

/// What was tried lately.
#[derive(Clone)]
pub(crate) struct Attempts(Arc<Inner>);

struct Inner {
    hasher: RandomState,
    quotas: [Quota; 2],
    spent: Mutex<[Spent; 2]>,
}

/// By whom (a hash), and when all tries are there again.
type Spent = HashMap<u64, i64>;

/// The policies' names, in the order of `quotas`.
const NAMES: [&str; 2] = ["account", "address"];

/// A try that was taken.
pub(crate) struct Attempt {
    attempts: Attempts,
    keys: [Option<u64>; 2],
    now: Timestamp,
    /// Seconds until the next one; none if this one is allowed.
    pub(crate) wait_seconds: Option<u32>,
}

impl Attempts {
    pub(crate) fn new(account: Quota, address: Quota) -> Self {
        let inner = Inner { hasher: RandomState::new(), quotas: [account, address], spent: Mutex::default() };
        Self(Arc::new(inner))
    }

    /// Takes a try, if there is one for the name and one for the address.
    pub(crate) fn take(&self, name: &str, address: Option<IpAddr>, now: Timestamp) -> Attempt {
        let keys = [Some(self.key(name)), address.map(|address| self.key(&network(address)))];
        let now_ms = now.unix_ms();
        let mut spent = self.0.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait_ms = 0;
        for ((key, quota), spent) in keys.iter().zip(self.0.quotas).zip(spent.iter()) {
            let full_at = key.and_then(|key| spent.get(&key)).copied().unwrap_or(0).max(now_ms);
            wait_ms = wait_ms.max(full_at + quota.each_ms() - now_ms - quota.all_ms());
        }
        if wait_ms <= 0 {
            for ((key, quota), spent) in keys.iter().zip(self.0.quotas).zip(spent.iter_mut()) {
                let Some(key) = *key else { continue };
                make_room(spent, now_ms);
                let full_at = spent.entry(key).or_insert(0);
                *full_at = (*full_at).max(now_ms) + quota.each_ms();
            }
        }
        let wait_seconds = (wait_ms > 0).then(|| u32::try_from(wait_ms.div_euclid(1_000) + 1).unwrap_or(u32::MAX));
        Attempt { attempts: self.clone(), keys, now, wait_seconds }
    }

    fn key(&self, what: &(impl Hash + ?Sized)) -> u64 {
        self.0.hasher.hash_one(what)
    }
}

impl Attempt {
    /// The password was right: the name's tries are all there again, and the address has its one back.
    pub(crate) fn succeeded(&self) {
        self.give_back(true);
    }

    /// Nothing was tried after all.
    pub(crate) fn undone(&self) {
        self.give_back(false);
    }

    fn give_back(&self, whole_account: bool) {
        let [account, address] = self.attempts.0.quotas;
        let mut spent = self.attempts.0.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let [accounts, addresses] = &mut *spent;
        if let Some(key) = self.keys[0] {
            if whole_account {
                accounts.remove(&key);
            } else if let Some(full_at) = accounts.get_mut(&key) {
                *full_at -= account.each_ms();
            }
        }
        if let Some(full_at) = self.keys[1].and_then(|key| addresses.get_mut(&key)) {
            *full_at -= address.each_ms();
        }
    }

    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): what is allowed, and what is left of it.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let (mut policy, mut limit) = (String::new(), String::new());
        let spent = self.attempts.0.spent.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, quota) in self.attempts.0.quotas.into_iter().enumerate() {
            let Some(key) = self.keys[at] else { continue };
            let gap = if policy.is_empty() { "" } else { ", " };
            let now_ms = self.now.unix_ms();
            let missing_ms = spent[at].get(&key).map_or(0, |full_at| (full_at - now_ms).max(0));
            let left = (quota.all_ms() - missing_ms).max(0) / quota.each_ms().max(1);
            let seconds = missing_ms.div_euclid(1_000) + i64::from(missing_ms % 1_000 != 0);
            let _ = write!(policy, "{gap}\"{}\";q={};w={}", NAMES[at], quota.tries, quota.seconds);
            let _ = write!(limit, "{gap}\"{}\";r={left};t={seconds}", NAMES[at]);
        }
        for (name, text) in [(POLICY, policy), (LIMIT, limit)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
}

/// One network of a provider's customer: whoever has an IPv6 address has 2⁶⁴ of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Forgets who has all tries again; if that is not enough, the half that has tried least.
fn make_room(spent: &mut Spent, now_ms: i64) {
    if spent.len() < REMEMBERED_MAX {
        return;
    }
    spent.retain(|_, full_at| *full_at > now_ms);
    if spent.len() >= REMEMBERED_MAX {
        let mut all: Vec<i64> = spent.values().copied().collect();
        let (_, middle, _) = all.select_nth_unstable(REMEMBERED_MAX / 2);
        let middle = *middle;
        spent.retain(|_, full_at| *full_at > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Quota = Quota { tries: 3, seconds: 300 };
    const ADDRESS: Quota = Quota { tries: 5, seconds: 50 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_000_000 + seconds * 1_000)
    }

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn tries_run_out_and_come_back_one_by_one() {
        let attempts = Attempts::new(ACCOUNT, ADDRESS);
        for _ in 0..3 {
            assert_eq!(attempts.take("a", Some(from(1)), at(0)).wait_seconds, None);
        }
        assert_eq!(attempts.take("a", Some(from(2)), at(0)).wait_seconds, Some(101), "whatever the address");
        assert_eq!(attempts.take("b", Some(from(1)), at(0)).wait_seconds, None);
        assert_eq!(attempts.take("a", Some(from(1)), at(100)).wait_seconds, None);
        assert!(attempts.take("a", Some(from(1)), at(100)).wait_seconds.is_some());
        let after = attempts.take("a", Some(from(1)), at(10_000));
        let mut headers = HeaderMap::new();
        after.write(&mut headers);
        assert_eq!(headers[POLICY], "\"account\";q=3;w=300, \"address\";q=5;w=50");
        assert_eq!(headers[LIMIT], "\"account\";r=2;t=100, \"address\";r=4;t=10");
    }

    #[test]
    fn an_address_that_tries_many_names_runs_out_too() {
        let attempts = Attempts::new(ACCOUNT, ADDRESS);
        for name in ["a", "b", "c", "d", "e"] {
            assert_eq!(attempts.take(name, Some(from(1)), at(0)).wait_seconds, None);
        }
        assert!(attempts.take("f", Some(from(1)), at(0)).wait_seconds.is_some());
        assert_eq!(attempts.take("f", Some(from(2)), at(0)).wait_seconds, None, "a refused try costs nothing");
        let whole = |last: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]));
        for last in 0..5 {
            attempts.take(&last.to_string(), whole(last), at(0));
        }
        assert!(attempts.take("g", whole(9), at(0)).wait_seconds.is_some(), "one network of IPv6 is one");
    }

    #[test]
    fn the_right_password_gives_back_what_the_wrong_ones_took() {
        let attempts = Attempts::new(ACCOUNT, ADDRESS);
        attempts.take("a", Some(from(1)), at(0));
        attempts.take("a", Some(from(1)), at(0));
        attempts.take("a", Some(from(1)), at(0)).succeeded();
        for _ in 0..3 {
            assert_eq!(attempts.take("a", Some(from(1)), at(0)).wait_seconds, None);
        }
        assert!(attempts.take("a", Some(from(1)), at(0)).wait_seconds.is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let attempts = Attempts::new(ACCOUNT, ADDRESS);
        attempts.take("target", None, at(0));
        attempts.take("target", None, at(0));
        attempts.take("target", None, at(0));
        for name in 0..=u32::try_from(REMEMBERED_MAX).unwrap() {
            attempts.take(&name.to_string(), None, at(0));
        }
        assert!(attempts.0.spent.lock().unwrap()[0].len() <= REMEMBERED_MAX);
        assert!(attempts.take("target", None, at(0)).wait_seconds.is_some(), "who has tried most is remembered");
    }
}
