//! What is committed on devices and served by the server, checked as it happens.

use std::collections::BTreeSet;

use ginti_sync::record::{ItemRecord, Truth};
use ginti_types::{Batch, Code, Outcome, Problem, Receipt, Timestamp};

use super::{Content, Invariant, Newest, Oracle, content_of, row_key};
use crate::{
    device::{Device, counting::TOUCHED_MAX},
    network::{Request, Response},
    shop,
    world::World,
};

/// Refusals a person has to see to; every other one the machines must mend by themselves.
const FOR_PEOPLE: &[Code] =
    &[Code::FieldInvalid, Code::AttributionNotAllowed, Code::SessionNotAllowed, Code::NotAllowed];

impl Oracle {
    /// A person's count is being committed.
    pub fn counted(&self, world: &World, device: &Device, item: &ItemRecord, touched: usize) {
        let (row, content) = (row_key(item), content_of(item));
        if touched > TOUCHED_MAX {
            self.wrong(device, Invariant::Bounded, format!("one scan read or wrote {touched} records"));
        }
        self.committing.borrow_mut().insert((row.clone(), item.revision.get()));
        self.contents.borrow_mut().insert((row.clone(), content.clone()));
        let realm = shop::tenant_of(item.counted_by_user_login_id.as_str());
        let newest = Newest { content, realm, install: device.installs.get() };
        self.newest.borrow_mut().insert((row, device.index), newest);
        world.counts.set(world.counts.get() + 1);
    }

    /// Rows were committed on a device.
    pub fn committed(&self, device: &Device, changed: &[(Option<ItemRecord>, ItemRecord)]) {
        for (before, after) in changed {
            self.committed_one(device, before.as_ref(), after);
        }
        self.committing.borrow_mut().clear();
    }

    fn committed_one(&self, device: &Device, before: Option<&ItemRecord>, after: &ItemRecord) {
        let (row, content) = (row_key(after), content_of(after));
        let stamped = (row.clone(), after.revision.get(), after.device_id.to_string());
        let is_count = self.committing.borrow().contains(&(row.clone(), after.revision.get()));

        let known = self.stamps.borrow().get(&stamped).cloned();
        match known {
            Some(known) if known != content => {
                let what = format!("revision {} of row {} was given to two counts", stamped.1, row.1);
                self.wrong(device, Invariant::NoStaleWin, what);
            }
            Some(_) => {}
            None => {
                self.stamps.borrow_mut().insert(stamped.clone(), content.clone());
            }
        }

        if let Some(before) = before.filter(|before| !is_count && content_of(before) != content) {
            let newer = (after.revision, &after.device_id) > (before.revision, &before.device_id);
            if before.truth != Truth::Confirmed || !newer {
                let what = format!("row {} was overwritten on the device while its count was unsent", row.1);
                self.wrong(device, Invariant::LocalTruthWins, what);
            }
        }

        let was = before.filter(|before| before.revision == after.revision && before.device_id == after.device_id);
        if after.truth == Truth::Confirmed && was.is_none_or(|was| was.truth != Truth::Confirmed) {
            if !self.durable_ever.borrow().contains(&stamped) {
                let mid_flight =
                    before.is_some_and(|before| before.custody.as_ref().is_some_and(|c| c.revision != after.revision));
                let invariant = if mid_flight { Invariant::NoMidFlightLoss } else { Invariant::NoFalseConfirmation };
                let what = format!(
                    "row {} is called confirmed at revision {}, which the server does not have",
                    row.1, stamped.1
                );
                self.wrong(device, invariant, what);
            }
            device.say(|| format!("row {} is confirmed", row.1));
        }

        if after.truth == Truth::Refused && was.is_none_or(|was| was.truth != Truth::Refused) {
            let code = after.problem.as_ref().map(|problem| problem.code.clone()).unwrap_or_default();
            device.say(|| format!("row {} is refused: {code}", row.1));
            let known = Code::from_name(&code);
            if !known.is_some_and(|code| FOR_PEOPLE.contains(&code)) {
                let what = format!("row {} became a dead letter for \"{code}\", which needs nobody", row.1);
                self.wrong(device, Invariant::NothingLost, what);
            }
            let of_the_sender = matches!(known, Some(Code::SessionNotAllowed | Code::NotAllowed));
            if self.durable_now.borrow().contains(&stamped) && !of_the_sender {
                let what = format!("row {} became a dead letter although the server has it", row.1);
                self.wrong(device, Invariant::NoFalseConfirmation, what);
            }
        }
    }

    /// A request with a batch arrives.
    pub fn arriving(&self, world: &World, device: &Device, request: &Request) {
        let Ok(batch) = serde_json::from_str::<Batch>(&request.body) else { return };
        let contents = self.contents.borrow();
        for item in &batch.items {
            let row = (batch.inventory_count_import_id.to_string(), item.import_item_seq_id.to_string());
            let content = Content {
                micros: item.content.quantity.micros(),
                person: item.content.counted_by_user_login_id.as_ref().map(ToString::to_string).unwrap_or_default(),
                at_ms: item.content.counted_at.map_or(0, Timestamp::unix_ms),
                product: item.content.product_id.as_ref().map(ToString::to_string),
            };
            if !contents.contains(&(row.clone(), content)) {
                let what = format!("row {} arrives with a count that nobody made", row.1);
                self.violated(&world.kernel, Invariant::NothingDoubled, Some(device.index), what);
            }
        }
    }

    /// The server has answered a batch; whether the answer arrives is another matter.
    pub fn served(&self, world: &World, device: &Device, request: &Request, response: &Response) {
        let receipt = match response.status {
            200 => serde_json::from_str::<Receipt>(&response.body).ok(),
            422 => serde_json::from_str::<Problem>(&response.body).ok().and_then(|problem| problem.receipt),
            _ => None,
        };
        let (Some(receipt), Ok(batch)) = (receipt, serde_json::from_str::<Batch>(&request.body)) else { return };
        device.say(|| {
            let outcomes: BTreeSet<_> =
                receipt.items.iter().map(|item| format!("{:?}", item.outcome).to_lowercase()).collect();
            let outcomes = outcomes.into_iter().collect::<Vec<_>>().join(", ");
            format!("the server takes a batch of {}: {outcomes}", batch.items.len())
        });
        for (sent, told) in batch.items.iter().zip(&receipt.items) {
            let row = (batch.inventory_count_import_id.to_string(), sent.import_item_seq_id.to_string());
            if told.outcome != Outcome::Rejected {
                let stamped = (row.clone(), sent.revision.get(), batch.device_id.to_string());
                self.durable_ever.borrow_mut().insert(stamped.clone());
                self.durable_now.borrow_mut().insert(stamped);
            }
            let Some((revision, device_id)) = told.revision.zip(told.device_id.as_ref()) else { continue };
            let holds = (revision.get(), device_id.to_string());
            let mut held = self.held.borrow_mut();
            let before = held.entry(row.clone()).or_insert_with(|| holds.clone());
            if !response.replayed && holds < *before {
                let what = format!("row {} went back from revision {} to {}", row.1, before.0, holds.0);
                self.violated(&world.kernel, Invariant::NoStaleWin, Some(device.index), what);
            }
            if holds > *before {
                *before = holds;
            }
        }
    }

    /// Somebody hands a session in: nothing of theirs may be left behind on this device.
    pub fn submitted(&self, device: &Device, session: &str) {
        let newest = self.newest.borrow();
        let theirs = newest.iter().filter(|((row, index), _)| *index == device.index && row.0 == session);
        for ((row, _), newest) in theirs {
            let is_refused = device.disk.borrow().tenants.get(&newest.realm).is_some_and(|data| {
                data.items
                    .values()
                    .any(|item| item.import_item_seq_id.as_str() == row.1 && item.truth == Truth::Refused)
            });
            let there = self.durable_ever.borrow().iter().any(|(at, revision, device_id)| {
                at == row
                    && self.stamps.borrow().get(&(at.clone(), *revision, device_id.clone())) == Some(&newest.content)
            });
            if !there && !is_refused {
                let what = format!("session {session} was handed in while row {} was unsent", row.1);
                self.wrong(device, Invariant::NothingLost, what);
            }
        }
    }
}
