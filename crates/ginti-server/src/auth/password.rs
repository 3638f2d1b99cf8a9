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

/// Checks at once.
const CHECKS_AT_ONCE_MAX: usize = 2;
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

/// Checks passwords, a few at a time.
#[derive(Clone, Debug)]
pub struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CHECKS_AT_ONCE_MAX)))
    }
}

impl Passwords {
    /// Whether the password belongs to the hash. Without a hash (no such user) the answer is no, after the same work.
    pub async fn matches(&self, password: String, hash: Option<String>) -> bool {
        let _permit = self.0.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(move || {
            // Made at the first check whoever asks, so that an unknown name does not pay for it alone.
            let stand_in = nobody();
            verify(&password, hash.as_deref().unwrap_or(stand_in)) && hash.is_some()
        })
        .await
        .unwrap_or(false)
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
    use super::*;

    #[test]
    fn a_hash_is_argon2id_and_salted() {
        let (one, two) = (hash_password("count").unwrap(), hash_password("count").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert_eq!(hash_password(""), Err(PasswordError::Empty));
        assert_eq!(hash_password(&"x".repeat(1_025)), Err(PasswordError::TooLong));
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_matches() {
        let passwords = Passwords::default();
        let hash = Some(hash_password("count").unwrap());
        assert!(passwords.matches("count".into(), hash.clone()).await);
        assert!(!passwords.matches("Count".into(), hash).await);
        assert!(!passwords.matches("nobody".into(), None).await, "the stand-in hash lets nobody in");
        assert!(!passwords.matches("count".into(), Some("not a hash".into())).await);
    }
}
