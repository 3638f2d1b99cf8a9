//! docs/security.md names tests: each exists, and each row of the threats has one.

use super::File;

const DOCUMENT: &str = "docs/security.md";

/// Complains of rows without a test and of tests that nobody wrote.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let Some(document) = files.iter().find(|file| file.name == DOCUMENT) else {
        return vec![format!("{DOCUMENT} is missing: it names the threats and the test that meets each")];
    };
    let tests: Vec<&str> =
        files.iter().filter(|file| file.has_ending(&["rs"])).flat_map(|file| tests_of(&file.text)).collect();
    let mut complaints = Vec::new();
    let mut is_threats = false;
    for (at, line) in document.text.lines().enumerate() {
        if line.starts_with("## ") {
            is_threats = line == "## Threats";
        }
        let is_row = line.starts_with("| ") && !line.starts_with("| threat ");
        if is_threats && is_row {
            let named = line.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
            if names(named).next().is_none() {
                complaints.push(document.complain(at, "this threat names no test in its last column"));
            }
        }
        for name in names(line).filter(|name| !tests.contains(name)) {
            complaints.push(document.complain(at, &format!("there is no test {name}")));
        }
    }
    complaints
}

/// What stands between backticks and has a test's form: words with underlines.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let is_name = |text: &&str| {
        text.matches('_').count() >= 2 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    line.split('`').skip(1).step_by(2).filter(is_name)
}

/// Functions that a line `#[test]`, `#[tokio::test…]` or the like stands above.
fn tests_of(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if is_test && !line.starts_with("#[") {
            let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')).map(|(name, _)| name);
            found.extend(name);
            is_test = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threat_names_a_test_and_each_test_exists() {
        let code = "#[cfg(unix)]\n#[tokio::test]\n#[cfg(windows)]\nasync fn it_is_met() {}\nfn it_is_not_one() {}\n";
        let document = |rows: &str| {
            let text = format!(
                "# Security\n## Threats\n| threat | what | test |\n|---|---|---|\n{rows}\n## More\n| `no_test_needed` |\n"
            );
            [File::sample("a.rs", code), File::sample(DOCUMENT, &text.replace("`no_test_needed`", "here"))]
        };
        assert!(check(&document("| a | b | `it_is_met` |")).is_empty());
        assert_eq!(
            check(&document("| a | b | `it_is_not_one` |")),
            ["docs/security.md:5: there is no test it_is_not_one"]
        );
        let none = ["docs/security.md:5: this threat names no test in its last column"];
        assert_eq!(check(&document("| a | `it_is_met` | by hand |")), none);
        assert_eq!(check(&[]).len(), 1);
    }
}
