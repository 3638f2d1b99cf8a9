//! The simulator's hosts follow the browser's, file by file: `crates/ginti-sim/mirror.txt` says up to which state. A change of
//! code in a host is a complaint until somebody has looked at its model; a change of its comments is none.

use sha2::{Digest, Sha256};

use super::File;

const MIRROR: &str = "crates/ginti-sim/mirror.txt";

/// Complains of hosts whose models were not looked at since they changed, and of lines that name no host.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let Some(mirror) = files.iter().find(|file| file.name == MIRROR) else { return Vec::new() };
    let mut complaints = Vec::new();
    for (number, line) in mirror.text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(digest), Some(host), Some(model)) = (words.next(), words.next(), words.next()) else {
            complaints.push(mirror.complain(number, "a line has a digest, a host and its model"));
            continue;
        };
        let by_name = |name: &str| files.iter().find(|file| file.name == name);
        let (Some(host), Some(_)) = (by_name(host), by_name(model)) else {
            complaints.push(mirror.complain(number, "the host or its model is not there"));
            continue;
        };
        let is = digest_of(&host.text);
        if is != digest {
            let what = format!(
                "{} changed: see that {model} still follows it, then write {is} in place of {digest}",
                host.name
            );
            complaints.push(mirror.complain(number, &what));
        }
    }
    complaints
}

/// Of the code alone.
fn digest_of(text: &str) -> String {
    let is_comment = |line: &&str| ["//", "/*", "* ", "*/"].iter().any(|mark| line.starts_with(mark));
    let mut hasher = Sha256::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_comment(line)) {
        hasher.update(line);
        hasher.update("\n");
    }
    let mut digest = format!("{:x}", hasher.finalize());
    digest.truncate(12);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_host_wants_its_model_looked_at() {
        let host = "web/courier/src/lock.ts";
        let model = File::sample("crates/ginti-sim/src/device/lock.rs", "");
        let line = format!("{} {host} {}", digest_of("const wait = 1\n"), model.name);
        let files = |text| vec![File::sample(MIRROR, &line), File::sample(host, text), File::sample(&model.name, "")];
        assert!(check(&files("const wait = 1\n")).is_empty());
        assert!(check(&files("// How long.\nconst wait = 1\n")).is_empty(), "comments are not followed");
        assert_eq!(check(&files("const wait = 2\n")).len(), 1);
        assert_eq!(
            check(&[File::sample(MIRROR, &line)]),
            ["crates/ginti-sim/mirror.txt:1: the host or its model is not there"]
        );
    }
}
