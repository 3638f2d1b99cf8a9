//! Decisions, and approval.

use ginti_desk::{
    Approval, ApproveRun, Blocking, Decide, Decided, Decision, LineRef, ListAudit, Plan, RecountLines, Recounted,
    UndoDecision,
};
use ginti_types::SessionStatus;

use crate::world::{NOW_MS, World, at, boss, of_store, person, planned, session, units};

pub(crate) fn on(subject: &str, chosen: Option<i64>) -> LineRef {
    LineRef { facility: "F1".to_owned(), subject: subject.to_owned(), chosen }
}

pub(crate) fn decide(lines: Vec<LineRef>, decision: Option<Decision>) -> Decide {
    let reason = (decision == Some(Decision::Reject)).then(|| "box fell over".to_owned());
    Decide { access: boss(), run: "R1".to_owned(), lines, decision, reason, now: at(NOW_MS) }
}

pub(crate) fn approve(reason: Option<&str>) -> ApproveRun {
    ApproveRun {
        access: boss(),
        run: "R1".to_owned(),
        facility: None,
        reason: reason.map(str::to_owned),
        now: at(NOW_MS),
    }
}

async fn done(world: &World, decide: Decide) -> i64 {
    match world.desk.run(decide).await.unwrap() {
        Decided::Done(number) => number,
        other => panic!("not decided: {other:?}"),
    }
}

/// p1 contested at 5 and 3; p2 is short.
async fn contested(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1", "p2"])]).await;
    world.count("S1", "d1", "ann", 1, &[("1", "p1", 5, None), ("2", "p2", 3, None)]).await;
    world.count("S1", "d2", "ben", 1, &[("b1", "p1", 3, None)]).await;
    world.submit("S1").await;
    world.refresh("R1").await;
}

pub(crate) async fn a_decision_is_taken_and_taken_back(world: &World) {
    contested(world).await;
    let first = done(world, decide(vec![on("p1", Some(units(5))), on("p2", None)], Some(Decision::Accept))).await;
    let second = done(world, decide(vec![on("p2", None)], Some(Decision::Reject))).await;
    let lines = world.lines("R1").await;
    assert_eq!((lines[0].decision, lines[0].chosen), (Some(Decision::Accept), Some(units(5))));
    assert_eq!((lines[1].decision, lines[1].reason.as_deref()), (Some(Decision::Reject), Some("box fell over")));
    assert_eq!((lines[1].decided_by.as_deref(), lines[1].decided_at), (Some("boss"), Some(at(NOW_MS))));
    let undo = |decision| UndoDecision { access: boss(), run: "R1".to_owned(), decision, now: at(NOW_MS) };
    assert!(matches!(world.desk.run(undo(second)).await.unwrap(), Decided::Done(_)));
    assert_eq!(world.lines("R1").await[1].decision, Some(Decision::Accept), "as it was before the rejection");
    assert!(matches!(world.desk.run(undo(first)).await.unwrap(), Decided::Done(_)));
    assert!(world.lines("R1").await.iter().all(|line| line.decision.is_none() && line.chosen.is_none()));
    assert_eq!(world.desk.run(undo(first)).await.unwrap(), Decided::NotFound, "taken back once");
    let nowhere = on("p9", None);
    let refused = world.desk.run(decide(vec![on("p1", None), nowhere.clone()], Some(Decision::Accept))).await.unwrap();
    assert_eq!(refused, Decided::NoLine(nowhere));
    assert_eq!(world.lines("R1").await[0].decision, None, "all or none");
    let other = Decide { access: of_store("F2"), ..decide(vec![on("p1", None)], None) };
    assert_eq!(world.desk.run(other).await.unwrap(), Decided::NotFound);
    let log = world
        .desk
        .run(ListAudit { access: boss(), before: None, subject: Some("R1".into()), limit: 10 })
        .await
        .unwrap();
    let actions: Vec<_> = log.entries.iter().map(|entry| (entry.action.as_str(), entry.is_undone)).collect();
    let expected = [
        ("decision-undone", false),
        ("decision-undone", false),
        ("lines-decided", true),
        ("lines-decided", true),
        ("sessions-planned", false),
        ("run-created", false),
    ];
    assert_eq!(actions, expected);
}

pub(crate) async fn a_decision_falls_when_the_count_changes(world: &World) {
    contested(world).await;
    done(world, decide(vec![on("p1", None), on("p2", None)], Some(Decision::Accept))).await;
    world.stand("S1", SessionStatus::SessionAssigned).await;
    world.refresh("R1").await;
    world.count("S1", "d1", "ann", 9, &[("2", "p2", 4, None)]).await;
    world.submit("S1").await;
    let lines = world.lines("R1").await;
    assert_eq!(lines[1].counted, Some(units(4)));
    assert_eq!(lines[1].decision, None, "what was accepted was another number");
}

pub(crate) async fn approval_waits_for_what_is_open_contested_or_to_be_recounted(world: &World) {
    contested(world).await;
    world.add("R1", vec![planned("S2", "F1", &["p3"])]).await;
    let blocked =
        |sessions_open, undecided, recounts| Approval::Blocked(Blocking { sessions_open, undecided, recounts });
    assert_eq!(world.desk.run(approve(Some("must go"))).await.unwrap(), blocked(1, 1, 0));
    world.submit("S2").await;
    assert_eq!(world.desk.run(approve(None)).await.unwrap(), Approval::Stale);
    world.refresh("R1").await;
    assert_eq!(world.desk.run(approve(None)).await.unwrap(), blocked(0, 1, 0));
    done(world, decide(vec![on("p1", None)], Some(Decision::Recount))).await;
    assert_eq!(world.desk.run(approve(None)).await.unwrap(), blocked(0, 0, 1));
    let mut again = planned("S3", "F1", &["p1"]);
    again.is_recount = true;
    world.add("R1", vec![again]).await;
    world.count("S3", "d1", "ann", 20, &[("x", "p1", 8, None)]).await;
    world.submit("S3").await;
    let lines = world.lines("R1").await;
    assert_eq!((lines[0].counted, lines[0].decision), (Some(units(8)), None), "the same number, counted anew");
    assert_eq!(world.desk.run(approve(None)).await.unwrap(), Approval::Approved(3));
}

pub(crate) async fn what_is_approved_stays(world: &World) {
    contested(world).await;
    assert_eq!(world.desk.run(approve(Some("both may be right"))).await.unwrap(), Approval::Approved(1));
    assert_eq!(
        world.desk.run(approve(None)).await.unwrap(),
        Approval::Blocked(Blocking { undecided: 1, ..Blocking::default() })
    );
    let events = world.store.session_events(&boss(), &session("S1")).await.unwrap().unwrap();
    assert_eq!(
        (events[0].to, events[0].reason.as_deref()),
        (SessionStatus::SessionApproved, Some("both may be right"))
    );
    assert_eq!(world.desk.run(decide(vec![on("p1", None)], Some(Decision::Reject))).await.unwrap(), Decided::TooLate);
    world.count("S1", "d1", "ann", 30, &[("1", "p1", 50, None)]).await;
    let lines = world.lines("R1").await;
    assert_eq!((lines[0].counted, lines[0].late), (Some(units(8)), 1), "a late count is seen and changes nothing");
}

pub(crate) async fn lines_go_back_to_whoever_counted_them(world: &World) {
    let mut first = planned("S1", "F1", &["p1", "p2"]);
    first.assigned_to = Some(person("ann"));
    world.plan("R1", vec![first, planned("S2", "F2", &["p1"])]).await;
    world.count("S1", "d1", "ann", 1, &[("1", "p1", 5, None), ("2", "?77", 1, None)]).await;
    world.submit("S1").await;
    world.submit("S2").await;
    world.refresh("R1").await;
    let elsewhere = LineRef { facility: "F2".to_owned(), subject: "p1".to_owned(), chosen: None };
    let recount = |lines| RecountLines {
        access: boss(),
        run: "R1".to_owned(),
        lines,
        assigned_to: None,
        reason: None,
        name: "Count again".to_owned(),
        now: at(NOW_MS),
    };
    let unknown = world.desk.run(recount(vec![on("?77", None)])).await.unwrap();
    assert_eq!(unknown, Recounted::NotPlanned(Plan::NoProduct("?77".to_owned())));
    let sent = world.desk.run(recount(vec![on("p1", None), on("p2", None), elsewhere])).await.unwrap();
    let Recounted::Sent(sessions, _) = sent else { panic!("{sent:?}") };
    assert_eq!(sessions.len(), 2, "one in each store");
    let made = world.store.session(&boss(), &sessions[0]).await.unwrap().unwrap();
    assert_eq!((made.assigned_to, made.items_requested), (Some(person("ann")), 2));
    assert_eq!(world.store.session(&boss(), &sessions[1]).await.unwrap().unwrap().assigned_to, None);
    assert_eq!(world.lines("R1").await.iter().filter(|line| line.decision == Some(Decision::Recount)).count(), 3);
}
