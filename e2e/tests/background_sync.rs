//! Chromium's background sync: the browser delivers with the app closed, when the network is back, and does not give up
//! after its last try.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use ginti_e2e::{Capability, Device, Engine, HARD, ServerOptions, Tally, World, counted, eventually};
use serde_json::json;

/// Set in a test that runs in a network of its own.
const OWN_NETWORK: &str = "GINTI_E2E_OWN_NETWORK";

async fn begin() -> Result<(World, Device)> {
    let world = World::new(ServerOptions::default()).await?;
    let device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    Ok((world, device))
}

/// Counts while the server cannot be reached, until the courier has it all.
async fn count(world: &World, device: &Device) -> Result<Tally> {
    let mut tally = Tally::new();
    for (product, code) in world.api().await?.barcodes().await?.iter().take(4) {
        device.scan_at_once(code).await?;
        tally.insert(product.clone(), 1.0);
    }
    counted(device, HARD, &tally).await?;
    device.press("send-now").await?;
    eventually("a batch waits in the queue", || async { Ok((device.queued().await? > 0).then_some(())) }).await?;
    Ok(tally)
}

async fn arrived(world: &World, tally: &Tally) -> Result<()> {
    let api = world.api().await?;
    eventually("all is on the server", || async { Ok((api.rows(HARD).await?.len() == tally.len()).then_some(())) })
        .await
}

fn lacks_background_sync() -> Result<bool> {
    let engine = Engine::chosen()?;
    if !engine.can(Capability::BackgroundSync) {
        println!("skipped: {} has no background sync", engine.name());
    }
    Ok(!engine.can(Capability::BackgroundSync))
}

/// True in a network of the test's own. Otherwise the test has been run in one, or a reason is printed why it cannot be.
fn in_own_network(test: &str) -> Result<bool> {
    if std::env::var_os(OWN_NETWORK).is_some() {
        return Ok(true);
    }
    if !Command::new("unshare").args(["--net", "ip", "link"]).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: a network namespace takes root, unshare and ip (Debian's packages util-linux and iproute2)");
        return Ok(false);
    }
    let status = Command::new("unshare")
        .arg("--net")
        .arg(std::env::current_exe()?)
        .args(["--exact", test, "--nocapture"])
        .env(OWN_NETWORK, "1")
        .status()?;
    ensure!(status.success(), "it failed in a network of its own; see above");
    Ok(false)
}

fn ip(words: &str) -> Result<()> {
    let output = Command::new("ip").args(words.split(' ')).output()?;
    ensure!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sync_event_at_link_up_delivers_with_the_app_closed() -> Result<()> {
    if lacks_background_sync()? || !in_own_network("the_sync_event_at_link_up_delivers_with_the_app_closed")? {
        return Ok(());
    }
    // A cable between two ends; the browser's network is there while the far end is up.
    for words in [
        "link set lo up",
        "link add near type veth peer name far",
        "addr add 10.77.0.2/24 dev near",
        "link set near up",
        "link set far up",
    ] {
        ip(words)?;
    }
    let (mut world, mut device) = begin().await?;
    let online = async |device: &Device, expected: bool| {
        eventually("the browser has noticed", || async {
            let said = device.browser().run("return navigator.onLine;", vec![]).await?;
            Ok((said == json!(expected)).then_some(()))
        })
        .await
    };
    online(&device, true).await?;
    world.link.down().await;
    ip("link set far down")?;
    online(&device, false).await?;
    let tally = count(&world, &device).await?;
    // No page of the app is left, and no worker with a timer.
    device.browser().driver().goto("about:blank").await?;
    device.kill_workers().await?;
    let before = world.link.imports();
    world.link.up().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(world.link.imports() == before, "something was sent without a network");
    ip("link set far up")?;
    arrived(&world, &tally).await?;
    println!("delivered by the sync event at link-up, the app closed");
    device.open(&format!("/sessions/{HARD}")).await?;
    device.find("scan-field").await?;
    world.all_arrived(&device, HARD, &tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_browsers_last_try_there_is_another() -> Result<()> {
    if lacks_background_sync()? {
        return Ok(());
    }
    let (mut world, mut device) = begin().await?;
    // Chromium lets a worker ask for another event only while some page of the site is open; this one is no page of the app.
    let app = device.browser().driver().window().await?;
    let other = device.browser().driver().new_tab().await?;
    device.browser().driver().switch_to_window(other).await?;
    device.open("/livez").await?;
    device.browser().driver().switch_to_window(app).await?;
    let session = device.browser().driver().cdp().connect().await?;
    let mut events = session.subscribe_connection();
    let service = "backgroundSync";
    session.send_raw("BackgroundService.startObserving", json!({ "service": service })).await?;
    session.send_raw("BackgroundService.setRecording", json!({ "service": service, "shouldRecord": true })).await?;
    world.link.down().await;
    let tally = count(&world, &device).await?;
    device.browser().driver().goto("about:blank").await?;

    // The browser tells what it does: tries, the last of them, and tries again because the worker asked for it.
    let mut had_last = false;
    tokio::time::timeout(Duration::from_secs(90), async {
        loop {
            let event = events.recv().await.context("the browser tells nothing any more")?;
            let told = event.params["backgroundServiceEvent"].to_string();
            if !told.contains("Dispatched sync event") {
                continue;
            }
            if had_last {
                return Ok::<_, anyhow::Error>(());
            }
            had_last = told.contains(r#"{"key":"Last Chance","value":"Yes"}"#);
        }
    })
    .await
    .with_context(|| format!("had its last try: {had_last}; then nothing more came"))??;
    world.link.up().await?;
    arrived(&world, &tally).await?;
    device.open(&format!("/sessions/{HARD}")).await?;
    device.find("scan-field").await?;
    world.all_arrived(&device, HARD, &tally).await?;
    device.close().await
}
