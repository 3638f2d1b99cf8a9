//! Crash truth: the real server under load, killed at random points, started again, and asked for everything it ever
//! acknowledged.
//!
//! `load` sends as devices do: a batch without an answer is sent again, under the same id, until it has one. `truth` keeps
//! what was sent and what was acknowledged; `server` is the process that dies; `kills` and `faults` are what happens to it.
//! `fleet` is thousands of devices that send out of order and twice; `held` and `soak` are what they do to the server. `days` is what befalls a
//! database on a bad day.

pub mod days;
pub mod faults;
pub mod fleet;
pub mod held;
pub mod kills;
pub mod load;
pub mod server;
pub mod soak;
pub mod truth;
