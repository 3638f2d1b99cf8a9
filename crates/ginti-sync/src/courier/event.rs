//! What happens to the courier, what it asks for, and what it remembers.

use ginti_types::BatchId;
use serde::{Deserialize, Serialize};

use crate::{
    Moment,
    record::{Answer, ErrorNote},
};

/// What must outlive a killed worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CourierRecord {
    /// Attempts that failed in a row.
    pub failures: u32,
    /// No attempt before then, unless there is news.
    pub not_before: Moment,
    /// No attempt before then: the server said so.
    pub retry_after_until: Moment,
    /// Whether the sign-in is good, as far as known.
    pub gate: Gate,
    /// When to ask for a new token although the last one was refused.
    pub gate_probe_at: Moment,
    /// Refreshes refused in a row.
    pub gate_failures: u32,
    /// The entry that failed last; the ones behind it go first.
    pub failed_entry: u64,
    /// When something was last sent, or a token asked for: whoever waits for the lock sees by it that its holder lives.
    pub last_attempt_at: Option<Moment>,
    /// When the server last answered.
    pub last_contact_at: Option<Moment>,
    /// Why nothing arrives; none when the last answer was good.
    pub last_error: Option<ErrorNote>,
}

/// The gate between the queue and the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// The sign-in is good or can be refreshed.
    #[default]
    Open,
    /// A refresh was refused: only a sign-in helps.
    Closed,
}

/// An entry of the host's queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedEntry {
    /// The queue's own key: the older, the smaller.
    pub id: u64,
    /// The batch.
    pub batch_id: BatchId,
    /// The tenant whose token may send it.
    pub realm: String,
    /// The page took custody back.
    #[serde(default)]
    pub withdrawn: bool,
}

/// Why the courier wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WakeCause {
    /// A batch was just queued.
    Queued,
    /// The worker started.
    Start,
    /// The worker was activated.
    Activate,
    /// A page became visible.
    Visible,
    /// A page says the network is back.
    Online,
    /// The browser's sync event.
    Sync,
    /// A page asks to look.
    Poke,
    /// The interval while a page is open.
    Interval,
    /// The time of the last `wait` has come.
    Timer,
    /// Someone signed in.
    SignedIn,
    /// A person pressed "send now".
    Manual,
}

impl WakeCause {
    /// Whether it tells of a change that makes an attempt worthwhile although the backoff is not over.
    pub(super) fn is_news(self) -> bool {
        matches!(self, Self::Activate | Self::Visible | Self::Online | Self::Sync | Self::SignedIn | Self::Manual)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Something woke the courier; the host has the lock and has read its queue.
    Wake {
        /// What.
        cause: WakeCause,
        /// The queue.
        entries: Vec<QueuedEntry>,
        /// Tenant of the token in memory; none without a token.
        realm: Option<String>,
    },
    /// A send was answered.
    Answered {
        /// Which.
        entry: u64,
        /// HTTP status.
        status: u16,
        /// The header `Retry-After`.
        retry_after: Option<String>,
        /// The header `Idempotency-Replayed` is `true`.
        #[serde(default)]
        replayed: bool,
        /// The body's text.
        body: String,
    },
    /// A send was not answered.
    Failed {
        /// Which.
        entry: u64,
        /// How.
        failure: Failure,
    },
    /// A refresh came back.
    Refreshed {
        /// How.
        result: Refreshed,
        /// Tenant of the new token.
        realm: Option<String>,
    },
}

/// How a send failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// No connection, or it broke.
    Network,
    /// No answer in time.
    Timeout,
}

impl Failure {
    /// Code and sentence.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Network => {
                ("offline", "The server cannot be reached. What was counted is kept and goes out when it can.")
            }
            Self::Timeout => ("timeout", "The server did not answer in time. What was counted is kept and sent again."),
        }
    }
}

/// How a refresh came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refreshed {
    /// There is a new token.
    Ok,
    /// The server refused: someone must sign in.
    Denied,
    /// No answer.
    Unreachable,
}

/// What to do. Carried out in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Durable: keep the record.
    Persist {
        /// It.
        record: CourierRecord,
    },
    /// Durable: telemetry of a delivery. Says at least that the courier is alive and has it.
    Note {
        /// The queue's key.
        entry: u64,
        /// The batch.
        batch_id: BatchId,
        /// The tenant.
        realm: String,
        /// It was sent once more.
        attempted: bool,
        /// Why it has not arrived.
        error: Option<ErrorNote>,
    },
    /// Durable: write the answer to the delivery, then delete the queue's entry.
    Settle {
        /// The queue's key.
        entry: u64,
        /// The batch.
        batch_id: BatchId,
        /// The tenant.
        realm: String,
        /// The answer; none for an entry that is not wanted any more.
        answer: Option<Answer>,
    },
    /// Send the entry.
    Send {
        /// The queue's key.
        entry: u64,
        /// Give up after that.
        timeout_ms: u64,
    },
    /// Get a new token.
    Refresh {
        /// Give up after that.
        timeout_ms: u64,
    },
    /// Entries remain; wake again then, or when something happens.
    Wait {
        /// When.
        until: Moment,
        /// Why.
        reason: WaitReason,
    },
    /// The queue is empty.
    Idle,
}

/// Why the courier waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WaitReason {
    /// After failures.
    Backoff,
    /// The server asked for it.
    RetryAfter,
    /// Someone must sign in.
    Gate,
    /// Someone of another tenant is signed in.
    OtherTenant,
}

impl Effect {
    pub(super) fn note(entry: &QueuedEntry, attempted: bool, error: Option<ErrorNote>) -> Self {
        Self::Note { entry: entry.id, batch_id: entry.batch_id, realm: entry.realm.clone(), attempted, error }
    }

    pub(super) fn settle(entry: &QueuedEntry, answer: Option<Answer>) -> Self {
        Self::Settle { entry: entry.id, batch_id: entry.batch_id, realm: entry.realm.clone(), answer }
    }
}
