//! What the chosen engine can do, measured in the real browser and held against the table of `docs/engines.md`.

use anyhow::{Result, ensure};
use ginti_e2e::{Capability, DESKTOP, Device, Engine, PHONE, ServerOptions, World, capability_table, eventually};
use serde_json::{Value, json};

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
    device.open("/").await?;
    device.browser().screenshot("first-page").await?;
    device.begin("counter", ginti_e2e::HARD).await?;
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

#[test]
fn the_documented_table_is_the_one_that_is_measured() {
    let document = include_str!("../../docs/engines.md");
    let table = capability_table();
    assert!(document.contains(&table), "docs/engines.md does not hold this table:\n{table}");
}
