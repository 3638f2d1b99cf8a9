//! Ginti in real browsers, driven from Rust.
