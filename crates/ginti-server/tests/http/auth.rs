//! `/auth` and the tokens it gives.

mod attempts;
mod login;
mod password;
mod refresh;
mod sign_ins;
mod tokens;
