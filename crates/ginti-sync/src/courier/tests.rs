//! The courier against answers of every kind.

use ginti_types::{BatchId, Code, Epoch, Problem, Receipt, Timestamp};
use proptest::prelude::*;

use super::*;

const NOON: Moment = Moment(1_795_348_800_000);

fn batch(n: u64) -> BatchId {
    BatchId::from_time(n, [7; 10])
}

fn entry(id: u64) -> QueuedEntry {
    QueuedEntry { id, batch_id: batch(id), realm: "acme".to_owned(), withdrawn: false }
}

fn wake(cause: WakeCause, ids: &[u64]) -> Event {
    Event::Wake { cause, entries: ids.iter().copied().map(entry).collect(), realm: Some("acme".to_owned()) }
}

fn receipt(id: u64) -> String {
    let receipt = Receipt {
        batch_id: batch(id),
        epoch: Epoch::new("e1").unwrap(),
        ledger_seq: 1,
        server_time: Timestamp::from_unix_ms(NOON.0),
        items: Vec::new(),
    };
    serde_json::to_string(&receipt).unwrap()
}

fn problem(code: Code) -> String {
    serde_json::to_string(&Problem::new(code, "A sentence.")).unwrap()
}

fn answered(id: u64, status: u16, body: &str) -> Event {
    Event::Answered { entry: id, status, retry_after: None, replayed: false, body: body.to_owned() }
}

/// Random-looking bytes, different for every `n`.
fn draw(n: u64) -> [u8; 32] {
    let mut stretched = Entropy::new(&n.to_le_bytes());
    stretched.take::<8>();
    stretched.take()
}

struct Rig {
    courier: Courier,
    now: Moment,
    draws: u64,
}

impl Rig {
    fn new() -> Self {
        Self { courier: Courier::new(CourierConfig::default(), CourierRecord::default()), now: NOON, draws: 0 }
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        self.draws += 1;
        let effects = self.courier.handle(self.now, &draw(self.draws), event);
        let last = effects.iter().position(ends);
        assert_eq!(last, Some(effects.len() - 1), "exactly the last effect says what to do next: {effects:?}");
        effects
    }

    /// Only what comes next.
    fn then(&mut self, event: Event) -> Effect {
        self.event(event).pop().unwrap()
    }
}

fn ends(effect: &Effect) -> bool {
    matches!(effect, Effect::Send { .. } | Effect::Refresh { .. } | Effect::Wait { .. } | Effect::Idle)
}

fn settled(effects: &[Effect]) -> Vec<u64> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Settle { entry, .. } = effect { Some(*entry) } else { None })
        .collect()
}

fn send(id: u64) -> Effect {
    Effect::Send { entry: id, timeout_ms: 30_000 }
}

#[test]
fn delivers_oldest_first_and_one_at_a_time() {
    let mut rig = Rig::new();
    assert_eq!(rig.then(wake(WakeCause::Queued, &[2, 1])), send(1));
    let effects = rig.event(answered(1, 200, &receipt(1)));
    assert_eq!(settled(&effects), [1]);
    assert_eq!(effects.last(), Some(&send(2)));
    assert_eq!(rig.then(answered(2, 200, &receipt(2))), Effect::Idle);
}

#[test]
fn only_the_servers_own_words_settle_a_batch() {
    let final_answers = [
        (200, receipt(1)),
        (422, problem(Code::ItemsRefused)),
        (400, problem(Code::MalformedJson)),
        (409, problem(Code::BatchIdReused)),
        (403, problem(Code::SessionNotAllowed)),
        (413, "<html>too large".to_owned()),
    ];
    for (status, body) in final_answers {
        let mut rig = Rig::new();
        rig.event(wake(WakeCause::Queued, &[1]));
        assert_eq!(settled(&rig.event(answered(1, status, &body))), [1], "{status}");
    }
    let others = [
        (200, "<html>Welcome to the free WLAN".to_owned()),
        (200, receipt(2)),
        (200, String::new()),
        (204, String::new()),
        (202, "{}".to_owned()),
        (302, String::new()),
        (403, "<html>proxy".to_owned()),
        (404, "not here".to_owned()),
        (408, problem(Code::BodyIncomplete)),
        (429, problem(Code::TooManyRequests)),
        (500, problem(Code::InternalError)),
        (502, "<html>bad gateway".to_owned()),
        (503, problem(Code::Busy)),
        (511, "<html>sign in to the network".to_owned()),
    ];
    for (status, body) in others {
        let mut rig = Rig::new();
        rig.event(wake(WakeCause::Queued, &[1]));
        let effects = rig.event(answered(1, status, &body));
        assert_eq!(settled(&effects), [0; 0], "{status} {body}");
        assert!(matches!(effects.last(), Some(Effect::Wait { reason: WaitReason::Backoff, .. } | Effect::Send { .. })));
        assert!(rig.courier.record().last_error.is_some());
    }
}

#[test]
fn a_refusal_is_told_with_the_servers_reason() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1]));
    let effects = rig.event(answered(1, 403, &problem(Code::SessionNotAllowed)));
    let error =
        effects.iter().find_map(|effect| if let Effect::Note { error, .. } = effect { error.clone() } else { None });
    assert_eq!(error.unwrap().code, "session-not-allowed");
}

#[test]
fn a_batch_the_server_cannot_digest_does_not_block_the_one_behind() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1, 2]));
    rig.event(answered(1, 500, &problem(Code::InternalError)));
    rig.now = rig.now.plus_ms(400_000);
    assert_eq!(rig.then(wake(WakeCause::Timer, &[1, 2])), send(2));
    assert_eq!(rig.then(answered(2, 200, &receipt(2))), send(1), "and it gets its turn again");
}

#[test]
fn failures_back_off_and_never_end() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1]));
    for _ in 0..200 {
        let effect = rig.then(Event::Failed { entry: 1, failure: Failure::Network });
        let until = match effect {
            Effect::Wait { until, reason: WaitReason::Backoff } => until,
            Effect::Send { .. } => rig.now,
            other => panic!("{other:?}"),
        };
        assert!(until.0 - rig.now.0 <= 300_000);
        rig.now = until;
        assert_eq!(rig.then(wake(WakeCause::Timer, &[1])), send(1));
    }
    assert_eq!(rig.then(answered(1, 200, &receipt(1))), Effect::Idle);
    assert_eq!(rig.courier.record().failures, 0);
}

#[test]
fn news_cuts_the_backoff_short_but_a_poke_does_not() {
    let not_before = NOON.plus_ms(200_000);
    for (cause, is_cut) in [
        (WakeCause::Online, true),
        (WakeCause::Visible, true),
        (WakeCause::Sync, true),
        (WakeCause::Manual, true),
        (WakeCause::SignedIn, true),
        (WakeCause::Activate, true),
        (WakeCause::Poke, false),
        (WakeCause::Interval, false),
        (WakeCause::Queued, false),
        (WakeCause::Start, false),
    ] {
        let record = CourierRecord {
            failures: 9,
            not_before,
            last_attempt_at: Some(NOON.plus_ms(-5_000)),
            ..CourierRecord::default()
        };
        let mut courier = Courier::new(CourierConfig::default(), record);
        let until = match courier.handle(NOON, &draw(1), wake(cause, &[1])).pop() {
            Some(Effect::Send { .. }) => NOON,
            Some(Effect::Wait { until, .. }) => until,
            other => panic!("{other:?}"),
        };
        // At once, or within the little that spreads a fleet.
        assert_eq!(until <= NOON.plus_ms(30_000), is_cut, "{cause:?}");
        assert_eq!(until == not_before, !is_cut, "{cause:?}");
    }
}

/// Whoever waits for the lock takes it for lost when nothing was attempted for long.
#[test]
fn asking_for_a_token_is_a_sign_of_life() {
    let mut rig = Rig::new();
    let Event::Wake { cause, entries, .. } = wake(WakeCause::Queued, &[1]) else { unreachable!() };
    let effects = rig.event(Event::Wake { cause, entries, realm: None });
    let kept = effects.iter().find_map(|effect| match effect {
        Effect::Persist { record } => record.last_attempt_at,
        _ => None,
    });
    assert_eq!(kept, Some(rig.now), "written down before it is begun: {effects:?}");
    assert!(matches!(effects.last(), Some(Effect::Refresh { .. })), "{effects:?}");
}

#[test]
fn news_right_behind_a_failed_attempt_is_kept_for_a_moment_later() {
    let config =
        CourierConfig { backoff: Backoff { base_ms: 3_600_000, cap_ms: 3_600_000 }, ..CourierConfig::default() };
    let mut rig = Rig::new();
    rig.courier = Courier::new(config, CourierRecord::default());
    rig.event(wake(WakeCause::Visible, &[1]));
    rig.event(Event::Failed { entry: 1, failure: Failure::Network });
    let failed_at = rig.now;
    rig.now = rig.now.plus_ms(200);
    let next = rig.then(wake(WakeCause::Visible, &[1]));
    let Effect::Wait { until, reason: WaitReason::Backoff } = next else { panic!("{next:?}") };
    assert!(until <= failed_at.plus_ms(1_000), "somebody looks at it, and nobody tries for {} ms", until.0 - rig.now.0);
}

#[test]
fn flapping_news_does_not_hammer() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Online, &[1]));
    let mut sends = 1;
    rig.event(Event::Failed { entry: 1, failure: Failure::Network });
    for _ in 0..100 {
        rig.now = rig.now.plus_ms(50);
        if let Effect::Send { .. } = rig.then(wake(WakeCause::Online, &[1])) {
            sends += 1;
            rig.event(Event::Failed { entry: 1, failure: Failure::Network });
        }
    }
    assert!(sends <= 12, "{sends} attempts in five seconds");
}

#[test]
fn retry_after_holds_against_news_and_is_spread() {
    let mut untils = std::collections::BTreeSet::new();
    for seed in 0..50_u64 {
        let mut courier = Courier::new(CourierConfig::default(), CourierRecord::default());
        courier.handle(NOON, &[1], wake(WakeCause::Queued, &[1]));
        let event = Event::Answered {
            entry: 1,
            status: 503,
            retry_after: Some("60".to_owned()),
            replayed: false,
            body: problem(Code::Busy),
        };
        courier.handle(NOON, &draw(seed), event);
        let soon = courier.handle(NOON.plus_ms(59_000), &[1], wake(WakeCause::Online, &[1])).pop().unwrap();
        let Effect::Wait { until, reason: WaitReason::RetryAfter } = soon else { panic!("{soon:?}") };
        assert!((60_000..=76_000).contains(&(until.0 - NOON.0)));
        untils.insert(until);
    }
    assert!(untils.len() > 10, "a fleet that was told the same second does not come back in it");
}

/// When a device with so many failures behind it tries after that news, from now on, over many devices.
fn waits_after(cause: WakeCause, failures: u32) -> std::collections::BTreeSet<i64> {
    let not_before = if failures > 0 { NOON.plus_ms(300_000) } else { Moment(0) };
    let wait = |seed: u64| {
        let record = CourierRecord { failures, not_before, ..CourierRecord::default() };
        let mut courier = Courier::new(CourierConfig::default(), record);
        match courier.handle(NOON, &draw(seed), wake(cause, &[1])).pop() {
            Some(Effect::Wait { until, .. }) => until.0 - NOON.0,
            Some(Effect::Send { .. }) => 0,
            other => panic!("{other:?}"),
        }
    };
    (0..200_u64).map(wait).collect()
}

#[test]
fn news_that_a_fleet_hears_at_once_is_spread_the_more_the_longer_the_network_was_away() {
    for cause in [WakeCause::Online, WakeCause::Activate, WakeCause::Sync] {
        assert_eq!(waits_after(cause, 0).len(), 1, "{cause:?}: nothing failed, nothing is in the way");
        let (short, long) = (waits_after(cause, 1), waits_after(cause, 30));
        assert!(long.len() > 100, "{cause:?}: {} moments for 200 devices", long.len());
        assert!(short.last() < long.last(), "{cause:?}");
    }
    let cap_ms = i64::try_from(Backoff::default().cap_ms).unwrap();
    assert!(*waits_after(WakeCause::Online, 30).last().unwrap() <= cap_ms / 10);
    let in_sync_event = *waits_after(WakeCause::Sync, 30).last().unwrap();
    assert!(in_sync_event <= 20_000, "a sync event that waits {in_sync_event} ms is ended by the browser");
    assert_eq!(waits_after(WakeCause::Visible, 30).into_iter().collect::<Vec<_>>(), [0], "a person looks at it");
}

#[test]
fn retry_after_is_read_in_both_forms_and_absurd_ones_are_bounded() {
    assert_eq!(classify::retry_after_ms("120", NOON), Some(120_000));
    let in_a_minute = Moment(1_795_338_843_000 - 60_000);
    assert_eq!(classify::retry_after_ms("Sun, 22 Nov 2026 09:14:03 GMT", in_a_minute), Some(60_000));
    assert_eq!(classify::retry_after_ms("Sun, 22 Nov 2020 09:14:03 GMT", in_a_minute), Some(0));
    assert_eq!(classify::retry_after_ms("soon", NOON), None);
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1]));
    let event = Event::Answered {
        entry: 1,
        status: 503,
        retry_after: Some("99999999999999999999".to_owned()),
        replayed: false,
        body: String::new(),
    };
    let Effect::Wait { until, .. } = rig.then(event) else { panic!() };
    assert!(until.0 - NOON.0 <= 40 * 60_000);
}

#[test]
fn an_expired_token_is_refreshed_once_for_all() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1, 2]));
    assert_eq!(rig.then(answered(1, 401, &problem(Code::TokenExpired))), Effect::Refresh { timeout_ms: 30_000 });
    let ok = Event::Refreshed { result: Refreshed::Ok, realm: Some("acme".to_owned()) };
    assert_eq!(rig.then(ok), send(1));
    assert_eq!(rig.then(answered(1, 200, &receipt(1))), send(2), "one refresh served both");
}

#[test]
fn a_refused_refresh_closes_the_gate_until_someone_signs_in() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1]));
    rig.event(answered(1, 401, &problem(Code::TokenExpired)));
    let denied = rig.event(Event::Refreshed { result: Refreshed::Denied, realm: None });
    assert!(matches!(denied.last(), Some(Effect::Wait { reason: WaitReason::Gate, .. })));
    assert_eq!(settled(&denied), [0; 0], "nothing is lost");
    rig.now = rig.now.plus_ms(100);
    let no_token = Event::Wake { cause: WakeCause::Poke, entries: vec![entry(1)], realm: None };
    assert!(matches!(rig.then(no_token), Effect::Wait { reason: WaitReason::Gate, .. }));
    assert_eq!(rig.then(wake(WakeCause::SignedIn, &[1])), send(1));
    assert_eq!(rig.courier.record().gate, Gate::Open);
}

#[test]
fn a_gate_whose_sign_in_message_was_lost_opens_by_itself() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1]));
    rig.event(answered(1, 401, &problem(Code::TokenExpired)));
    let Effect::Wait { until, .. } = rig.then(Event::Refreshed { result: Refreshed::Denied, realm: None }) else {
        panic!()
    };
    rig.now = until;
    let no_token = Event::Wake { cause: WakeCause::Timer, entries: vec![entry(1)], realm: None };
    assert_eq!(rig.then(no_token), Effect::Refresh { timeout_ms: 30_000 });
    let ok = Event::Refreshed { result: Refreshed::Ok, realm: Some("acme".to_owned()) };
    assert_eq!(rig.then(ok), send(1));
}

#[test]
fn a_server_that_refuses_its_own_fresh_tokens_is_not_hammered() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1]));
    rig.event(answered(1, 401, &problem(Code::TokenExpired)));
    rig.event(Event::Refreshed { result: Refreshed::Ok, realm: Some("acme".to_owned()) });
    let next = rig.then(answered(1, 401, &problem(Code::TokenInvalid)));
    assert!(matches!(next, Effect::Wait { reason: WaitReason::Gate, .. }), "{next:?}");
}

#[test]
fn a_server_that_never_takes_its_own_tokens_is_asked_ever_less() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1]));
    let mut refreshes = 0;
    let mut next = rig.then(answered(1, 401, &problem(Code::TokenInvalid)));
    let end = rig.now.plus_ms(4 * 3_600_000);
    while rig.now < end {
        next = match next {
            Effect::Refresh { .. } => {
                refreshes += 1;
                rig.then(Event::Refreshed { result: Refreshed::Ok, realm: Some("acme".to_owned()) })
            }
            Effect::Send { entry, .. } => rig.then(answered(entry, 401, &problem(Code::TokenInvalid))),
            Effect::Wait { until, .. } => {
                rig.now = until;
                rig.then(wake(WakeCause::Timer, &[1]))
            }
            other => panic!("{other:?}"),
        };
    }
    assert!(refreshes < 80, "{refreshes} new tokens in four hours");
}

#[test]
fn the_drop_policy_does_not_keep_a_token_that_ran_out() {
    let config = CourierConfig { unauthorized: UnauthorizedPolicy::Drop, ..CourierConfig::default() };
    let mut courier = Courier::new(config, CourierRecord::default());
    courier.handle(NOON, &[1], wake(WakeCause::Queued, &[1]));
    let next = courier.handle(NOON, &[1], answered(1, 401, &problem(Code::TokenExpired))).pop();
    assert_eq!(next, Some(Effect::Refresh { timeout_ms: 30_000 }), "the fresh batch needs a fresh token");
    let denied = Event::Refreshed { result: Refreshed::Denied, realm: None };
    assert_eq!(courier.handle(NOON, &[1], denied).pop(), Some(Effect::Idle));
}

#[test]
fn the_drop_policy_gives_the_batch_back() {
    let config = CourierConfig { unauthorized: UnauthorizedPolicy::Drop, ..CourierConfig::default() };
    let mut courier = Courier::new(config, CourierRecord::default());
    courier.handle(NOON, &[1], wake(WakeCause::Queued, &[1]));
    let effects = courier.handle(NOON, &[1], answered(1, 401, &problem(Code::TokenExpired)));
    assert_eq!(settled(&effects), [1]);
}

#[test]
fn another_companys_sign_in_never_carries_our_batches() {
    let mut rig = Rig::new();
    let rival = Event::Wake { cause: WakeCause::Queued, entries: vec![entry(1)], realm: Some("rival".to_owned()) };
    assert!(matches!(rig.then(rival), Effect::Wait { reason: WaitReason::OtherTenant, .. }));
}

#[test]
fn withdrawn_entries_are_cleared_away_unsent() {
    let mut rig = Rig::new();
    let withdrawn = QueuedEntry { withdrawn: true, ..entry(1) };
    let event =
        Event::Wake { cause: WakeCause::Queued, entries: vec![withdrawn, entry(2)], realm: Some("acme".to_owned()) };
    let effects = rig.event(event);
    assert_eq!(settled(&effects), [1]);
    assert_eq!(effects.last(), Some(&send(2)));
}

#[test]
fn a_restarted_worker_goes_on_where_the_killed_one_stopped() {
    let mut rig = Rig::new();
    rig.event(wake(WakeCause::Queued, &[1]));
    for _ in 0..8 {
        rig.event(Event::Failed { entry: 1, failure: Failure::Timeout });
    }
    let json = serde_json::to_string(rig.courier.record()).unwrap();
    let mut restarted = Courier::new(CourierConfig::default(), serde_json::from_str(&json).unwrap());
    assert_eq!(restarted.record(), rig.courier.record());
    let effects = restarted.handle(NOON, &[1], wake(WakeCause::Start, &[1]));
    assert!(matches!(effects.last(), Some(Effect::Wait { .. })) == (rig.courier.record().not_before > NOON));
}

#[test]
fn a_clock_set_back_does_not_wait_for_years() {
    let record = CourierRecord {
        not_before: NOON.plus_ms(365 * 86_400_000),
        retry_after_until: NOON.plus_ms(365 * 86_400_000),
        last_attempt_at: Some(NOON.plus_ms(365 * 86_400_000)),
        ..CourierRecord::default()
    };
    let mut courier = Courier::new(CourierConfig::default(), record);
    assert_eq!(courier.handle(NOON, &[1], wake(WakeCause::Interval, &[1])).pop(), Some(send(1)));
}

/// What a network and a server may do to one attempt.
fn reply() -> impl Strategy<Value = u8> {
    0..9_u8
}

proptest! {
    /// Whatever answers come, an entry leaves the queue only with the server's own final word, and once the server is well
    /// again everything is delivered by timers alone.
    #[test]
    fn nothing_leaves_the_queue_undelivered(replies in prop::collection::vec(reply(), 0..60), count in 1..5_u64) {
        let mut rig = Rig::new();
        let mut queue: Vec<u64> = (1..=count).collect();
        let mut delivered = Vec::new();
        let mut replies = replies.into_iter();
        let mut token = true;
        let mut cause = WakeCause::Queued;
        for _round in 0..200 {
            let realm = token.then(|| "acme".to_owned());
            let mut effects = rig.event(Event::Wake { cause, entries: queue.iter().copied().map(entry).collect(), realm });
            loop {
                for effect in &effects {
                    if let Effect::Settle { entry, .. } = effect {
                        prop_assert!(queue.contains(entry));
                        queue.retain(|id| id != entry);
                        delivered.push(*entry);
                    }
                }
                let event = match effects.last().unwrap() {
                    Effect::Idle => { prop_assert!(queue.is_empty()); break }
                    Effect::Wait { until, .. } => { rig.now = *until; break }
                    Effect::Refresh { .. } => {
                        token = false;
                        match replies.next() {
                            Some(0) => Event::Refreshed { result: Refreshed::Unreachable, realm: None },
                            Some(1) => Event::Refreshed { result: Refreshed::Denied, realm: None },
                            _ => { token = true; Event::Refreshed { result: Refreshed::Ok, realm: Some("acme".to_owned()) } }
                        }
                    }
                    Effect::Send { entry, .. } => match replies.next() {
                        Some(0) => Event::Failed { entry: *entry, failure: Failure::Network },
                        Some(1) => Event::Failed { entry: *entry, failure: Failure::Timeout },
                        Some(2) => answered(*entry, 401, &problem(Code::TokenExpired)),
                        Some(3) => answered(*entry, 503, &problem(Code::Busy)),
                        Some(4) => answered(*entry, 200, "<html>"),
                        Some(5) => answered(*entry, 500, ""),
                        Some(6) => answered(*entry, 403, "<html>"),
                        _ => answered(*entry, 200, &receipt(*entry)),
                    },
                    other => panic!("{other:?}"),
                };
                effects = rig.event(event);
            }
            if queue.is_empty() { break }
            cause = WakeCause::Timer;
        }
        delivered.sort_unstable();
        prop_assert_eq!(delivered, (1..=count).collect::<Vec<_>>());
    }
}
