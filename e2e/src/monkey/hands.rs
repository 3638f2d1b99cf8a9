//! The monkey's hands: carries out steps on a real browser, and after each of them sees that the screen shows the truth.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use ginti_fault_proxy::{Proxy, Weather};
use serde_json::json;
use thirtyfour::{WindowHandle, prelude::*};

use super::{
    plan::{Sky, Step},
    screen::{Screen, difference},
    truth::{Change, TakenBack, Truth},
};
use crate::{Api, Capability, DIRECTED, Device, HARD, World, eventually};

/// The two who share the device.
const PEOPLE: [&str; 2] = ["counter", "counter2"];
const COUNTS: [&str; 2] = [HARD, DIRECTED];
/// What only the journal's page has: its list, or the word that there is none.
const JOURNAL: &str = "main > [data-testid=\"journal\"], main > .none";

/// A window, and the count that is on it.
#[derive(Debug)]
struct Tab {
    window: WindowHandle,
    count: &'static str,
    /// Somebody else has signed in since it was looked at.
    is_stale: bool,
}

/// All it has to do with.
#[derive(Debug)]
pub(crate) struct Hands {
    pub(crate) world: World,
    pub(crate) proxy: Proxy,
    pub(crate) device: Device,
    pub(crate) api: Api,
    pub(crate) truth: Truth,
    /// Product and code.
    products: Vec<(String, String)>,
    person: usize,
    tabs: Vec<Tab>,
    here: usize,
    sky: Sky,
    is_down: bool,
    is_told: bool,
    /// How often the password was asked for.
    pub(crate) asked: u32,
    /// Rows that were called confirmed and found on the server so.
    pub(crate) confirmed: usize,
}

impl Hands {
    /// From nothing to the counting page, everything fetched, in fair weather.
    pub(crate) async fn begin(seed: u64, options: crate::ServerOptions, products: u64) -> Result<Self> {
        let world = World::new(options).await?;
        let link = world.link.origin();
        let upstream = link.strip_prefix("http://").context("an odd origin")?.parse()?;
        let proxy = Proxy::start(upstream, seed).await?;
        let device = Device::new(world.folder(), "phone", format!("http://{}", proxy.address())).await?;
        device.begin(PEOPLE[0], HARD).await?;
        let api = world.api().await?;
        let products = api.barcodes().await?.into_iter().take(usize::try_from(products)?).collect();
        let window = device.browser().driver().window().await?;
        let hands = Self {
            world,
            proxy,
            device,
            api,
            truth: Truth::default(),
            products,
            person: 0,
            tabs: vec![Tab { window, count: HARD, is_stale: false }],
            here: 0,
            sky: Sky::Fair,
            is_down: false,
            is_told: false,
            asked: 0,
            confirmed: 0,
        };
        hands.arrive().await?;
        Ok(hands)
    }

    /// Does it, and sees that the screen then shows the truth.
    pub(crate) async fn act(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Scan { product, times } => self.scan(product, times).await?,
            Step::OneMore => self.correct(".step.add", Change::By(1.0)).await?,
            Step::OneLess => self.correct(".step:not(.add)", Change::By(-1.0)).await?,
            Step::Enter { halves } => self.enter(f64::from(halves) / 2.0).await?,
            Step::EnterNone => self.enter(0.0).await?,
            Step::Undo { times } => self.undo(times).await?,
            Step::TakeBack { newer } => self.take_back(newer).await?,
            Step::SendNow => drop(self.tap_if_possible("[data-testid=\"send-now\"]").await?),
            Step::Weather(sky) => {
                self.sky = sky;
                self.apply_weather();
            }
            Step::Cut { is_told } => self.cut(is_told).await?,
            Step::Mend => self.mend().await?,
            Step::KillWorker => self.kill_worker().await?,
            Step::Reload => self.reload().await?,
            Step::ScanAndReload { product, times } => self.scan_and(product, times, false).await?,
            Step::ScanAndKill { product, times } => self.scan_and(product, times, true).await?,
            Step::OtherTab => self.other_tab().await?,
            Step::CloseTab => self.close_tab().await?,
            Step::OtherCount => self.other_count().await?,
            Step::LookAtDevice => {
                self.tap("[data-testid=\"look-at-sending\"]").await?;
                self.device.find("safe").await?;
                self.tap("[data-testid=\"device-back\"]").await?;
            }
            Step::LookAtJournal => {
                self.open_journal().await?;
                self.back(JOURNAL).await?;
            }
            Step::NextPerson => self.next_person().await?,
            Step::Reopen => {
                self.device.close().await?;
                let path = self.path();
                self.device.reopen(&path).await?;
                self.one_tab().await?;
            }
            Step::Wait { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
        self.arrive().await?;
        self.agrees().await?;
        self.nothing_is_called_confirmed_falsely().await?;
        self.sign_in_if_asked().await
    }

    /// The count on the tab that is in front.
    pub(crate) fn count(&self) -> &'static str {
        self.tabs[self.here].count
    }

    /// All counts there are.
    pub(crate) fn counts() -> [&'static str; 2] {
        COUNTS
    }

    fn person(&self) -> &'static str {
        PEOPLE[self.person]
    }

    fn path(&self) -> String {
        format!("/sessions/{}", self.count())
    }

    /// Waits until the counting page of the tab's count is in front.
    pub(crate) async fn arrive(&self) -> Result<()> {
        let path = self.path();
        eventually(&format!("the counting page of {} is in front", self.count()), || async {
            let screen = Screen::of(&self.device).await?;
            Ok((screen.path == path && screen.is_counting && screen.is_fresh).then_some(()))
        })
        .await
    }

    /// Waits until the screen shows the truth.
    async fn agrees(&self) -> Result<()> {
        let truth = self.truth.tally(self.count());
        let waited = eventually("the screen shows the truth", || async {
            Ok((Screen::of(&self.device).await?.tally() == truth).then_some(()))
        })
        .await;
        let screen = Screen::of(&self.device).await?;
        if let Err(error) = waited {
            let difference = difference(("screen", &screen.tally()), ("truth", &truth));
            return Err(error.context(format!("{}: {difference}; it says {:?}", self.count(), screen.notices)));
        }
        ensure!(screen.complaints.is_empty(), "the page complained: {:#?}", screen.complaints);
        Ok(())
    }

    /// What the screen calls confirmed is on the server.
    async fn nothing_is_called_confirmed_falsely(&mut self) -> Result<()> {
        let screen = Screen::of(&self.device).await?;
        let server = self.api.rows(self.count()).await?;
        let by: BTreeMap<_, _> = self.truth.held(self.count()).map(|(product, held)| (product, &held.by)).collect();
        for row in screen.rows.iter().filter(|row| row.truth == "confirmed") {
            let there = server.get(&row.id);
            ensure!(
                there.is_some_and(|there| (there.quantity - row.quantity).abs() < 1e-9),
                "row {} is called confirmed with {}, and on the server it is {there:?}",
                row.id,
                row.quantity
            );
            ensure!(
                there.map(|there| &there.counted_by_user_login_id) == by.get(&row.product).copied(),
                "product {} was counted by {:?}, and the server says {there:?}",
                row.product,
                by.get(&row.product)
            );
            self.confirmed += 1;
        }
        Ok(())
    }

    async fn scan(&mut self, product: usize, times: u32) -> Result<()> {
        let (product, code) = self.products[product % self.products.len()].clone();
        for _ in 0..times {
            self.device.scan_at_once(&code).await?;
            self.truth.count(self.count(), self.person(), &product, Change::By(1.0));
        }
        Ok(())
    }

    /// What was scanned and not yet shown may be counted or not, the first of it before the last; what was shown is there.
    async fn scan_and(&mut self, product: usize, times: u32, is_kill: bool) -> Result<()> {
        let (product, code) = self.products[product % self.products.len()].clone();
        for _ in 0..times {
            self.device.scan_at_once(&code).await?;
        }
        if is_kill {
            self.kill_worker().await?;
        } else {
            self.reload().await?;
        }
        self.arrive().await?;
        // A page that lives on counts all of it.
        let lives_on = is_kill && self.device.browser().engine().can(Capability::WorkerKilledAlone);
        let at_least = if lives_on { self.truth.quantity(self.count(), &product) + f64::from(times) } else { 0.0 };
        let mut others = self.truth.tally(self.count());
        others.remove(&product);
        let seen = eventually(&format!("all but {product} is on the screen"), || async {
            let mut tally = Screen::of(&self.device).await?.tally();
            let seen = tally.remove(&product).unwrap_or_default();
            Ok((tally == others && seen >= at_least).then_some(seen))
        })
        .await?;
        self.truth.settle(self.count(), self.person(), &product, times, seen)?;
        Ok(())
    }

    /// What was counted last, if this page still shows it.
    async fn last(&self) -> Result<Option<String>> {
        let Some(code) = Screen::of(&self.device).await?.last_code else { return Ok(None) };
        let product = self.products.iter().find(|(_, known)| *known == code);
        Ok(Some(product.context("a product nobody scanned was counted last")?.0.clone()))
    }

    async fn correct(&mut self, button: &str, change: Change) -> Result<()> {
        let Some(product) = self.last().await? else { return Ok(()) };
        if self.tap_if_possible(&format!("ion-router-outlet {button}")).await? {
            self.truth.count(self.count(), self.person(), &product, change);
        }
        Ok(())
    }

    async fn enter(&mut self, quantity: f64) -> Result<()> {
        let Some(product) = self.last().await? else { return Ok(()) };
        if (self.truth.quantity(self.count(), &product) - quantity).abs() < 1e-9 {
            // Nothing would be seen of it.
            return Ok(());
        }
        self.tap("[data-testid=\"set-quantity\"]").await?;
        if quantity > 0.0 {
            for key in quantity.to_string().chars() {
                self.tap(&format!("[data-testid=\"key-{key}\"]")).await?;
            }
            self.tap("[data-testid=\"keypad-set\"]").await?;
        } else {
            self.tap("[data-testid=\"set-zero\"]").await?;
        }
        self.truth.count(self.count(), self.person(), &product, Change::To(quantity));
        self.closed("ion-modal.show-modal").await
    }

    async fn undo(&mut self, times: u32) -> Result<()> {
        for _ in 0..times {
            if self.last().await?.is_none() || !self.tap_if_possible("[data-testid=\"undo\"]").await? {
                return Ok(());
            }
            self.truth.take_back(self.count(), self.person(), 0);
            self.agrees().await?;
        }
        Ok(())
    }

    async fn take_back(&mut self, newer: usize) -> Result<()> {
        self.open_journal().await?;
        let script = "const page = Array.from(document.querySelectorAll('ion-router-outlet > .ion-page:not(.ion-page-hidden)')).at(-1);
             return page.querySelectorAll('[data-testid^=\"take-back-\"]')[args[0]]?.dataset.testid ?? null;";
        let button = self.device.browser().run(script, vec![json!(newer)]).await?;
        if let Some(button) = button.as_str() {
            self.tap(&format!("[data-testid=\"{button}\"]")).await?;
            let became = self.truth.take_back(self.count(), self.person(), newer);
            ensure!(became != TakenBack::Nothing, "the journal has more that stands than was done");
            // It says so in the line, or why not above all lines.
            let line = button.replace("take-back", "journal");
            let done = match became {
                TakenBack::BelowZero => "main > .trouble[role=\"alert\"]".to_owned(),
                _ => format!("[data-testid=\"{line}\"].back"),
            };
            // It may lie below the edge of what scrolls.
            let script = "return document.querySelector(args[0]) !== null;";
            eventually(&format!("the journal shows {done}"), || async {
                Ok((self.device.browser().run(script, vec![json!(done)]).await? == json!(true)).then_some(()))
            })
            .await?;
        }
        self.back(JOURNAL).await
    }

    /// By the menu, as a person gets there; and the list has to be there.
    async fn open_journal(&self) -> Result<()> {
        self.tap("ion-router-outlet [data-testid=\"menu\"]").await?;
        // Not before it has come to rest: nobody is as quick as that.
        let script = "const button = Array.from(document.querySelectorAll('ion-action-sheet button')).find(({ textContent }) => textContent.includes('Journal'));
             const top = button?.getBoundingClientRect().top;
             const rests = button !== undefined && top === window.menuTop;
             window.menuTop = rests ? undefined : top;
             if (rests) button.click();
             return rests;";
        eventually("the menu has a journal", || async {
            Ok((self.device.browser().run(script, vec![]).await? == json!(true)).then_some(()))
        })
        .await?;
        self.closed("ion-action-sheet").await?;
        let has_entries = self.truth.held(self.count()).next().is_some();
        let there = if has_entries { "[data-testid=\"journal\"]" } else { "main > .none" };
        eventually("the journal is shown", || async { Ok(self.is_shown(there).await?.then_some(())) }).await
    }

    /// By the arrow in the head of the page that has this on it.
    async fn back(&self, from: &str) -> Result<()> {
        self.tap(&format!("ion-router-outlet > .ion-page:has({from}) .bar > button:first-child")).await
    }

    async fn other_count(&mut self) -> Result<()> {
        let [one, other] = COUNTS;
        self.tabs[self.here].count = if self.count() == one { other } else { one };
        self.back("[data-testid=\"scan-field\"]").await?;
        self.choose_count().await
    }

    /// From the list of counts.
    async fn choose_count(&self) -> Result<()> {
        self.tap("[data-testid=\"tab-store\"]").await?;
        self.tap(&format!("[data-testid=\"session-{}\"]", self.count())).await
    }

    fn apply_weather(&self) {
        self.proxy.set(if self.is_down { Weather::down() } else { self.sky.weather() });
    }

    async fn cut(&mut self, is_told: bool) -> Result<()> {
        self.is_down = true;
        self.apply_weather();
        if is_told {
            self.tell(false).await?;
        }
        Ok(())
    }

    pub(crate) async fn mend(&mut self) -> Result<()> {
        self.is_down = false;
        self.apply_weather();
        if self.is_told {
            self.tell(true).await?;
        }
        Ok(())
    }

    /// Tells the browser, in every tab: where it is a matter of the page, each has to be told.
    async fn tell(&mut self, is_online: bool) -> Result<()> {
        self.is_told = !is_online;
        let front = self.here;
        for tab in 0..self.tabs.len() {
            self.switch(tab).await?;
            self.device.emulate_network(is_online).await?;
        }
        self.switch(front).await
    }

    /// The weather is fair and every page has been told that the network is back.
    pub(crate) async fn clear_up(&mut self) -> Result<()> {
        self.sky = Sky::Fair;
        self.is_down = false;
        self.apply_weather();
        self.tell(false).await?;
        self.tell(true).await
    }

    async fn kill_worker(&mut self) -> Result<()> {
        self.device.kill_workers().await?;
        if !self.device.browser().engine().can(Capability::WorkerKilledAlone) {
            self.one_tab().await?;
        }
        Ok(())
    }

    /// A browser that was started anew has one tab, and was told nothing.
    async fn one_tab(&mut self) -> Result<()> {
        let window = self.device.browser().driver().window().await?;
        let count = self.count();
        self.tabs = vec![Tab { window, count, is_stale: false }];
        self.here = 0;
        if self.is_told {
            self.device.emulate_network(false).await?;
        }
        Ok(())
    }

    async fn reload(&self) -> Result<()> {
        self.device.browser().run("window.isToGo = true; location.reload();", vec![]).await?;
        Ok(())
    }

    async fn switch(&mut self, tab: usize) -> Result<()> {
        self.here = tab;
        Ok(self.device.browser().driver().switch_to_window(self.tabs[tab].window.clone()).await?)
    }

    async fn other_tab(&mut self) -> Result<()> {
        if self.tabs.len() > 1 {
            self.switch(1 - self.here).await?;
            if std::mem::take(&mut self.tabs[self.here].is_stale) {
                self.device.open(&self.path()).await?;
            }
            return Ok(());
        }
        let window = self.device.browser().driver().new_tab().await?;
        let count = self.count();
        self.tabs.push(Tab { window, count, is_stale: false });
        self.switch(1).await?;
        self.device.open(&self.path()).await?;
        if self.is_told {
            self.device.emulate_network(false).await?;
        }
        Ok(())
    }

    async fn close_tab(&mut self) -> Result<()> {
        if self.tabs.len() < 2 {
            return Ok(());
        }
        let front = self.here;
        self.switch(1 - front).await?;
        self.device.browser().driver().close_window().await?;
        self.tabs.remove(1 - front);
        self.switch(0).await
    }

    /// Signing out wants a word while something is unsent. Signing in takes a network: they go where there is one.
    async fn next_person(&mut self) -> Result<()> {
        self.mend().await?;
        self.tap("[data-testid=\"look-at-sending\"]").await?;
        self.device.find("safe").await?;
        self.tap("[data-testid=\"sign-out\"]").await?;
        eventually("it is signed out", || async {
            if self.is_shown("[data-testid=\"signout-word\"]").await?
                && !self.is_shown("[data-testid=\"username\"]").await?
            {
                self.write_if_possible("signout-word", "UNSENT").await?;
                self.tap_if_possible("[data-testid=\"signout-go\"]").await?;
            }
            Ok(self.is_shown("[data-testid=\"username\"]").await?.then_some(()))
        })
        .await?;
        self.person = 1 - self.person;
        for tab in &mut self.tabs {
            tab.is_stale = true;
        }
        self.tabs[self.here].is_stale = false;
        if matches!(self.sky, Sky::Only(_)) {
            // Where each request is struck by the same, nobody ever gets in.
            self.proxy.set(Weather::fair());
        }
        self.sign_in().await?;
        self.apply_weather();
        self.choose_count().await
    }

    /// Through whatever weather there is, again and again.
    async fn sign_in(&self) -> Result<()> {
        for _ in 0..40 {
            self.device.fill("username", self.person()).await?;
            self.device.fill("password", crate::PASSWORD).await?;
            self.tap("[data-testid=\"sign-in\"]").await?;
            let is_in = eventually("signing in has been answered", || async {
                if Screen::of(&self.device).await?.path == "/sessions" {
                    return Ok(Some(true));
                }
                Ok(self.is_shown("[data-testid=\"sign-in-error\"]").await?.then_some(false))
            })
            .await?;
            if is_in {
                return Ok(());
            }
        }
        bail!("40 times nobody could sign in")
    }

    /// A sign-in that has run out holds what is unsent. Whoever counts signs in again, where the network is good.
    pub(crate) async fn sign_in_if_asked(&mut self) -> Result<()> {
        if self.is_down || !Screen::of(&self.device).await?.asks_sign_in {
            return Ok(());
        }
        self.proxy.set(Weather::fair());
        // Another tab may get a token meanwhile: then nobody asks any more.
        let is_open = eventually("the password can be given", || async {
            if !Screen::of(&self.device).await?.asks_sign_in {
                return Ok(Some(false));
            }
            Ok(self.tap_if_possible("[data-testid=\"reauth\"]").await?.then_some(true))
        })
        .await?;
        if is_open {
            self.asked += 1;
            self.device.fill("password", crate::PASSWORD).await?;
            self.tap("[data-testid=\"sign-in\"]").await?;
            self.closed("ion-modal.show-modal").await?;
        }
        self.apply_weather();
        Ok(())
    }

    /// Presses what is there and shown, once it can be: something may still be moving away from above it.
    async fn tap(&self, selector: &str) -> Result<()> {
        eventually(&format!("{selector} can be pressed"), || async {
            Ok(self.tap_if_possible(selector).await?.then_some(()))
        })
        .await
    }

    /// Looking and pressing are one: what moves in between would have something else pressed.
    async fn tap_if_possible(&self, selector: &str) -> Result<bool> {
        let script = "for (const element of document.querySelectorAll(args[0])) {
               if (element.disabled) continue;
               element.scrollIntoView({ block: 'center' });
               const { left, top, width, height } = element.getBoundingClientRect();
               const onTop = width > 0 && document.elementFromPoint(left + width / 2, top + height / 2);
               if (!onTop || !element.contains(onTop)) continue;
               element.click();
               return true;
             }
             return false;";
        Ok(self.device.browser().run(script, vec![json!(selector)]).await? == json!(true))
    }

    async fn write_if_possible(&self, test_id: &str, text: &str) -> Result<bool> {
        let browser = self.device.browser();
        for field in browser.driver().find_all(By::Css(format!("[data-testid=\"{test_id}\"]"))).await? {
            let is_usable = browser.shows(&field).await && field.clear().await.is_ok();
            if is_usable && field.send_keys(text).await.is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_shown(&self, selector: &str) -> Result<bool> {
        let browser = self.device.browser();
        for element in browser.driver().find_all(By::Css(selector)).await? {
            if browser.shows(&element).await {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until none of it is shown any more.
    async fn closed(&self, selector: &str) -> Result<()> {
        eventually(&format!("{selector} is closed"), || async { Ok((!self.is_shown(selector).await?).then_some(())) })
            .await
    }
}
