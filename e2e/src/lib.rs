//! Ginti in real browsers, driven from Rust: the real binary, a real network link that can fail, and the engine that
//! `GINTI_ENGINE` names: Chromium, Firefox or WebKit.
//!
//! A test builds a [`World`] (server and link), opens a [`Device`] (a browser with a profile that outlives it), does what a
//! person does, breaks something, and asserts on three views of the truth: the screen, the device's database, the server.

mod api;
mod app;
mod browser;
pub mod desk;
mod device;
mod engine;
mod label;
mod link;
pub mod monkey;
mod receiver;
mod server;
mod world;

pub use api::{Api, ServerRow};
pub use app::{BUILT, copy_app, numbered_app, slow_to_start_app};
pub use browser::{Browser, DESKTOP, PHONE};
pub use device::{Device, ScreenRow, pictures};
pub use engine::{Capability, Engine, capability_table};
pub use link::Link;
pub use receiver::Receiver;
pub use server::{Server, ServerOptions};
pub use world::{Tally, World, counted, eventually};

/// Password of all demo users in the tests.
pub const PASSWORD: &str = "count-on-it-2026";
/// The demo's directed count.
pub const DIRECTED: &str = "M101428";
/// The demo's hard count.
pub const HARD: &str = "M101429";
