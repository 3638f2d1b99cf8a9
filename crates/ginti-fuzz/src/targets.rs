//! The table of targets.

mod answers;
mod batch;
mod files;
mod requests;
mod said;
mod values;
mod worker;

use crate::Target;

/// All of them, those that devices and server share first.
pub(crate) fn all() -> Vec<Target> {
    let mut all = Vec::new();
    all.extend_from_slice(batch::TARGETS);
    all.extend_from_slice(values::TARGETS);
    all.extend_from_slice(answers::TARGETS);
    all.extend_from_slice(worker::TARGETS);
    all.extend_from_slice(files::TARGETS);
    all.extend_from_slice(requests::TARGETS);
    all
}

/// The input as a text; none where it is not one.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
