//! Follows `account.ts`: who is signed in, and the page that works for them. A kept profile is enough to count.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use ginti_sync::{batcher::Trigger, courier, courier::WakeCause};

use super::{
    Host,
    again::Again,
    disk::Profile,
    engine::Engine,
    page::Page,
    tokens::{TokenEvent, Tokens},
};
use crate::mutants::Mutant;

const REFRESH_MS: i64 = 15_000;

/// The app in one tab.
pub struct Account {
    host: Host,
    is_controlled: bool,
    tokens: Rc<Tokens>,
    /// The page of whoever is signed in.
    pub page: RefCell<Option<Rc<Page>>>,
    /// The banner that asks to sign in again.
    pub needs_sign_in: Cell<bool>,
    fetching: RefCell<Option<Rc<Page>>>,
    again: Rc<Again>,
}

impl Account {
    /// In that tab.
    pub fn new(host: &Host, is_controlled: bool) -> Rc<Self> {
        let tokens = Tokens::new(host);
        let needs_sign_in = Cell::new(false);
        let account = Rc::new(Self {
            host: host.clone(),
            is_controlled,
            tokens,
            page: RefCell::default(),
            needs_sign_in,
            fetching: RefCell::default(),
            again: Again::new(host),
        });
        let weak = Rc::downgrade(&account);
        account.again.does(Rc::new(move || {
            let account = weak.upgrade().filter(|account| !account.needs_sign_in.get());
            if let Some(account) = account {
                account.fetch_everything();
            }
        }));
        let weak = Rc::downgrade(&account);
        account.tokens.on(Rc::new(move |event| {
            let Some(account) = weak.upgrade() else { return };
            let ours = account.page.borrow().as_ref().map(|page| page.realm.clone());
            let theirs = account.tokens.current().map(|token| token.realm);
            let is_foreign = event == TokenEvent::Token && ours.is_some() && ours != theirs;
            account.needs_sign_in.set(event == TokenEvent::Denied || is_foreign);
            // In another tab: this one begins anew.
            let page = if event == TokenEvent::SignedOut { account.page.take() } else { None };
            if let Some(page) = page {
                page.stop();
                let again = Rc::clone(&account);
                account.host.spawn(async move { again.open().await });
            }
        }));
        account
    }

    /// The app was opened.
    pub async fn open(self: &Rc<Self>) {
        let Ok(Some(kept)) = self.host.read_disk(|disk| disk.profile.clone()).await else { return };
        if self.host.has(Mutant::NeedsNetworkToStart)
            && self.tokens.refresh(REFRESH_MS).await.result == courier::Refreshed::Unreachable
        {
            return;
        }
        if self.start_courier(&kept).await.is_ok() {
            self.resume().await;
        }
    }

    /// Signs in with a password. False when that failed.
    pub async fn sign_in(self: &Rc<Self>, person: &str) -> bool {
        let Some(device_id) = self.device_id_for_sign_in().await else { return false };
        let Some(profile) = self.tokens.sign_in(person, &device_id).await else { return false };
        let Ok(is_known) = self.remember_sign_in(&profile, &device_id).await else { return false };
        self.needs_sign_in.set(false);
        let page = self.page.borrow().clone();
        let is_same = page.is_some_and(|page| page.user == profile.user && page.realm == profile.tenant);
        if !is_same && self.start_courier(&profile).await.is_err() {
            return false;
        }
        if !is_known {
            self.tokens.refresh(REFRESH_MS).await;
        }
        let page = self.page.borrow().clone();
        if let Some(page) = page {
            page.signed_in().await;
        }
        self.fetch_everything();
        true
    }

    /// Signs out.
    pub async fn sign_out(&self) {
        let page = self.page.take();
        if let Some(page) = &page {
            page.stop();
        }
        self.again.settled();
        self.needs_sign_in.set(false);
        let wipe = self.host.has(Mutant::SignOutWipes);
        let _ = self
            .host
            .on_disk(|disk| {
                disk.profile = None;
                if let Some(page) = page.filter(|_| wipe) {
                    disk.tenants.remove(&page.realm);
                }
            })
            .await;
        self.tokens.sign_out().await;
    }

    /// Sessions and rows, one run at a time.
    pub fn fetch_everything(self: &Rc<Self>) {
        let Some(page) = self.page.borrow().clone() else { return };
        if self.is_fetching_for(&page) {
            return;
        }
        *self.fetching.borrow_mut() = Some(Rc::clone(&page));
        let account = Rc::clone(self);
        self.host.spawn(async move {
            let fetched = page.prefetch().await;
            // Who signed in meanwhile has a run of their own.
            if !account.is_fetching_for(&page) {
                return;
            }
            *account.fetching.borrow_mut() = None;
            match fetched {
                Ok(()) => account.again.settled(),
                Err(_) => account.again.failed(),
            }
        });
    }

    fn is_fetching_for(&self, page: &Rc<Page>) -> bool {
        self.fetching.borrow().as_ref().is_some_and(|other| Rc::ptr_eq(other, page))
    }

    /// The browser tells that the page is seen, or not any more.
    pub fn visibility_changed(&self, hidden: bool) {
        if !hidden {
            self.again.now();
        }
        let page = self.page.borrow().clone();
        if let Some(page) = page {
            page.wake(if hidden { Trigger::Hidden } else { Trigger::Resume }, WakeCause::Visible);
        }
    }

    /// The browser tells that the network is back.
    pub fn online(&self) {
        self.again.now();
        let page = self.page.borrow().clone();
        if let Some(page) = page {
            page.wake(Trigger::Online, WakeCause::Online);
        }
    }

    async fn start_courier(self: &Rc<Self>, profile: &Profile) -> Result<(), String> {
        let former = self.page.take();
        if let Some(page) = former {
            page.stop();
        }
        let page = Page::create(&self.host, self.is_controlled, profile, &self.tokens).await?;
        *self.page.borrow_mut() = Some(page);
        Ok(())
    }

    /// After a cold start: a token when the server can be reached, then what changed meanwhile.
    async fn resume(self: &Rc<Self>) {
        let result = self.tokens.refresh(REFRESH_MS).await.result;
        if result == courier::Refreshed::Unreachable {
            let closed =
                self.host.read_disk(|disk| disk.courier.as_ref().is_some_and(|c| c.gate == courier::Gate::Closed));
            self.needs_sign_in.set(closed.await.unwrap_or(false));
            self.again.failed();
            return;
        }
        if result == courier::Refreshed::Denied {
            return;
        }
        let page = self.page.borrow().clone();
        if let Some(page) = page {
            page.go_on().await;
        }
        self.fetch_everything();
    }

    /// The id a sign-in gives: the company's own once known, else one made for the first sign-in.
    async fn device_id_for_sign_in(&self) -> Option<ginti_types::DeviceId> {
        let engine = Engine::new(&self.host);
        let host = &self.host;
        let made = host.on_disk(|disk| {
            let known = disk.profile.as_ref().and_then(|profile| disk.tenants.get(&profile.tenant)?.device.clone());
            if let Some(device) = known.or_else(|| disk.newcomer.clone()) {
                return device.device_id;
            }
            let device = engine.new_device(host.entropy());
            disk.newcomer = Some(device.clone());
            device.device_id
        });
        made.await.ok()
    }

    /// False when the company knows this device by another id than was told.
    async fn remember_sign_in(&self, profile: &Profile, device_id: &ginti_types::DeviceId) -> Result<bool, String> {
        let newcomer = self.host.read_disk(|disk| disk.newcomer.clone()).await?;
        let known = self
            .host
            .transact(&profile.tenant, |txn| {
                let device = txn.device();
                if let (None, Some(newcomer)) = (&device, &newcomer) {
                    txn.put_device(newcomer.clone());
                }
                Ok(device.or_else(|| newcomer.clone()))
            })
            .await?;
        if newcomer.is_some() {
            self.host.on_disk(|disk| disk.newcomer = None).await?;
        }
        let device = &self.host.device;
        let keep = |disk: &mut super::disk::Disk| {
            disk.profile = Some(profile.clone());
            device.profile_ms.set(device.world.kernel.now_ms());
        };
        self.host.on_disk(keep).await?;
        Ok(known.is_some_and(|device| device.device_id == *device_id))
    }
}
