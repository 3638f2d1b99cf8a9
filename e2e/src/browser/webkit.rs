//! `WebKitGTK` under `WebKitWebDriver`, on an X server of its own. The browser is a program of ours (`webkit.py`) that keeps
//! what pages store and takes orders for what WebDriver cannot say.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result};
use serde_json::json;
use thirtyfour::{Capabilities, prelude::*};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixDatagram,
    process::Child,
};

use super::process;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/browser/webkit.py");

pub(super) async fn start(profile: &Path) -> Result<(WebDriver, Vec<Child>)> {
    std::fs::create_dir_all(profile)?;
    let (xvfb, display) = start_display().await?;
    let port = process::free_port()?;
    let mut command = process::quiet("WebKitWebDriver");
    command.args(["--host=127.0.0.1", &format!("--port={port}")]);
    command
        .env("DISPLAY", display)
        .env("GDK_BACKEND", "x11")
        .env("NO_AT_BRIDGE", "1")
        .env("LIBGL_ALWAYS_SOFTWARE", "1");
    command.env("WEBKIT_DISABLE_DMABUF_RENDERER", "1").env("GSETTINGS_BACKEND", "memory");
    let webdriver = process::start(&mut command, port, "Debian's package webkit2gtk-driver").await?;
    let mut capabilities = Capabilities::new();
    let options = json!({ "binary": PROGRAM, "args": [profile, orders_of(profile)] });
    capabilities.set("webkitgtk:browserOptions", options)?;
    let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await?;
    // In this order: what is dropped first ends first.
    Ok((driver, vec![webdriver, xvfb]))
}

/// An X server on a display number that nobody has.
async fn start_display() -> Result<(Child, String)> {
    let mut xvfb = process::quiet("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1400x1100x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start Xvfb (Debian's package xvfb)")?;
    let mut lines = BufReader::new(xvfb.stdout.take().context("no stdout")?).lines();
    let number = lines.next_line().await?.context("Xvfb ended before it had a display")?;
    Ok((xvfb, format!(":{}", number.trim())))
}

/// Has the browser do what WebDriver has no words for.
pub(super) async fn order(profile: &Path, what: &str) -> Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket
        .send_to(what.as_bytes(), orders_of(profile))
        .await
        .with_context(|| format!("the browser takes no orders ({what})"))?;
    Ok(())
}

fn orders_of(profile: &Path) -> PathBuf {
    profile.with_extension("orders")
}
