//! Chromium under chromedriver, with a profile directory that outlives the process: closing and reopening the browser is
//! part of what is tested.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Phone size in CSS pixels: what the app is designed for.
pub const PHONE: (u32, u32) = (390, 844);
/// A desk's screen.
pub const DESKTOP: (u32, u32) = (1280, 900);

/// A running browser with one window.
#[derive(Debug)]
pub struct Browser {
    driver: WebDriver,
    _chromedriver: Child,
}

impl Browser {
    /// Starts a browser on a profile.
    pub async fn start(profile: &Path) -> Result<Self> {
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
        driver.set_script_timeout(std::time::Duration::from_secs(120)).await?;
        Ok(Self { driver, _chromedriver: chromedriver })
    }

    /// Puts a label before the camera of a browser that is not running yet.
    pub fn show_label(profile: &Path, code: &str) -> Result<()> {
        crate::label::write_video(code, &camera_of(profile))
    }

    /// The WebDriver session.
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// A command of the Chrome DevTools Protocol, to the page.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Result<Value> {
        Ok(self.driver.cdp().send_raw(method, parameters).await?)
    }

    /// What a script's promise gives.
    pub async fn run(&self, body: &str, arguments: Vec<Value>) -> Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const run = async (...args) => {{ {body} }};
             run(...Array.from(arguments).slice(0, -1)).then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));"
        );
        let done = self.driver.execute_async(&script, arguments).await?;
        let done = done.json();
        match done.get("error") {
            Some(error) => bail!("the script failed: {error}"),
            None => Ok(done.get("value").cloned().unwrap_or(Value::Null)),
        }
    }

    /// Keeps a picture under `target/e2e/`.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/e2e");
        std::fs::create_dir_all(&folder)?;
        Ok(self.driver.screenshot(&folder.join(format!("{name}.png"))).await?)
    }

    /// Sizes the page and chooses a colour scheme.
    pub async fn show_as(&self, (width, height): (u32, u32), dark: bool) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await?;
        Ok(())
    }

    /// Closes the browser. Its profile stays.
    pub async fn close(self) -> Result<()> {
        Ok(self.driver.quit().await?)
    }
}

async fn start_chromedriver() -> Result<(Child, u16)> {
    let mut child = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
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
fn camera_of(profile: &Path) -> std::path::PathBuf {
    profile.with_extension("y4m")
}
