//! What the chosen engine can do, measured in the real browser and held against the table of `docs/engines.md`.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use ginti_e2e::{
    Capability, DESKTOP, Device, Engine, HARD, PHONE, ServerOptions, Tally, World, capability_table, counted,
    eventually, slow_to_start_app,
};
use serde_json::{Value, json};
use thirtyfour::By;

/// Whether it becomes true, or stays false for as long as anything here could take.
async fn becomes(device: &Device, script: &str) -> Result<bool> {
    for _ in 0..20 {
        if device.browser().run(script, vec![]).await? == json!(true) {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(false)
}

/// How long a worker that is slow to start takes for its own code.
const OWN_CODE: Duration = Duration::from_secs(3);

/// A world whose app's worker is slow to start, and the folder of that app.
async fn slow_world() -> Result<(World, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    slow_to_start_app(&app, OWN_CODE)?;
    Ok((World::new(ServerOptions { app: Some(app), ..ServerOptions::default() }).await?, folder))
}

/// A device that opens the app for the first time, leaves it while the worker gets through its own code, and comes back.
async fn left_and_back(world: &World) -> Result<Device> {
    for attempt in 0..5 {
        let mut device = world.device(&format!("left-{attempt}")).await?;
        device.open("/").await?;
        let asked_for = "return (await navigator.serviceWorker.getRegistrations()).length > 0;";
        eventually("the worker is asked for", || async {
            Ok((device.browser().run(asked_for, vec![]).await? == json!(true)).then_some(()))
        })
        .await?;
        let asked = Instant::now();
        // Fetched by now, and still at its own code.
        tokio::time::sleep(Duration::from_secs(1)).await;
        device.browser().driver().goto("about:blank").await?;
        if asked.elapsed() + Duration::from_millis(500) > OWN_CODE {
            // Too late, on a busy machine.
            device.close().await?;
            continue;
        }
        tokio::time::sleep(OWN_CODE + Duration::from_secs(1)).await;
        device.open("/").await?;
        device.find("username").await?;
        return Ok(device);
    }
    bail!("the page could not be left in time")
}

async fn measure(world: &World, device: &mut Device, capability: Capability) -> Result<bool> {
    let browser = device.browser();
    let has = async |script: &str| -> Result<bool> { Ok(browser.run(script, vec![]).await? == json!(true)) };
    match capability {
        Capability::BackgroundSync => has("return 'sync' in (await navigator.serviceWorker.ready);").await,
        Capability::Storage => has("return typeof navigator.storage?.estimate === 'function';").await,
        Capability::WebLocks => has("return await navigator.locks.request('a-lock', () => true);").await,
        Capability::BroadcastChannel => {
            has("const [from, to] = [new BroadcastChannel('a'), new BroadcastChannel('a')];
                 const heard = new Promise((resolve) => (to.onmessage = () => resolve(true)));
                 from.postMessage('a word');
                 return await heard;")
            .await
        }
        Capability::BarcodeDetector => has(
            "return 'BarcodeDetector' in window && (await BarcodeDetector.getSupportedFormats()).includes('ean_13');",
        )
        .await,
        Capability::InstalledUnattended => {
            let mut other = left_and_back(world).await?;
            // The first that an installation does.
            let goes_on = becomes(&other, "return (await caches.keys()).length > 0;").await?;
            if goes_on {
                eventually("the worker is in charge", || async {
                    let controlled = "return navigator.serviceWorker.controller !== null;";
                    Ok((other.browser().run(controlled, vec![]).await? == json!(true)).then_some(()))
                })
                .await?;
            }
            other.close().await?;
            Ok(goes_on)
        }
        Capability::Visibility => {
            browser.set_visible(false).await?;
            let hidden = becomes(device, "return document.hidden;").await?;
            browser.set_visible(true).await?;
            Ok(hidden && becomes(device, "return !document.hidden;").await?)
        }
        Capability::OfflineEmulation => {
            device.emulate_network(false).await?;
            let offline = becomes(device, "return !navigator.onLine;").await?;
            device.emulate_network(true).await?;
            Ok(offline && becomes(device, "return navigator.onLine;").await?)
        }
        Capability::WorkerKilledAlone => {
            browser.run("window.wasThere = true;", vec![]).await?;
            device.kill_workers().await?;
            let page_lives = device.browser().run("return window.wasThere === true;", vec![]).await? == json!(true);
            device.worker_is_in_charge().await?;
            Ok(page_lives)
        }
        Capability::ReloadPastWorker => {
            browser.run("window.wasThere = true;", vec![]).await?;
            browser.reload_past_worker().await?;
            eventually("the page is loaded again", || async {
                let loaded = "return !window.wasThere && document.readyState === 'complete';";
                Ok((device.browser().run(loaded, vec![]).await? == json!(true)).then_some(()))
            })
            .await?;
            has("return navigator.serviceWorker.controller === null;").await
        }
        Capability::PhoneSize => {
            let is =
                |(width, height): (u32, u32)| format!("return innerWidth === {width} && innerHeight === {height};");
            browser.show_as(DESKTOP, false).await?;
            let wide = becomes(device, &is(DESKTOP)).await?;
            browser.show_as(PHONE, false).await?;
            Ok(wide && becomes(device, &is(PHONE)).await?)
        }
        Capability::ColourScheme => {
            browser.show_as(PHONE, true).await?;
            let dark = becomes(device, "return matchMedia('(prefers-color-scheme: dark)').matches;").await?;
            browser.show_as(PHONE, false).await?;
            Ok(dark && becomes(device, "return matchMedia('(prefers-color-scheme: light)').matches;").await?)
        }
        Capability::DriverSight => {
            let script = "const line = document.createElement('p');
                 line.id = 'cut-short';
                 line.textContent = 'a line that is longer than that';
                 Object.assign(line.style, args[0]);
                 document.body.append(line);";
            let style = json!({ "position": "fixed", "top": "0", "width": "80px", "overflow": "hidden", "textOverflow": "ellipsis", "whiteSpace": "nowrap" });
            browser.run(script, vec![style]).await?;
            Ok(browser.driver().find(By::Id("cut-short")).await?.is_displayed().await?)
        }
        // The last: it signs somebody else in.
        Capability::SecureCookie => {
            browser.driver().goto(format!("{}/livez", world.server_origin())).await?;
            let script = "const ask = (path, body) => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
                 const signedIn = await ask('/auth/login', { username: 'counter2', password: args[0] });
                 if (!signedIn.ok) throw new Error(`signing in was answered ${signedIn.status}`);
                 return (await ask('/auth/refresh', {})).ok;";
            Ok(browser.run(script, vec![json!(ginti_e2e::PASSWORD)]).await? == json!(true))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_can_do_what_the_table_says_and_nothing_else() -> Result<()> {
    let engine = Engine::chosen()?;
    let (world, _app) = slow_world().await?;
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    device.browser().screenshot("counting").await?;
    let version = device.browser().run("return navigator.userAgent;", vec![]).await?;
    println!("{}: {}", engine.name(), version.as_str().unwrap_or_default());
    let mut wrong = Vec::new();
    for capability in Capability::ALL {
        let can = measure(&world, &mut device, capability).await?;
        println!("{:<5} {}", if can { "yes" } else { "no" }, capability.words());
        if can != engine.can(capability) {
            wrong.push((capability, Value::Bool(can)));
        }
    }
    ensure!(wrong.is_empty(), "the table is not true of {}: {wrong:?}", engine.name());
    device.close().await
}

/// Whether or not the worker was installed meanwhile: the page delivers by itself, and when the browser is opened again, a worker is in
/// charge.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_was_left_while_its_first_worker_started_delivers_and_has_one_the_next_time() -> Result<()> {
    let (world, _app) = slow_world().await?;
    let mut device = left_and_back(&world).await?;
    device.sign_in("counter", ginti_e2e::PASSWORD).await?;
    device.press(&format!("session-{HARD}")).await?;
    device.find("scan-field").await?;
    let mut tally = Tally::new();
    for (product, code) in &world.api().await?.barcodes().await?[..2] {
        device.scan_at_once(code).await?;
        tally.insert(product.clone(), 1.0);
    }
    counted(&device, HARD, &tally).await?;
    world.all_arrived(&device, HARD, &tally).await?;
    device.close().await?;
    device.reopen(&format!("/sessions/{HARD}")).await?;
    device.worker_is_in_charge().await?;
    world.all_arrived(&device, HARD, &tally).await?;
    device.close().await
}

/// What can be seen, each by its id.
const SHOWN: &str = "<p id=plain>plain</p>
    <p id=cut-short style='width: 80px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis'>longer than it may be</p>
    <div style='overflow: auto; height: 40px'><p id=scrolled>within what scrolls</p></div>
    <div style='opacity: .5'><p id=faint>faint</p></div>
    <input id=field>";
/// What cannot.
const NOT_SHOWN: &str = "<p id=none style='display: none'>none</p>
    <div style='visibility: hidden'><p id=hidden>hidden</p></div>
    <div style='opacity: 0'><p id=transparent>transparent</p></div>
    <div style='overflow: hidden; height: 0'><p id=folded>folded away</p></div>
    <p id=empty style='height: 0'></p>
    <p id=outside style='position: fixed; left: -1000px; width: 90px'>outside</p>
    <input id=unseen type=hidden>";
/// Something that lies on top of something.
const COVERED: &str =
    "<button id=covered style='position: fixed; top: 400px; left: 0; width: 90px; height: 40px'>covered</button>
    <div style='position: fixed; top: 350px; left: 0; width: 390px; height: 200px; background: grey'></div>";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tests_call_shown_can_be_seen_and_what_is_covered_cannot_be_pressed() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let mut device = world.device("phone").await?;
    let browser = device.browser();
    browser.driver().goto("about:blank").await?;
    let page = format!("{SHOWN}{NOT_SHOWN}{COVERED}");
    browser.run("document.body.innerHTML = args[0];", vec![json!(page)]).await?;
    let mut seen = Vec::new();
    for element in browser.driver().find_all(By::Css("[id]")).await? {
        if browser.shows(&element).await {
            seen.push(element.id().await?.unwrap_or_default());
        }
    }
    ensure!(seen == ["plain", "cut-short", "scrolled", "faint", "field", "covered"], "{seen:?}");
    let line = browser.driver().find(By::Id("cut-short")).await?;
    ensure!(browser.text_of(&line).await? == "longer than it may be", "its text is what is written there");
    ensure!(browser.driver().find(By::Id("covered")).await?.click().await.is_err(), "it was pressed through its cover");
    browser.driver().find(By::Id("field")).await?.click().await?;
    device.close().await
}

#[test]
fn the_documented_table_is_the_one_that_is_measured() {
    let document = include_str!("../../docs/engines.md");
    let table = capability_table();
    assert!(document.contains(&table), "docs/engines.md does not hold this table:\n{table}");
}
