//! Another version of the app is there while counts wait to be sent, a newer one or, put back by an operator, an older one: nothing is
//! lost, and nothing is counted twice.

use anyhow::{Result, ensure};
use ginti_e2e::{Device, HARD, ServerOptions, Tally, World, counted, eventually, numbered_app};
use serde_json::json;

/// Scans one piece of each and says what should be there.
async fn scan(device: &Device, codes: &[(String, String)], tally: &mut Tally) -> Result<()> {
    for (product, code) in codes {
        device.scan(code).await?;
        *tally.entry(product.clone()).or_default() += 1.0;
    }
    counted(device, HARD, tally).await
}

/// Counts with one build, is offered another with a full queue, goes on, takes it, and goes on.
async fn from_build_to_build(old: u8, new: u8) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    numbered_app(&app, old)?;
    let world = World::new(ServerOptions { app: Some(app.clone()), ..ServerOptions::default() }).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("hers").await?;
    device.begin("counter", HARD).await?;
    // What is sent arrives, but no answer ever comes back: the queue stays full.
    world.link.swallow_answers(1_000);
    let mut tally = Tally::new();
    scan(&device, &codes[..6], &mut tally).await?;
    device.press("send-now").await?;
    eventually("the queue is full", || async { Ok((device.queued().await? > 0).then_some(())) }).await?;

    numbered_app(&app, new)?;
    let script = "const registration = await navigator.serviceWorker.getRegistration(); await registration.update(); return registration.waiting !== null || registration.installing !== null;";
    eventually("the other worker is found", || async {
        Ok((device.browser().run(script, vec![]).await? == json!(true)).then_some(()))
    })
    .await?;
    // Counting goes on with the old version until the person agrees.
    scan(&device, &codes[..1], &mut tally).await?;
    ensure!(device.queued().await? > 0, "the queue is still full");
    device.press("take-update").await?;
    let script = "return (await (await fetch('/', { cache: 'force-cache' })).text()).includes(args[0]) && navigator.serviceWorker.controller !== null;";
    eventually("the other version is in charge", || async {
        let is_there = device.browser().run(script, vec![json!(format!("build {new} "))]).await?;
        Ok((is_there == json!(true)).then_some(()))
    })
    .await?;
    device.find("scan-field").await?;
    counted(&device, HARD, &tally).await?;
    ensure!(device.queued().await? > 0, "the queue is as it was");
    scan(&device, &codes[1..2], &mut tally).await?;

    world.link.swallow_answers(0);
    device.press("send-now").await?;
    eventually("the queue is empty", || async { Ok((device.queued().await? == 0).then_some(())) }).await?;
    world.all_arrived(&device, HARD, &tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_the_app_with_a_full_queue_loses_nothing() -> Result<()> {
    from_build_to_build(1, 2).await
}

/// An operator puts back yesterday's build while a device has counts that the server has not: they stay, and arrive.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_of_the_app_with_unsent_counts_loses_nothing() -> Result<()> {
    from_build_to_build(2, 1).await
}
