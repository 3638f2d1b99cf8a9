//! How far a run is.

use ginti_desk::Progress;

use crate::world::{NOW_MS, World, at, boss, of_store, planned};

pub(crate) async fn progress_adds_up_what_arrived(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1", "p2"]), planned("S2", "F2", &["p1"])]).await;
    world.count("S1", "d1", "ann", 1, &[("1", "p1", 5, None), ("2", "p2", 1, None)]).await;
    world.count("S1", "d2", "ben", 1, &[("b1", "p1", 5, None)]).await;
    let ask = |access| Progress { access, run: "R1".to_owned(), now: at(NOW_MS) };
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
