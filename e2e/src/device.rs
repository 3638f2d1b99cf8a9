//! A person's device: what they do with it, what they see, and what its database holds.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::{Browser, Capability, DESKTOP, Engine, PHONE, eventually};

/// A browser and its profile. Closing the browser keeps the profile.
#[derive(Debug)]
pub struct Device {
    profile: PathBuf,
    origin: String,
    browser: Option<Browser>,
}

/// A row of the device's database.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScreenRow {
    /// The session.
    pub inventory_count_import_id: String,
    /// The row.
    pub import_item_seq_id: String,
    /// The product.
    pub product_id: Option<String>,
    /// The count.
    pub quantity: f64,
    /// Its revision.
    pub revision: u64,
    /// Made on this device.
    pub own: bool,
    /// `saved`, `sending`, `confirmed` or `refused`.
    pub truth: String,
}

impl Device {
    /// A new device, its browser open.
    pub async fn new(folder: &Path, name: &str, origin: String) -> Result<Self> {
        let profile = folder.join(name);
        let browser = Browser::start(Engine::chosen()?, &profile).await?;
        Ok(Self { profile, origin, browser: Some(browser) })
    }

    /// The open browser.
    pub fn browser(&self) -> &Browser {
        self.browser.as_ref().expect("the browser is open")
    }

    fn driver(&self) -> &WebDriver {
        self.browser().driver()
    }

    /// Closes the browser.
    pub async fn close(&mut self) -> Result<()> {
        match self.browser.take() {
            Some(browser) => browser.close().await,
            None => Ok(()),
        }
    }

    /// Opens the browser again on the same profile, at a path of the app.
    pub async fn reopen(&mut self, path: &str) -> Result<()> {
        self.browser = Some(Browser::start(Engine::chosen()?, &self.profile).await?);
        self.open(path).await
    }

    /// Puts a label before the camera; the browser must be closed.
    pub fn show_label(&self, code: &str) -> Result<()> {
        Browser::show_label(&self.profile, code)
    }

    /// Goes to a path of the app.
    pub async fn open(&self, path: &str) -> Result<()> {
        Ok(self.driver().goto(format!("{}{path}", self.origin)).await?)
    }

    /// The element of that test id, once it is there and shown.
    pub async fn find(&self, test_id: &str) -> Result<WebElement> {
        let found = eventually(&format!("{test_id} is on the screen"), || self.look(test_id)).await;
        if found.is_err() {
            self.browser().screenshot(&format!("missing-{test_id}")).await?;
        }
        found
    }

    /// The element of that test id that is shown now, wherever one has to scroll to for it.
    async fn look(&self, test_id: &str) -> Result<Option<WebElement>> {
        let browser = self.browser();
        for element in self.driver().find_all(By::Css(format!("[data-testid=\"{test_id}\"]"))).await? {
            if browser.shows(&element).await {
                return Ok(Some(element));
            }
            // Further down on the page: the driver does not look into what scrolls.
            let scrolled = element.scroll_into_view().await;
            if scrolled.is_ok() && browser.shows(&element).await {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    /// Gives a file to a file field, which itself is never seen.
    pub async fn attach(&self, test_id: &str, path: &Path) -> Result<()> {
        self.find(&format!("{test_id}-label")).await?;
        let field = self.driver().find(By::Css(format!("[data-testid=\"{test_id}\"]"))).await?;
        Ok(field.send_keys(path.to_string_lossy()).await?)
    }

    /// Whether something of that test id is shown now.
    pub async fn shows(&self, test_id: &str) -> Result<bool> {
        Ok(self.look(test_id).await?.is_some())
    }

    /// Its text.
    pub async fn text(&self, test_id: &str) -> Result<String> {
        let element = self.find(test_id).await?;
        // What lies below the edge of what scrolls has no text for the driver.
        element.scroll_into_view().await?;
        self.browser().text_of(&element).await
    }

    /// Presses it, once nothing moves away from above it any more.
    pub async fn press(&self, test_id: &str) -> Result<()> {
        let what = format!("{test_id} can be pressed");
        eventually(&what, || async {
            let element = self.find(test_id).await?;
            Ok(self.browser().press(&element).await?.then_some(()))
        })
        .await
    }

    /// Presses the one of these that says so: the buttons of dialogs have no test ids.
    pub async fn press_the_one(&self, selector: &str, says: &str) -> Result<()> {
        let browser = self.browser();
        eventually(&format!("{selector} with {says:?} can be pressed"), || async {
            for element in self.driver().find_all(By::Css(selector)).await? {
                if browser.shows(&element).await && browser.text_of(&element).await?.contains(says) {
                    return Ok(browser.press(&element).await?.then_some(()));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Signs in on the sign-in page.
    pub async fn sign_in(&self, user: &str, password: &str) -> Result<()> {
        self.fill("username", user).await?;
        self.fill("password", password).await?;
        self.press("sign-in").await
    }

    /// Signs in again through the banner; the dialog knows who is asked.
    pub async fn sign_in_again(&self, password: &str) -> Result<()> {
        self.press("reauth").await?;
        self.fill("password", password).await?;
        self.press("sign-in").await
    }

    /// Puts a text in the place of what a field holds, once the field takes one.
    pub async fn fill(&self, field: &str, text: &str) -> Result<()> {
        eventually(&format!("{field} can be written into"), || async {
            let field = self.find(field).await?;
            field.clear().await?;
            Ok(Some(field.send_keys(text).await?))
        })
        .await
    }

    /// From nothing to the counting screen of a session, everything fetched and the worker in charge.
    pub async fn begin(&self, user: &str, session: &str) -> Result<()> {
        self.open("/").await?;
        self.sign_in(user, crate::PASSWORD).await?;
        self.press(&format!("session-{session}")).await?;
        self.find("scan-field").await?;
        self.worker_is_in_charge().await
    }

    /// Waits until a worker controls the page and the catalogue is on the device.
    pub async fn worker_is_in_charge(&self) -> Result<()> {
        let waited = eventually("a worker controls the page and the catalogue is there", || async {
            let script = "if (!navigator.serviceWorker.controller) return false;
                 const names = (await indexedDB.databases()).map((db) => db.name).filter((name) => /^ginti-(?!device)/.test(name));
                 for (const name of names) {
                   const db = await new Promise((ok, no) => { const open = indexedDB.open(name); open.onsuccess = () => ok(open.result); open.onerror = no; });
                   const count = await new Promise((ok) => { const ask = db.transaction('products').objectStore('products').count(); ask.onsuccess = () => ok(ask.result); });
                   db.close();
                   if (count > 0) return true;
                 }
                 return false;";
            Ok((self.browser().run(script, vec![]).await? == json!(true)).then_some(()))
        })
        .await;
        if waited.is_err() {
            self.browser().screenshot("no-worker-in-charge").await?;
            let script = "const { controller } = navigator.serviceWorker;
                 const workers = (await navigator.serviceWorker.getRegistrations()).map(({ installing, waiting, active }) => [installing, waiting, active].map((worker) => worker?.state));
                 return { controller: controller?.state, workers, databases: await indexedDB.databases(), caches: await caches.keys() };";
            let found = self.browser().run(script, vec![]).await?;
            return waited.with_context(|| format!("the page has {found}"));
        }
        Ok(())
    }

    /// Scans as a wedge scanner does: the code's characters as keys, then Enter, wherever the focus is.
    /// So in Chromium; the other drivers take longer for a key than a scanner does, and the keyboard is the same.
    pub async fn scan(&self, code: &str) -> Result<()> {
        if self.browser().engine() != Engine::Chromium {
            return self.scan_at_once(code).await;
        }
        let keys = format!("{code}{}", char::from(Key::Enter));
        Ok(self.driver().action_chain().send_keys(keys).perform().await?)
    }

    /// Scans by keys that come all at once. For tests that are not about the keyboard: a machine that is busy elsewhere may let
    /// more time pass between two keys of [`Self::scan`] than a scanner ever does.
    pub async fn scan_at_once(&self, code: &str) -> Result<()> {
        let script = "for (const key of [...args[0], 'Enter']) {
             document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, composed: true }));
           }";
        self.browser().run(script, vec![json!(code)]).await.map(drop)
    }

    /// Types keys wherever the focus is.
    pub async fn keys(&self, keys: &str) -> Result<()> {
        Ok(self.driver().action_chain().send_keys(keys).perform().await?)
    }

    /// Tells page and browser that the network is gone or back. (The link itself is cut apart from this.)
    pub async fn emulate_network(&self, online: bool) -> Result<()> {
        self.browser().set_online(online).await
    }

    /// Kills every service worker, wherever it is in its work. Where the engine knows no other way, everything is killed with
    /// it, and the browser started again where it was.
    pub async fn kill_workers(&mut self) -> Result<()> {
        if self.browser().engine().can(Capability::WorkerKilledAlone) {
            return self.browser().kill_workers().await;
        }
        let address = self.driver().current_url().await?;
        self.browser.take().context("the browser is open")?.kill().await?;
        self.browser = Some(Browser::start(Engine::chosen()?, &self.profile).await?);
        Ok(self.driver().goto(address.as_str()).await?)
    }

    /// Everything in every IndexedDB database: database → store → rows. Bytes are shown as text.
    pub async fn databases(&self) -> Result<Value> {
        self.browser()
            .run(
                "const show = (value) => {
                   if (value instanceof ArrayBuffer) return new TextDecoder().decode(value);
                   if (Array.isArray(value)) return value.map(show);
                   if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, show(part)]));
                   return value;
                 };
                 const all = {};
                 for (const { name } of await indexedDB.databases()) {
                   const db = await new Promise((ok, no) => { const open = indexedDB.open(name); open.onsuccess = () => ok(open.result); open.onerror = () => no(open.error); });
                   all[name] = {};
                   for (const store of db.objectStoreNames) {
                     const rows = await new Promise((ok, no) => { const ask = db.transaction(store).objectStore(store).getAll(); ask.onsuccess = () => ok(ask.result); ask.onerror = () => no(ask.error); });
                     all[name][store] = show(rows);
                   }
                   db.close();
                 }
                 return all;",
                vec![],
            )
            .await
    }

    /// Rows of a session in the device's database.
    pub async fn rows(&self, session: &str) -> Result<BTreeMap<String, ScreenRow>> {
        let databases = self.databases().await?;
        let tenant = databases.get("ginti-demo").context("the tenant's database is not there")?;
        let rows: Vec<ScreenRow> = serde_json::from_value(tenant["items"].clone())?;
        let rows = rows.into_iter().filter(|row| row.inventory_count_import_id == session);
        Ok(rows.map(|row| (row.import_item_seq_id.clone(), row)).collect())
    }

    /// The id the device counts under.
    pub async fn id(&self) -> Result<String> {
        let databases = self.databases().await?;
        let meta = databases["ginti-demo"]["meta"].as_array().context("no meta")?;
        let device = meta.iter().find(|entry| entry["key"] == "device").context("no device record")?;
        Ok(device["value"]["deviceId"].as_str().context("no id")?.to_owned())
    }

    /// Batches in the courier's queue.
    pub async fn queued(&self) -> Result<usize> {
        let databases = self.databases().await?;
        let queue = &databases["workbox-background-sync"]["requests"];
        Ok(queue.as_array().map_or(0, Vec::len))
    }

    /// Totals per product as the screen shows them, `(quantity, truth)` by row test id.
    pub async fn shown(&self) -> Result<BTreeMap<String, (f64, String)>> {
        while self.shows("more").await? {
            self.press("more").await?;
        }
        let script = "return Array.from(document.querySelectorAll('[data-testid^=\"item-\"]')).map((row) => [row.dataset.testid.slice(5), Number(row.dataset.quantity), row.dataset.truth]);";
        let shown = self.browser().run(script, vec![]).await?;
        let rows: Vec<(String, f64, String)> = serde_json::from_value(shown)?;
        Ok(rows.into_iter().map(|(row, quantity, truth)| (row, (quantity, truth))).collect())
    }

    /// No token anywhere at rest: not in a database, not in a cache.
    pub async fn assert_no_secrets(&self) -> Result<()> {
        let databases = self.databases().await?.to_string();
        ensure!(!databases.contains("Bearer"), "a Bearer header is in IndexedDB");
        ensure!(!databases.contains("eyJ"), "a token is in IndexedDB");
        // The app's own code, which names the header, is in the cache; a token must not be.
        let script = "let found = [];
             for (const name of await caches.keys()) {
               const cache = await caches.open(name);
               for (const request of await cache.keys()) {
                 const response = await cache.match(request);
                 const text = [...request.headers, ...response.headers].flat().join(' ') + await response.clone().text();
                 if (/Bearer\\s+[A-Za-z0-9_-]{8,}\\.|eyJ[A-Za-z0-9_-]{10,}\\./.test(text)) found.push(request.url);
               }
             }
             return found;";
        let found = self.browser().run(script, vec![]).await?;
        ensure!(found == json!([]), "a token is in the cache: {found}");
        Ok(())
    }
}

/// Where npm put axe.
const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/node_modules/axe-core/axe.min.js");

/// axe finds nothing serious on the page as it is.
async fn accessible(device: &Device, name: &str) -> Result<()> {
    if device.browser().run("return Boolean(window.axe);", vec![]).await? != json!(true) {
        let axe = std::fs::read_to_string(AXE).context("axe-core is not installed: run npm ci in web/")?;
        // As the driver's own script: the page's policy allows no code from texts.
        device.browser().run(&format!("{axe}\nreturn true;"), vec![]).await?;
    }
    let script = "const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
         return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
           .map(({ id, help, nodes }) => ({ id, help, where: nodes.slice(0, 4).map(({ target, failureSummary }) => [target, failureSummary]) }));";
    let found = device.browser().run(script, vec![]).await?;
    ensure!(found == json!([]), "axe on {name}: {found:#}");
    Ok(())
}

/// Pictures of the page as it is, phone and desk, light and dark, under `target/e2e/`; each is looked at by axe too.
/// That is in Chromium.
pub async fn pictures(device: &Device, name: &str) -> Result<()> {
    if device.browser().engine() != Engine::Chromium {
        // One picture of each other engine: the pages are the same, and axe has looked at them.
        return device.browser().screenshot(name).await;
    }
    for (size, size_name) in [(PHONE, "phone"), (DESKTOP, "desktop")] {
        for (dark, scheme) in [(false, "light"), (true, "dark")] {
            device.browser().show_as(size, dark).await?;
            // The page's own transitions.
            tokio::time::sleep(std::time::Duration::from_millis(400)).await;
            let name = format!("{name}-{size_name}-{scheme}");
            device.browser().screenshot(&name).await?;
            accessible(device, &name).await?;
        }
    }
    device.browser().show_as(PHONE, false).await
}
