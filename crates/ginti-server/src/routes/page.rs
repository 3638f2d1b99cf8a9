//! How many entries one answer holds.

use ginti_types::Code;

use crate::problem::{Answer, ProblemResponse};

/// Entries of one answer, at most.
const LIMIT_MAX: usize = 1_000;

/// The limit asked for, or the usual one.
pub(super) fn limit_or(asked: Option<usize>, usual: usize) -> Answer<usize> {
    match asked {
        None => Ok(usual),
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Some(limit) => Err(ProblemResponse::new(
            Code::InvalidParameter,
            format!("\"limit\" is {limit}; it must be between 1 and {LIMIT_MAX}."),
        )),
    }
}
