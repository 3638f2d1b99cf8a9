//! `cargo xtask wasm`: the sync machines as WebAssembly, with their JavaScript and TypeScript side.
//!
//! cargo compiles the crate for the browser's target; wasm-bindgen, called as a library, turns the result into the
//! three files that `web/courier` imports.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::fingerprint::{self, Fingerprint, Stamp};
use crate::process;
use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::Workspace;

const PACKAGE: &str = "ginti-sync-wasm";
/// What the generated files are called, and with them the module the web side imports.
const MODULE: &str = "ginti_sync";

/// The folder the generated files go to; git ignores it.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("web/courier/wasm")
}

/// Builds the module unless it is there already, made from the same inputs.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let _lock = fingerprint::lock(workspace)?;
    let toolchain = Toolchain::find(workspace)?;
    let stamp = Stamp::named(workspace, "wasm");
    let fingerprint = inputs(workspace, &toolchain)?;
    if stamp.holds(&fingerprint, &outputs(workspace)) {
        println!("WebAssembly: up to date.");
        return Ok(());
    }
    compile(workspace, &toolchain)?;
    bind(workspace)?;
    stamp.set(&fingerprint)?;
    let size = fs::metadata(folder(workspace).join(format!("{MODULE}_bg.wasm")))?.len();
    println!("WebAssembly: web/courier/wasm is built ({} KB before compression).", size.div_ceil(1024));
    Ok(())
}

fn compile(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let mut cargo = toolchain.cargo(workspace);
    // `cargo rustc` sets the crate type for this call only: an ordinary build then makes no shared library.
    cargo.args(["rustc", "--package", PACKAGE, "--lib", "--crate-type", "cdylib", "--profile", "wasm"]);
    process::run(cargo.args(toolchain.arguments())).context("the WebAssembly module could not be compiled")
}

fn bind(workspace: &Workspace) -> Result<()> {
    let compiled = workspace.target.join(TARGET).join("wasm").join(format!("{}.wasm", PACKAGE.replace('-', "_")));
    if !compiled.is_file() {
        bail!("cargo was expected to make {}, which is not there", compiled.display());
    }
    // Written elsewhere and moved file by file: a web build that runs meanwhile never reads half a module.
    let fresh = tempfile::tempdir_in(workspace.notes()).context("cannot make a temporary folder")?;
    Bindgen::new()
        .input_path(&compiled)
        .out_name(MODULE)
        .web(true)?
        .omit_default_module_path(true)
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(fresh.path())
        .context("wasm-bindgen could not read the compiled module")?;
    let folder = folder(workspace);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for entry in fs::read_dir(fresh.path())? {
        let entry = entry?;
        let place = folder.join(entry.file_name());
        fs::rename(entry.path(), &place).with_context(|| format!("cannot write {}", place.display()))?;
    }
    Ok(())
}

fn inputs(workspace: &Workspace, toolchain: &Toolchain) -> Result<String> {
    let mut fingerprint = Fingerprint::of_checkout(&workspace.root);
    fingerprint.fact("toolchain", toolchain.version.as_bytes());
    fingerprint.fact("arguments", toolchain.arguments().join(" ").as_bytes());
    for name in ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "xtask/src/wasm.rs"] {
        fingerprint.file(&workspace.root, &workspace.root.join(name))?;
    }
    for folder in workspace.folders_of(PACKAGE)? {
        fingerprint.folder(&workspace.root, &folder)?;
    }
    Ok(fingerprint.finish())
}

fn outputs(workspace: &Workspace) -> Vec<PathBuf> {
    let folder = folder(workspace);
    [".js", ".d.ts", "_bg.wasm", "_bg.wasm.d.ts"].map(|ending| folder.join(format!("{MODULE}{ending}"))).into()
}
