//! People: an associate at each device, who opens, scans, corrects, hands over; and, when the faults have stopped, somebody who
//! opens the app and signs in where it asks for it. Nobody counts then.

use std::{future::Future, rc::Rc};

use futures_util::future::{Either, select};
use ginti_sync::{
    batcher::{Count, Trigger},
    record::{ItemRecord, Truth},
};
use ginti_types::{ItemSeqId, ProductIdentifier, Quantity, SessionId, SessionStatus, TenantId};

use crate::{
    chance::Chance,
    device::{
        Device,
        browser::Tab,
        counting::{Done, Request},
        page::Page,
    },
    mutants::Mutant,
    oracle::Invariant,
    scenario::{Act, Bad, DevicePlan},
    shop,
    world::World,
};

/// How long a person looks at a screen that does nothing.
const PATIENCE_MS: i64 = 30_000;

/// What a person learns of something they did.
enum Told<T> {
    /// How it ended.
    Done(T),
    /// The tab ended over it.
    Ended,
    /// Nothing so far, and they have gone on to something else.
    Waiting,
}

/// Somebody with a device in their hands.
pub struct Person {
    world: Rc<World>,
    device: Rc<Device>,
    chance: Chance,
    wanted: &'static str,
}

impl Person {
    /// With that device.
    pub fn new(world: &Rc<World>, device: &Rc<Device>, plan: &DevicePlan) -> Self {
        let chance = Chance::of(world.seed, "choices", plan.index as u64);
        Self { world: Rc::clone(world), device: Rc::clone(device), chance, wanted: person_at(plan.person) }
    }

    /// Does what the story says, one after the other.
    pub async fn work(mut self, plan: DevicePlan) {
        for step in &plan.steps {
            let wait_ms = shop::START_MS + step.at_ms - self.world.kernel.now_ms();
            self.world.kernel.sleep(wait_ms).await;
            if self.device.is_on.get() {
                self.act(step.act).await;
            }
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::OpenTab { shift } => {
                if self.device.tabs.borrow().len() < 2 {
                    self.device.open_tab(shift);
                }
                return;
            }
            Act::CloseTab => {
                let open = self.device.tabs.borrow().first().map(|tab| tab.number);
                if let Some(number) = open {
                    self.device.close_tab(number);
                }
                return;
            }
            Act::HandOver { person } => return self.hand_over(person).await,
            _ => {}
        }
        let Some((tab, page)) = self.at_the_screen().await else { return };
        let sessions = shop::sessions_of(page.user.as_str());
        if sessions.is_empty() {
            return;
        }
        let session_at = |session: u8| SessionId::new(sessions[usize::from(session) % sessions.len()]).expect("an id");
        let add = Count::Add { quantity: Quantity::ONE };
        match act {
            Act::Scan { session, product } => self.scan(&tab, &page, session_at(session), product).await,
            Act::ScanUnknown { session, code } => {
                let identifier = ProductIdentifier::new(format!("99{code}")).expect("a code");
                let request = Request {
                    session: session_at(session),
                    product_id: None,
                    identifier: Some(identifier),
                    row: None,
                    count: add,
                };
                self.count(&tab, &page, request).await;
            }
            Act::Subtract { session, product } => {
                self.count(
                    &tab,
                    &page,
                    by_hand(session_at(session), product, Count::Subtract { quantity: Quantity::ONE }),
                )
                .await;
            }
            Act::Set { session, product, micros } => {
                let quantity = Quantity::from_micros(micros).expect("not below zero");
                self.count(&tab, &page, by_hand(session_at(session), product, Count::Set { quantity })).await;
            }
            Act::Undo { session } => self.undo(&tab, &page, session_at(session)).await,
            Act::Elsewhere { session, row, micros } => {
                self.correct_elsewhere(&tab, &page, &session_at(session), row, micros).await;
            }
            Act::SendNow => {
                let page = Rc::clone(&page);
                self.on_tab(&tab, async move { page.flush(Trigger::Manual).await }).await;
            }
            Act::Look { session } => {
                let (page, session) = (Rc::clone(&page), session_at(session));
                // What cannot be read is read at the next look.
                self.on_tab(&tab, async move { page.refresh_session(&session).await.is_ok() }).await;
            }
            Act::Submit { session } => self.submit(&tab, &page, session_at(session)).await,
            Act::OpenTab { .. } | Act::CloseTab | Act::HandOver { .. } => {}
        }
    }

    /// A tab that is seen, with somebody signed in.
    async fn at_the_screen(&mut self) -> Option<(Rc<Tab>, Rc<Page>)> {
        let tab = self.seen_tab();
        self.world.kernel.sleep(200).await;
        if tab.account.needs_sign_in.get() && self.chance.percent(50) {
            self.sign_in(&tab, self.wanted).await;
        }
        if tab.account.page.borrow().is_none() {
            self.world.kernel.sleep(3_000).await;
        }
        let is_known = self.device.disk.borrow().profile.is_some();
        if tab.account.page.borrow().is_none() && !is_known {
            self.sign_in(&tab, self.wanted).await;
        }
        let page = tab.account.page.borrow().clone();
        if page.is_none() && is_known && !tab.host.life.has_ended() {
            self.expect_a_page(&tab);
            // Broken: opened anew, as anybody would.
            self.device.close_tab(tab.number);
        }
        page.map(|page| (tab, page))
    }

    /// Somebody is signed in on this device: counting needs nothing else.
    fn expect_a_page(&self, tab: &Tab) {
        let now_ms = self.world.kernel.now_ms();
        let is_full = self.world.bad_for(self.device.index).any(|bad| bad == Bad::DiskFull);
        let is_excused = is_full
            || tab.opened_ms <= self.device.trouble_ms.get()
            || tab.host.life.is_frozen()
            // A tab that was at the sign-in page stays there until it is opened anew.
            || tab.opened_ms < self.device.profile_ms.get();
        if !is_excused && now_ms - tab.opened_ms > PATIENCE_MS {
            let what = "the app is open, somebody is signed in, and it cannot count";
            self.world.oracle.violated(&self.world.kernel, Invariant::NoDeadStop, Some(self.device.index), what);
        }
    }

    fn seen_tab(&mut self) -> Rc<Tab> {
        let tabs: Vec<_> = self.device.tabs.borrow().iter().cloned().collect();
        let seen: Vec<_> = tabs.iter().filter(|tab| !tab.is_hidden.get()).cloned().collect();
        if !seen.is_empty() {
            return Rc::clone(self.chance.pick(&seen));
        }
        match tabs.first() {
            Some(tab) => {
                self.device.set_hidden(tab, false);
                Rc::clone(tab)
            }
            None => self.device.open_tab(false),
        }
    }

    async fn sign_in(&self, tab: &Rc<Tab>, person: &'static str) -> bool {
        let account = Rc::clone(&tab.account);
        let told = self.on_tab(tab, async move { account.sign_in(person).await }).await;
        let done = matches!(told, Told::Done(true));
        self.device.say(|| format!("{person} signs in{}", if done { "" } else { ", in vain" }));
        done
    }

    async fn hand_over(&mut self, person: u8) {
        self.wanted = person_at(person);
        let tab = self.seen_tab();
        self.world.kernel.sleep(1_000).await;
        self.device.say(|| format!("is signed out and handed to {}", self.wanted));
        let account = Rc::clone(&tab.account);
        self.on_tab(&tab, async move { account.sign_out().await }).await;
        self.sign_in(&tab, self.wanted).await;
    }

    async fn scan(&mut self, tab: &Rc<Tab>, page: &Rc<Page>, session: SessionId, product: u8) {
        let code = shop::barcode(product);
        // Barcodes first; only what no product has as its barcode may be an id.
        let wrongly = (0..shop::PRODUCTS).find(|other| shop::product_id(*other).as_str() == code);
        let found = if self.device.has(Mutant::IdBeforeBarcode) { wrongly.unwrap_or(product) } else { product };
        let request = Request {
            session,
            product_id: Some(shop::product_id(found)),
            identifier: Some(shop::identifier(product)),
            row: None,
            count: Count::Add { quantity: Quantity::ONE },
        };
        let done = self.count(tab, page, request).await;
        if done.is_some_and(|done| done.item.product_id != Some(shop::product_id(product))) {
            let what = format!("barcode {code} was counted as another product");
            self.world.oracle.violated(&self.world.kernel, Invariant::NothingLost, Some(self.device.index), what);
        }
    }

    async fn count(&self, tab: &Rc<Tab>, page: &Rc<Page>, request: Request) -> Option<Done> {
        let oracle = &self.world.oracle;
        let name = request.product_id.as_ref().map(ToString::to_string);
        let name = name.or_else(|| request.identifier.as_ref().map(ToString::to_string)).unwrap_or_default();
        let thing = (self.device.index, request.session.to_string(), name);
        let change = change_of(request.count);
        let is_elsewhere = request.row.is_some();
        if !is_elsewhere {
            oracle.expectations.begin(&thing, &change);
        }
        let page = Rc::clone(page);
        let told = self.on_tab(tab, async move { page.count(request).await }).await;
        match told {
            Told::Ended => None,
            Told::Waiting => {
                oracle.expectations.pending(&thing);
                None
            }
            Told::Done(Err(error)) => {
                self.device.say(|| format!("not counted: {error}"));
                oracle.expectations.refused(&thing);
                None
            }
            Told::Done(Ok(done)) => {
                let (from, to) = (done.scan.before.micros(), done.scan.after.micros());
                self.device
                    .say(|| format!("{} of {} in row {}", to / 1_000_000, thing.2, done.item.import_item_seq_id));
                let holds = is_elsewhere || oracle.expectations.done(&thing, from, to, &change);
                if !holds && !oracle.is_shared(&done.item) {
                    let what = format!(
                        "a count of {} went from {from} to {to} millionths, which is not what was done",
                        thing.2
                    );
                    oracle.violated(&self.world.kernel, Invariant::NothingDoubled, Some(self.device.index), what);
                }
                Some(done)
            }
        }
    }

    async fn undo(&self, tab: &Rc<Tab>, page: &Rc<Page>, session: SessionId) {
        let oracle = &self.world.oracle;
        let (page, of) = (Rc::clone(page), session.clone());
        let told = self.on_tab(tab, async move { page.undo(&of).await }).await;
        match told {
            Told::Ended => oracle.expectations.undo_unknown(self.device.index, session.as_str(), false),
            Told::Waiting => oracle.expectations.undo_unknown(self.device.index, session.as_str(), true),
            Told::Done(Ok(Some(done))) if done.item.own => {
                let (from, to) = (done.scan.before.micros(), done.scan.after.micros());
                let name = name_of(&done.item);
                let thing = (self.device.index, session.to_string(), name);
                self.device.say(|| format!("undone: {} of {}", to / 1_000_000, thing.2));
                if !oracle.expectations.undone(&thing, from, to) && !oracle.is_shared(&done.item) {
                    let what = format!("an undo began at {from} millionths, which was never there");
                    oracle.violated(&self.world.kernel, Invariant::NothingDoubled, Some(self.device.index), what);
                }
            }
            Told::Done(_) => {}
        }
    }

    /// A row that another device made, as this one has read it.
    async fn correct_elsewhere(&mut self, tab: &Rc<Tab>, page: &Rc<Page>, session: &SessionId, row: u8, micros: i64) {
        let rows: Vec<ItemSeqId> = {
            let disk = self.device.disk.borrow();
            let items = disk.tenants.get(&page.realm).map(|data| data.items.values());
            let theirs = |item: &&ItemRecord| !item.own && item.inventory_count_import_id == *session;
            items.into_iter().flatten().filter(theirs).map(|item| item.import_item_seq_id.clone()).collect()
        };
        if rows.is_empty() {
            return;
        }
        let row = rows[usize::from(row) % rows.len()].clone();
        self.world.oracle.share(session, &row);
        let quantity = Quantity::from_micros(micros).expect("not below zero");
        let request = Request {
            session: session.clone(),
            product_id: None,
            identifier: None,
            row: Some(row),
            count: Count::Set { quantity },
        };
        self.count(tab, page, request).await;
    }

    /// Everything is sent first; then the session is handed in.
    async fn submit(&mut self, tab: &Rc<Tab>, page: &Rc<Page>, session: SessionId) {
        let working = Rc::clone(page);
        self.on_tab(tab, async move { working.flush(Trigger::Submit).await }).await;
        if !self.device.has(Mutant::SubmitBeforeSync) {
            for _ in 0..24 {
                if !is_unsent(&self.device, &page.realm, &session) {
                    break;
                }
                self.world.kernel.sleep(5_000).await;
            }
            if is_unsent(&self.device, &page.realm, &session) {
                return;
            }
        }
        if tab.host.life.has_ended() || !self.device.is_linked() || !self.world.server.is_up() {
            return;
        }
        self.world.oracle.submitted(&self.device, session.as_str());
        if self.world.server.set_status(session.as_str(), SessionStatus::SessionSubmitted) {
            self.device.say(|| format!("hands in session {session}"));
        }
    }

    /// Does something in a tab and waits for it, as long as anybody would. None when the tab ended or nothing came of it.
    async fn on_tab<T: 'static>(&self, tab: &Tab, work: impl Future<Output = T> + 'static) -> Told<T> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        tab.host.spawn(async move {
            // Nobody listens any more when the person has gone on to something else.
            let _ = reply.send(work.await);
        });
        match select(answer, self.world.kernel.sleep(PATIENCE_MS)).await {
            Either::Left((Ok(answer), _)) => Told::Done(answer),
            Either::Left((Err(_), _)) => Told::Ended,
            Either::Right(_) => Told::Waiting,
        }
    }

    /// The faults have stopped: has the app open, and signs in where it is asked to, until told to stop.
    pub async fn attend(mut self) {
        loop {
            self.world.kernel.sleep(20_000).await;
            let Some(realm) = self.unsettled() else { continue };
            let tab = self.seen_tab();
            self.world.kernel.sleep(2_000).await;
            let profile = self.device.disk.borrow().profile.clone();
            let is_theirs = profile.as_ref().is_some_and(|profile| profile.tenant == realm);
            if is_theirs && tab.account.page.borrow().is_none() {
                self.device.close_tab(tab.number);
                continue;
            }
            if is_theirs && !tab.account.needs_sign_in.get() {
                continue;
            }
            let user = profile.filter(|_| is_theirs).map(|profile| profile.user.to_string());
            let user = user.or_else(|| self.world.oracle.last_person(self.device.index, &realm));
            let Some(person) = user.and_then(|user| shop::PEOPLE.iter().find(|(name, ..)| *name == user)) else {
                continue;
            };
            self.sign_in(&tab, person.0).await;
        }
    }

    /// The company whose counts are not settled here, or that has not heard of the server's new history: that of whoever is
    /// signed in first.
    fn unsettled(&self) -> Option<TenantId> {
        let disk = self.device.disk.borrow();
        let epoch = self.world.server.epoch();
        let is_lagging = |realm: &TenantId| {
            let data = disk.tenants.get(realm);
            data.is_some_and(|data| {
                data.items.values().any(|item| item.counted_here)
                    && data.device.as_ref().and_then(|device| device.epoch.as_ref()) != epoch.as_ref()
            })
        };
        let waits = |realm: &TenantId| {
            let queued = disk.unfinished_entries().any(|entry| entry.realm == *realm);
            let data = disk.tenants.get(realm);
            queued
                || is_lagging(realm)
                || data.is_some_and(|data| {
                    data.unconfirmed_rows().any(|item| item.truth != Truth::Refused)
                        || data.open_deliveries().next().is_some()
                })
        };
        let signed_in = disk.profile.as_ref().map(|profile| profile.tenant.clone()).filter(|realm| waits(realm));
        signed_in.or_else(|| disk.tenants.keys().find(|realm| waits(realm)).cloned())
    }
}

fn person_at(person: u8) -> &'static str {
    shop::PEOPLE[usize::from(person) % shop::PEOPLE.len()].0
}

fn by_hand(session: SessionId, product: u8, count: Count) -> Request {
    let identifier = Some(shop::identifier(product));
    Request { session, product_id: Some(shop::product_id(product)), identifier, row: None, count }
}

fn name_of(item: &ItemRecord) -> String {
    let product = item.product_id.as_ref().map(ToString::to_string);
    product.or_else(|| item.product_identifier.as_ref().map(ToString::to_string)).unwrap_or_default()
}

fn change_of(count: Count) -> impl Fn(i64) -> Option<i64> {
    move |number| match count {
        Count::Add { quantity } => Some(number + quantity.micros()),
        Count::Subtract { quantity } => Some(number - quantity.micros()).filter(|number| *number >= 0),
        Count::Set { quantity } => Some(quantity.micros()),
        Count::Undo { before, after } => Some(number - (after.micros() - before.micros())),
    }
}

fn is_unsent(device: &Device, realm: &TenantId, session: &SessionId) -> bool {
    let disk = device.disk.borrow();
    let waits = |item: &ItemRecord| {
        item.inventory_count_import_id == *session && matches!(item.truth, Truth::Saved | Truth::Sending)
    };
    disk.tenants.get(realm).is_some_and(|data| data.unconfirmed_rows().any(waits))
}
