//! Counts that must arrive: offline, across restarts, through crashes, expired sign-ins and races. A real browser, a real
//! server, a real network link. Each test ends with screen = device = server and every revision applied exactly once.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ginti_e2e::{Api, Capability, Device, Engine, HARD, PASSWORD, ServerOptions, Tally, World, counted, eventually};
use ginti_store::Store;
use ginti_types::{DeviceId, TenantId};
use serde_json::json;

/// Codes to scan and what they should add up to.
struct Scanner {
    products: Vec<(String, String)>,
    tally: Tally,
}

impl Scanner {
    async fn new(api: &Api) -> Result<Self> {
        Ok(Self { products: api.barcodes().await?, tally: Tally::new() })
    }

    /// Scans `count` barcodes from the `from`-th on, every third of them twice.
    async fn scan(&mut self, device: &Device, from: usize, count: usize) -> Result<()> {
        for n in 0..count {
            let (product, code) = &self.products[from + n - n / 3];
            device.scan(code).await.with_context(|| format!("scan {n} of {product}"))?;
            *self.tally.entry(product.clone()).or_default() += 1.0;
        }
        counted(device, HARD, &self.tally).await
    }
}

async fn begin(options: ServerOptions) -> Result<(World, Device, Scanner)> {
    let world = World::new(options).await?;
    let device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    let scanner = Scanner::new(&world.api().await?).await?;
    Ok((world, device, scanner))
}

async fn go_offline(world: &mut World, device: &Device) -> Result<()> {
    world.link.down().await;
    device.emulate_network(false).await
}

async fn go_online(world: &mut World, device: &Device) -> Result<()> {
    world.link.up().await?;
    device.emulate_network(true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_scanned_offline_arrives_after_a_cold_start_without_another_scan() -> Result<()> {
    let (mut world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    scanner.scan(&device, 0, 30).await?;
    ensure!(!device.shows("take-update").await?, "the first worker was taken for a newer version");
    go_offline(&mut world, &device).await?;
    scanner.scan(&device, 25, 30).await?;
    ensure!(!device.text("pending-total").await?.contains("All confirmed"));
    device.browser().screenshot("offline-with-counts-waiting").await?;

    device.close().await?;
    device.reopen("/").await?;
    device.press(&format!("session-{HARD}")).await?;
    device.find("scan-field").await?;
    counted(&device, HARD, &scanner.tally).await?;
    scanner.scan(&device, 60, 10).await?;
    device.assert_no_secrets().await?;

    go_online(&mut world, &device).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    ensure!((scanner.tally.values().sum::<f64>() - 70.0).abs() < 1e-9);
    ensure!(device.text("pending-total").await?.contains("All confirmed"));
    device.browser().screenshot("all-confirmed").await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_between_commit_and_answer_counts_nothing_twice() -> Result<()> {
    let options = ServerOptions { crash_after_commits: Some(1), ..ServerOptions::default() };
    let (mut world, mut device, mut scanner) = begin(options).await?;
    scanner.scan(&device, 0, 12).await?;
    device.press("send-now").await?;
    world.server_crashes().await?;
    scanner.scan(&device, 4, 6).await?;
    world.restart_server(&ServerOptions::default()).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;

    // And from outside, by SIGKILL, with the answer written but not there yet.
    world.link.hold_answers(true);
    let held = world.link.held();
    scanner.scan(&device, 8, 6).await?;
    device.press("send-now").await?;
    eventually("an answer is on its way", || async { Ok((world.link.held() > held).then_some(())) }).await?;
    world.kill_server().await?;
    world.link.down().await;
    world.link.hold_answers(false);
    scanner.scan(&device, 20, 3).await?;
    world.restart_server(&ServerOptions::default()).await?;
    world.link.up().await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_the_commit_counts_nothing_twice() -> Result<()> {
    let (world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    world.link.swallow_answers(3);
    scanner.scan(&device, 0, 9).await?;
    device.press("send-now").await?;
    eventually("the lost answers were really lost", || async { Ok((world.link.imports() >= 4).then_some(())) }).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_of_a_replay_loses_nothing() -> Result<()> {
    let (world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    for round in 0..3 {
        world.link.hold_answers(true);
        let held = world.link.held();
        scanner.scan(&device, round * 10, 8).await?;
        device.press("send-now").await?;
        eventually("a batch is in flight", || async { Ok((world.link.held() > held).then_some(())) }).await?;
        ensure!(device.queued().await? > 0, "what is in flight stays queued until its outcome is written");
        device.kill_workers().await?;
        world.link.hold_answers(false);
        device.find("scan-field").await?;
    }
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_while_the_queue_is_full_is_renewed_unasked() -> Result<()> {
    let options = ServerOptions { access_token_seconds: Some(3), ..ServerOptions::default() };
    let (mut world, mut device, mut scanner) = begin(options).await?;
    scanner.scan(&device, 0, 6).await?;
    go_offline(&mut world, &device).await?;
    scanner.scan(&device, 10, 20).await?;
    device.press("send-now").await?;
    eventually("a batch waits in the queue", || async { Ok((device.queued().await? > 0).then_some(())) }).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    go_online(&mut world, &device).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    ensure!(!device.shows("reauth-banner").await?, "nobody had to sign in for that");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_has_ended_holds_the_queue_and_signing_in_lets_it_go() -> Result<()> {
    let options = ServerOptions { access_token_seconds: Some(1), ..ServerOptions::default() };
    let (world, mut device, mut scanner) = begin(options).await?;
    // The refresh cookie is gone, as after a month in a drawer.
    device.browser().driver().delete_all_cookies().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    scanner.scan(&device, 0, 15).await?;
    device.press("send-now").await?;
    device.find("reauth-banner").await?;
    scanner.scan(&device, 20, 5).await?;
    device.browser().screenshot("sign-in-again").await?;
    let rows = device.rows(HARD).await?;
    ensure!(rows.values().all(|row| row.truth != "refused"), "an expired sign-in refuses no count: {rows:?}");
    device.sign_in_again(PASSWORD).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_pokes_deliver_each_batch_once() -> Result<()> {
    let (mut world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    scanner.scan(&device, 0, 3).await?;
    eventually("the first are confirmed", || async {
        let rows = device.rows(HARD).await?;
        Ok(rows.values().all(|row| row.truth == "confirmed").then_some(()))
    })
    .await?;
    go_offline(&mut world, &device).await?;
    scanner.scan(&device, 10, 4).await?;
    device.press("send-now").await?;
    scanner.scan(&device, 20, 4).await?;
    device.press("send-now").await?;
    eventually("two batches wait", || async { Ok((device.queued().await? == 2).then_some(())) }).await?;
    let before = world.link.imports();
    world.link.hold_answers(true);
    go_online(&mut world, &device).await?;
    let pokes = "const { active } = await navigator.serviceWorker.ready;
        for (let n = 0; n < 8; n++) active.postMessage({ type: 'ginti:poke', cause: n % 2 ? 'manual' : 'online' });";
    device.browser().run(pokes, vec![]).await?;
    eventually("a batch is in flight", || async { Ok((world.link.held() > 0).then_some(())) }).await?;
    device.browser().run(pokes, vec![]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.link.hold_answers(false);
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    ensure!(world.link.imports() - before == 2, "{} requests for two batches", world.link.imports() - before);
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_a_worker_delivers_by_itself() -> Result<()> {
    if !Engine::chosen()?.can(Capability::ReloadPastWorker) {
        println!("skipped: in {} the worker is in charge of every reload", Engine::chosen()?.name());
        return Ok(());
    }
    let (world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    // A forced reload leaves the page without its worker.
    device.browser().reload_past_worker().await?;
    device.find("scan-field").await?;
    let controller = device.browser().run("return navigator.serviceWorker.controller === null;", vec![]).await?;
    ensure!(controller == json!(true), "the reload was meant to go past the worker");
    scanner.scan(&device, 0, 10).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_of_one_device_add_up() -> Result<()> {
    let (world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    let driver = device.browser().driver();
    let first = driver.window().await?;
    let second = driver.new_tab().await?;
    driver.switch_to_window(second.clone()).await?;
    device.open(&format!("/sessions/{HARD}")).await?;
    device.find("scan-field").await?;
    for round in 0..4 {
        let tab = if round % 2 == 0 { &first } else { &second };
        driver.switch_to_window(tab.clone()).await?;
        // The same products in both tabs: they go into the same rows.
        scanner.scan(&device, round / 2 * 3, 6).await?;
    }
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    driver.switch_to_window(first).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    let rows = device.rows(HARD).await?;
    ensure!(rows.len() == scanner.tally.len(), "one row per product, whichever tab it was scanned in");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_in_one_tab_ends_counting_in_the_other() -> Result<()> {
    let (world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    scanner.scan(&device, 0, 5).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    let driver = device.browser().driver();
    let first = driver.window().await?;
    let second = driver.new_tab().await?;
    driver.switch_to_window(second).await?;
    device.open("/").await?;
    device.press("device").await?;
    device.press("sign-out").await?;
    device.find("username").await?;
    driver.switch_to_window(first).await?;
    device.find("username").await?;
    // A colleague at the tab that was counting: what they scan is theirs.
    device.sign_in("counter2", PASSWORD).await?;
    device.press(&format!("session-{HARD}")).await?;
    device.find("scan-field").await?;
    scanner.scan(&device, 5, 3).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    let databases = device.databases().await?;
    let rows = databases["ginti-demo"]["items"].as_array().context("no rows")?;
    let theirs = rows.iter().filter(|row| row["countedByUserLoginId"] == "counter2").count();
    ensure!(theirs == 3, "the colleague has counted {theirs} rows, not three");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_next_in_the_same_tab_counts_in_their_own_name() -> Result<()> {
    let (world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    scanner.scan(&device, 0, 5).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.press("look-at-sending").await?;
    device.press("sign-out").await?;
    device.find("username").await?;
    device.sign_in("counter2", PASSWORD).await?;
    device.press(&format!("session-{HARD}")).await?;
    device.find("scan-field").await?;
    scanner.scan(&device, 5, 3).await?;
    let rows = device.databases().await?["ginti-demo"]["items"].clone();
    let theirs = rows.as_array().context("no rows")?.iter().filter(|row| row["countedByUserLoginId"] == "counter2");
    ensure!(theirs.count() == 3, "what they count is theirs: {rows}");
    // The page that the colleague left at a count must not be theirs again either: it sends nothing any more.
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_put_back_to_an_empty_database_gets_everything_again() -> Result<()> {
    let (mut world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    scanner.scan(&device, 0, 12).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    world.kill_server().await?;
    world.wipe_database()?;
    world.restart_server(&ServerOptions::default()).await?;
    // The old sign-in is unknown to the new database; the person signs in again and scans nothing.
    device.press("send-now").await?;
    device.find("reauth-banner").await?;
    device.sign_in_again(PASSWORD).await?;
    let api = world.api().await?;
    eventually("the device has noticed the new history", || async {
        Ok((!api.rows(HARD).await?.is_empty()).then_some(()))
    })
    .await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_count_says_why_and_goes_through_once_the_reason_is_gone() -> Result<()> {
    let (mut world, mut device, mut scanner) = begin(ServerOptions::default()).await?;
    scanner.scan(&device, 0, 5).await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;

    set_blocked(&mut world, &device, true).await?;
    scanner.scan(&device, 10, 4).await?;
    device.press("send-now").await?;
    let letters = device.text("dead-letters").await?;
    ensure!(letters.contains("blocked by a manager"), "the server's reason is not shown: {letters}");
    device.browser().screenshot("needs-attention").await?;
    counted(&device, HARD, &scanner.tally).await?;

    set_blocked(&mut world, &device, false).await?;
    eventually("no dead letter is left", || async {
        // It may leave the screen between a look and a press.
        let press = "document.querySelector('[data-testid=\"send-again\"]')?.click();";
        device.browser().run(press, vec![]).await?;
        Ok((!device.shows("dead-letters").await?).then_some(()))
    })
    .await?;
    world.all_arrived(&device, HARD, &scanner.tally).await?;
    device.close().await
}

async fn set_blocked(world: &mut World, device: &Device, blocked: bool) -> Result<()> {
    world.kill_server().await?;
    let store = world.store()?;
    store.set_device_revoked(&TenantId::new("demo")?, &DeviceId::new(device.id().await?)?, blocked).await?;
    store.close().await?;
    world.restart_server(&ServerOptions::default()).await
}
