//! A real shop's product export, counted through the app: import, scan by barcode, by number, by name, zero, correction,
//! undo, two products with one barcode. Runs where the export is there (`$GINTI_SHARED_DATA` or `../shared/data`).

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use ginti_e2e::{Device, HARD, ServerOptions, Tally, World, counted, pictures};
use thirtyfour::prelude::*;

fn export(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("GINTI_SHARED_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let file = folder.join(name);
    if file.exists() {
        return Some(file);
    }
    println!("not run: {name} is not there");
    None
}

async fn type_into_field(device: &Device, text: &str) -> Result<()> {
    let field = device.find("scan-field").await?;
    field.click().await?;
    field.send_keys(text).await?;
    Ok(field.send_keys(Key::Enter + "").await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_over_a_real_shops_catalogue() -> Result<()> {
    let Some(products) = export("bicycles.csv") else { return Ok(()) };
    let world = World::new(ServerOptions { products: Some(products), ..ServerOptions::default() }).await?;
    let mut device = world.device("phone").await?;
    device.open("/").await?;
    device.find("username").await?;
    pictures(&device, "sign-in").await?;
    device.sign_in("counter", "wrong password").await?;
    device.find("sign-in-error").await?;
    device.browser().screenshot("sign-in-refused").await?;
    device.sign_in("counter", ginti_e2e::PASSWORD).await?;
    device.find(&format!("session-{HARD}")).await?;
    device.worker_is_in_charge().await?;
    pictures(&device, "sessions").await?;
    device.press(&format!("session-{HARD}")).await?;
    device.find("scan-field").await?;
    device.browser().screenshot("counting-empty").await?;

    let api = world.api().await?;
    let codes = api.barcodes().await?;
    let mut tally = Tally::new();
    // Every barcode that names one product, the first forty; each scanned once, some again.
    let unique: Vec<_> = codes
        .iter()
        .filter(|(_, code)| codes.iter().filter(|(_, other)| other == code).count() == 1)
        .take(40)
        .collect();
    for (n, (product, code)) in unique.iter().enumerate() {
        for _ in 0..=n % 3 {
            device.scan(code).await?;
            *tally.entry(product.clone()).or_default() += 1.0;
        }
    }
    counted(&device, HARD, &tally).await?;

    // A real barcode whose leading zero the export had lost.
    let (wrench, _) = codes.iter().find(|(_, code)| code == "030955168517").context("the export changed")?;
    type_into_field(&device, "030955168517").await?;
    *tally.entry(wrench.clone()).or_default() += 1.0;
    counted(&device, HARD, &tally).await?;

    // Corrected by hand to a decimal, then to none, then counted on.
    device.press("set-quantity").await?;
    for key in ["2", ".", "5"] {
        device.press(&format!("key-{key}")).await?;
    }
    device.browser().screenshot("keypad").await?;
    device.press("keypad-set").await?;
    tally.insert(wrench.clone(), 2.5);
    counted(&device, HARD, &tally).await?;
    device.scan("030955168517").await?;
    tally.insert(wrench.clone(), 3.5);
    counted(&device, HARD, &tally).await?;
    device.press("undo").await?;
    tally.insert(wrench.clone(), 2.5);
    counted(&device, HARD, &tally).await?;

    // A code nobody knows is counted too, as itself.
    device.scan("9999999999994").await?;
    tally.insert("unmatched".to_owned(), 1.0);
    counted(&device, HARD, &tally).await?;
    device.browser().screenshot("unknown-code").await?;

    // Two products with one barcode: the app asks.
    let shared = codes.iter().find(|(id, code)| codes.iter().any(|(other, same)| other != id && same == code));
    let (_, code) = shared.context("the export has barcodes that two products share")?;
    device.scan(code).await?;
    let choice = device.browser().driver().query(By::Css("ion-action-sheet .action-sheet-button")).first().await?;
    device.browser().screenshot("which-product").await?;
    choice.click().await?;
    let (product, _) = codes.iter().filter(|(_, same)| same == code).min_by_key(|(id, _)| id.clone()).context("it")?;
    let chosen = *tally.entry(product.clone()).or_default() + 1.0;
    tally.insert(product.clone(), chosen);

    device.press("send-now").await?;
    world.all_arrived(&device, HARD, &tally).await?;
    pictures(&device, "counting").await?;
    let total: f64 = api.rows(HARD).await?.values().map(|row| row.quantity).sum();
    ensure!((total - tally.values().sum::<f64>()).abs() < 1e-9);
    println!("counted {} products of the export, {total} units in all, all of them on the server", tally.len());
    device.close().await
}
