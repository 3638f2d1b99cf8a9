//! The devices.

use ginti_desk::{FindBatch, FleetDevice, HasNudges, ListFleet, Nudge, NudgeDevice, RevokeDevice, TakeNudges};
use ginti_store::{Access, DeviceReport, Statement};
use ginti_types::{BatchId, Manifest};

use crate::world::{NOW_MS, World, at, boss, device, of_store, person, planned, session, tenant};

async fn reports(world: &World, name: &str, unsent: u64, oldest: i64) {
    let statement = Statement {
        manifest: Manifest::of([("1", 1)]),
        unsent,
        oldest_unsent: (unsent > 0).then(|| at(oldest)),
        stated: at(NOW_MS),
    };
    let report = DeviceReport {
        device: device(name),
        now: at(NOW_MS),
        details: r#"{"app":"1.2"}"#.to_owned(),
        sessions: vec![(session("S1"), statement)],
    };
    let ann = Access { user: person("ann"), ..boss() };
    world.store.report_device(&ann, report).await.unwrap();
}

async fn fleet(world: &World, access: Access) -> Vec<FleetDevice> {
    world.desk.run(ListFleet { access, now: at(NOW_MS) }).await.unwrap()
}

pub(crate) async fn devices_are_listed_by_what_waits_on_them(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1"]), planned("S2", "F2", &["p1"])]).await;
    reports(world, "quiet", 0, 0).await;
    reports(world, "stuck", 7, NOW_MS - 9_000_000).await;
    reports(world, "busy", 2, NOW_MS - 1_000).await;
    world.count("S2", "silent", "ben", 1, &[("1", "p1", 5, None)]).await;
    let all = fleet(world, boss()).await;
    let names: Vec<_> = all.iter().map(|device| device.device.as_str()).collect();
    assert_eq!(&names[..2], ["stuck", "busy"], "who waits longest first");
    assert_eq!(names.len(), 4);
    assert_eq!((all[0].unsent, all[0].oldest_unsent), (7, Some(at(NOW_MS - 9_000_000))));
    assert_eq!(all[0].details.as_ref().unwrap()["app"], "1.2");
    assert_eq!((all[0].reported_by.as_deref(), all[0].is_revoked), (Some("ann"), false));
    let other: Vec<_> = fleet(world, of_store("F2")).await.into_iter().map(|device| device.device).collect();
    assert_eq!(other, ["silent"], "it counted there and said nothing");
    let revoke = |access, name| RevokeDevice { access, device: device(name), revoked: true, now: at(NOW_MS) };
    assert!(world.desk.run(revoke(boss(), "stuck")).await.unwrap());
    assert!(!world.desk.run(revoke(of_store("F2"), "stuck")).await.unwrap());
    world.store.set_device_revoked(&tenant(), &device("stuck"), true).await.unwrap();
    assert!(fleet(world, boss()).await[0].is_revoked);
}

pub(crate) async fn a_device_is_asked_once(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1"])]).await;
    reports(world, "d1", 1, NOW_MS).await;
    let take = || TakeNudges { tenant: tenant(), device: device("d1") };
    assert!(!world.desk.run(HasNudges(take())).await.unwrap());
    for nudge in [Nudge::Flush, Nudge::SignIn, Nudge::Flush] {
        let op = NudgeDevice { access: boss(), device: device("d1"), nudge, now: at(NOW_MS) };
        assert!(world.desk.run(op).await.unwrap());
    }
    let unknown = NudgeDevice { access: boss(), device: device("d9"), nudge: Nudge::Flush, now: at(NOW_MS) };
    assert!(!world.desk.run(unknown).await.unwrap());
    assert_eq!(fleet(world, boss()).await[0].nudges, ["flush", "sign-in"]);
    assert!(world.desk.run(HasNudges(take())).await.unwrap());
    assert_eq!(world.desk.run(take()).await.unwrap(), ["flush", "sign-in"]);
    assert!(world.desk.run(take()).await.unwrap().is_empty());
}

pub(crate) async fn a_batch_is_found_by_its_id(world: &World) {
    world.plan("R1", vec![planned("S1", "F1", &["p1"]), planned("S2", "F2", &["p1"])]).await;
    let first = world.count("S1", "d1", "ann", 1, &[("1", "p1", 5, None), ("2", "p2", 5, None)]).await;
    let second = world.count("S2", "d2", "ben", 1, &[("1", "p1", 5, None)]).await;
    let find = |access, batch| world.desk.run(FindBatch { access, batch });
    let found = find(boss(), first).await.unwrap().unwrap();
    assert_eq!(
        (found.session.as_str(), found.device.as_str(), found.sent_by.as_str(), found.counts),
        ("S1", "d1", "ann", 2)
    );
    assert_eq!(find(boss(), second).await.unwrap().unwrap().counts, 1);
    assert_eq!(find(of_store("F2"), first).await.unwrap(), None);
    assert_eq!(find(boss(), BatchId::from_bytes([7; 16])).await.unwrap(), None);
}
