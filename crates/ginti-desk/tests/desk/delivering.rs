//! What leaves the house, and when.

use ginti_desk::{
    About, Approval, ApproveSession, Attempted, Decide, Decision, DueMessages, ListMessages, ListReceivers, Message,
    NoteAttempt, Plan, PutReceiver, Receiver, ReceiverKind, RemoveReceiver, Results, RetryMessage, SessionApproval,
};
use ginti_store::{Role, SessionUpdated};

use crate::{
    deciding::{approve, decide, on},
    world::{NOW_MS, World, at, boss, of_store, planned, session, units},
};
use ginti_types::SessionStatus;

pub(crate) async fn receiver(world: &World, id: &str, kind: ReceiverKind) {
    let receiver = Receiver {
        id: id.to_owned(),
        kind,
        url: format!("https://{id}.example/results"),
        secret: b"secret".to_vec(),
        created: at(NOW_MS),
    };
    world.desk.run(PutReceiver { access: boss(), receiver }).await.unwrap();
}

async fn approved(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1", "p2", "p3"]), planned("S2", "F2", &["p1"])]).await;
    let counts = [("1", "p1", 5, None), ("2", "p2", 3, None), ("3", "p4", 2, None), ("4", "?77", 2, None)];
    world.count("S1", "d1", "ann", 1, &counts).await;
    world.submit("S1").await;
    world.submit("S2").await;
    world.refresh("R1").await;
    let choose: Decide = decide(vec![on("p1", Some(units(6)))], Some(Decision::Accept));
    world.desk.run(choose).await.unwrap();
    world.desk.run(decide(vec![on("p2", None)], Some(Decision::Reject))).await.unwrap();
    assert_eq!(world.desk.run(approve(None)).await.unwrap(), Approval::Approved(2));
}

pub(crate) async fn due(world: &World, ms: i64) -> Vec<Message> {
    world.desk.run(DueMessages { now: at(ms), limit: 10 }).await.unwrap()
}

fn results(message: &Message) -> &Results {
    match &message.about {
        About::Results(results) => results,
        other => panic!("no results: {other:?}"),
    }
}

pub(crate) async fn listed(world: &World) -> Vec<Attempted> {
    world.desk.run(ListMessages { access: boss(), limit: 10 }).await.unwrap()
}

pub(crate) async fn approved_results_wait_for_their_receivers(world: &World) {
    receiver(world, "erp", ReceiverKind::Webhook).await;
    approved(world).await;
    let messages = due(world, NOW_MS).await;
    assert_eq!(messages.len(), 2, "one for each store");
    let first = &messages[0];
    let first_results = results(first);
    assert_eq!(
        (first_results.run.as_str(), first_results.facility.as_str(), first.receiver.id.as_str()),
        ("R1", "F1", "erp")
    );
    assert_eq!((first.tenant.as_str(), first.receiver.secret.as_slice()), ("acme", b"secret".as_slice()));
    let told: Vec<_> =
        first_results.lines.iter().map(|line| (line.product.as_str(), line.quantity, line.expected)).collect();
    let expected = [("p1", units(6), Some(units(10))), ("p4", units(2), Some(0))];
    assert_eq!(told, expected, "what was chosen; nothing of what was rejected, not counted or no product's");
    assert!(results(&messages[1]).lines.is_empty());
    assert_ne!(first.id, messages[1].id);
    let seen = world.desk.run(ListMessages { access: of_store("F2"), limit: 10 }).await.unwrap();
    assert_eq!(seen.iter().map(|message| message.facility.as_deref()).collect::<Vec<_>>(), [Some("F2")]);
}

pub(crate) async fn a_message_is_taken_up_by_one_server_and_tried_again_later(world: &World) {
    receiver(world, "erp", ReceiverKind::Webhook).await;
    approved(world).await;
    let messages = due(world, NOW_MS).await;
    assert!(due(world, NOW_MS + 1).await.is_empty(), "they belong to whoever took them up");
    let note = |key, error: Option<&str>, wait_ms, ms| NoteAttempt {
        key,
        error: error.map(str::to_owned),
        wait_ms,
        now: at(ms),
    };
    world.desk.run(note(messages[0].key, None, 0, NOW_MS + 5)).await.unwrap();
    world.desk.run(note(messages[1].key, Some("503"), 10_000, NOW_MS + 5)).await.unwrap();
    assert!(due(world, NOW_MS + 10_004).await.is_empty());
    let again = due(world, NOW_MS + 10_005).await;
    assert_eq!((again.len(), again[0].id.as_str(), again[0].attempts), (1, messages[1].id.as_str(), 1));
    for _ in 1..20 {
        world.desk.run(note(again[0].key, Some("503"), 1, NOW_MS)).await.unwrap();
    }
    assert!(due(world, NOW_MS + 1_000_000).await.is_empty(), "it waits for a person");
    let list = listed(world).await;
    assert_eq!((list[0].attempts, list[0].next_attempt, list[0].last_error.as_deref()), (20, None, Some("503")));
    assert_eq!(list[1].delivered, Some(at(NOW_MS + 5)));
    let retry = |key| RetryMessage { access: boss(), key, now: at(NOW_MS) };
    assert!(!world.desk.run(retry(list[1].key)).await.unwrap(), "it has arrived");
    assert!(world.desk.run(retry(list[0].key)).await.unwrap());
    assert_eq!(due(world, NOW_MS).await.len(), 1);
}

pub(crate) async fn a_removed_receiver_gets_nothing_more(world: &World) {
    receiver(world, "erp", ReceiverKind::Webhook).await;
    receiver(world, "bi", ReceiverKind::Webhook).await;
    approved(world).await;
    let remove = || RemoveReceiver { access: boss(), id: "bi".to_owned(), now: at(NOW_MS) };
    assert!(world.desk.run(remove()).await.unwrap());
    assert!(!world.desk.run(remove()).await.unwrap());
    let left = world.desk.run(ListReceivers { access: boss() }).await.unwrap();
    assert_eq!(left.iter().map(|receiver| receiver.id.as_str()).collect::<Vec<_>>(), ["erp"]);
    assert!(due(world, NOW_MS).await.iter().all(|message| message.receiver.id == "erp"));
}

pub(crate) async fn what_was_approved_is_told_whatever_comes_late(world: &World) {
    receiver(world, "erp", ReceiverKind::Webhook).await;
    approved(world).await;
    // The receiver is away; meanwhile counts of the chosen and of the rejected line arrive, and the stock is another one.
    world.count("S1", "d1", "ann", 50, &[("1", "p1", 50, None), ("2", "p2", 9, None)]).await;
    world.stock("p1", 77).await;
    let lines = world.lines("R1").await;
    let first = lines.iter().find(|line| line.subject == "p1").unwrap();
    assert_eq!((first.late, first.chosen, first.expected), (1, Some(units(6)), Some(units(10))));
    let told: Vec<_> =
        results(&due(world, NOW_MS).await[0]).lines.iter().map(|line| (line.product.clone(), line.quantity)).collect();
    assert_eq!(told, [("p1".to_owned(), units(6)), ("p4".to_owned(), units(2))]);
    assert_eq!(
        world.add("R1", vec![planned("S9", "F1", &["p1"])]).await,
        Plan::TooLate,
        "its results have left the house"
    );
}

pub(crate) async fn a_session_approved_by_itself_is_told_as_its_run_is(world: &World) {
    receiver(world, "erp", ReceiverKind::Webhook).await;
    world.plan("R1", vec![planned("S1", "F1", &["p1"]), planned("S2", "F2", &["p1"])]).await;
    world.count("S1", "d1", "ann", 1, &[("1", "p1", 5, None)]).await;
    let approve = |access, session_id, role| {
        let op = ApproveSession { access, role, session: session(session_id), reason: None, now: at(NOW_MS) };
        world.desk.run(op)
    };
    let updated = |updated| Ok(SessionApproval::Updated(updated));
    let open = SessionUpdated::StatusNotAllowed(SessionStatus::SessionCreated);
    assert_eq!(approve(boss(), "S1", Role::Manager).await.map_err(drop), updated(open));
    world.submit("S1").await;
    let run = |approval| Ok(SessionApproval::Run("R1".to_owned(), approval));
    assert_eq!(approve(boss(), "S1", Role::Manager).await.map_err(drop), run(Approval::Stale));
    world.refresh("R1").await;
    let none = updated(SessionUpdated::NotFound);
    assert_eq!(approve(of_store("F2"), "S1", Role::Manager).await.map_err(drop), none);
    let lead = updated(SessionUpdated::RoleNotAllowed);
    assert_eq!(approve(boss(), "S1", Role::Lead).await.map_err(drop), lead);
    assert_eq!(approve(boss(), "S1", Role::Manager).await.map_err(drop), run(Approval::Approved(1)));
    assert_eq!(approve(boss(), "S1", Role::Manager).await.map_err(drop), updated(SessionUpdated::Done));
    let messages = due(world, NOW_MS).await;
    assert_eq!(messages.len(), 1, "once, and only of its store");
    let told = results(&messages[0]);
    assert_eq!((told.run.as_str(), told.facility.as_str(), told.lines.len()), ("R1", "F1", 1));
}

pub(crate) async fn a_session_beside_others_is_approved_in_its_run(world: &World) {
    receiver(world, "erp", ReceiverKind::Webhook).await;
    world.plan("R1", vec![planned("S1", "F1", &["p1"]), planned("S2", "F1", &["p2"])]).await;
    world.submit("S1").await;
    world.submit("S2").await;
    world.refresh("R1").await;
    let approve = || ApproveSession {
        access: boss(),
        role: Role::Manager,
        session: session("S1"),
        reason: None,
        now: at(NOW_MS),
    };
    assert_eq!(world.desk.run(approve()).await.unwrap(), SessionApproval::Shared("R1".to_owned()));
    assert!(listed(world).await.is_empty());
    world.stand("S2", SessionStatus::SessionVoided).await;
    world.refresh("R1").await;
    let approved = SessionApproval::Run("R1".to_owned(), Approval::Approved(1));
    assert_eq!(world.desk.run(approve()).await.unwrap(), approved, "nobody else counts there any more");
}
