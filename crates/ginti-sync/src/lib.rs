//! Ginti's sync machines: batcher and courier, with no I/O, clock or randomness inside.
//!
//! A host (a browser page, a service worker, the simulator, a test) passes in what happened together with `now` and entropy,
//! and carries out what comes back. Durable effects come first and are committed in one transaction before the others run.
//!
//! - [`Batcher`] lives in the page. Its state is the [records](record) the host keeps in its database; several tabs share
//!   that database, so the machine itself remembers nothing between calls: the host passes in the records a decision needs
//!   and puts back what it returns, all inside one transaction. Call order for a host:
//!   [`count`](Batcher::count) for every scan; [`plan`](Batcher::plan) on every trigger and at the `wake_at` it gave; hand over each of its `sends`,
//!   then [`handed`](Batcher::handed) or [`handover_failed`](Batcher::handover_failed); [`settle`](Batcher::settle) for every answered delivery;
//!   [`seen`](Batcher::seen) and [`absorb`](Batcher::absorb) for whatever else the server says.
//! - [`Courier`] lives in the worker. One event in, effects out, the last of which says what to do next
//!   ([`send`](courier::Effect::Send), [`refresh`](courier::Effect::Refresh), [`wait`](courier::Effect::Wait) or [`idle`](courier::Effect::Idle)); its result is the next event.

mod backoff;
pub mod batcher;
pub mod courier;
mod entropy;
mod moment;
pub mod record;

pub use backoff::Backoff;
pub use batcher::{Batcher, BatcherConfig};
pub use courier::{Courier, CourierConfig};
pub use entropy::Entropy;
pub use moment::Moment;
