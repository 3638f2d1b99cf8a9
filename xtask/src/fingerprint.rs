//! Skipping work whose inputs did not change: one digest over files and facts, kept beside cargo's output.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::workspace::Workspace;

/// Folders that hold what is made from the inputs, never inputs.
const MADE: &[&str] = &["node_modules", "dist", "dev-dist", "coverage", "target", ".git"];

/// A digest under construction.
#[derive(Default)]
pub(crate) struct Fingerprint {
    hasher: Sha256,
}

impl Fingerprint {
    /// A digest for what is made inside one checkout; several may share cargo's output folder and these stamps.
    pub(crate) fn of_checkout(root: &Path) -> Self {
        let mut fingerprint = Self::default();
        fingerprint.fact("checkout", root.as_os_str().as_encoded_bytes());
        fingerprint
    }

    /// Adds a fact, such as a compiler's version.
    pub(crate) fn fact(&mut self, name: &str, value: &[u8]) {
        // Lengths first, so that no two different lists of facts read the same.
        for part in [name.as_bytes(), value] {
            self.hasher.update((part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
    }

    /// Adds a file's content under its name relative to `root`; a file that is not there counts as such.
    pub(crate) fn file(&mut self, root: &Path, path: &Path) -> Result<()> {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        match fs::read(path) {
            Ok(content) => self.fact(&name, &content),
            Err(error) if error.kind() == ErrorKind::NotFound => self.fact(&name, b"absent"),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
        Ok(())
    }

    /// Adds every file below `folder`, in the order of their names, but nothing that was made by a build.
    pub(crate) fn folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let entries = WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(|entry| !is_made(entry));
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            if entry.file_type().is_file() {
                self.file(root, entry.path())?;
            }
        }
        Ok(())
    }

    /// The digest as text.
    pub(crate) fn finish(self) -> String {
        format!("{:x}", self.hasher.finalize())
    }
}

/// The digest that the last successful run of one kind of work left behind.
pub(crate) struct Stamp {
    path: PathBuf,
}

impl Stamp {
    /// A stamp among the commands' own notes.
    pub(crate) fn named(workspace: &Workspace, name: &str) -> Self {
        Self::at(workspace.notes().join(format!("{name}.fingerprint")))
    }

    /// A stamp in a file of its own, for work whose result may be deleted together with it.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Whether the last successful run had the same inputs and what it made is still there.
    pub(crate) fn holds(&self, fingerprint: &str, made: &[PathBuf]) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|stored| stored == fingerprint)
            && made.iter().all(|path| path.exists())
    }

    /// Remembers a successful run.
    pub(crate) fn set(&self, fingerprint: &str) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&self.path, fingerprint).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Keeps two runs from making the same things at once; released when dropped.
pub(crate) fn lock(workspace: &Workspace) -> Result<fs::File> {
    let folder = workspace.notes();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("lock");
    let file = fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        println!("Waiting for another `cargo xtask` to finish its build.");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

fn is_made(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_type().is_dir() && MADE.iter().any(|name| entry.file_name() == *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(folder: &Path) -> String {
        let mut fingerprint = Fingerprint::default();
        fingerprint.folder(folder, folder).expect("the folder can be read");
        fingerprint.finish()
    }

    #[test]
    fn inputs_change_the_digest_and_results_do_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("a.ts"), "1").expect("a file");
        let first = digest(folder.path());

        fs::create_dir(folder.path().join("dist")).expect("a folder");
        fs::write(folder.path().join("dist/a.js"), "1").expect("a file");
        assert_eq!(digest(folder.path()), first, "what a build makes is no input");

        fs::write(folder.path().join("a.ts"), "2").expect("a file");
        let changed = digest(folder.path());
        assert_ne!(changed, first, "content is an input");

        fs::rename(folder.path().join("a.ts"), folder.path().join("b.ts")).expect("a rename");
        assert_ne!(digest(folder.path()), changed, "names are inputs");
    }

    #[test]
    fn a_stamp_holds_only_for_the_same_inputs_and_while_the_results_exist() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = folder.path().join("made");
        let stamp = Stamp::at(folder.path().join("notes/x"));
        fs::write(&made, "").expect("a file");
        assert!(!stamp.holds("1", &[]));
        stamp.set("1").expect("a stamp");
        assert!(stamp.holds("1", std::slice::from_ref(&made)));
        assert!(!stamp.holds("2", std::slice::from_ref(&made)));
        fs::remove_file(&made).expect("removed");
        assert!(!stamp.holds("1", &[made]));
    }
}
