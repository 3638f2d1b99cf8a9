//! This version and an earlier one meet: `cargo xtask upgrade` builds both from their commits. Queues are full when one of the
//! two is upgraded, and every count arrives, once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ginti_e2e::{BUILT, Device, HARD, ServerOptions, Tally, World, copy_app, counted, eventually};
use serde_json::json;

const NEEDS: &str = "needs a build of an earlier version: run `cargo xtask upgrade`";

fn previous(variable: &str) -> Result<PathBuf> {
    Ok(std::env::var_os(variable).context(NEEDS)?.into())
}

async fn scan(device: &Device, codes: &[(String, String)], tally: &mut Tally) -> Result<()> {
    for (product, code) in codes {
        device.scan(code).await?;
        *tally.entry(product.clone()).or_default() += 1.0;
    }
    counted(device, HARD, tally).await
}

async fn fill_the_queue(world: &World, device: &Device) -> Result<()> {
    world.link.swallow_answers(100_000);
    device.press("send-now").await?;
    eventually("the queue is full", || async { Ok((device.queued().await? > 0).then_some(())) }).await
}

/// The person is offered the other version of the app and takes it.
async fn take_update(device: &Device) -> Result<()> {
    let before = worker(device).await?;
    let update = "const registration = await navigator.serviceWorker.getRegistration(); await registration.update();
        return registration.waiting !== null || registration.installing !== null;";
    eventually("the other worker is found", || async {
        Ok((device.browser().run(update, vec![]).await? == json!(true)).then_some(()))
    })
    .await?;
    device.press("take-update").await?;
    eventually("the other worker is in charge", || async { Ok((worker(device).await? != before).then_some(())) })
        .await?;
    device.find("scan-field").await.map(drop)
}

/// What the page was built from, by its scripts' names.
async fn worker(device: &Device) -> Result<String> {
    let script = "return [...document.scripts].map((script) => script.src).join();";
    Ok(device.browser().run(script, vec![]).await?.as_str().unwrap_or_default().to_owned())
}

/// Begins with one pair of server and app, upgrades one, then the other, with full queues.
async fn upgraded(server_first: bool) -> Result<()> {
    let (old, old_app) = (previous("GINTI_PREVIOUS_BIN")?, previous("GINTI_PREVIOUS_APP")?);
    let new_app = Path::new(BUILT);
    ensure!(std::fs::read(old_app.join("sw.js"))? != std::fs::read(new_app.join("sw.js"))?, "both apps are the same");
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    copy_app(&old_app, &app)?;
    let on = |binary: Option<&PathBuf>| ServerOptions {
        binary: binary.cloned(),
        app: Some(app.clone()),
        ..ServerOptions::default()
    };
    let mut world = World::new(on(Some(&old))).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("hers").await?;
    device.begin("counter", HARD).await?;
    let mut tally = Tally::new();
    scan(&device, &codes[..4], &mut tally).await?;
    world.all_arrived(&device, HARD, &tally).await.context("the earlier version by itself")?;

    scan(&device, &codes[2..8], &mut tally).await?;
    fill_the_queue(&world, &device).await?;
    if server_first {
        world.kill_server().await?;
        world.restart_server(&on(None)).await?;
    } else {
        copy_app(new_app, &app)?;
        take_update(&device).await?;
    }
    scan(&device, &codes[6..10], &mut tally).await?;
    world.link.swallow_answers(0);
    device.press("send-now").await?;
    world.all_arrived(&device, HARD, &tally).await.context("one upgraded, the other not")?;

    scan(&device, &codes[8..12], &mut tally).await?;
    fill_the_queue(&world, &device).await?;
    if server_first {
        copy_app(new_app, &app)?;
        take_update(&device).await?;
    } else {
        world.kill_server().await?;
        world.restart_server(&on(None)).await?;
    }
    scan(&device, &codes[3..6], &mut tally).await?;
    world.link.swallow_answers(0);
    device.press("send-now").await?;
    world.all_arrived(&device, HARD, &tally).await.context("both upgraded")?;
    device.close().await
}

#[tokio::main]
async fn main() -> Result<()> {
    for server_first in [true, false] {
        upgraded(server_first).await?;
        println!(
            "{} upgraded first, both with full queues: every count arrived, once",
            if server_first { "the server" } else { "the app" }
        );
    }
    Ok(())
}
