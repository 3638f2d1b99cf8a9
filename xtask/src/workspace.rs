//! Where things are: the repository's root, cargo's target folder, and what cargo knows about the packages.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process;

/// The checkout the commands work on.
pub(crate) struct Workspace {
    /// The folder that holds the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's output folder, wherever the user has put it.
    pub(crate) target: PathBuf,
    /// The workspace's own packages.
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) rust_version: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One dependency a package declares.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for an ordinary dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// Set when the dependency is a folder and not a registry's package.
    pub(crate) path: Option<PathBuf>,
}

impl Workspace {
    /// Finds the workspace this command was started from and asks cargo about it.
    pub(crate) fn find() -> Result<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Package>,
            target_directory: PathBuf,
        }
        let root = find_root()?;
        let text = process::capture(process::cargo(&root).args(["metadata", "--no-deps", "--format-version=1"]))?;
        let metadata: Metadata = serde_json::from_str(&text).context("cargo metadata answered something unexpected")?;
        Ok(Self { root, target: metadata.target_directory, packages: metadata.packages })
    }

    /// The folder of these commands' own notes (fingerprints, locks, installed tools).
    pub(crate) fn notes(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// A package and every workspace package it is built from, by folder, in a stable order.
    pub(crate) fn folders_of(&self, name: &str) -> Result<Vec<PathBuf>> {
        let mut wanted = vec![name];
        let mut folders = Vec::new();
        let mut next = 0;
        while let Some(name) = wanted.get(next).copied() {
            next += 1;
            let Some(package) = self.packages.iter().find(|package| package.name == name) else {
                bail!("there is no package {name} in this workspace");
            };
            folders.push(package.folder().to_owned());
            for dependency in package.dependencies.iter().filter(|dependency| dependency.is_built_in()) {
                if !wanted.contains(&dependency.name.as_str()) {
                    wanted.push(&dependency.name);
                }
            }
        }
        folders.sort();
        Ok(folders)
    }
}

impl Package {
    /// The package's folder.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

impl Dependency {
    fn is_built_in(&self) -> bool {
        self.path.is_some() && self.kind.as_deref() != Some("dev")
    }
}

/// `cargo run` says where the package is; a binary started by hand looks upwards from the current folder.
fn find_root() -> Result<PathBuf> {
    if let Some(root) = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).as_deref().and_then(Path::parent) {
        return Ok(root.to_owned());
    }
    let here = env::current_dir().context("the current folder cannot be read")?;
    here.ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        .map(Path::to_owned)
        .context("run this inside the Ginti repository")
}
