//! `/auth` and the tokens it gives.

mod login;
mod refresh;
mod tokens;
