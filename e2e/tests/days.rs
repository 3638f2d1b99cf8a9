//! Bad days of a server, seen from a device that counts meanwhile: its clock steps back, yesterday's backup is put back.

use anyhow::{Context, Result, ensure};
use ginti_e2e::{Device, HARD, PASSWORD, ServerOptions, Tally, World, counted, eventually};

async fn scan(device: &Device, codes: &[(String, String)], tally: &mut Tally) -> Result<()> {
    for (product, code) in codes {
        device.scan(code).await?;
        *tally.entry(product.clone()).or_default() += 1.0;
    }
    counted(device, HARD, tally).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_steps_back_gets_every_count_once_it_is_right_again() -> Result<()> {
    let clocks = tempfile::tempdir()?;
    let clock = clocks.path().join("clock");
    std::fs::write(&clock, "")?;
    let world = World::new(ServerOptions { clock: Some(clock.clone()), ..ServerOptions::default() }).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("hers").await?;
    device.begin("counter", HARD).await?;
    let mut tally = Tally::new();
    scan(&device, &codes[..4], &mut tally).await?;
    world.all_arrived(&device, HARD, &tally).await?;

    // What is stamped after what the server already holds lies beyond what it takes, until its clock is right again.
    std::fs::write(&clock, "clock -7200")?;
    let before = world.link.imports();
    scan(&device, &codes[2..8], &mut tally).await?;
    device.press("send-now").await?;
    eventually("it was tried", || async { Ok((world.link.imports() > before).then_some(())) }).await?;
    counted(&device, HARD, &tally).await?;

    std::fs::write(&clock, "")?;
    scan(&device, &codes[4..9], &mut tally).await?;
    device.press("send-now").await?;
    world.all_arrived(&device, HARD, &tally).await.context("and right again")?;
    ensure!(!device.shows("dead-letters").await?, "a clock refuses no count for good");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn yesterdays_backup_put_back_gets_what_was_counted_since() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("hers").await?;
    device.begin("counter", HARD).await?;
    let mut tally = Tally::new();
    scan(&device, &codes[..5], &mut tally).await?;
    world.all_arrived(&device, HARD, &tally).await?;
    let copy = world.folder().join("yesterday.db");
    let copy = copy.to_str().context("an odd folder")?;
    world.command(&["backup", copy]).await?;

    // Confirmed, and unknown to the copy; and some that is on its way when the server goes down.
    scan(&device, &codes[3..9], &mut tally).await?;
    world.all_arrived(&device, HARD, &tally).await?;
    world.link.swallow_answers(1_000);
    scan(&device, &codes[7..12], &mut tally).await?;
    device.press("send-now").await?;
    eventually("the queue is full", || async { Ok((device.queued().await? > 0).then_some(())) }).await?;
    world.kill_server().await?;
    world.command(&["restore", copy, "--replace"]).await?;
    world.link.swallow_answers(0);
    world.restart_server(&ServerOptions::default()).await?;

    // Nobody scans. If the copy is older than the sign-in, the person is asked for it once.
    device.press("send-now").await?;
    eventually("everything has arrived again", || async {
        if device.shows("reauth").await? {
            device.sign_in_again(PASSWORD).await?;
        }
        let rows = device.rows(HARD).await?;
        Ok(rows.values().all(|row| row.truth == "confirmed").then_some(()))
    })
    .await?;
    world.all_arrived(&device, HARD, &tally).await?;
    device.close().await
}
