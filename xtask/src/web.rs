//! `cargo xtask web`: the npm package and the app, into `web/app/dist`, where the server takes them from.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::fingerprint::{self, Fingerprint, Stamp};
use crate::process;
use crate::workspace::Workspace;

/// Vite, which builds the app, runs on no older Node.
const NODE_OLDEST: (u32, u32) = (20, 19);
/// The script that compresses the built app.
const COMPRESSOR: &str = "xtask/src/precompress.mjs";

/// The folder of the built app.
pub(crate) fn dist(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("app/dist")
}

/// Installs the packages the lock file names and builds the app, each only when its inputs changed.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let node = check_node(&workspace.root)?;
    let _lock = fingerprint::lock(workspace)?;
    install(workspace, &node)?;
    let stamp = Stamp::named(workspace, "web");
    let fingerprint = inputs(workspace, &node)?;
    if stamp.holds(&fingerprint, &[dist(workspace).join("index.html")]) {
        println!("Web app: up to date.");
        return Ok(());
    }
    process::run_quietly(npm(workspace).args(["run", "build"])).context("the web app could not be built")?;
    if !dist(workspace).join("index.html").is_file() {
        bail!("`npm run build` was expected to make web/app/dist/index.html, which is not there");
    }
    precompress(workspace)?;
    stamp.set(&fingerprint)?;
    println!("Web app: web/app/dist is built.");
    Ok(())
}

/// Runs one of the scripts of `web/package.json`, its output shown.
pub(crate) fn script(workspace: &Workspace, name: &str) -> Result<()> {
    process::run(npm(workspace).args(["run", "--silent", name]))
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("web")
}

fn npm(workspace: &Workspace) -> Command {
    process::command(if cfg!(windows) { "npm.cmd" } else { "npm" }, &folder(workspace))
}

fn install(workspace: &Workspace, node: &str) -> Result<()> {
    let web = folder(workspace);
    if !web.join("package-lock.json").is_file() {
        bail!("web/package-lock.json is missing; run `npm install` in web/ once and commit it");
    }
    let mut fingerprint = Fingerprint::default();
    fingerprint.fact("node", node.as_bytes());
    for name in ["package-lock.json", "package.json", "app/package.json", "courier/package.json"] {
        fingerprint.file(&web, &web.join(name))?;
    }
    let fingerprint = fingerprint.finish();
    // Inside node_modules: whoever deletes that folder deletes the stamp with it.
    let stamp = Stamp::at(web.join("node_modules/.ginti-installed"));
    if stamp.holds(&fingerprint, &[]) {
        return Ok(());
    }
    println!("Installing the web packages (npm ci).");
    process::run_quietly(npm(workspace).args(["ci", "--include=dev", "--no-audit", "--no-fund"]))
        .context("the packages in web/package-lock.json could not be installed")?;
    stamp.set(&fingerprint)
}

fn precompress(workspace: &Workspace) -> Result<()> {
    let mut node = process::command("node", &workspace.root);
    process::run_quietly(node.arg(COMPRESSOR).arg(dist(workspace))).context("the built app could not be compressed")
}

fn inputs(workspace: &Workspace, node: &str) -> Result<String> {
    let mut fingerprint = Fingerprint::of_checkout(&workspace.root);
    fingerprint.fact("node", node.as_bytes());
    fingerprint.file(&workspace.root, &workspace.root.join(COMPRESSOR))?;
    fingerprint.folder(&workspace.root, &folder(workspace))?;
    Ok(fingerprint.finish())
}

/// Node's version, when it is one that can build the app.
fn check_node(root: &Path) -> Result<String> {
    let (major, minor) = NODE_OLDEST;
    let version = process::capture(process::command("node", root).arg("--version")).with_context(|| {
        format!("Node {major}.{minor} or newer is needed to build the web app; see https://nodejs.org")
    })?;
    let version = version.trim().to_owned();
    if numbers(&version) < NODE_OLDEST {
        bail!("Node {major}.{minor} or newer is needed to build the web app; this is {version}");
    }
    Ok(version)
}

fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_compare_by_number() {
        assert!(numbers("v20.20.2") >= NODE_OLDEST);
        assert!(numbers("v22.3.0") >= NODE_OLDEST);
        assert!(numbers("v20.9.0") < NODE_OLDEST);
        assert!(numbers("v18.19.1") < NODE_OLDEST);
    }
}
