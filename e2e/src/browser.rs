//! A real browser under its driver, with a profile directory that outlives the process: closing and reopening the browser
//! is part of what is tested. What differs between engines is behind this one interface.

mod chromium;
mod firefox;
mod process;
mod sight;
mod touch;
mod webkit;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use tokio::process::Child;

use crate::Engine;

/// Phone size in CSS pixels: what the app is designed for.
pub const PHONE: (u32, u32) = (390, 844);
/// A desk's screen.
pub const DESKTOP: (u32, u32) = (1280, 900);

/// A running browser with one window.
#[derive(Debug)]
pub struct Browser {
    engine: Engine,
    driver: WebDriver,
    profile: PathBuf,
    /// The driver, and what it needs. They end with this.
    _processes: Vec<Child>,
}

impl Browser {
    /// Starts a browser on a profile.
    pub async fn start(engine: Engine, profile: &Path) -> Result<Self> {
        let (driver, processes) = match engine {
            Engine::Chromium => chromium::start(profile).await,
            Engine::Firefox => firefox::start(profile).await,
            Engine::WebKit => webkit::start(profile).await,
        }
        .with_context(|| format!("{} does not start", engine.name()))?;
        driver.set_script_timeout(Duration::from_secs(120)).await?;
        Ok(Self { engine, driver, profile: profile.to_owned(), _processes: processes })
    }

    /// Puts a label before the camera of a Chromium that is not running yet.
    pub fn show_label(profile: &Path, code: &str) -> Result<()> {
        crate::label::write_video(code, &chromium::camera_of(profile))
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The WebDriver session.
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// A command of the Chrome DevTools Protocol, to the page.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Result<Value> {
        ensure!(self.engine == Engine::Chromium, "{} has no DevTools protocol", self.engine.name());
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

    /// Tells the browser that the network is gone or back. An engine that cannot be told hears the page's event alone; the
    /// link itself is cut apart from this.
    pub async fn set_online(&self, online: bool) -> Result<()> {
        match self.engine {
            Engine::Chromium => chromium::set_online(self, online).await,
            Engine::Firefox => firefox::set_online(&self.driver, online).await,
            Engine::WebKit => {
                let event = if online { "online" } else { "offline" };
                self.run("dispatchEvent(new Event(args[0]));", vec![json!(event)]).await.map(drop)
            }
        }
    }

    /// Kills every service worker, wherever it is in its work, and leaves the pages alone.
    pub async fn kill_workers(&self) -> Result<()> {
        match self.engine {
            Engine::Chromium => chromium::kill_workers(self).await,
            Engine::Firefox => firefox::kill_workers(&self.driver).await,
            Engine::WebKit => bail!("WebKit's worker lives in the process of a page"),
        }
    }

    /// Kills everything at once, as a phone does with a browser in its background. The profile stays as it is at that moment.
    pub async fn kill(self) -> Result<()> {
        ensure!(self.engine == Engine::WebKit, "only needed where the worker cannot be killed alone");
        webkit::order(&self.profile, "die").await?;
        // There is nobody left to say goodbye to.
        self.driver.leak()?;
        Ok(())
    }

    /// Loads the page again from the network, past the worker.
    pub async fn reload_past_worker(&self) -> Result<()> {
        match self.engine {
            Engine::Chromium => {
                self.devtools("Page.reload", json!({ "ignoreCache": true })).await?;
            }
            // The driver's own reload is a forced one.
            Engine::Firefox => self.driver.refresh().await?,
            Engine::WebKit => webkit::order(&self.profile, "reload-bypassing-cache").await?,
        }
        Ok(())
    }

    /// Hides the window, or shows it again.
    pub async fn set_visible(&self, visible: bool) -> Result<()> {
        if visible {
            // Restores a minimised window in every engine.
            self.driver.set_window_rect(0, 0, PHONE.0, PHONE.1).await?;
        } else {
            self.driver.minimize_window().await?;
        }
        Ok(())
    }

    /// Keeps a picture under `target/e2e/`; of engines other than Chromium in a folder of their own.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        let mut folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/e2e");
        if self.engine != Engine::Chromium {
            folder.push(self.engine.name());
        }
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{name}.png"));
        if self.engine != Engine::WebKit {
            return Ok(self.driver.screenshot(&path).await?);
        }
        // The driver waits until the page is painted, and a page where nothing happens never is.
        let keep_painting = "document.documentElement.animate([{ opacity: 1 }, { opacity: 0.999 }], { id: 'picture', duration: 60_000 });";
        self.run(keep_painting, vec![]).await?;
        self.driver.screenshot(&path).await?;
        let stop =
            "for (const animation of document.getAnimations()) if (animation.id === 'picture') animation.cancel();";
        self.run(stop, vec![]).await.map(drop)
    }

    /// Sizes the page and chooses a colour scheme.
    pub async fn show_as(&self, size: (u32, u32), dark: bool) -> Result<()> {
        match self.engine {
            Engine::Chromium => chromium::show_as(self, size, dark).await,
            Engine::Firefox => firefox::show_as(&self.driver, size, dark).await,
            Engine::WebKit => {
                self.driver.set_window_rect(0, 0, size.0, size.1).await?;
                webkit::order(&self.profile, if dark { "dark" } else { "light" }).await
            }
        }
    }

    /// Closes the browser. Its profile stays.
    pub async fn close(self) -> Result<()> {
        Ok(self.driver.quit().await?)
    }
}
