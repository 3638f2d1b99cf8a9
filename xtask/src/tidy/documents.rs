//! Documents follow the code: ARCHITECTURE.md knows every part, README.md how to start.

use super::File;

/// The parts outside `crates/`.
const PARTS: &[&str] = &["e2e", "xtask", "web/app", "web/courier"];
/// What a newcomer types.
const COMMANDS: &[&str] = &["cargo xtask run", "cargo xtask test"];

/// Complains of parts and commands that the documents leave out.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for part in parts(files).iter().filter(|part| !mentions(files, "ARCHITECTURE.md", part)) {
        complaints.push(format!("ARCHITECTURE.md: say what {part} is for"));
    }
    for command in COMMANDS.iter().filter(|command| !mentions(files, "README.md", command)) {
        complaints.push(format!("README.md: show the command `{command}`"));
    }
    complaints
}

fn mentions(files: &[File], document: &str, what: &str) -> bool {
    files.iter().any(|file| file.name == document && file.text.contains(what))
}

/// The crates by their folder's name, and the other parts that exist.
fn parts(files: &[File]) -> Vec<String> {
    let mut found: Vec<String> = files
        .iter()
        .filter_map(|file| file.name.strip_prefix("crates/")?.strip_suffix("/Cargo.toml").map(str::to_owned))
        .collect();
    let exists = |part: &&&str| {
        files.iter().any(|file| file.name.strip_prefix(**part).is_some_and(|rest| rest.starts_with('/')))
    };
    found.extend(PARTS.iter().filter(exists).map(|&part| part.to_owned()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_and_command_is_written_about() {
        let readme = File::sample("README.md", "Type `cargo xtask run` or `cargo xtask test`.");
        let mut files =
            vec![readme, File::sample("crates/ginti-types/Cargo.toml", ""), File::sample("e2e/src/lib.rs", "")];
        assert_eq!(
            check(&files),
            ["ARCHITECTURE.md: say what ginti-types is for", "ARCHITECTURE.md: say what e2e is for"]
        );
        files.push(File::sample("ARCHITECTURE.md", "`ginti-types` and `e2e`"));
        assert!(check(&files).is_empty());
        files[0].text.clear();
        assert_eq!(check(&files).len(), COMMANDS.len());
    }
}
