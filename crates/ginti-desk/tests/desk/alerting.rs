//! What tenants are alerted of, and what went wrong hour by hour.

use ginti_desk::{
    About, Alert, AlertKind, AlertRule, FleetHistory, FleetNumbers, HasAlertNews, ListAlertRules, ListAlerts,
    ListAudit, ListFleet, LookForAlerts, NoteAttempt, NoteRefusals, NoteRetries, PutAlertRules, ReceiverKind,
};
use ginti_store::{Access, DeviceReport, Statement};
use ginti_types::Manifest;

use crate::{
    delivering::{due, listed, receiver},
    world::{NOW_MS, World, at, boss, device, of_store, person, planned, session},
};

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn ann() -> Access {
    Access { user: person("ann"), ..boss() }
}

/// At `now`, a device says how many counts have not arrived since when.
async fn reports(world: &World, name: &str, (unsent, oldest): (u64, i64), now: i64) {
    let statement = Statement {
        manifest: Manifest::of([("1", 1)]),
        unsent,
        oldest_unsent: (unsent > 0).then(|| at(oldest)),
        stated: at(now),
    };
    let sessions = vec![(session("S1"), statement)];
    let report = DeviceReport { device: device(name), now: at(now), details: "{}".to_owned(), sessions };
    world.store.report_device(&ann(), report).await.unwrap();
}

async fn look(world: &World, ms: i64) -> (usize, usize) {
    world.desk.run(LookForAlerts { now: at(ms) }).await.unwrap()
}

async fn has_news(world: &World, ms: i64) -> bool {
    world.desk.run(HasAlertNews { now: at(ms) }).await.unwrap()
}

async fn alerts(world: &World, access: Access) -> Vec<Alert> {
    world.desk.run(ListAlerts { access, limit: 10 }).await.unwrap()
}

async fn open(world: &World) -> Vec<(AlertKind, String)> {
    let all = alerts(world, boss()).await;
    let mut open: Vec<_> =
        all.into_iter().filter(|alert| alert.cleared.is_none()).map(|alert| (alert.kind, alert.subject)).collect();
    open.sort();
    open
}

async fn with_session(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1"]), planned("S2", "F2", &["p1"])]).await;
}

pub(crate) async fn an_incident_is_told_when_it_begins_and_when_it_is_over(world: &World) {
    with_session(world).await;
    receiver(world, "ops", ReceiverKind::Alerts).await;
    receiver(world, "erp", ReceiverKind::Webhook).await;
    reports(world, "d1", (3, NOW_MS - 2 * HOUR_MS + 1), NOW_MS).await;
    assert!(!has_news(world, NOW_MS).await, "not yet two hours");
    assert_eq!(look(world, NOW_MS).await, (0, 0));
    let later = NOW_MS + 1;
    assert!(has_news(world, later).await);
    assert_eq!(look(world, later).await, (1, 0));
    assert!(!has_news(world, later + 60_000).await, "it is known");
    assert_eq!(look(world, later + 60_000).await, (0, 0), "and not told again");
    let messages = due(world, later).await;
    assert_eq!(messages.len(), 1, "results' receivers are not told");
    let About::Raised(alert) = &messages[0].about else { panic!("{messages:?}") };
    assert_eq!((alert.kind, alert.subject.as_str(), alert.raised), (AlertKind::UnsentForLong, "d1", at(later)));
    assert_eq!((&alert.details["unsentCount"], &alert.details["userLoginId"]), (&3.into(), &"ann".into()));
    assert_eq!(messages[0].receiver.id, "ops");
    world.desk.run(NoteAttempt { key: messages[0].key, error: None, wait_ms: 0, now: at(later) }).await.unwrap();

    assert_eq!(alerts(world, of_store("F1")).await.len(), 1);
    assert!(alerts(world, of_store("F2")).await.is_empty(), "another store's device");
    let over = NOW_MS + HOUR_MS;
    reports(world, "d1", (0, 0), over).await;
    assert_eq!(look(world, over).await, (0, 1));
    let messages = due(world, over).await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert!(
        matches!(&message.about, About::Cleared(cleared) if cleared.id == alert.id && cleared.cleared == Some(at(over)))
    );
    assert_eq!(listed(world).await.iter().map(|message| message.alert).collect::<Vec<_>>(), [Some(alert.id); 2]);

    reports(world, "d1", (1, over), over).await;
    assert_eq!(look(world, over + 3 * HOUR_MS).await, (1, 0), "another incident");
    let all = alerts(world, boss()).await;
    assert_eq!(all.iter().map(|alert| alert.cleared).collect::<Vec<_>>(), [None, Some(at(over))]);
}

pub(crate) async fn each_rule_finds_what_it_is_about(world: &World) {
    with_session(world).await;
    receiver(world, "erp", ReceiverKind::Webhook).await;
    reports(world, "silent", (1, NOW_MS - HOUR_MS), NOW_MS - HOUR_MS).await;
    reports(world, "done", (0, 0), NOW_MS - 20 * HOUR_MS).await;
    let refuse = |name: &str, ms| NoteRefusals {
        access: ann(),
        session: session("S1"),
        device: device(name),
        codes: [("clock-skew".to_owned(), 2)].into(),
        now: at(ms),
    };
    reports(world, "refused", (0, 0), NOW_MS - 1).await;
    world.desk.run(refuse("refused", NOW_MS)).await.unwrap();
    assert_eq!(look(world, NOW_MS).await, (1, 0));
    assert_eq!(open(world).await, [(AlertKind::CountsRefused, "refused".to_owned())]);
    let fleet = world.desk.run(ListFleet { access: boss(), now: at(NOW_MS) }).await.unwrap();
    let codes: Vec<_> = fleet.iter().filter_map(|device| device.refused.as_deref()).collect();
    assert_eq!(codes, ["clock-skew"]);
    reports(world, "refused", (1, NOW_MS), NOW_MS + 1).await;
    assert_eq!(look(world, NOW_MS + 1).await, (0, 0), "it still has what was refused");
    reports(world, "refused", (0, 0), NOW_MS + 2).await;
    assert_eq!(look(world, NOW_MS + 2).await, (0, 1), "it has been sent again, or given up");
    world.desk.run(refuse("refused", NOW_MS + 3)).await.unwrap();
    assert_eq!(look(world, NOW_MS + 3).await, (1, 0));
    let nothing =
        DeviceReport { device: device("refused"), now: at(NOW_MS + 4), details: "{}".to_owned(), sessions: Vec::new() };
    world.store.report_device(&ann(), nothing).await.unwrap();
    assert_eq!(look(world, NOW_MS + 4).await, (0, 1), "it has nothing of that session any more");
    world.count("S1", "program", "ann", 1, &[("9", "p1", 1, None)]).await;
    world.desk.run(refuse("program", NOW_MS + 5)).await.unwrap();
    assert_eq!(look(world, NOW_MS + 5).await, (1, 0));
    assert_eq!(look(world, NOW_MS + 5 + 24 * HOUR_MS).await, (2, 1), "nobody ever says that all is well");
    let later = NOW_MS + 25 * HOUR_MS;
    assert_eq!(look(world, later).await, (0, 0));
    let silent = |kind| (kind, "silent".to_owned());
    assert_eq!(open(world).await, [silent(AlertKind::UnsentForLong), silent(AlertKind::SilentWithUnsent)]);

    world.submit("S1").await;
    world.submit("S2").await;
    world.refresh("R1").await;
    world.desk.run(crate::deciding::approve(None)).await.unwrap();
    let key = due(world, later).await[0].key;
    for _ in 0..20 {
        let note = NoteAttempt { key, error: Some("503".to_owned()), wait_ms: 1, now: at(later) };
        world.desk.run(note).await.unwrap();
    }
    assert_eq!(look(world, later).await, (1, 0));
    assert_eq!(open(world).await.last(), Some(&(AlertKind::DeliveryDead, "erp".to_owned())));
    assert_eq!(world.desk.run(FleetNumbers { now: at(later) }).await.unwrap().alerts, 3);
}

pub(crate) async fn rules_are_the_tenants_own_and_can_be_switched_off(world: &World) {
    with_session(world).await;
    let rule = |kind, is_active, after_ms| AlertRule { kind, is_active, after_ms };
    let standard = world.desk.run(ListAlertRules { access: boss() }).await.unwrap();
    assert_eq!(standard[0], rule(AlertKind::UnsentForLong, true, Some(2 * HOUR_MS)));
    let put = |rules| PutAlertRules { access: boss(), rules, now: at(NOW_MS) };
    let soon = rule(AlertKind::UnsentForLong, true, Some(60_000));
    let now = world.desk.run(put(vec![soon])).await.unwrap();
    assert_eq!((now[0], &now[1..]), (soon, &standard[1..]), "the others stay");
    reports(world, "d1", (1, NOW_MS - 60_000), NOW_MS).await;
    assert_eq!(world.desk.run(FleetNumbers { now: at(NOW_MS) }).await.unwrap().unsent_for_long, 1);
    assert_eq!(look(world, NOW_MS).await, (1, 0));
    world.desk.run(put(vec![rule(AlertKind::UnsentForLong, false, Some(60_000))])).await.unwrap();
    assert_eq!(world.desk.run(FleetNumbers { now: at(NOW_MS) }).await.unwrap().unsent_for_long, 0);
    assert_eq!(look(world, NOW_MS).await, (0, 1));
    let log = world.desk.run(ListAudit { access: boss(), before: None, subject: None, limit: 1 }).await.unwrap();
    let entry = &log.entries[0];
    assert_eq!((entry.action.as_str(), entry.subject.as_str()), ("alert-rule-put", "unsent-for-long"));
    assert_eq!((&entry.details["isActive"], &entry.details["afterSeconds"]), (&false.into(), &60.into()));
}

pub(crate) async fn two_servers_that_look_at_once_tell_once(world: &World) {
    with_session(world).await;
    receiver(world, "ops", ReceiverKind::Alerts).await;
    for number in 0..20 {
        reports(world, &format!("d{number}"), (1, NOW_MS - 3 * HOUR_MS), NOW_MS).await;
    }
    let looks: Vec<_> = (0..4)
        .map(|_| {
            let desk = world.desk.clone();
            tokio::spawn(async move { desk.run(LookForAlerts { now: at(NOW_MS) }).await.unwrap() })
        })
        .collect();
    let mut raised = 0;
    for look in looks {
        raised += look.await.unwrap().0;
    }
    assert_eq!(raised, 20);
    assert_eq!(world.desk.run(ginti_desk::ListMessages { access: boss(), limit: 100 }).await.unwrap().len(), 20);
}

pub(crate) async fn trouble_is_added_up_hour_by_hour(world: &World) {
    with_session(world).await;
    reports(world, "d1", (0, 0), NOW_MS).await;
    let refuse = |session_id: &str, code: &str, number, ms| NoteRefusals {
        access: ann(),
        session: session(session_id),
        device: device("d1"),
        codes: [(code.to_owned(), number)].into(),
        now: at(ms),
    };
    world.desk.run(refuse("S1", "clock-skew", 2, NOW_MS)).await.unwrap();
    world.desk.run(refuse("S1", "clock-skew", 1, NOW_MS)).await.unwrap();
    world.desk.run(refuse("S2", "clock-skew", 4, NOW_MS)).await.unwrap();
    world.desk.run(refuse("S1", "revision-reused", 1, NOW_MS - HOUR_MS)).await.unwrap();
    let retry = |number, ms| NoteRetries { access: ann(), device: device("d1"), hours: vec![(at(ms), number)] };
    for op in [retry(3, NOW_MS), retry(5, NOW_MS), retry(4, NOW_MS), retry(9, NOW_MS - 30 * HOUR_MS)] {
        world.desk.run(op).await.unwrap();
    }
    let history = |access| FleetHistory { access, hours: 3, now: at(NOW_MS) };
    let all = world.desk.run(history(boss())).await.unwrap();
    let numbers: Vec<_> = all.iter().map(|(_, hour)| (hour.retries, hour.refusals.clone())).collect();
    let codes = |code: &str, number| [(code.to_owned(), number)].into();
    assert_eq!(numbers, [(0, [].into()), (0, codes("revision-reused", 1)), (5, codes("clock-skew", 7))]);
    assert_eq!(all[2].0.unix_ms(), NOW_MS.div_euclid(HOUR_MS) * HOUR_MS);
    let one = world.desk.run(history(of_store("F2"))).await.unwrap();
    assert_eq!(
        (one[2].1.retries, &one[2].1.refusals),
        (0, &codes("clock-skew", 4)),
        "its own store, and no device of it"
    );
}
