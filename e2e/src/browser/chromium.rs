//! Chromium under chromedriver. What the tests need beyond WebDriver goes through its DevTools protocol.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use serde_json::json;
use thirtyfour::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

use super::{Browser, PHONE, process};

pub(super) async fn start(profile: &Path) -> Result<(WebDriver, Vec<Child>)> {
    let (chromedriver, port) = start_chromedriver().await?;
    let mut capabilities = DesiredCapabilities::chrome();
    let window = format!("--window-size={},{}", PHONE.0, PHONE.1);
    // What the camera sees; without the file it sees Chromium's own test picture.
    let camera = format!("--use-file-for-fake-video-capture={}", camera_of(profile).display());
    let has_label = camera_of(profile).exists();
    let profile = format!("--user-data-dir={}", profile.display());
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Timers run at full speed in a window nobody looks at.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        // The five minutes between background sync attempts, shortened.
        "--force-fieldtrials=BackgroundSync/T",
        "--force-fieldtrial-params=BackgroundSync.T:initial_retry_delay_sec/2/retry_delay_factor/1",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        &window,
        &profile,
    ] {
        capabilities.add_arg(argument)?;
    }
    if has_label {
        capabilities.add_arg(&camera)?;
    }
    let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await?;
    Ok((driver, vec![chromedriver]))
}

async fn start_chromedriver() -> Result<(Child, u16)> {
    let mut child = process::quiet("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start chromedriver (Debian's package chromium-driver)")?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(port) = line.strip_prefix("ChromeDriver was started successfully on port ") {
            let port = port.trim_end_matches('.').parse().context("an odd port")?;
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok((child, port));
        }
    }
    bail!("chromedriver ended before it listened")
}

/// Beside the profile: the browser would clear away what lies in it.
pub(super) fn camera_of(profile: &Path) -> PathBuf {
    profile.with_extension("y4m")
}

/// Of the page; its worker's network is not touched.
pub(super) async fn set_online(browser: &Browser, online: bool) -> Result<()> {
    let conditions = json!({ "offline": !online, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    browser.devtools("Network.enable", json!({})).await?;
    browser.devtools("Network.emulateNetworkConditions", conditions).await?;
    Ok(())
}

pub(super) async fn kill_workers(browser: &Browser) -> Result<()> {
    browser.devtools("ServiceWorker.enable", json!({})).await?;
    browser.devtools("ServiceWorker.stopAllWorkers", json!({})).await?;
    Ok(())
}

pub(super) async fn show_as(browser: &Browser, (width, height): (u32, u32), dark: bool) -> Result<()> {
    let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
    let scheme = if dark { "dark" } else { "light" };
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    browser.devtools("Emulation.setEmulatedMedia", media).await?;
    Ok(())
}
