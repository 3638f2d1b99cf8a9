//! A newer version of the app is there while counts wait to be sent: nothing is lost, and nothing is counted twice.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ginti_e2e::{HARD, ServerOptions, Tally, World, counted, eventually};
use serde_json::json;

const BUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/app/dist");

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).context("the web app is not built: run `cargo xtask web`")? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(path, target)?;
        }
    }
    Ok(())
}

/// Another build: worker and page differ, as they do when anything changed.
fn release_another(app: &Path) -> Result<()> {
    for (file, more) in [("sw.js", "\n// another build\n"), ("index.html", "\n<!-- another build -->\n")] {
        let mut text = std::fs::read_to_string(app.join(file))?;
        text.push_str(more);
        // The worker knows the page by a digest of its content.
        if let Some(at) = text.find("\",\"url\":\"index.html\"") {
            text.replace_range(at - 32..at, "00000000000000000000000000000002");
        }
        std::fs::write(app.join(file), text)?;
        for compressed in [".br", ".gz"] {
            std::fs::remove_file(app.join(format!("{file}{compressed}")))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_the_app_with_a_full_queue_loses_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    copy(Path::new(BUILT), &app)?;
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

    release_another(&app)?;
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
        let text = device.browser().run("return (await (await fetch('/', { cache: 'force-cache' })).text()).includes('another build') && navigator.serviceWorker.controller !== null;", vec![]).await?;
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
