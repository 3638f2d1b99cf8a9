//! What may happen to a store, drawn from a seed: counting, and everything that goes wrong on the way.

use ginti_types::{
    Code, DeviceId, Epoch, LocationSeqId, Note, ProductIdentifier, Quantity, Requested, Revision, SessionId,
    SessionStatus, TenantId, Timestamp, limits::CLOCK_AHEAD_MS_MAX,
};

use crate::{
    Access, DeviceSeen, Import, ImportItem, Refusal,
    conformance::{
        Draws,
        world::{NOW_MS, at, batch_id, count, device, digest, facility, person, session, tenant, with},
    },
};

const MINUTE_MS: i64 = 60_000;
const ROWS: u64 = 5;
/// Few, so that they meet in the same rows.
const DEVICES: [&str; 3] = ["d1", "d2", "d3"];
pub(super) const PLACES: [&str; 2] = ["F1", "F2"];
/// Session and place, in both tenants.
pub(super) const SESSIONS: [(&str, &str); 2] = [("S1", "F1"), ("S2", "F2")];

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Import(Import),
    Status(TenantId, SessionId, SessionStatus),
    See(TenantId, DeviceSeen),
    Revoke(TenantId, DeviceId, bool),
    Epoch(Epoch),
}

/// A history as far as it has been drawn.
pub(super) struct History {
    seed: u64,
    draws: Draws,
    tenants: Vec<TenantId>,
    now_ms: i64,
    number: u64,
    sent: Vec<Import>,
}

/// People by the facilities they work in.
pub(super) fn everyone(tenant: &TenantId) -> Vec<Access> {
    let people = [("ann", Some(vec![facility("F1")])), ("ben", None), ("cyd", Some(vec![facility("F2")]))];
    let access = |(user, facilities)| Access { tenant: tenant.clone(), user: person(user), facilities };
    people.map(access).into()
}

impl History {
    pub(super) fn new(seed: u64, tenants: &[TenantId]) -> Self {
        Self { seed, draws: Draws(seed), tenants: tenants.to_vec(), now_ms: NOW_MS, number: 0, sent: Vec::new() }
    }

    /// What happens next.
    pub(super) fn step(&mut self) -> Step {
        self.number += 1;
        self.now_ms += self.time_passed_ms();
        let tenant = self.draws.pick(&self.tenants);
        match self.draws.below(20) {
            0..13 => Step::Import(self.import(&tenant)),
            13..16 => Step::Status(tenant, self.session(), self.status()),
            16..18 => Step::See(tenant, self.sign_in()),
            // Let in again more often than blocked: a blocked device only repeats itself.
            18 => Step::Revoke(tenant, self.device(), self.draws.one_in(3)),
            _ if self.draws.one_in(2) => Step::See(tenant, self.sign_in()),
            _ => Step::Epoch(Epoch::new(format!("epoch {} of seed {}", self.number, self.seed)).expect("an id")),
        }
    }

    /// Minutes mostly; now and then long enough for a stamp that ran ahead to come of age; a clock set back a little.
    fn time_passed_ms(&mut self) -> i64 {
        let ms = self.up_to(MINUTE_MS);
        match self.draws.below(10) {
            0 => 20 * ms,
            1 => -2 * ms,
            2 => 0,
            _ => ms,
        }
    }

    /// Who may count everywhere, as a rule.
    fn someone(&mut self, tenant: &TenantId) -> Access {
        let access = self.draws.pick(&everyone(tenant));
        let facilities = if self.draws.one_in(6) { access.facilities } else { Some(PLACES.map(facility).into()) };
        Access { facilities, ..access }
    }

    fn session(&mut self) -> SessionId {
        session(self.draws.pick(&SESSIONS).0)
    }

    fn device(&mut self) -> DeviceId {
        device(self.draws.pick(&DEVICES))
    }

    fn status(&mut self) -> SessionStatus {
        let taking = [SessionStatus::SessionCreated, SessionStatus::SessionAssigned];
        let closed = [SessionStatus::SessionSubmitted, SessionStatus::SessionApproved, SessionStatus::SessionVoided];
        if self.draws.one_in(2) { self.draws.pick(&taking) } else { self.draws.pick(&closed) }
    }

    fn sign_in(&mut self) -> DeviceSeen {
        let retires = self.draws.one_in(2);
        DeviceSeen {
            device: self.device(),
            former: if self.draws.one_in(2) { Some(self.device()) } else { None },
            retire_former_above: if retires { Some(self.revision()) } else { None },
            user: person(self.draws.pick(&["ann", "ben", "cyd", "dan"])),
            refresh_token: None,
            now: self.now(),
        }
    }

    fn import(&mut self, of: &TenantId) -> Import {
        let import = match self.draws.below(8) {
            0 | 1 if !self.sent.is_empty() => self.again(),
            2 if !self.sent.is_empty() => Import { batch_id: self.earlier().batch_id, ..self.fresh(of) },
            3 if self.draws.one_in(4) => Import { session_id: session("S9"), ..self.fresh(of) },
            3 if self.draws.one_in(8) => self.fresh(&tenant("nobody")),
            _ => self.fresh(of),
        };
        self.sent.push(import.clone());
        import
    }

    /// A batch that was sent before, mostly not long before.
    fn earlier(&mut self) -> Import {
        let from = if self.draws.one_in(3) { 0 } else { self.sent.len().saturating_sub(8) };
        self.draws.pick(&self.sent[from..])
    }

    /// Sends a batch again: by whoever is signed in now, and now and then cut anew.
    fn again(&mut self) -> Import {
        let mut import = self.earlier();
        import.access = self.someone(&import.access.tenant);
        import.now = self.now();
        if self.draws.one_in(2) {
            import.batch_id = batch_id(self.number);
        }
        import
    }

    fn fresh(&mut self, tenant: &TenantId) -> Import {
        let (device_id, session_id) = (self.device(), self.session());
        let access = self.someone(tenant);
        let items: Vec<_> = (0..=self.draws.below(5)).map(|_| self.item(&access, &device_id, &session_id)).collect();
        let digest = digest(&(&device_id, &session_id, &items));
        Import { access, batch_id: batch_id(self.number), digest, device_id, session_id, now: self.now(), items }
    }

    fn item(&mut self, access: &Access, device: &DeviceId, session: &SessionId) -> ImportItem {
        let row = self.draws.below(ROWS).to_string();
        if self.draws.one_in(12) {
            return self.refused(row);
        }
        let known = self.sent.iter().filter(|sent| {
            sent.access.tenant == access.tenant && sent.device_id == *device && sent.session_id == *session
        });
        let known: Vec<_> = known.flat_map(|sent| sent.items.iter().cloned()).collect();
        if !known.is_empty() && self.draws.one_in(3) {
            let item = self.draws.pick(&known);
            return if self.draws.one_in(4) { self.changed(item) } else { item };
        }
        let units = self.up_to(4);
        let mut item = count(&row, self.revision().get(), units);
        if self.draws.one_in(3) {
            item = self.changed(item);
        }
        if self.draws.one_in(3) {
            let counters = ["ann", "ben", "cyd", "dan", access.user.as_str(), access.user.as_str()];
            let counter = person(self.draws.pick(&counters));
            item = with(item, |content| content.counted_by_user_login_id = Some(counter));
        }
        item
    }

    /// What no parser would take; the row may be readable all the same.
    fn refused(&mut self, row: String) -> ImportItem {
        let name = [Some(row), Some("x".repeat(41)), Some(String::new()), None];
        ImportItem::Refused(Refusal {
            import_item_seq_id: self.draws.pick(&name),
            code: self.draws.pick(&[Code::QuantityNegative, Code::FieldUnknown]),
            detail: format!("A reason, number {}.", self.draws.below(3)),
        })
    }

    /// The same stamp with one part of the content changed (or set to what it was).
    fn changed(&mut self, item: ImportItem) -> ImportItem {
        let (part, micros, ms) = (self.draws.below(8), self.up_to(3_000_000), self.up_to(3) * MINUTE_MS);
        with(item, |content| match part {
            0 => content.quantity = Quantity::from_micros(micros).expect("small"),
            1 => content.product_id = None,
            2 => content.product_identifier = Some(ProductIdentifier::new("0123").expect("an identifier")),
            3 => content.counted_at = Some(at(NOW_MS - ms)),
            4 => content.is_requested = Some(Requested::Y),
            5 => content.location_seq_id = Some(LocationSeqId::new("A-1").expect("an id")),
            _ => {
                content.note = if micros % 4 == 0 {
                    None
                } else {
                    Some(Note::new(format!("note {}", micros % 2)).expect("a note"))
                }
            }
        })
    }

    /// Whole minutes around now and a counter of two, so that stamps collide; beyond the bound and just at it now and then.
    fn revision(&mut self) -> Revision {
        let minute = self.now_ms - self.now_ms.rem_euclid(MINUTE_MS);
        let bound = self.now_ms + i64::try_from(CLOCK_AHEAD_MS_MAX).expect("small");
        let ms = match self.draws.below(16) {
            0 => minute + (5 + self.up_to(30)) * MINUTE_MS,
            1 => bound,
            2 => bound + 1,
            _ => minute + (self.up_to(14) - 9) * MINUTE_MS,
        };
        Revision::new(Revision::from_unix_ms(ms).get() + self.draws.below(2)).expect("far from the end")
    }

    fn now(&self) -> Timestamp {
        at(self.now_ms)
    }

    fn up_to(&mut self, bound: i64) -> i64 {
        i64::try_from(self.draws.below(bound.unsigned_abs())).expect("below an i64")
    }
}
