//! Signing in with another provider: a real one, through its own pages.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use ginti_e2e::{Device, HARD, PASSWORD, ServerOptions, Tally, World, eventually, pictures};
use serde_json::json;
use thirtyfour::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// As `provider.mjs` has it.
const SECRET: &str = "a secret with: signs & a % of its own";

/// Starts the provider; its address.
async fn provider(origin: &str) -> Result<(Child, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/ginti-server/tests/oidc/provider.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .arg(format!("{origin}/auth/oidc/callback"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start Node.js")?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let issuer = lines.next_line().await?.context("the provider did not start: run npm ci in web/")?;
    Ok((child, issuer))
}

async fn submit(device: &Device) -> Result<()> {
    Ok(device.browser().driver().find(By::Css("button[type=submit]")).await?.click().await?)
}

/// From the button through the provider's pages and back.
async fn by_way_of_the_provider(device: &Device, name: &str) -> Result<()> {
    device.press("sign-in-external").await?;
    let driver = device.browser().driver();
    let field = eventually("the provider asks who it is", || async {
        Ok(driver.find(By::Css("input[name=login]")).await.ok())
    })
    .await?;
    field.send_keys(name).await?;
    driver.find(By::Css("input[name=password]")).await?.send_keys("any").await?;
    submit(device).await?;
    eventually("the provider asks for consent", || async {
        Ok(driver.find(By::Css("input[name=prompt][value=consent]")).await.ok().map(drop))
    })
    .await?;
    submit(device).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_with_the_companys_account_and_counts() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let device = world.device("hers").await?;
    device.open("/").await?;
    device.find("sign-in").await?;
    ensure!(!device.shows("sign-in-external").await?, "there is no provider yet");

    let origin = world.link.origin();
    let (_provider, issuer) = provider(&origin).await?;
    world.kill_server().await?;
    world
        .restart_server(&ServerOptions { oidc: Some((issuer, SECRET.to_owned())), ..ServerOptions::default() })
        .await?;
    device.open("/").await?;
    device.find("sign-in-external").await?;
    pictures(&device, "sign-in-external").await?;

    by_way_of_the_provider(&device, "counter").await?;
    device.press(&format!("session-{HARD}")).await?;
    device.find("scan-field").await?;
    let address = device.browser().run("return location.href;", vec![]).await?;
    ensure!(!address.to_string().contains("signedIn"), "the address is as it was: {address}");
    device.worker_is_in_charge().await?;
    device.scan(&codes[0].1).await?;
    world.all_arrived(&device, HARD, &Tally::from([(codes[0].0.clone(), 1.0)])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_ginti_does_not_know_is_told_so_and_may_use_a_password() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let (_provider, issuer) = provider(&world.link.origin()).await?;
    world.kill_server().await?;
    world
        .restart_server(&ServerOptions { oidc: Some((issuer, SECRET.to_owned())), ..ServerOptions::default() })
        .await?;
    let device = world.device("theirs").await?;
    device.open("/").await?;
    by_way_of_the_provider(&device, "stranger").await?;
    let said = device.text("sign-in-error").await?;
    ensure!(said.contains("Ask your admin"), "{said}");
    let address = device.browser().run("return location.search;", vec![]).await?;
    ensure!(address == json!(""), "{address}");
    device.sign_in("counter", PASSWORD).await?;
    device.find(&format!("session-{HARD}")).await.map(drop)
}
