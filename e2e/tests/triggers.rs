//! What stands in for background sync, each by itself: a queue is full, the server is back, nothing happens; then one thing
//! happens, and the counts arrive. Where the browser has background sync, it is denied.

use std::{cell::Cell, time::Duration};

use anyhow::{Context, Result, ensure};
use ginti_e2e::{Api, Capability, Device, Engine, HARD, ServerOptions, Tally, World, counted, eventually};
use serde_json::json;

/// A page of the server's that is no page of the app: none of the app's code runs in it, but the worker is in charge.
const NO_APP: &str = "/livez";

/// What wakes the courier.
#[derive(Clone, Copy, Debug)]
enum Trigger {
    /// The page can be seen again.
    Visible,
    /// The browser says that the network is back.
    Online,
    /// The browser starts the worker for something else.
    WorkerStart,
    /// A worker is installed for the first time.
    Activate,
    /// A page's message.
    Poke,
    /// The app's slow interval.
    Interval,
}

struct Story {
    world: World,
    device: Device,
    api: Api,
    products: Vec<(String, String)>,
    tally: Tally,
}

impl Story {
    async fn begin() -> Result<Self> {
        let world = World::new(ServerOptions::default()).await?;
        let device = world.device("phone").await?;
        if device.browser().engine().can(Capability::BackgroundSync) {
            device.open(NO_APP).await?;
            let denied = json!({ "permission": { "name": "background-sync" }, "setting": "denied", "origin": world.link.origin() });
            device.browser().devtools("Browser.setPermission", denied).await?;
        }
        device.begin("counter", HARD).await?;
        if device.browser().engine().can(Capability::BackgroundSync) {
            let refused = "const { sync } = await navigator.serviceWorker.ready;
                 return await sync.register('a-tag').then(() => false, () => true);";
            ensure!(
                device.browser().run(refused, vec![]).await? == json!(true),
                "background sync was meant to be denied"
            );
        }
        let api = world.api().await?;
        let products = api.barcodes().await?;
        Ok(Self { world, device, api, products, tally: Tally::new() })
    }

    /// Counts without a network until a batch waits in the courier's queue.
    async fn fill_the_queue(&mut self) -> Result<()> {
        self.world.link.down().await;
        for (product, code) in self.products.iter().skip(self.tally.len()).take(2) {
            self.device.scan_at_once(code).await?;
            self.tally.insert(product.clone(), 1.0);
        }
        counted(&self.device, HARD, &self.tally).await?;
        self.device.press("send-now").await?;
        eventually("all is in the courier's queue", || async {
            let rows = self.device.rows(HARD).await?;
            let handed = rows.values().all(|row| row.truth != "saved");
            Ok((handed && self.device.queued().await? > 0).then_some(()))
        })
        .await
    }

    /// As after many failures: the courier would not try for four minutes unless there is news. A delivery under way writes down
    /// what it thinks itself, so this is repeated until it stays.
    async fn wait_long(&self) -> Result<()> {
        let script = "const db = await new Promise((ok, no) => { const open = indexedDB.open('ginti-device'); open.onsuccess = () => ok(open.result); open.onerror = () => no(open.error); });
             const kept = db.transaction('kept', 'readwrite').objectStore('kept');
             const now = Date.now();
             const entry = await new Promise((ok, no) => { const ask = kept.get('courier'); ask.onsuccess = () => ok(ask.result); ask.onerror = () => no(ask.error); });
             const waits = entry.value.notBefore > now + 120_000;
             if (!waits) await new Promise((ok, no) => { const put = kept.put({ ...entry, value: { ...entry.value, notBefore: now + 240_000 } }); put.onsuccess = ok; put.onerror = () => no(put.error); });
             db.close();
             return waits;";
        let quiet_looks = Cell::new(0);
        eventually("the courier waits long", || async {
            let waits = self.device.browser().run(script, vec![]).await? == json!(true);
            quiet_looks.set(if waits { quiet_looks.get() + 1 } else { 0 });
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok((quiet_looks.get() >= 10).then_some(()))
        })
        .await
    }

    /// The server can be reached again, and nobody tells the device: nothing is sent.
    async fn mend_unnoticed(&mut self) -> Result<()> {
        let before = self.world.link.imports();
        self.world.link.up().await?;
        self.stays_silent(before).await
    }

    async fn stays_silent(&self, before: usize) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        ensure!(self.world.link.imports() == before, "something was sent although nothing had happened");
        Ok(())
    }

    async fn leave_the_app(&self) -> Result<()> {
        Ok(self.device.browser().driver().goto("about:blank").await?)
    }

    async fn delivered(&self) -> Result<()> {
        let waited = eventually("all counts are on the server", || async {
            let rows = self.api.rows(HARD).await?;
            Ok((rows.len() == self.tally.len()).then_some(()))
        })
        .await;
        if waited.is_err() {
            self.device.browser().screenshot("not-delivered").await?;
            let databases = self.device.databases().await?;
            let (courier, ways) = (&databases["ginti-device"]["kept"], &databases["ginti-demo"]["deliveries"]);
            return waited.with_context(|| format!("the courier says {courier}, of its batches {ways}"));
        }
        Ok(())
    }

    /// All but the trigger is ruled out, then the trigger comes.
    async fn only(&mut self, trigger: Trigger) -> Result<()> {
        match trigger {
            Trigger::Visible => {
                self.fill_the_queue().await?;
                self.device.browser().set_visible(false).await?;
                self.wait_long().await?;
                self.mend_unnoticed().await?;
                self.device.browser().set_visible(true).await
            }
            Trigger::Online => {
                self.device.emulate_network(false).await?;
                self.fill_the_queue().await?;
                self.wait_long().await?;
                self.mend_unnoticed().await?;
                self.device.emulate_network(true).await
            }
            Trigger::WorkerStart => {
                self.fill_the_queue().await?;
                self.leave_the_app().await?;
                self.device.kill_workers().await?;
                self.mend_unnoticed().await?;
                // The browser asks the worker about every page of the site.
                self.device.open(NO_APP).await
            }
            Trigger::Poke => {
                self.fill_the_queue().await?;
                self.wait_long().await?;
                self.leave_the_app().await?;
                self.mend_unnoticed().await?;
                let before = self.world.link.imports();
                self.device.open(NO_APP).await?;
                self.stays_silent(before).await?;
                let poke = "(await navigator.serviceWorker.getRegistration()).active.postMessage({ type: 'ginti:poke', cause: 'manual' });";
                self.device.browser().run(poke, vec![]).await.map(drop)
            }
            Trigger::Interval => {
                self.fill_the_queue().await?;
                self.device.kill_workers().await?;
                // The worker's timers are gone with it; the page's interval may come at once.
                self.world.link.up().await
            }
            Trigger::Activate => {
                self.fill_the_queue().await?;
                self.wait_long().await?;
                let unregister = "await (await navigator.serviceWorker.getRegistration()).unregister();";
                self.device.browser().run(unregister, vec![]).await?;
                self.leave_the_app().await?;
                self.mend_unnoticed().await?;
                let before = self.world.link.imports();
                self.device.open(NO_APP).await?;
                self.stays_silent(before).await?;
                let register =
                    "if (await navigator.serviceWorker.getRegistration()) throw new Error('the worker is still there');
                     const policy = window.trustedTypes?.createPolicy('ginti', { createScriptURL: (text) => text });
                     await navigator.serviceWorker.register(policy ? policy.createScriptURL('/sw.js') : '/sw.js', { scope: '/' });";
                self.device.browser().run(register, vec![]).await.map(drop)
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stand_in_for_background_sync_delivers_on_its_own() -> Result<()> {
    let engine = Engine::chosen()?;
    let mut story = Story::begin().await?;
    for trigger in
        [Trigger::Visible, Trigger::Online, Trigger::Interval, Trigger::Poke, Trigger::Activate, Trigger::WorkerStart]
    {
        if matches!(trigger, Trigger::Interval) && !engine.can(Capability::WorkerKilledAlone) {
            println!("{trigger:?}: {} cannot end the worker's own timer and leave the page alone", engine.name());
            continue;
        }
        story.only(trigger).await.with_context(|| format!("before {trigger:?}"))?;
        story.delivered().await.with_context(|| format!("{trigger:?} delivers"))?;
        println!("{trigger:?} delivers on its own in {}", engine.name());
        story.device.open(&format!("/sessions/{HARD}")).await?;
        story.device.find("scan-field").await?;
        story.device.worker_is_in_charge().await?;
    }
    story.world.all_arrived(&story.device, HARD, &story.tally).await?;
    story.device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_started_again_with_a_full_queue_delivers_on_its_own() -> Result<()> {
    let mut story = Story::begin().await?;
    story.fill_the_queue().await?;
    story.device.close().await?;
    story.mend_unnoticed().await?;
    story.device.reopen(&format!("/sessions/{HARD}")).await?;
    story.delivered().await?;
    story.device.find("scan-field").await?;
    story.world.all_arrived(&story.device, HARD, &story.tally).await?;
    story.device.close().await
}
