//! Who is calling: passwords, access tokens, refresh tokens, and the extractor that handlers name as their first argument.
//!
//! Sign-in checks a password once and gives two things: a short-lived access token that says everything a request needs
//! (so the hot path reads no database), and a refresh token in a cookie that no script can read. Programs call with an API token
//! instead.

mod address;
mod algorithms;
mod api_token;
mod attempts;
mod caller;
mod password;
mod refresh;
mod same_origin;
mod token;
mod told;

pub(crate) use address::{ClientAddress, Peer, client_address};
pub(crate) use algorithms::install as install_algorithms;
pub(crate) use api_token::ApiTokenText;
pub use api_token::ApiTokens;
pub use attempts::Quota;
pub(crate) use attempts::{Attempt, Attempts};
pub use caller::Caller;
pub(crate) use caller::{Admin, Manager, account_disabled};
pub use password::{PasswordError, Passwords, TooManyChecks, check_new_password, hash_password};
pub use token::{TokenError, TokenKeys};

pub(crate) use refresh::{RefreshCookie, RefreshToken};
pub(crate) use same_origin::SameOrigin;
pub(crate) use told::{Place, Way, held_off};
