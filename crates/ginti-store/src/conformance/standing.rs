//! Handing in and over, and what devices say of themselves.

use ginti_types::{DeviceId, Manifest, SessionStatus, UserLoginId};

use super::{
    Fixture,
    world::{NOW_MS, ann, at, count, device, everywhere, send, session, tenant, world},
};
use crate::{
    Access, DeviceReport, DeviceStanding, Reported, Role, SessionDevice, SessionUpdate, SessionUpdated, Statement,
    Store,
};

fn update(role: Role) -> SessionUpdate {
    SessionUpdate { status: None, assigned_to: None, stated: None, reason: None, role, now: at(NOW_MS) }
}

fn submit(role: Role) -> SessionUpdate {
    SessionUpdate { status: Some(SessionStatus::SessionSubmitted), ..update(role) }
}

fn user(name: &str) -> UserLoginId {
    UserLoginId::new(name).unwrap()
}

async fn says(store: &dyn Store, who: &Access, name: &str, rows: &[(&str, u64)], unsent: u64) -> Reported {
    let statement = Statement {
        manifest: Manifest::of(rows.iter().copied()),
        unsent,
        oldest_unsent: (unsent > 0).then(|| at(NOW_MS - 60_000)),
        stated: at(NOW_MS),
    };
    let sessions = vec![(session("S1"), statement), (session("S2"), said_of_nothing())];
    let report =
        DeviceReport { device: device(name), now: at(NOW_MS), details: "{\"app\":\"1\"}".to_owned(), sessions };
    store.report_device(who, report).await.unwrap()
}

fn said_of_nothing() -> Statement {
    Statement { manifest: Manifest::of([]), unsent: 0, oldest_unsent: None, stated: at(NOW_MS) }
}

async fn devices(store: &dyn Store) -> Vec<SessionDevice> {
    store.session_devices(&ann(), &session("S1")).await.unwrap().unwrap()
}

fn standing(devices: &[SessionDevice], name: &str) -> DeviceStanding {
    devices.iter().find(|found| found.device == device(name)).expect("the device took part").standing
}

async fn status(store: &dyn Store) -> SessionStatus {
    store.session(&ann(), &session("S1")).await.unwrap().unwrap().session.status
}

/// What a device said becomes true when its batch arrives, and stays true when somebody corrects a row of it.
pub async fn a_device_is_complete_when_the_server_has_what_it_said(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    assert_eq!(standing(&devices(&*store).await, "d1"), DeviceStanding::Unknown);
    assert_eq!(says(&*store, &ann(), "d1", &[("1", 10), ("2", 11)], 1).await, Reported::Taken);
    let missing = devices(&*store).await;
    assert_eq!(standing(&missing, "d1"), DeviceStanding::Missing);
    let said = missing[0].statement.as_ref().unwrap();
    assert_eq!((said.unsent, said.oldest_unsent, missing[0].items), (1, Some(at(NOW_MS - 60_000)), 1));
    assert_eq!(missing[0].person, Some(user("ann")));
    send(&*store, "d1", 2, vec![count("2", 11, 4)]).await;
    assert_eq!(standing(&devices(&*store).await, "d1"), DeviceStanding::Complete);
    // Another device corrects a row: the statement of before is as true as one made after the correction was seen.
    send(&*store, "d2", 3, vec![count("1", 20, 9)]).await;
    assert_eq!(standing(&devices(&*store).await, "d1"), DeviceStanding::Complete);
    says(&*store, &ann(), "d1", &[("2", 11)], 0).await;
    assert_eq!(standing(&devices(&*store).await, "d1"), DeviceStanding::Complete);
    says(&*store, &ann(), "d1", &[("2", 12)], 0).await;
    assert_eq!(standing(&devices(&*store).await, "d1"), DeviceStanding::Missing);
}

/// The server refuses while something is missing; a lead may answer for it, and the answer is kept.
pub async fn a_session_is_handed_in_complete_or_by_name(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    says(&*store, &ann(), "d1", &[("1", 10), ("2", 11)], 1).await;
    let refused = store.update_session(&ann(), &session("S1"), submit(Role::Counter)).await.unwrap();
    let SessionUpdated::Incomplete(devices) = refused else { panic!("{refused:?}") };
    assert_eq!(standing(&devices, "d1"), DeviceStanding::Missing);
    assert_eq!(status(&*store).await, SessionStatus::SessionAssigned);
    let with_reason = |role| SessionUpdate { reason: Some("the phone is broken".to_owned()), ..submit(role) };
    let counter = store.update_session(&ann(), &session("S1"), with_reason(Role::Counter)).await.unwrap();
    assert!(matches!(counter, SessionUpdated::Incomplete(_)), "{counter:?}");
    let lead = store.update_session(&ann(), &session("S1"), with_reason(Role::Lead)).await.unwrap();
    assert_eq!(lead, SessionUpdated::Done);
    let now = store.session(&ann(), &session("S1")).await.unwrap().unwrap();
    assert_eq!((now.session.status, now.submitted), (SessionStatus::SessionSubmitted, Some(at(NOW_MS))));
    let events = store.session_events(&ann(), &session("S1")).await.unwrap().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].by.as_str(), events[0].reason.as_deref()), ("ann", Some("the phone is broken")));
    assert_eq!(events[0].left_behind, [device("d1")]);
    assert_eq!((events[0].from, events[0].to), (SessionStatus::SessionAssigned, SessionStatus::SessionSubmitted));
}

/// The device that hands in speaks for itself in the same breath, and one that said nothing is no hindrance.
pub async fn the_device_that_hands_in_states_what_it_counted(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    send(&*store, "d1", 1, vec![count("1", 10, 1)]).await;
    send(&*store, "script", 2, vec![count("9", 10, 1)]).await;
    let stating = |rows: &[(&str, u64)]| {
        let stated: Option<(DeviceId, Manifest)> = Some((device("d1"), Manifest::of(rows.iter().copied())));
        SessionUpdate { stated, ..submit(Role::Counter) }
    };
    let more = store.update_session(&ann(), &session("S1"), stating(&[("1", 10), ("2", 11)])).await.unwrap();
    assert!(matches!(more, SessionUpdated::Incomplete(_)), "{more:?}");
    let same = store.update_session(&ann(), &session("S1"), stating(&[("1", 10)])).await.unwrap();
    assert_eq!(same, SessionUpdated::Done);
    let again = store.update_session(&ann(), &session("S1"), stating(&[("1", 10)])).await.unwrap();
    assert_eq!(again, SessionUpdated::Done, "it stands there already");
    assert_eq!(store.session_events(&ann(), &session("S1")).await.unwrap().unwrap().len(), 1);
    let elsewhere = store.update_session(&ann(), &session("S9"), submit(Role::Admin)).await.unwrap();
    assert_eq!(elsewhere, SessionUpdated::NotFound);
}

/// Every way from one status to another, by role.
pub async fn a_session_moves_as_its_roles_allow(fixture: &dyn Fixture) {
    use SessionStatus::{SessionApproved, SessionAssigned, SessionSubmitted, SessionVoided};
    let store = world(fixture).await;
    let to = |status, role| SessionUpdate { status: Some(status), ..update(role) };
    let steps = [
        (SessionApproved, Role::Admin, SessionUpdated::StatusNotAllowed(SessionAssigned)),
        (SessionVoided, Role::Lead, SessionUpdated::RoleNotAllowed),
        (SessionSubmitted, Role::Counter, SessionUpdated::Done),
        (SessionAssigned, Role::Counter, SessionUpdated::RoleNotAllowed),
        (SessionAssigned, Role::Lead, SessionUpdated::Done),
        (SessionSubmitted, Role::Counter, SessionUpdated::Done),
        (SessionApproved, Role::Lead, SessionUpdated::RoleNotAllowed),
        (SessionApproved, Role::Manager, SessionUpdated::Done),
        (SessionAssigned, Role::Admin, SessionUpdated::StatusNotAllowed(SessionApproved)),
    ];
    for (status, role, expected) in steps {
        let updated = store.update_session(&ann(), &session("S1"), to(status, role)).await.unwrap();
        assert_eq!(updated, expected, "{status:?} by {role:?}");
    }
    let events = store.session_events(&ann(), &session("S1")).await.unwrap().unwrap();
    let newest_first: Vec<_> = events.iter().map(|event| event.to).collect();
    assert_eq!(newest_first, [SessionApproved, SessionSubmitted, SessionAssigned, SessionSubmitted]);
    let opened = store.session(&ann(), &session("S1")).await.unwrap().unwrap();
    assert_eq!(opened.submitted, Some(at(NOW_MS)), "when it was handed in last");
}

/// A session is given to people who work where it counts, and to nobody else.
pub async fn a_session_is_given_to_a_colleague(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    let to = |name: Option<&str>| SessionUpdate { assigned_to: Some(name.map(user)), ..update(Role::Counter) };
    assert_eq!(store.update_session(&ann(), &session("S1"), to(Some("ben"))).await.unwrap(), SessionUpdated::Done);
    let given = store.session(&ann(), &session("S1")).await.unwrap().unwrap();
    assert_eq!(given.assigned_to, Some(user("ben")));
    assert!(given.assigned_name.is_some());
    for stranger in ["eve", "nobody"] {
        let updated = store.update_session(&ann(), &session("S1"), to(Some(stranger))).await.unwrap();
        assert_eq!(updated, SessionUpdated::NobodyThere, "{stranger}");
    }
    let far = store.update_session(&everywhere("acme", "ann"), &session("S2"), to(Some("ben"))).await.unwrap();
    assert_eq!(far, SessionUpdated::NobodyThere, "ben does not work in F2");
    assert_eq!(store.update_session(&ann(), &session("S1"), to(None)).await.unwrap(), SessionUpdated::Done);
    let free = store.session(&ann(), &session("S1")).await.unwrap().unwrap();
    assert_eq!((free.assigned_to, free.assigned_name), (None, None));
}

/// Reports reach what their sender may see, and a blocked device is not heard.
pub async fn a_report_reaches_what_its_sender_may_see(fixture: &dyn Fixture) {
    let store = world(fixture).await;
    says(&*store, &ann(), "d1", &[("1", 10)], 1).await;
    let s2 = store.session_devices(&everywhere("acme", "ann"), &session("S2")).await.unwrap().unwrap();
    assert_eq!(s2, [], "ann works in F1");
    assert_eq!(store.session_devices(&ann(), &session("S2")).await.unwrap(), None);
    assert_eq!(store.session_events(&ann(), &session("S2")).await.unwrap(), None);
    let other = store.session_devices(&everywhere("other", "eve"), &session("S1")).await.unwrap().unwrap();
    assert_eq!(other, [], "another company's session of the same id");
    store.set_device_revoked(&tenant("acme"), &device("d1"), true).await.unwrap();
    assert_eq!(says(&*store, &ann(), "d1", &[("1", 10)], 0).await, Reported::Revoked);
    assert_eq!(devices(&*store).await[0].statement.as_ref().unwrap().unsent, 1, "as it was");
}
