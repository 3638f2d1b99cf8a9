//! Source files are short, open with what they are for, are finished, and keep the sync machines free of I/O.

use super::{File, has_word};

const LINES_MAX: usize = 600;
const SOURCES: &[&str] = &["rs", "ts", "vue", "css"];
/// Where unfinished work hides.
const MARKED: &[&str] = &["rs", "ts", "vue", "css", "js", "mjs", "cjs", "html", "toml", "sh", "sql"];
const SCRIPTS: &[&str] = &["ts", "vue", "js", "mjs", "cjs"];

// Written in two halves, so that this file does not find them in itself.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
const UNFINISHED_RUST: &[&str] = &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "ignore")];
const UNFINISHED_SCRIPT: &[&str] = &[concat!(".only", "("), concat!(".skip", "(")];

/// Where the machines live that take time and chance from their host.
const SANS_IO: &str = "crates/ginti-sync/src/";
const FORBIDDEN: &[(&str, &str)] = &[
    ("SystemTime", "the host passes the time"),
    ("Instant", "the host passes the time"),
    ("HashMap", "its order differs from run to run; use BTreeMap"),
    ("HashSet", "its order differs from run to run; use BTreeSet"),
    ("std::fs", "the machines do no I/O"),
    ("std::net", "the machines do no I/O"),
    ("rand", "the host passes entropy"),
];

/// Complains of one file.
pub(super) fn check(file: &File) -> Vec<String> {
    let mut complaints = length_and_opening(file);
    for (number, line) in file.text.lines().enumerate() {
        complaints.extend(unfinished(file, line).map(|what| file.complain(number, &format!("unfinished: {what}"))));
        if file.name.starts_with(SANS_IO) {
            let code = line.split("//").next().unwrap_or_default();
            for (word, reason) in FORBIDDEN.iter().filter(|(word, _)| has_word(code, word)) {
                complaints.push(file.complain(number, &format!("{word} has no place in ginti-sync: {reason}")));
            }
        }
    }
    complaints
}

fn length_and_opening(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = file.text.lines().count();
    if file.has_ending(SOURCES) && lines > LINES_MAX {
        complaints.push(format!("{}: {lines} lines; split it at {LINES_MAX}", file.name));
    }
    if file.has_ending(&["rs"]) && !file.text.starts_with("//!") {
        complaints.push(file.complain(0, "open with a `//!` comment that says what the file is for"));
    }
    complaints
}

fn unfinished<'a>(file: &File, line: &'a str) -> impl Iterator<Item = &'static str> + use<'a> {
    let marks: &[&str] = if file.has_ending(MARKED) { MARKS } else { &[] };
    let calls: &[&str] = if file.has_ending(&["rs"]) {
        UNFINISHED_RUST
    } else if file.has_ending(SCRIPTS) {
        UNFINISHED_SCRIPT
    } else {
        &[]
    };
    let marks = marks.iter().filter(move |mark| has_word(line, mark));
    marks.chain(calls.iter().filter(move |call| line.contains(**call))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(name: &str, text: &str) -> Vec<String> {
        check(&File::sample(name, text))
    }

    #[test]
    fn unfinished_work_is_found_where_it_stands() {
        let mark = MARKS[0];
        assert_eq!(complaints("a.rs", &format!("//! a\n// {mark}: more")), [format!("a.rs:2: unfinished: {mark}")]);
        assert!(complaints("a.rs", &format!("//! a\n// {mark}S are words")).is_empty());
        assert_eq!(complaints("a.rs", &format!("//! a\nfn f() {{ {}) }}", UNFINISHED_RUST[0])).len(), 1);
        assert_eq!(complaints("a.test.ts", &format!("it{}'x', f)", UNFINISHED_SCRIPT[0])).len(), 1);
        assert!(complaints("a.rs", &format!("//! a\nitems.iter(){}1)", UNFINISHED_SCRIPT[1])).is_empty());
    }

    #[test]
    fn rust_files_open_with_their_purpose() {
        assert!(complaints("a.rs", "//! What for.\n").is_empty());
        assert_eq!(complaints("a.rs", "use std::fmt;\n").len(), 1);
        assert!(complaints("a.ts", "const a = 1\n").is_empty());
    }

    #[test]
    fn long_files_are_split() {
        assert!(complaints("a.css", &"a\n".repeat(LINES_MAX)).is_empty());
        assert_eq!(complaints("a.css", &"a\n".repeat(LINES_MAX + 1)).len(), 1);
        assert!(complaints("a.json", &"1\n".repeat(LINES_MAX + 1)).is_empty());
    }

    #[test]
    fn the_sync_machines_take_time_and_chance_from_their_host() {
        let code = "//! x\nuse std::time::Instant;\n";
        assert_eq!(complaints("crates/ginti-sync/src/a.rs", code).len(), 1);
        assert!(complaints("crates/ginti-server/src/a.rs", code).is_empty());
        assert!(complaints("crates/ginti-sync/src/a.rs", "//! Never an Instant.\nlet operand = 1;").is_empty());
    }
}
