//! A newer version of the app is there while counts wait to be sent: nothing is lost, and nothing is counted twice.

use anyhow::{Result, ensure};
use ginti_e2e::{HARD, ServerOptions, Tally, World, counted, eventually, numbered_app};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_the_app_with_a_full_queue_loses_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    numbered_app(&app, 1)?;
    let world = World::new(ServerOptions { app: Some(app.clone()), ..ServerOptions::default() }).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("hers").await?;
    device.begin("counter", HARD).await?;
    // What is sent arrives, but no answer ever comes back: the queue stays full.
    world.link.swallow_answers(1_000);
    let mut tally = Tally::new();
    for (product, code) in codes.iter().take(6) {
        device.scan(code).await?;
        tally.insert(product.clone(), 1.0);
    }
    counted(&device, HARD, &tally).await?;
    device.press("send-now").await?;
    eventually("the queue is full", || async { Ok((device.queued().await? > 0).then_some(())) }).await?;

    numbered_app(&app, 2)?;
    let script = "const registration = await navigator.serviceWorker.getRegistration(); await registration.update(); return registration.waiting !== null || registration.installing !== null;";
    eventually("the newer worker is found", || async {
        Ok((device.browser().run(script, vec![]).await? == json!(true)).then_some(()))
    })
    .await?;
    // Counting goes on with the old version until the person agrees.
    device.scan(&codes[0].1).await?;
    *tally.entry(codes[0].0.clone()).or_default() += 1.0;
    counted(&device, HARD, &tally).await?;
    ensure!(device.queued().await? > 0, "the queue is still full");
    device.press("take-update").await?;
    eventually("the newer version is in charge", || async {
        let text = device.browser().run("return (await (await fetch('/', { cache: 'force-cache' })).text()).includes('build 2') && navigator.serviceWorker.controller !== null;", vec![]).await?;
        Ok((text == json!(true)).then_some(()))
    })
    .await?;
    device.find("scan-field").await?;
    counted(&device, HARD, &tally).await?;
    device.scan(&codes[1].1).await?;
    *tally.entry(codes[1].0.clone()).or_default() += 1.0;
    counted(&device, HARD, &tally).await?;

    world.link.swallow_answers(0);
    device.press("send-now").await?;
    world.all_arrived(&device, HARD, &tally).await?;
    device.close().await
}
