//! `/auth` and the tokens it gives.

mod attempts;
mod login;
mod refresh;
mod tokens;
