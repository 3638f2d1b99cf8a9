//! Passwords: argon2id, checked away from the async workers and only a few at a time.
//!
//! One check costs ~19 MiB and tens of milliseconds on purpose. Unbounded, a burst of sign-ins would take the machine's
//! memory; so they queue. An unknown name costs the same work as a known one and gets the same answer.

use std::sync::{Arc, OnceLock};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

/// Checks at once.
const CHECKS_AT_ONCE_MAX: usize = 2;
/// Checks that wait for their turn: a few seconds' work. More would also take the places of requests that bring counts.
const CHECKS_WAITING_MAX: usize = 128;
/// A longer password is refused before it costs anything.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Why a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing given.
    #[error("The password is empty; give at least one character.")]
    Empty,
    /// More than 1,024 bytes.
    #[error("The password is longer than 1,024 bytes; give a shorter one.")]
    TooLong,
}

/// Hashes a password into a PHC string with a fresh salt. Slow on purpose: keep it off the async workers.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    match password.len() {
        0 => Err(PasswordError::Empty),
        1..=PASSWORD_BYTES_MAX => Ok(hash(password)),
        _ => Err(PasswordError::TooLong),
    }
}

/// Characters a new password has at least (NIST SP 800-63B: length counts, composition does not).
const PASSWORD_CHARS_MIN: usize = 8;
/// Guessed first of all: words of the place. The person's own name is another.
const PLACE: [&str; 2] = ["ginti", "inventory"];

/// Whether a password may be set for that person; else why not. May take as long as a hash: keep it off the async workers.
pub fn check_new_password(password: &str, user: &str) -> Result<(), String> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(format!(
            "A password needs at least {PASSWORD_CHARS_MIN} characters. Several words make a good one."
        ));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(format!("A password has at most {PASSWORD_BYTES_MAX} bytes."));
    }
    if is_soon_guessed(password, user) {
        return Err(
            "That password is one of the first that others would try. Choose another one; several words that have nothing to do \
             with each other make a good one."
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether fewer than a million guesses find it. zxcvbn tries the most common passwords in their order (of its 30,000, 11,611 are long
/// enough to be set), words and names, rows of keys, dates and repetitions, and all of them with the usual capitals and look-alikes.
fn is_soon_guessed(password: &str, user: &str) -> bool {
    zxcvbn(password, &[user, PLACE[0], PLACE[1]]).score() < Score::Two
}

/// So many sign-ins wait already that one more would not be answered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins are waiting")]
pub struct TooManyChecks;

/// Checks passwords, a few at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            at_once: Arc::new(Semaphore::new(CHECKS_AT_ONCE_MAX)),
            waiting: Arc::new(Semaphore::new(CHECKS_WAITING_MAX)),
        }
    }
}

impl Passwords {
    /// Whether the password belongs to the hash. Without a hash (no such user) the answer is no, after the same work.
    pub async fn matches(&self, password: String, hash: Option<String>) -> Result<bool, TooManyChecks> {
        let place = self.waiting.try_acquire().map_err(|_| TooManyChecks)?;
        let permit = self.at_once.clone().acquire_owned().await.expect("the semaphore is never closed");
        drop(place);
        let check = move || {
            // Held by the work and not by whoever waits for it: a caller that hangs up does not end the work.
            let _permit = permit;
            // Made at the first check whoever asks, so that an unknown name does not pay for it alone.
            let stand_in = nobody();
            verify(&password, hash.as_deref().unwrap_or(stand_in)) && hash.is_some()
        };
        Ok(tokio::task::spawn_blocking(check).await.unwrap_or(false))
    }
}

fn verify(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        tracing::error!(
            "a stored password hash cannot be read; that user cannot sign in until the password is set anew"
        );
        return false;
    };
    password.len() <= PASSWORD_BYTES_MAX && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

fn hash(password: &str) -> String {
    Argon2::default().hash_password(password.as_bytes()).expect("the default parameters are valid").to_string()
}

/// The hash that unknown names are checked against.
fn nobody() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash("nobody"))
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<T>(check: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        check.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_hash_is_argon2id_and_salted() {
        let (one, two) = (hash_password("count").unwrap(), hash_password("count").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert_eq!(hash_password(""), Err(PasswordError::Empty));
        assert_eq!(hash_password(&"x".repeat(1_025)), Err(PasswordError::TooLong));
    }

    #[test]
    fn what_others_would_try_first_cannot_be_set() {
        for common in [
            "password",
            "Password1",
            "passw0rd",
            "P@ssw0rd",
            "12345678",
            "987654321",
            "11111111",
            "qwertyuiop",
            "1qaz2wsx3edc",
            "q1w2e3r4t5y6",
            "123qweasdzxc",
            "iloveyou",
            "sunshine",
            "trustno1",
            "football",
            "baseball",
            "starwars",
            "princess",
            "superman",
            "corvette",
            "samantha",
            "christopher",
            "international",
            "leavemealone",
            "sonyericsson",
            "justinbieber",
            "needforspeed",
            "finalfantasy",
            "123456789987654321",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "19.11.1984",
            "counter.7",
            "Counter2026",
            "ginti2026",
            "inventory1",
            "retnuoc-7",
        ] {
            assert!(check_new_password(common, "counter-7").is_err(), "{common}");
        }
        for good in [
            "correct horse",
            "three blind mice",
            "another long one",
            "something long",
            "of somebody else",
            "grün und blau gestreift",
            "तीन अंधे चूहे",
            "v7#kQ!x2Lp",
            "V1StGXR8_Z5jdHi6B-myT",
        ] {
            assert_eq!(check_new_password(good, "counter-7"), Ok(()), "{good}");
        }
    }

    /// Whoever hangs up must not make room for another hash while the first one still takes its memory and its core.
    #[test]
    fn a_check_holds_its_place_until_it_is_done_even_if_nobody_waits_for_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let passwords = Passwords::default();
            let (release, held) = std::sync::mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || held.recv());
            {
                let mut check = pin!(passwords.matches("count".into(), None));
                assert!(poll(check.as_mut()).is_pending(), "it waits for the only thread");
            }
            assert_eq!(passwords.at_once.available_permits(), CHECKS_AT_ONCE_MAX - 1);
            release.send(()).unwrap();
            busy.await.unwrap().unwrap();
            let all = u32::try_from(CHECKS_AT_ONCE_MAX).unwrap();
            assert!(passwords.at_once.acquire_many(all).await.is_ok(), "its place is free in the end");
        });
    }

    #[tokio::test]
    async fn no_more_checks_wait_than_the_server_takes_on() {
        let passwords = Passwords::default();
        let _none_free = passwords.at_once.clone().acquire_many_owned(u32::try_from(CHECKS_AT_ONCE_MAX).unwrap()).await;
        let mut waiting: Vec<_> =
            (0..CHECKS_WAITING_MAX).map(|_| Box::pin(passwords.matches("count".into(), None))).collect();
        for check in &mut waiting {
            assert!(poll(check.as_mut()).is_pending());
        }
        assert_eq!(passwords.matches("count".into(), None).await, Err(TooManyChecks));
        waiting.pop();
        let mut next = pin!(passwords.matches("count".into(), None));
        assert!(poll(next.as_mut()).is_pending(), "who leaves makes room");
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_matches() {
        let passwords = Passwords::default();
        let hash = Some(hash_password("count").unwrap());
        assert_eq!(passwords.matches("count".into(), hash.clone()).await, Ok(true));
        assert_eq!(passwords.matches("Count".into(), hash).await, Ok(false));
        assert_eq!(passwords.matches("nobody".into(), None).await, Ok(false), "the stand-in hash lets nobody in");
        assert_eq!(passwords.matches("count".into(), Some("not a hash".into())).await, Ok(false));
    }
}
