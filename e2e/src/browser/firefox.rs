//! Firefox under geckodriver. What the tests need beyond WebDriver is done by scripts in the browser's own context.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use thirtyfour::{Capabilities, RequestData, SessionId, common::command::FormatRequestData, prelude::*};
use tokio::process::Child;

use super::{DESKTOP, process};

pub(super) async fn start(profile: &Path) -> Result<(WebDriver, Vec<Child>)> {
    std::fs::create_dir_all(profile)?;
    let (port, bidi) = (process::free_port()?, process::free_port()?);
    let program = std::env::var("GINTI_GECKODRIVER").unwrap_or_else(|_| "geckodriver".to_owned());
    let mut command = process::quiet(&program);
    // Large enough for any size a page is given.
    command.env("MOZ_HEADLESS_WIDTH", "1400").env("MOZ_HEADLESS_HEIGHT", "1100");
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--websocket-port", &bidi.to_string()]);
    command.arg("--allow-system-access");
    let geckodriver = process::start(&mut command, port, "cargo install geckodriver").await?;
    let mut capabilities = Capabilities::new();
    capabilities.set("browserName", "firefox")?;
    let options = json!({
        "args": ["-headless", "-profile", profile],
        "prefs": {
            // Nothing on the internet is asked for anything.
            "network.captive-portal-service.enabled": false,
            "network.connectivity-service.enabled": false,
            "network.proxy.type": 0,
            "extensions.systemAddon.update.enabled": false,
            // JSON is shown as it is, by no page of the browser's own.
            "devtools.jsonview.enabled": false,
            // A computer without sound and camera is no news.
            "media.navigator.permission.disabled": true,
        },
    });
    capabilities.set("moz:firefoxOptions", options)?;
    let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await?;
    show_as(&driver, super::PHONE, false).await?;
    Ok((driver, vec![geckodriver]))
}

/// Of the whole browser, workers included.
pub(super) async fn set_online(driver: &WebDriver, online: bool) -> Result<()> {
    in_browser(driver, "Services.io.offline = arguments[0];", vec![json!(!online)]).await
}

pub(super) async fn kill_workers(driver: &WebDriver) -> Result<()> {
    let script = "const manager = Cc['@mozilla.org/serviceworkers/manager;1'].getService(Ci.nsIServiceWorkerManager);
         const registrations = manager.getAllRegistrations();
         for (let n = 0; n < registrations.length; n++) {
           const registration = registrations.queryElementAt(n, Ci.nsIServiceWorkerRegistrationInfo);
           for (const worker of [registration.activeWorker, registration.waitingWorker, registration.evaluatingWorker]) worker?.terminateWorker();
         }";
    in_browser(driver, script, vec![]).await
}

/// A window cannot be as narrow as a phone, the page in it can.
pub(super) async fn show_as(driver: &WebDriver, (width, height): (u32, u32), dark: bool) -> Result<()> {
    driver.set_window_rect(0, 0, DESKTOP.0 + 60, DESKTOP.1 + 180).await?;
    let script = "const { style } = gBrowser.selectedBrowser;
         for (const [name, pixels] of [['width', arguments[0]], ['height', arguments[1]]]) {
           style.setProperty(`min-${name}`, `${pixels}px`, 'important');
           style.setProperty(`max-${name}`, `${pixels}px`, 'important');
         }
         Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', arguments[2] ? 0 : 1);";
    in_browser(driver, script, vec![json!(width), json!(height), json!(dark)]).await
}

/// Runs a script with the browser's own rights.
async fn in_browser(driver: &WebDriver, script: &str, arguments: Vec<Value>) -> Result<()> {
    driver.cmd(Context("chrome")).await?;
    let done = driver.execute(script, arguments).await;
    driver.cmd(Context("content")).await?;
    let done = done?;
    ensure!(done.json().is_null(), "the script was not meant to answer: {}", done.json());
    Ok(())
}

/// Whose rights the scripts that follow have.
#[derive(Debug)]
struct Context(&'static str);

impl FormatRequestData for Context {
    fn format_request(&self, session: &SessionId) -> RequestData {
        let path = format!("/session/{session}/moz/context");
        RequestData::new(reqwest::Method::POST, path).add_body(json!({ "context": self.0 }))
    }
}
