//! How fast the app is in a real Chromium with a processor slowed down to a quarter, as a cheap handheld is: scans in a fresh
//! session and in a full one, searching as one types, starting without a network, sending what a shift offline left, and how
//! much the first visit loads. `cargo xtask e2e --bench` runs it.
//!
//! Exits non-zero when a goal is missed.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use ginti_e2e::{Device, HARD, ServerOptions, World, eventually};
use serde_json::{Value, json};

const ITEMS: usize = 2_000;
const SCANS: usize = 20_000;
const PRODUCTS: usize = 100_000;
const CHANGED: usize = 5_000;
const MEASURED: usize = 200;
const SLOWED_DOWN: u32 = 4;

/// A number, what it must not exceed, and what it is of.
struct Goal {
    name: &'static str,
    measured: f64,
    bound: f64,
    unit: &'static str,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let mut device = world.device("bench").await?;
    let mut goals = Vec::new();
    device.open("/").await?;
    device.find("sign-in").await?;
    let first = loaded(&device).await?;
    goals.push(Goal { name: "first visit, compressed", measured: first, bound: 350.0, unit: "KB" });
    device.begin("counter", HARD).await?;

    // By name, to look at one part again: `scans`, `search`, `offline`. All of them without.
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let mut tables = Vec::new();
    if wants("scans") {
        tables.extend(scans(&world, &device, &mut goals).await?);
    }
    if wants("search") {
        device.close().await?;
        drop(world);
        let typed = search().await?;
        world = World::new(ServerOptions::default()).await?;
        device = world.device("bench-after-search").await?;
        device.begin("counter", HARD).await?;
        let p95 = percentile(&typed, 95);
        goals.push(Goal {
            name: "search keystroke over 100,000 products, p95",
            measured: p95,
            bound: 50.0,
            unit: "ms",
        });
        tables.push(("keys typed in the search", typed));
    }
    if wants("offline") {
        offline(&mut world, &mut device, &mut goals).await?;
    }
    device.close().await?;
    report(&tables, &goals)
}

fn report(tables: &[(&'static str, Vec<f64>)], goals: &[Goal]) -> Result<()> {
    println!("| what | measured | p50 ms | p95 ms | p99 ms |");
    println!("|---|---|---|---|---|");
    for (name, times) in tables {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| percentile(times, percent));
        println!("| {name} | {} | {p50:.1} | {p95:.1} | {p99:.1} |", times.len());
    }
    println!("\n| goal, processor slowed down {SLOWED_DOWN}× | at most | measured | |\n|---|---|---|---|");
    for Goal { name, measured, bound, unit } in goals {
        let verdict = if measured <= bound { "met" } else { "missed" };
        println!("| {name} | {bound} {unit} | {measured:.2} {unit} | {verdict} |");
    }
    let missed: Vec<_> = goals.iter().filter(|goal| goal.measured > goal.bound).map(|goal| goal.name).collect();
    ensure!(missed.is_empty(), "missed: {}", missed.join("; "));
    Ok(())
}

/// Scans in a fresh session, and in a full one.
async fn scans(world: &World, device: &Device, goals: &mut Vec<Goal>) -> Result<Vec<(&'static str, Vec<f64>)>> {
    let codes: Vec<_> = world.api().await?.barcodes().await?.into_iter().map(|(_, code)| code).take(40).collect();
    slow_down(device).await?;
    let fresh = measure(device, &codes).await?;
    full_speed(device).await?;
    fill(device).await?;
    device.open(&format!("/sessions/{HARD}")).await?;
    device.find("scan-field").await?;
    eventually("the full session is on the screen", || async {
        Ok((device.rows(HARD).await?.len() >= ITEMS).then_some(()))
    })
    .await?;
    slow_down(device).await?;
    let full = measure(device, &codes).await?;
    let p95 = percentile(&full, 95);
    goals.push(Goal { name: "scan to screen and durable, full session, p95", measured: p95, bound: 100.0, unit: "ms" });
    let growth = percentile(&full, 50) / percentile(&fresh, 50);
    goals.push(Goal { name: "the same, full against fresh session, p50", measured: growth, bound: 1.5, unit: "×" });
    let script = "const scroller = await document.querySelector('.ion-page:not(.ion-page-hidden) ion-content').getScrollElement();
        const tasks = [];
        const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
        observer.observe({ type: 'longtask' });
        for (let step = 0; step < 120; step++) {
          scroller.scrollTop += 80;
          await new Promise((next) => requestAnimationFrame(next));
        }
        await new Promise((next) => setTimeout(next, 500));
        observer.disconnect();
        return Math.max(0, ...tasks);";
    let longest = device.browser().run(script, vec![]).await?.as_f64().context("no duration")?;
    goals.push(Goal {
        name: "longest task while scrolling (0: none over 50 ms)",
        measured: longest,
        bound: 50.0,
        unit: "ms",
    });
    Ok(vec![("scans, fresh session", fresh), ("scans, 2,000 items and 20,000 scans before", full)])
}

/// Opening the app without a network, and sending what was counted meanwhile.
async fn offline(world: &mut World, device: &mut Device, goals: &mut Vec<Goal>) -> Result<()> {
    // Something to make rows from.
    let (_, code) = world.api().await?.barcodes().await?.into_iter().next().context("no product")?;
    device.scan(&code).await?;
    eventually("the scan is on the device", || async { Ok((!device.rows(HARD).await?.is_empty()).then_some(())) })
        .await?;
    world.link.down().await;
    device.close().await?;
    device.reopen(&format!("/sessions/{HARD}")).await?;
    slow_down(device).await?;
    device.open(&format!("/sessions/{HARD}")).await?;
    device.find("scan-field").await?;
    let shown = "return performance.getEntriesByName('ginti-shown')[0]?.startTime ?? null;";
    let shown = device.browser().run(shown, vec![]).await?.as_f64().context("the app did not start")?;
    goals.push(Goal { name: "shown without a network", measured: shown / 1_000.0, bound: 1.5, unit: "s" });

    full_speed(device).await?;
    change(device).await?;
    slow_down(device).await?;
    world.link.up().await?;
    let (before, begun) = (world.link.imports(), Instant::now());
    device.press("send-now").await?;
    eventually("everything is confirmed", || async {
        let left = "const db = await new Promise((ok) => { const open = indexedDB.open('ginti-demo'); open.onsuccess = () => ok(open.result); });
            const count = (truth) => new Promise((ok) => { const ask = db.transaction('items').objectStore('items').index('truth').count(truth); ask.onsuccess = () => ok(ask.result); });
            const left = (await count('saved')) + (await count('sending')) + (await count('refused'));
            db.close(); return left;";
        Ok((device.browser().run(left, vec![]).await? == json!(0)).then_some(()))
    })
    .await?;
    let took = begun.elapsed().as_secs_f64();
    let script = "const db = await new Promise((ok) => { const open = indexedDB.open('ginti-demo'); open.onsuccess = () => ok(open.result); });
        const all = await new Promise((ok) => { const ask = db.transaction('deliveries').objectStore('deliveries').getAll(); ask.onsuccess = () => ok(ask.result); });
        db.close();
        const sent = all.filter(({ items }) => items.length > 100).sort((a, b) => a.createdAt - b.createdAt);
        const zero = sent[0].createdAt;
        return sent.map((one) => [one.items.length, one.createdAt - zero, one.custodyAt - zero, one.answeredAt - zero, one.settledAt - zero].join(' '));";
    println!(
        "batches: items, cut, in custody, answered, settled (ms): {}",
        device.browser().run(script, vec![]).await?
    );
    goals.push(Goal { name: "5,000 changed items sent and confirmed", measured: took, bound: 3.0, unit: "s" });
    #[expect(clippy::cast_precision_loss, reason = "a handful of requests")]
    let requests = (world.link.imports() - before) as f64;
    goals.push(Goal { name: "the same, requests", measured: requests, bound: 10.0, unit: "" });
    Ok(())
}

async fn slow_down(device: &Device) -> Result<()> {
    throttle(device, SLOWED_DOWN).await
}

/// Preparations take the processor's full speed.
async fn full_speed(device: &Device) -> Result<()> {
    throttle(device, 1).await
}

async fn throttle(device: &Device, rate: u32) -> Result<()> {
    device.browser().devtools("Emulation.setCPUThrottlingRate", json!({ "rate": rate })).await?;
    Ok(())
}

/// KB that came over the network for the page, its code and the sync machines.
async fn loaded(device: &Device) -> Result<f64> {
    let script =
        "const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
        return entries.reduce((total, { transferSize }) => total + transferSize, 0) / 1000;";
    device.browser().run(script, vec![]).await?.as_f64().context("no sizes")
}

/// Types words over a large catalogue, which came from the server as any does; milliseconds per key, sorted.
async fn search() -> Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let products = folder.path().join("products.csv");
    std::fs::write(&products, catalogue())?;
    let world = World::new(ServerOptions { products: Some(products), ..ServerOptions::default() }).await?;
    let device = &mut world.device("search").await?;
    device.begin("counter", HARD).await?;
    let known = "const db = await new Promise((ok) => { const open = indexedDB.open('ginti-demo'); open.onsuccess = () => ok(open.result); });
        const kept = await new Promise((ok) => { const ask = db.transaction('meta').objectStore('meta').get('search'); ask.onsuccess = () => ok(ask.result); });
        db.close(); return kept?.value.productIds.length ?? 0;";
    eventually("the whole catalogue is on the device", || async {
        let known = device.browser().run(known, vec![]).await?.as_u64().unwrap_or(0);
        Ok((known >= u64::try_from(PRODUCTS)?).then_some(()))
    })
    .await?;
    let field = device.find("scan-field").await?;
    slow_down(device).await?;
    // The first key opens the text.
    field.send_keys("x").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    device.browser().run("performance.clearMeasures('ginti-search');", vec![]).await?;
    let mut keys = 0;
    for words in ["osprey socks 4", "2000000078", "lamp bright", "sku-9999", "nothing like it"] {
        field.clear().await?;
        for key in words.chars() {
            field.send_keys(key.to_string()).await?;
            keys += 1;
            tokio::time::sleep(Duration::from_millis(120)).await;
        }
    }
    field.clear().await?;
    let script = "return performance.getEntriesByName('ginti-search').map((entry) => entry.duration);";
    let mut times: Vec<f64> = serde_json::from_value(device.browser().run(script, vec![]).await?)?;
    println!("{} of {keys} keys were answered before the next one", times.len());
    device.close().await?;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// A product export with many products.
fn catalogue() -> String {
    const KINDS: [&str; 10] = ["rice", "lentils", "oats", "soap", "candle", "lamp", "shirt", "socks", "mug", "plate"];
    const MAKERS: [&str; 5] = ["Tansy Lane", "Morrowfield", "Osprey", "Kettle & Co", "Brightwater"];
    let mut file = String::from("Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Barcode\n");
    for (n, (maker, kind)) in (0..PRODUCTS).zip(MAKERS.iter().cycle().zip(KINDS.iter().cycle())) {
        let _ = writeln!(file, "item-{n},{maker} {kind} {n},Title,Default Title,SKU-{n},{}", ean(n));
    }
    file
}

/// An EAN-13 for a shop's own use.
fn ean(n: usize) -> String {
    let digits = format!("20000{n:07}");
    let weighted: u32 =
        digits.bytes().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{digits}{}", (10 - weighted % 10) % 10)
}

/// As after a shift offline: many rows counted and none sent.
async fn change(device: &Device) -> Result<()> {
    let script = "const [session, changed] = args;
        const db = await new Promise((ok) => { const open = indexedDB.open('ginti-demo'); open.onsuccess = () => ok(open.result); });
        const tx = db.transaction('items', 'readwrite');
        const items = tx.objectStore('items');
        const all = await new Promise((ok) => { const ask = items.getAll(); ask.onsuccess = () => ok(ask.result); });
        const row = all.find((item) => item.inventoryCountImportId === session && item.own);
        const newest = Math.max(...all.map(({ revision }) => revision));
        for (let n = 0; n < changed; n++) {
          items.put({ ...row, importItemSeqId: `${row.deviceId}-c${n}`, productId: null, productIdentifier: `changed-${n}`, revision: newest + 1 + n, confirmed: null, custody: null, truth: 'saved' });
        }
        await new Promise((ok, no) => { tx.oncomplete = ok; tx.onerror = () => no(tx.error); });
        db.close();";
    device.browser().run(script, vec![json!(HARD), json!(CHANGED)]).await?;
    Ok(())
}

/// Milliseconds per scan, sorted.
async fn measure(device: &Device, codes: &[String]) -> Result<Vec<f64>> {
    // The first scans warm the page up.
    for code in codes.iter().take(10) {
        device.scan(code).await?;
    }
    device.browser().run("performance.clearMeasures('ginti-scan');", vec![]).await?;
    for n in 0..MEASURED {
        device.scan(&codes[n % codes.len()]).await?;
        // A fast person: five scans a second. (WebDriver alone types faster than any scanner, and scans would queue up.)
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let script = "return performance.getEntriesByName('ginti-scan').map((entry) => entry.duration);";
    let mut times: Vec<f64> = eventually("every scan was measured", || async {
        let times: Vec<f64> = serde_json::from_value(device.browser().run(script, vec![]).await?)?;
        Ok((times.len() >= MEASURED).then_some(times))
    })
    .await?;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Fills the session up with copies of what is there: rows already confirmed, and their journal.
async fn fill(device: &Device) -> Result<()> {
    let script = "const [session, items, scans] = args;
        const db = await new Promise((ok, no) => { const open = indexedDB.open('ginti-demo'); open.onsuccess = () => ok(open.result); open.onerror = () => no(open.error); });
        const tx = db.transaction(['items', 'scans', 'products'], 'readwrite');
        const all = (store) => new Promise((ok) => { const ask = tx.objectStore(store).getAll(); ask.onsuccess = () => ok(ask.result); });
        const [row] = (await all('items')).filter((item) => item.inventoryCountImportId === session);
        const [entry] = await all('scans');
        const [product] = await all('products');
        for (let n = (await all('items')).length; n < items; n++) {
          const productId = `bench-${n}`;
          const code = `bench-code-${n}`;
          tx.objectStore('products').put({ ...product, productId, productName: `Product ${n}`, sku: code, barcodes: [], codes: [code], text: `product ${n} ${code}` });
          tx.objectStore('items').put({ ...row, importItemSeqId: `${row.deviceId}-b${n}`, productId, productIdentifier: code, confirmed: row.revision, custody: null, truth: 'confirmed' });
        }
        for (let n = (await all('scans')).length; n < scans; n++) {
          const { scanId, ...rest } = entry;
          tx.objectStore('scans').add({ ...rest, importItemSeqId: `${row.deviceId}-b${n % items}` });
        }
        await new Promise((ok, no) => { tx.oncomplete = ok; tx.onerror = () => no(tx.error); });
        db.close();";
    let arguments: Vec<Value> = vec![json!(HARD), json!(ITEMS), json!(SCANS)];
    device.browser().run(script, arguments).await?;
    Ok(())
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)]
}
