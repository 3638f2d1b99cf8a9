//! Crash truth: the real server under load, killed at random points, started again, and asked for everything it ever
//! acknowledged.
//!
//! `load` sends as devices do: a batch without an answer is sent again, under the same id, until it has one. `truth` keeps
//! what was sent and what was acknowledged; `server` is the process that dies; `kills` and `faults` are what happens to it.

pub mod faults;
pub mod kills;
pub mod load;
pub mod server;
pub mod truth;
