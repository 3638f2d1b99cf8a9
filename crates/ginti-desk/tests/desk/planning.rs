//! Runs, sessions, lists.

use ginti_desk::{Adopt, CloneRun, ListRuns, Plan, RunSummary, SplitSession};
use ginti_store::{Access, NewSession, Session};
use ginti_types::{FacilityId, ItemSeqId, Purpose, SessionStatus};

use crate::world::{NOW_MS, World, at, boss, of_store, person, planned, product, session, tenant};

async fn runs(world: &World, access: Access) -> Vec<RunSummary> {
    world.desk.run(ListRuns { access, only: None }).await.unwrap().expect("no session is without a run")
}

async fn list_of(world: &World, id: &str) -> Vec<String> {
    let page = world.store.assignments(&boss(), &session(id), "", 100).await.unwrap().unwrap();
    page.assignments.into_iter().map(|line| line.product_id.as_str().to_owned()).collect()
}

pub(crate) async fn a_run_is_made_once_and_listed_with_its_sessions(world: &World) {
    let mut mine = planned("S1", "F1", &["p1", "p2"]);
    mine.assigned_to = Some(person("ann"));
    world.plan("R1", vec![mine, planned("S2", "F2", &[])]).await;
    assert_eq!(world.create("R1").await, Plan::Exists("R1".to_owned()));
    let runs = runs(world, boss()).await;
    let [run] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((run.id.as_str(), run.name.as_str(), run.status), ("R1", "Run R1", "CYCLE_CNT_IN_PRGS"));
    assert_eq!((run.sessions.created, run.sessions.assigned, run.sessions.all()), (1, 1, 2));
    assert_eq!((run.created_by.as_deref(), run.facilities.len()), (Some("boss"), 2));
    let made = world.store.session(&boss(), &session("S1")).await.unwrap().unwrap();
    assert_eq!(made.session.purpose, Purpose::DirectedCount);
    assert_eq!((made.items_requested, made.assigned_to), (2, Some(person("ann"))));
    assert_eq!(list_of(world, "S1").await, ["p1", "p2"]);
    world.submit("S1").await;
    world.submit("S2").await;
    assert_eq!(self::runs(world, boss()).await[0].status, "CYCLE_CNT_CMPLTD");
}

pub(crate) async fn a_plan_with_something_unknown_makes_nothing(world: &World) {
    assert_eq!(world.create("R1").await, Plan::Made);
    let good = || planned("S1", "F1", &["p1"]);
    let cases = [
        (planned("S2", "F9", &[]), Plan::NoFacility("F9".to_owned())),
        (planned("S2", "F1", &["p1", "p9"]), Plan::NoProduct("p9".to_owned())),
        (planned("S1", "F1", &[]), Plan::Exists("S1".to_owned())),
    ];
    for (bad, refused) in cases {
        assert_eq!(world.add("R1", vec![good(), bad]).await, refused);
        assert_eq!(world.store.session(&boss(), &session("S1")).await.unwrap(), None, "all or none");
    }
    assert_eq!(world.add("R9", vec![good()]).await, Plan::NotFound);
    assert_eq!(world.add("R1", vec![good()]).await, Plan::Made);
    assert_eq!(world.add("R1", vec![good()]).await, Plan::Exists("S1".to_owned()));
}

pub(crate) async fn a_list_is_split_between_people(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1", "p2", "p3"])]).await;
    let people = vec![(person("ann"), session("S1")), (person("ben"), session("S1-2"))];
    let split = SplitSession { access: boss(), session: session("S1"), people, now: at(NOW_MS) };
    assert_eq!(world.desk.run(split.clone()).await.unwrap(), Plan::Made);
    assert_eq!(list_of(world, "S1").await, ["p1", "p2"]);
    assert_eq!(list_of(world, "S1-2").await, ["p3"]);
    let second = world.store.session(&boss(), &session("S1-2")).await.unwrap().unwrap();
    assert_eq!((second.assigned_to, second.session.facility.as_str()), (Some(person("ben")), "F1"));
    assert_eq!(runs(world, boss()).await[0].sessions.assigned, 2);
    assert_eq!(world.desk.run(split.clone()).await.unwrap(), Plan::Exists("S1-2".to_owned()));
    world.count("S1", "d1", "ann", 1, &[("1", "p1", 3, None)]).await;
    assert_eq!(world.desk.run(split).await.unwrap(), Plan::TooLate, "counting has begun");
}

pub(crate) async fn a_run_is_cloned_without_its_counts(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1", "p2"]), planned("S2", "F2", &[])]).await;
    world.count("S1", "d1", "ann", 1, &[("1", "p1", 3, None)]).await;
    world.submit("S1").await;
    let clone = CloneRun {
        access: boss(),
        from: "R1".into(),
        id: "R2".into(),
        name: "Again".into(),
        due: None,
        now: at(NOW_MS + 5),
    };
    assert_eq!(world.desk.run(clone).await.unwrap(), Plan::Made);
    let runs = runs(world, boss()).await;
    assert_eq!((runs[0].id.as_str(), runs[0].name.as_str(), runs[0].sessions.created), ("R2", "Again", 2));
    assert_eq!(list_of(world, "R2-1").await, ["p1", "p2"]);
    let copy = world.store.session(&boss(), &session("R2-1")).await.unwrap().unwrap();
    assert_eq!((copy.items_counted, copy.session.status), (0, SessionStatus::SessionCreated));
}

pub(crate) async fn sessions_made_elsewhere_get_runs_of_their_own(world: &World) {
    let line = ginti_store::Assignment { import_item_seq_id: ItemSeqId::new("1").unwrap(), product_id: product("p1") };
    let made = NewSession {
        session: Session {
            id: session("M1"),
            name: "Made by import".to_owned(),
            facility: FacilityId::new("F1").unwrap(),
            purpose: Purpose::DirectedCount,
            status: SessionStatus::SessionAssigned,
            due: None,
            created: at(NOW_MS),
        },
        assignments: vec![line],
    };
    world.store.create_session(&tenant(), made).await.unwrap();
    assert!(world.desk.run(ListRuns { access: boss(), only: None }).await.unwrap().is_none());
    world.desk.run(Adopt { tenant: tenant() }).await.unwrap();
    let runs = runs(world, boss()).await;
    assert_eq!((runs[0].id.as_str(), runs[0].name.as_str(), runs[0].sessions.assigned), ("M1", "Made by import", 1));
    world.submit("M1").await;
    assert_eq!(world.short("M1").await, [("p1".to_owned(), None)]);
}

pub(crate) async fn a_manager_sees_the_own_stores_only(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1"]), planned("S2", "F2", &["p2"])]).await;
    world.plan("R2", vec![planned("S3", "F1", &["p1"])]).await;
    let seen = runs(world, of_store("F2")).await;
    assert_eq!(seen.len(), 1, "nothing of the second run lies in the store");
    assert_eq!((seen[0].sessions.all(), seen[0].facilities.as_slice()), (1, ["F2".to_owned()].as_slice()));
    world.submit("S1").await;
    world.submit("S2").await;
    world.refresh("R1").await;
    let asked = ginti_desk::ReviewLines { access: of_store("F2"), ..World::all_lines("R1") };
    let lines = world.ask(asked).await;
    assert_eq!(lines.iter().map(|line| line.subject.as_str()).collect::<Vec<_>>(), ["p2"]);
}
