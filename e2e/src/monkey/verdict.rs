//! The end: fair weather, nothing more is done, and then server = screen = truth.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{
    hands::Hands,
    screen::{Screen, difference},
};
use crate::{Device, Tally, eventually};

/// Far beyond the longest pause between two tries. It ends a hopeless wait and measures nothing.
const HOPELESS: Duration = Duration::from_secs(15 * 60);

/// What there was in the end.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) rows: usize,
    pub(crate) pieces: f64,
    pub(crate) entries: usize,
}

/// Waits until the device says that everything has arrived, and compares.
pub(crate) async fn reach(hands: &mut Hands) -> Result<Verdict> {
    hands.clear_up().await?;
    wait(hands).await?;
    let mut verdict = Verdict::default();
    let mut is_first = true;
    for _ in Hands::counts() {
        if !std::mem::take(&mut is_first) {
            hands.act(super::Step::OtherCount).await?;
        }
        compare(hands, &mut verdict).await?;
    }
    hands.device.assert_no_secrets().await?;
    Ok(verdict)
}

async fn wait(hands: &mut Hands) -> Result<()> {
    let started = tokio::time::Instant::now();
    loop {
        hands.sign_in_if_asked().await?;
        let open = unsettled(&hands.device).await?;
        if open.is_empty() {
            return Ok(());
        }
        if started.elapsed() > HOPELESS {
            bail!("in fair weather, after {} minutes: {}", HOPELESS.as_secs() / 60, open.join("; "));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// What the device still has to do, in words.
async fn unsettled(device: &Device) -> Result<Vec<String>> {
    let databases = device.databases().await?;
    let tenant = &databases["ginti-demo"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut open = Vec::new();
    for row in list(&tenant["items"]) {
        if row["truth"] != "confirmed" {
            open.push(format!(
                "row {} of {} is {}: {}",
                row["importItemSeqId"], row["inventoryCountImportId"], row["truth"], row["problem"]
            ));
        }
    }
    for delivery in list(&tenant["deliveries"]) {
        if ["cut", "custody", "answered"].iter().any(|state| delivery["state"] == *state) {
            open.push(format!(
                "batch {} is {}, tried {} times: {}",
                delivery["batchId"], delivery["state"], delivery["attempts"], delivery["lastError"]
            ));
        }
    }
    let queued = list(&databases["workbox-background-sync"]["requests"]).len();
    if queued > 0 {
        open.push(format!("{queued} batches are in the courier's queue"));
    }
    Ok(open)
}

/// One count: what is on the server, on the screen, and true.
async fn compare(hands: &Hands, verdict: &mut Verdict) -> Result<()> {
    let (count, truth) = (hands.count(), hands.truth.tally(hands.count()));
    let server = hands.api.rows(count).await?;
    let mut held = Tally::new();
    let mut by: BTreeMap<&str, &str> = BTreeMap::new();
    for row in server.values() {
        let product = row.product_id.as_deref().context("the server has a row without a product")?;
        *held.entry(product.to_owned()).or_default() += row.quantity;
        by.insert(product, &row.counted_by_user_login_id);
    }
    ensure!(held == truth, "{count}: {}", difference(("server", &held), ("truth", &truth)));
    ensure!(server.len() == truth.len(), "{count}: {} rows for {} products", server.len(), truth.len());
    for (product, held) in hands.truth.held(count) {
        let counter = by.get(product.as_str()).copied().unwrap_or_default();
        ensure!(
            counter == held.by,
            "{count}, product {product}: counted by {}, and the server says {counter}",
            held.by
        );
    }

    let screen = Screen::of(&hands.device).await?;
    ensure!(screen.tally() == truth, "{count}: {}", difference(("screen", &screen.tally()), ("truth", &truth)));
    ensure!(
        screen.rows.iter().all(|row| row.truth == "confirmed") && screen.pending.as_deref() == Some("0"),
        "{count}: the screen does not call all of it confirmed: {screen:?}"
    );

    let device = hands.device.rows(count).await?;
    for (id, row) in &server {
        let here = device.get(id).with_context(|| format!("{count}: row {id} is not on the device"))?;
        ensure!(here.revision == row.revision, "{count}: row {id} holds another revision on the device");
        let applied = hands.api.applications(count, id).await?;
        ensure!(applied.values().all(|times| *times == 1), "{count}: a revision of row {id} was applied twice");
        ensure!(
            applied.keys().next_back() == Some(&row.revision),
            "{count}: row {id} does not hold its newest revision"
        );
        verdict.entries += applied.len();
    }
    // The device says by itself how many rows it has and their digest, and the server finds the same.
    let devices = format!("/maarg/poorti/InventoryCountImport/{count}/devices");
    if !server.is_empty() {
        eventually(&format!("{count}: the device has told that nothing is missing"), || async {
            let devices = hands.api.get(&devices).await?;
            let devices = devices["items"].as_array().context("no devices")?;
            let is_complete =
                devices.len() == 1 && devices[0]["standing"] == "complete" && devices[0]["unsentCount"] == 0;
            Ok(is_complete.then_some(()))
        })
        .await?;
    }
    verdict.rows += server.len();
    verdict.pieces += truth.values().sum::<f64>();
    Ok(())
}
