//! Where the WebAssembly target comes from: the active toolchain, else Debian's compiler for its browsers (which
//! brings the standard library's sources), else rustup. Debian comes before rustup because package registries are
//! often reachable where rustup's server is not.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{debian, process};

/// The compilation target.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler lives here whatever the PATH says.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "rust-web-src", "lld-19"];
/// Linkers that speak WebAssembly, under the names distributions give them.
const LINKERS: &[&str] =
    &["rust-lld", "wasm-ld-19", "wasm-ld", "wasm-ld-21", "wasm-ld-20", "wasm-ld-18", "wasm-ld-17", "lld", "lld-19"];

/// A way to compile for the target on this machine.
pub(crate) struct Toolchain {
    /// A compiler other than the active one, whose standard library is built from its sources.
    from_source: Option<PathBuf>,
    /// A linker other than the compiler's own.
    linker: Option<String>,
    /// What distinguishes this compiler's output from another's.
    pub(crate) version: String,
}

impl Toolchain {
    /// Finds a way, installing what is missing where that is possible.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        if let Some(found) = Self::active(workspace)? {
            return Ok(found);
        }
        if let Some(found) = Self::debian(workspace)? {
            return Ok(found);
        }
        if debian::can_install() {
            match debian::install(DEBIAN_PACKAGES) {
                Ok(()) => {
                    if let Some(found) = Self::debian(workspace)? {
                        return Ok(found);
                    }
                }
                Err(error) => eprintln!("{error:#}; trying rustup instead."),
            }
        }
        let mut rustup = process::command("rustup", &workspace.root);
        process::run(rustup.args(["target", "add", TARGET])).with_context(sentence)?;
        Self::active(workspace)?.with_context(sentence)
    }

    /// The cargo call that compiles, ready for a subcommand's arguments.
    pub(crate) fn cargo(&self, workspace: &Workspace) -> Command {
        let mut cargo = process::cargo(&workspace.root);
        if let Some(rustc) = &self.from_source {
            cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }

    /// The arguments every compilation needs.
    pub(crate) fn arguments(&self) -> Vec<&'static str> {
        let mut arguments = vec!["--target", TARGET];
        if self.from_source.is_some() {
            arguments.push("-Zbuild-std=std,panic_abort");
        }
        arguments
    }

    fn active(workspace: &Workspace) -> Result<Option<Self>> {
        let rustc = Path::new("rustc");
        let libraries = ask(workspace, rustc, &["--print", "target-libdir", "--target", TARGET]);
        if !libraries.is_ok_and(|folder| has_core(Path::new(&folder))) {
            return Ok(None);
        }
        let version = ask(workspace, rustc, &["-vV"])?;
        Ok(Some(Self { from_source: None, linker: linker(workspace, rustc)?, version }))
    }

    fn debian(workspace: &Workspace) -> Result<Option<Self>> {
        let rustc = Path::new(DEBIAN_RUSTC);
        let Ok(sysroot) = ask(workspace, rustc, &["--print", "sysroot"]) else { return Ok(None) };
        if !Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file() {
            return Ok(None);
        }
        let version = ask(workspace, rustc, &["-vV"])?;
        if release(&version) < oldest(workspace) {
            return Ok(None);
        }
        Ok(Some(Self { from_source: Some(rustc.to_owned()), linker: linker(workspace, rustc)?, version }))
    }
}

/// The linker to name to cargo: none when the compiler's own runs.
fn linker(workspace: &Workspace, rustc: &Path) -> Result<Option<String>> {
    if let Some(own) = own_linker(workspace, rustc)
        && links(&own)
    {
        return Ok(None);
    }
    if let Some(found) = LINKERS.iter().find(|name| links(name)) {
        return Ok(Some((*found).to_owned()));
    }
    debian::install(&["lld-19"]).context("there is no linker for WebAssembly (rust-lld or wasm-ld)")?;
    match LINKERS.iter().find(|name| links(name)) {
        Some(found) => Ok(Some((*found).to_owned())),
        None => bail!("the package lld-19 is installed, but none of {} can be started", LINKERS.join(", ")),
    }
}

/// Where the compiler expects the linker it ships with.
fn own_linker(workspace: &Workspace, rustc: &Path) -> Option<PathBuf> {
    let sysroot = ask(workspace, rustc, &["--print", "sysroot"]).ok()?;
    let version = ask(workspace, rustc, &["-vV"]).ok()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld"))
}

/// Found by running it: a file that is there may still be a link to nowhere.
fn links(linker: impl AsRef<Path>) -> bool {
    let linker = linker.as_ref();
    let is_generic = linker.file_name().is_some_and(|name| !name.to_string_lossy().starts_with("wasm-ld"));
    let arguments: &[&str] = if is_generic { &["-flavor", "wasm", "--version"] } else { &["--version"] };
    process::works(linker, arguments)
}

fn ask(workspace: &Workspace, rustc: &Path, arguments: &[&str]) -> Result<String> {
    let answer = process::capture(process::command(rustc, &workspace.root).args(arguments))?;
    Ok(answer.trim().to_owned())
}

fn has_core(libraries: &Path) -> bool {
    libraries
        .read_dir()
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
}

/// The oldest compiler the workspace accepts.
fn oldest(workspace: &Workspace) -> (u32, u32) {
    workspace
        .packages
        .iter()
        .filter_map(|package| package.rust_version.as_deref())
        .map(numbers)
        .max()
        .unwrap_or_default()
}

fn release(version: &str) -> (u32, u32) {
    version.lines().find_map(|line| line.strip_prefix("release: ")).map(numbers).unwrap_or_default()
}

fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn sentence() -> String {
    format!(
        "there is no Rust compiler for {TARGET} here; run `rustup target add {TARGET}`, or on Debian as root: \
         apt-get install --no-install-recommends {}",
        DEBIAN_PACKAGES.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_versions_compare_by_number() {
        let version =
            "rustc 1.96.0 (ac68faa20 2026-05-25)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0";
        assert_eq!(release(version), (1, 96));
        assert!(numbers("1.100") > numbers("1.90.1"));
        assert_eq!(release("something else"), (0, 0));
    }
}
