//! Ginti's HTTP server: [`router`] turns a store, a clock and a configuration into the whole service.
//!
//! The flow of a request: `layers` (outermost first) → `routes` (the table of contents) → one handler per route, which
//! asks [`auth`] who is calling, `request` what was sent, and the store to do it. Whatever goes wrong on the way comes out
//! as one [`ProblemResponse`]. The binary `ginti` adds the command line, the listener and the signals.

mod alerts;
mod assets;
pub mod auth;
pub mod catalogue;
mod deliver;
pub mod demo;
mod deps;
mod digest;
mod drain;
mod layers;
mod oidc;
mod places;
mod problem;
mod request;
mod routes;
pub mod schema;
mod serve;

pub use alerts::run as alerts;
pub use assets::{AppFiles, app_in, built_app};
pub use deliver::run as deliver;
pub use deps::{Clock, Config, CrashAfterCommits, Deps, Entropy, os_entropy, system_clock};
pub use drain::Drain;
pub use oidc::OidcConfig;
pub use problem::ProblemResponse;
pub use routes::{ExportFormat, add_up_measurements, export_run, openapi, outside, router};
pub use serve::serve;
