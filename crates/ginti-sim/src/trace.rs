//! What happened, line by line, when somebody wants to read it. Made only then: a story costs more to tell than to run.

use std::cell::{Cell, RefCell};

/// The lines so far.
#[derive(Default)]
pub struct Trace {
    is_wanted: Cell<bool>,
    lines: RefCell<Vec<(i64, String)>>,
}

impl Trace {
    /// Begins to keep lines.
    pub fn want(&self) {
        self.is_wanted.set(true);
    }

    /// Keeps a line, if lines are wanted.
    pub fn say(&self, now_ms: i64, line: impl FnOnce() -> String) {
        if self.is_wanted.get() {
            self.lines.borrow_mut().push((now_ms, line()));
        }
    }

    /// The lines, with the true time of each.
    pub fn take(&self) -> Vec<(i64, String)> {
        self.lines.take()
    }
}

/// Time since the story began, as a person reads it.
pub fn clock_face(since_ms: i64) -> String {
    let (hours, minutes, seconds, ms) =
        (since_ms / 3_600_000, since_ms / 60_000 % 60, since_ms / 1_000 % 60, since_ms % 1_000);
    format!("{hours}:{minutes:02}:{seconds:02}.{ms:03}")
}
