//! What the chosen engine can do, measured in the real browser and held against the table of `docs/engines.md`.

use anyhow::{Result, ensure};
use ginti_e2e::{Capability, DESKTOP, Device, Engine, PHONE, ServerOptions, World, capability_table, eventually};
use serde_json::{Value, json};
use thirtyfour::By;

/// Whether it becomes true, or stays false for as long as anything here could take.
async fn becomes(device: &Device, script: &str) -> Result<bool> {
    for _ in 0..20 {
        if device.browser().run(script, vec![]).await? == json!(true) {
            return Ok(true);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Ok(false)
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
    let world = World::new(ServerOptions::default()).await?;
    let mut device = world.device("phone").await?;
    // A page that is left while its first worker is still being installed leaves WebKit with a worker that never gets any further.
    device.begin("counter", ginti_e2e::HARD).await?;
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
