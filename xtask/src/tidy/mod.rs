//! `cargo xtask tidy`: what must hold in the repository and a compiler cannot see.
//!
//! Each module holds checks over plain values (a file's name and text, a package's dependencies) and returns
//! complaints; this one gathers the values from git and cargo and prints what came out.

mod documents;
mod layers;
mod machine;
mod mirror;
mod security;
mod sources;
mod tracked;

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// A text file of the repository.
struct File {
    /// The path from the repository's root, with `/` between folders.
    name: String,
    text: String,
}

/// Runs every check and fails if one complains.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let tracked = list(workspace, &["--cached"])?;
    // A file that is about to be added is checked too, so that nobody learns of it after the commit.
    let files = read(workspace, list(workspace, &["--cached", "--others", "--exclude-standard"])?)?;
    let mut complaints = tracked::check(&tracked);
    complaints.extend(layers::check(&layers::of(workspace)));
    complaints.extend(documents::check(&files));
    complaints.extend(mirror::check(&files));
    complaints.extend(security::check(&files));
    for file in &files {
        complaints.extend(sources::check(file));
        complaints.extend(machine::check(file));
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if !complaints.is_empty() {
        bail!("tidy has {} complaints, printed above", complaints.len());
    }
    println!("tidy: {} files hold.", files.len());
    Ok(())
}

/// The names git knows, in order and each once.
fn list(workspace: &Workspace, which: &[&str]) -> Result<Vec<String>> {
    let mut git = process::command("git", &workspace.root);
    // The checkout may belong to another user, as it does in many a container; reading its list of files is harmless.
    git.args(["-c", "safe.directory=*", "ls-files", "-z"]).args(which);
    let output = process::capture(&mut git).context("tidy needs git and a checkout of the repository")?;
    let mut names: Vec<String> = output.split_terminator('\0').map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The files among them that are text and still there.
fn read(workspace: &Workspace, names: Vec<String>) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for name in names {
        match fs::read(workspace.root.join(&name)) {
            Ok(content) => {
                if let Ok(text) = String::from_utf8(content) {
                    files.push(File { name, text });
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {name}")),
        }
    }
    Ok(files)
}

impl File {
    /// Whether the name ends in one of these.
    fn has_ending(&self, endings: &[&str]) -> bool {
        self.name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending))
    }

    /// A complaint about one line of the file, counted from zero.
    fn complain(&self, line: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.name, line + 1)
    }

    #[cfg(test)]
    fn sample(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned() }
    }
}

/// Whether `word` stands in `text` by itself, not as a part of a longer word.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_words() {
        assert!(has_word("an Instant passes", "Instant"));
        assert!(has_word("std::time::Instant", "Instant"));
        assert!(!has_word("Instantly", "Instant"));
        assert!(!has_word("my_Instant", "Instant"));
        assert!(has_word("Instantly, in an Instant", "Instant"));
    }
}
