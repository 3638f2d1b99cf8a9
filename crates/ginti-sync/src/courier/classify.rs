//! What an HTTP answer to a batch means. Only Ginti's own words settle anything: a captive portal's friendly `200` page or
//! a proxy's `403` are no answer of the server.

use ginti_types::{Problem, Receipt};

use super::QueuedEntry;
use crate::{Moment, record::Answer};

/// What an answer means for the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server has spoken: the page settles it. `detail`: code and sentence when it is a refusal.
    Final { detail: Option<(String, String)> },
    /// The token is not good (any more).
    Unauthorized { code: String, detail: String },
    /// Not now.
    Later { code: String, detail: String },
}

pub(super) fn classify(entry: &QueuedEntry, answer: &Answer) -> Verdict {
    let problem: Option<Problem> = if answer.status >= 400 { serde_json::from_str(&answer.body).ok() } else { None };
    match (answer.status, problem) {
        (200, _) => match serde_json::from_str::<Receipt>(&answer.body) {
            Ok(receipt) if receipt.batch_id == entry.batch_id => Verdict::Final { detail: None },
            _ => later(
                "not-a-receipt",
                "Something other than the Ginti server answered (a sign-in page of the network?).",
            ),
        },
        (401, Some(problem)) => Verdict::Unauthorized { code: problem.code, detail: problem.detail },
        (408 | 425 | 429 | 500..=599, Some(problem)) => later(&problem.code, &problem.detail),
        // A proxy in front may refuse the size in its own words; sending the same again would never help.
        (413, problem) => {
            let words = problem.map(|problem| (problem.code, problem.detail));
            Verdict::Final {
                detail: Some(words.unwrap_or_else(|| {
                    (
                        "body-too-large".to_owned(),
                        "The batch is too large for the server; smaller ones follow.".to_owned(),
                    )
                })),
            }
        }
        (400..=499, Some(problem)) => Verdict::Final { detail: Some((problem.code, problem.detail)) },
        (status, _) => {
            let code = if status >= 500 { "server-error" } else { "not-a-receipt" };
            later(code, &format!("The server could not take the counts (status {status}); they are sent again."))
        }
    }
}

fn later(code: &str, detail: &str) -> Verdict {
    Verdict::Later { code: code.to_owned(), detail: detail.to_owned() }
}

/// `Retry-After` (RFC 9110, 10.2.3) as milliseconds from now: seconds, or a date by the device's own clock.
pub(super) fn retry_after_ms(text: &str, now: Moment) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1_000));
    }
    let date = ginti_types::Timestamp::parse_http_date(text).ok()?;
    Some(date.unix_ms().saturating_sub(now.0).max(0))
}
