//! How far a run is.

use ginti_desk::{Known, Plan, Progress, RunProgress, SplitSession};

use crate::world::{NOW_MS, World, at, boss, of_store, person, planned, session};

pub(crate) async fn progress_adds_up_what_arrived(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1", "p2"]), planned("S2", "F2", &["p1"])]).await;
    world.count("S1", "d1", "ann", 1, &[("1", "p1", 5, None), ("2", "p2", 1, None)]).await;
    world.count("S1", "d2", "ben", 1, &[("b1", "p1", 5, None)]).await;
    let ask = |access| Progress { access, run: "R1".to_owned(), now: at(NOW_MS), known: Known::default() };
    let progress = world.desk.run(ask(boss())).await.unwrap().unwrap();
    let numbers: Vec<_> = progress
        .sessions
        .iter()
        .map(|session| (session.id.as_str(), session.counted, session.requested, session.devices))
        .collect();
    assert_eq!(numbers, [("S1", 3, 2, 2), ("S2", 0, 1, 0)]);
    assert_eq!(progress.sessions[0].last_arrival, Some(at(NOW_MS)));
    assert!(progress.sessions[0].is_blind && progress.sessions[1].last_arrival.is_none());
    let mut people: Vec<_> =
        progress.people.iter().map(|one| (one.person.as_str(), one.device.as_str(), one.counts)).collect();
    people.sort_unstable();
    assert_eq!(people, [("ann", "d1", 2), ("ben", "d2", 1)]);
    assert_eq!(progress.per_minute.len(), 60);
    assert_eq!(progress.per_minute.last(), Some(&(NOW_MS / 60_000, 3)));
    assert_eq!(progress.lags, [5_000, 5_000, 5_000]);
    let other = world.desk.run(ask(of_store("F2"))).await.unwrap().unwrap();
    assert_eq!((other.sessions.len(), other.people.len(), other.lags.len()), (1, 0, 0));
}

pub(crate) async fn a_look_adds_what_came_since_the_one_before(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &[]), planned("S2", "F2", &["p1", "p2"])]).await;
    let known = Known::default();
    let look = async || numbers(world, &known).await;
    assert_eq!(look().await, [("S1".to_owned(), 0, 0), ("S2".to_owned(), 0, 2)]);
    world.count("S1", "d1", "ann", 1, &[("1", "p1", 5, None), ("2", "p2", 1, None)]).await;
    assert_eq!(look().await, [("S1".to_owned(), 2, 0), ("S2".to_owned(), 0, 2)]);
    // A row counted again is one row, and two counts that arrived.
    world.count("S1", "d1", "ann", 9, &[("2", "p2", 4, None), ("3", "p3", 1, None)]).await;
    world.count("S2", "d2", "ben", 1, &[("1", "p1", 5, None)]).await;
    assert_eq!(look().await, [("S1".to_owned(), 3, 0), ("S2".to_owned(), 1, 2)]);
    let mut again = progress(world, &known).await;
    let mut anew = progress(world, &Known::default()).await;
    assert_eq!((again.per_minute.last(), again.lags.len()), (Some(&(NOW_MS / 60_000, 5)), 5));
    assert_eq!((&again.per_minute, &again.lags), (&anew.per_minute, &anew.lags));
    for progress in [&mut again, &mut anew] {
        progress.people.sort_by(|one, other| one.person.cmp(&other.person));
        let counts: Vec<_> = progress.people.iter().map(|one| (one.person.as_str(), one.counts)).collect();
        assert_eq!(counts, [("ann", 4), ("ben", 1)]);
    }
}

pub(crate) async fn a_look_sees_what_was_planned_since_the_one_before(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1", "p2", "p3"])]).await;
    let known = Known::default();
    assert_eq!(numbers(world, &known).await, [("S1".to_owned(), 0, 3)]);
    let people = vec![(person("ann"), session("S1")), (person("ben"), session("S1b"))];
    let split = SplitSession { access: boss(), session: session("S1"), people, now: at(NOW_MS) };
    assert_eq!(world.desk.run(split).await.unwrap(), Plan::Made);
    assert_eq!(numbers(world, &known).await, [("S1".to_owned(), 0, 2), ("S1b".to_owned(), 0, 1)]);
    // Counted before it came into the run.
    world.add("R1", vec![planned("S9", "F2", &["p1"])]).await;
    world.count("S9", "d1", "ann", 1, &[("1", "p1", 5, None)]).await;
    assert_eq!(numbers(world, &known).await[2], ("S9".to_owned(), 1, 1));
}

async fn progress(world: &World, known: &Known) -> RunProgress {
    let look = Progress { access: boss(), run: "R1".to_owned(), now: at(NOW_MS), known: known.clone() };
    world.desk.run(look).await.unwrap().unwrap()
}

async fn numbers(world: &World, known: &Known) -> Vec<(String, u64, u64)> {
    let sessions = progress(world, known).await.sessions;
    sessions.into_iter().map(|session| (session.id, session.counted, session.requested)).collect()
}
