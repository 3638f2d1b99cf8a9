//! Whether the server is shutting down: set once by the signal handler, read by `/readyz` and by every write.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A flag that goes up once.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<AtomicBool>);

impl Drain {
    /// From now on the server takes no new writes.
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
