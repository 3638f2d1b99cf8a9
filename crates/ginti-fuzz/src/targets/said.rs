//! What must hold of every refusal: a known code, its status, and a sentence somebody can act on.

use ginti_types::{Code, Problem};

/// The longest thing that is ever said, in bytes: what comes from the input is cut before it is repeated.
const DETAIL_BYTES_MAX: usize = 8_192;

/// Checks a problem.
pub(super) fn problem(problem: &Problem) {
    let code = Code::from_name(&problem.code).expect("a problem's code is in the table");
    assert_eq!(problem.status, code.status(), "{code:?} has one status");
    assert_eq!(problem.title, code.title());
    sentence(&problem.detail);
    for error in &problem.errors {
        assert!(error.pointer.is_empty() || error.pointer.starts_with('/'), "{:?} is a pointer", error.pointer);
        assert!(Code::from_name(&error.code).is_some(), "{} is in the table", error.code);
        sentence(&error.detail);
    }
}

/// Checks a sentence.
pub(super) fn sentence(text: &str) {
    assert!(text.ends_with(['.', ')', '"', '…']), "a sentence ends as one: {text:?}");
    assert!(text.len() <= DETAIL_BYTES_MAX, "{} bytes are more than anybody reads", text.len());
}
