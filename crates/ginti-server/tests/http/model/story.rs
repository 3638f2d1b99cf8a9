//! What people, devices and the network may do, as small steps that shrink well.

use ginti_types::SessionStatus;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};

use super::counts::{Fault, Form, Item, Unusable};

/// One of a few names; a failing story shrinks to the first.
pub(super) type Name = &'static str;

pub(super) const PEOPLE: &[Name] = &["counter", "counter2", "manager", "elsewhere", "rival"];
/// The last one is of another tenant, and there is no `M9`.
pub(super) const SESSIONS: &[Name] = &["M1", "M2", "M3", "R1", "M9"];
pub(super) const ROWS: &[Name] = &["a", "b", "c"];
const DEVICES: &[Name] = &["device-1", "device-2", "device-3"];
const QUANTITIES: &[Name] = &["3", "0", "0.5", "12.000001"];

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A new batch.
    Import {
        who: Name,
        device: Name,
        session: Name,
        items: Vec<Item>,
        form: Form,
    },
    /// An earlier batch delivered again by whoever is signed in now, or its counts cut into a batch of another id.
    Again {
        earlier: Index,
        who: Name,
        anew: bool,
        form: Form,
    },
    /// An earlier batch's id with other counts.
    OtherContent {
        earlier: Index,
        who: Name,
        items: Vec<Item>,
    },
    /// A body of which nothing can be stored.
    Unusable {
        who: Name,
        body: Unusable,
    },
    /// A good batch without a good token.
    Unsigned(Token),
    Items {
        who: Name,
        session: Name,
        after: u64,
        limit: Option<usize>,
    },
    History {
        who: Name,
        session: Name,
        row: Name,
    },
    Sessions {
        who: Name,
    },
    Session {
        who: Name,
        session: Name,
    },
    SignIn {
        who: Name,
        device: Name,
        former: Option<Name>,
        retire: bool,
        by_password: bool,
    },
    Status {
        session: Name,
        status: SessionStatus,
    },
    Revoke {
        rivals: bool,
        device: Name,
        revoked: bool,
    },
    /// Time passes, or the server's clock is set back a little.
    Wait {
        seconds: i64,
    },
    /// The database is restored, as far as its name goes.
    Epoch(u8),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    Missing,
    Foreign,
    Expired,
}

pub(super) fn story() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..40)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (who(), select(DEVICES), session(), items(), form())
            .prop_map(|(who, device, session, items, form)| Step::Import { who, device, session, items, form }),
        6 => (any::<Index>(), who(), any::<bool>(), form())
            .prop_map(|(earlier, who, anew, form)| Step::Again { earlier, who, anew, form }),
        1 => (any::<Index>(), who(), items())
            .prop_map(|(earlier, who, items)| Step::OtherContent { earlier, who, items }),
        1 => (who(), select(Unusable::ALL)).prop_map(|(who, body)| Step::Unusable { who, body }),
        1 => select(&[Token::Missing, Token::Foreign, Token::Expired][..]).prop_map(Step::Unsigned),
        3 => (who(), session(), after(), option::of(1..5_usize))
            .prop_map(|(who, session, after, limit)| Step::Items { who, session, after, limit }),
        2 => (who(), session(), select(ROWS)).prop_map(|(who, session, row)| Step::History { who, session, row }),
        1 => who().prop_map(|who| Step::Sessions { who }),
        1 => (who(), session()).prop_map(|(who, session)| Step::Session { who, session }),
        3 => (who(), select(DEVICES), option::of(select(DEVICES)), any::<bool>(), prop::bool::weighted(0.05)).prop_map(
            |(who, device, former, retire, by_password)| Step::SignIn { who, device, former, retire, by_password }
        ),
        3 => (session(), status()).prop_map(|(session, status)| Step::Status { session, status }),
        2 => (prop::bool::weighted(0.2), select(DEVICES), prop::bool::weighted(0.4))
            .prop_map(|(rivals, device, revoked)| Step::Revoke { rivals, device, revoked }),
        3 => select(&[1_i64, 61, 400, 3_600, -30][..]).prop_map(|seconds| Step::Wait { seconds }),
        1 => any::<u8>().prop_map(Step::Epoch),
    ]
}

/// Mostly people who may count in the same sessions.
fn who() -> impl Strategy<Value = Name> {
    prop_oneof![4 => select(&PEOPLE[..3]), 1 => select(PEOPLE)]
}

fn session() -> impl Strategy<Value = Name> {
    prop_oneof![4 => Just(SESSIONS[0]), 1 => select(SESSIONS)]
}

fn status() -> impl Strategy<Value = SessionStatus> {
    select(
        &[
            SessionStatus::SessionAssigned,
            SessionStatus::SessionSubmitted,
            SessionStatus::SessionCreated,
            SessionStatus::SessionApproved,
            SessionStatus::SessionVoided,
        ][..],
    )
}

fn after() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..40_u64, 1 => Just((1 << 53) - 1)]
}

fn form() -> impl Strategy<Value = Form> {
    (prop::bool::weighted(0.2), prop::bool::weighted(0.3), prop::bool::weighted(0.3))
        .prop_map(|(gzip, other_words, key)| Form { gzip, other_words, key })
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    vec(item(), 1..5)
}

fn item() -> impl Strategy<Value = Item> {
    let fault = prop_oneof![9 => Just(None), 1 => select(Fault::ALL).prop_map(Some)];
    // Minutes since the story began: few, so that stamps meet; some too far ahead.
    let minute = prop_oneof![6 => 0..4_i64, 2 => 4..9_i64, 1 => Just(60)];
    (select(ROWS), minute, select(QUANTITIES), option::weighted(0.3, who()), prop::bool::weighted(0.2), fault)
        .prop_map(|(row, minute, quantity, by, full, fault)| Item { row, minute, quantity, by, full, fault })
}
