//! The worker's machine: what to do with each queued batch, from status, headers and age.
//!
//! The host holds the queue. It tells the machine what happened ([`Event`]) and carries out what comes back ([`Effect`]) in
//! order; the last effect says what to do next, and its result is the next event. One drain runs at a time (the host holds
//! a lock around it), one batch is in flight at a time, oldest first. Correctness needs none of this: only thrift does.

mod classify;
mod event;

pub use event::{CourierRecord, Effect, Event, Failure, Gate, QueuedEntry, Refreshed, WaitReason, WakeCause};

use classify::Verdict;
use serde::{Deserialize, Serialize};

use crate::{
    Backoff, Entropy, Moment,
    record::{Answer, ErrorNote},
};

/// What to do when the server says 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnauthorizedPolicy {
    /// One refresh for all, then go on; the queue waits if the refresh is refused.
    #[default]
    Gate,
    /// Give the batch back: the app cuts a fresh one.
    Drop,
}

/// The courier's settings. All durations in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CourierConfig {
    /// On 401.
    pub unauthorized: UnauthorizedPolicy,
    /// A request without an answer for so long has failed.
    pub send_timeout_ms: u64,
    /// Waits after failures.
    pub backoff: Backoff,
    /// Waits between refreshes after one was refused: a sign-in elsewhere may have opened the gate.
    pub gate_backoff: Backoff,
    /// Least time between two attempts that were each asked for by something other than the backoff's own timer.
    pub attempt_gap_ms_min: i64,
    /// The longest `Retry-After` that is believed.
    pub retry_after_ms_max: i64,
}

impl Default for CourierConfig {
    fn default() -> Self {
        Self {
            unauthorized: UnauthorizedPolicy::Gate,
            send_timeout_ms: 30_000,
            backoff: Backoff::default(),
            gate_backoff: Backoff { base_ms: 15_000, cap_ms: 10 * 60_000 },
            attempt_gap_ms_min: 1_000,
            retry_after_ms_max: 30 * 60_000,
        }
    }
}

/// The part of the backoff's ceiling over which devices spread that hear at once that the network is back.
const FLEET_SPREAD: u64 = 10;
/// The same within a sync event, at most.
const SYNC_SPREAD_MS_MAX: u64 = 20_000;

/// The machine. What must outlive the worker is in the [`CourierRecord`], given back through [`Effect::Persist`].
#[derive(Clone, Debug)]
pub struct Courier {
    config: CourierConfig,
    record: CourierRecord,
    /// Entries still to deliver in this drain, oldest first.
    queue: Vec<QueuedEntry>,
    /// Tenant of the token in memory.
    realm: Option<String>,
    /// The token was refreshed in this drain and nothing was accepted with it since.
    refreshed: bool,
    /// A batch was given back because the token ran out: the fresh one needs another.
    spent: bool,
}

impl Courier {
    /// With these settings, where the last worker stopped.
    pub fn new(config: CourierConfig, record: CourierRecord) -> Self {
        Self { config, record, queue: Vec::new(), realm: None, refreshed: false, spent: false }
    }

    /// What must outlive the worker.
    pub fn record(&self) -> &CourierRecord {
        &self.record
    }

    /// One thing happened; what follows from it.
    pub fn handle(&mut self, now: Moment, entropy: &[u8], event: Event) -> Vec<Effect> {
        let before = self.record.clone();
        let mut entropy = Entropy::new(entropy);
        let mut effects = match event {
            Event::Wake { cause, entries, realm } => self.wake(now, &mut entropy, cause, entries, realm),
            Event::Answered { entry, status, retry_after, replayed, body } => {
                let answer = Answer { status, body, at: now, replayed };
                self.answered(now, &mut entropy, entry, retry_after.as_deref(), answer)
            }
            Event::Failed { entry, failure } => {
                let (code, detail) = failure.words();
                self.attempt_failed(now, &mut entropy, entry, code, detail.to_owned())
            }
            Event::Refreshed { result, realm } => self.refreshed(now, &mut entropy, result, realm),
        };
        effects.push(self.next(now));
        if self.record != before {
            effects.insert(0, Effect::Persist { record: self.record.clone() });
        }
        effects
    }

    /// Takes the queue as it is now and decides whether this wake may try at once.
    fn wake(
        &mut self,
        now: Moment,
        entropy: &mut Entropy,
        cause: WakeCause,
        entries: Vec<QueuedEntry>,
        realm: Option<String>,
    ) -> Vec<Effect> {
        let (obsolete, queue): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.withdrawn);
        self.queue = queue;
        self.queue.sort_by_key(|entry| entry.id);
        self.realm = realm;
        self.refreshed = false;
        self.forget_absurd_waits(now);
        if cause == WakeCause::SignedIn {
            self.open_gate();
        }
        if cause.is_news() {
            // The world may have changed: the failures so far say nothing about it. Retry-After still holds. News that comes
            // right behind an attempt waits for the gap to pass; dropped, it would leave the whole backoff standing.
            let gap_ms = self.config.attempt_gap_ms_min;
            let last = self.record.last_attempt_at.filter(|last| !now.has_passed(*last, gap_ms));
            let after_gap = last.map_or(Moment(0), |last| last.plus_ms(gap_ms));
            let spread_ms = self.spread_ms(cause, entropy);
            let earliest = if spread_ms > 0 { after_gap.max(now.plus_ms(spread_ms)) } else { after_gap };
            self.record.not_before = self.record.not_before.min(earliest);
            self.record.gate_probe_at = self.record.gate_probe_at.min(earliest);
        }
        let heard = self.queue.iter().map(|entry| Effect::note(entry, false, self.record.last_error.clone()));
        obsolete.iter().map(|entry| Effect::settle(entry, None)).chain(heard).collect()
    }

    /// What tells one device that the network is back tells a whole chain's at the same second. The longer it was away, the
    /// more of them there are, and the less a moment more matters.
    fn spread_ms(&self, cause: WakeCause, entropy: &mut Entropy) -> i64 {
        let longest = match self.record.failures {
            0 => 0,
            failures => self.config.backoff.ceiling_ms(failures) / FLEET_SPREAD,
        };
        let longest = match cause {
            WakeCause::Online | WakeCause::Activate => longest,
            // The browser stops a worker that has nothing to do, as this one seems to, after half a minute.
            WakeCause::Sync => longest.min(SYNC_SPREAD_MS_MAX),
            _ => 0,
        };
        i64::try_from(entropy.up_to(longest)).unwrap_or(0)
    }

    fn answered(
        &mut self,
        now: Moment,
        entropy: &mut Entropy,
        entry: u64,
        retry_after: Option<&str>,
        answer: Answer,
    ) -> Vec<Effect> {
        let Some(at) = self.queue.iter().position(|queued| queued.id == entry) else { return Vec::new() };
        match classify::classify(&self.queue[at], &answer) {
            Verdict::Final { detail } => {
                self.record.failures = 0;
                self.record.not_before = Moment(0);
                self.record.retry_after_until = Moment(0);
                self.record.last_contact_at = Some(now);
                self.record.last_error = detail.map(|(code, detail)| ErrorNote { code, detail, at: now });
                self.open_gate();
                self.refreshed = false;
                let done = self.queue.remove(at);
                vec![Effect::note(&done, true, self.record.last_error.clone()), Effect::settle(&done, Some(answer))]
            }
            Verdict::Unauthorized { code, detail } => {
                self.record.last_contact_at = Some(now);
                self.record.last_attempt_at = Some(now);
                let error = ErrorNote { code, detail, at: now };
                self.record.last_error = Some(error.clone());
                self.realm = None;
                if self.config.unauthorized == UnauthorizedPolicy::Drop {
                    self.spent = true;
                    let dropped = self.queue.remove(at);
                    return vec![Effect::note(&dropped, true, Some(error)), Effect::settle(&dropped, Some(answer))];
                }
                if self.refreshed {
                    // Refused with a token made a moment ago: another one would fare no better.
                    self.close_gate(now, entropy);
                }
                vec![Effect::note(&self.queue[at], true, Some(error))]
            }
            Verdict::Later { code, detail } => {
                self.record.last_contact_at = Some(now);
                let wait_ms = retry_after.and_then(|text| classify::retry_after_ms(text, now));
                if let Some(wait_ms) = wait_ms {
                    // Spread over a quarter more, so that a fleet told the same second does not return in it.
                    let wait_ms = wait_ms.min(self.config.retry_after_ms_max);
                    let spread = entropy.up_to(u64::try_from(wait_ms / 4).unwrap_or(0).max(1_000));
                    let until = now.plus_ms(wait_ms).plus_ms(i64::try_from(spread).unwrap_or(0));
                    self.record.retry_after_until = until;
                }
                self.attempt_failed(now, entropy, entry, &code, detail)
            }
        }
    }

    fn attempt_failed(
        &mut self,
        now: Moment,
        entropy: &mut Entropy,
        entry: u64,
        code: &str,
        detail: String,
    ) -> Vec<Effect> {
        let error = ErrorNote { code: code.to_owned(), detail, at: now };
        self.back_off(now, entropy);
        self.record.last_error = Some(error.clone());
        self.record.failed_entry = entry;
        let sent = self.queue.iter().find(|queued| queued.id == entry);
        sent.map(|sent| Effect::note(sent, true, Some(error))).into_iter().collect()
    }

    fn refreshed(
        &mut self,
        now: Moment,
        entropy: &mut Entropy,
        result: Refreshed,
        realm: Option<String>,
    ) -> Vec<Effect> {
        self.spent = false;
        match result {
            Refreshed::Ok => {
                self.realm = realm;
                self.refreshed = true;
                self.record.last_contact_at = Some(now);
                // Only an accepted batch or a sign-in makes the refusals so far forgotten: a token may be worth nothing.
                self.record.gate = Gate::Open;
                self.record.gate_probe_at = Moment(0);
            }
            Refreshed::Denied => {
                self.close_gate(now, entropy);
                self.record.last_contact_at = Some(now);
                self.record.last_error = Some(ErrorNote {
                    code: "sign-in-needed".to_owned(),
                    detail: "The sign-in has expired. Sign in again; what was counted is kept and goes out then."
                        .to_owned(),
                    at: now,
                });
            }
            Refreshed::Unreachable => {
                self.back_off(now, entropy);
                let (code, detail) = Failure::Network.words();
                self.record.last_error = Some(ErrorNote { code: code.to_owned(), detail: detail.to_owned(), at: now });
            }
        }
        Vec::new()
    }

    /// The one effect that says what to do next.
    fn next(&mut self, now: Moment) -> Effect {
        if self.queue.is_empty() {
            let is_wanted = self.spent && (self.record.gate == Gate::Open || self.record.gate_probe_at <= now);
            return if is_wanted { self.refresh(now) } else { Effect::Idle };
        }
        let (until, reason) = if self.record.retry_after_until > self.record.not_before {
            (self.record.retry_after_until, WaitReason::RetryAfter)
        } else {
            (self.record.not_before, WaitReason::Backoff)
        };
        if until > now {
            return Effect::Wait { until, reason };
        }
        let Some(realm) = &self.realm else {
            // Only the asking for tokens is gated: a token that arrives by a sign-in is tried at once.
            if self.record.gate == Gate::Closed && self.record.gate_probe_at > now {
                return Effect::Wait { until: self.record.gate_probe_at, reason: WaitReason::Gate };
            }
            return self.refresh(now);
        };
        // After a failure the one behind has its turn: a batch that the server cannot digest never blocks the rest.
        let mut sendable = self.queue.iter().filter(|entry| entry.realm == *realm);
        let after = sendable.clone().find(|entry| entry.id > self.record.failed_entry);
        match after.or_else(|| sendable.next()) {
            Some(entry) => {
                self.record.last_attempt_at = Some(now);
                Effect::Send { entry: entry.id, timeout_ms: self.config.send_timeout_ms }
            }
            // Someone of another company is signed in: what waits belongs to the one before, and goes out when they are back.
            None => Effect::Wait { until: now.plus_ms(self.cap_ms()), reason: WaitReason::OtherTenant },
        }
    }

    /// Asking for a token is an attempt too.
    fn refresh(&mut self, now: Moment) -> Effect {
        self.record.last_attempt_at = Some(now);
        Effect::Refresh { timeout_ms: self.config.send_timeout_ms }
    }

    fn back_off(&mut self, now: Moment, entropy: &mut Entropy) {
        self.record.failures = self.record.failures.saturating_add(1);
        self.record.last_attempt_at = Some(now);
        let wait = self.config.backoff.wait_ms(self.record.failures, entropy);
        self.record.not_before = now.plus_ms(wait);
    }

    fn close_gate(&mut self, now: Moment, entropy: &mut Entropy) {
        self.record.gate = Gate::Closed;
        self.record.gate_failures = self.record.gate_failures.saturating_add(1);
        // At least half of the ceiling: a refused refresh is the server's word, not a passing fault.
        let ceiling = self.config.gate_backoff.ceiling_ms(self.record.gate_failures);
        let wait = ceiling / 2 + entropy.up_to(ceiling / 2);
        self.record.gate_probe_at = now.plus_ms(i64::try_from(wait).unwrap_or(i64::MAX));
        self.realm = None;
    }

    fn open_gate(&mut self) {
        self.record.gate = Gate::Open;
        self.record.gate_failures = 0;
        self.record.gate_probe_at = Moment(0);
    }

    /// Waits that no failure of ours could have set: the device's clock was set back.
    fn forget_absurd_waits(&mut self, now: Moment) {
        let record = &mut self.record;
        record.not_before =
            now.believable(record.not_before, i64::try_from(self.config.backoff.cap_ms).unwrap_or(i64::MAX));
        record.retry_after_until = now.believable(record.retry_after_until, self.config.retry_after_ms_max * 5 / 4);
        let gate_ms = i64::try_from(self.config.gate_backoff.cap_ms).unwrap_or(i64::MAX);
        record.gate_probe_at = now.believable(record.gate_probe_at, gate_ms);
    }

    fn cap_ms(&self) -> i64 {
        i64::try_from(self.config.backoff.cap_ms).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests;
