//! No file names a place on somebody's machine, nor lock files somebody's mirror of a registry.

use super::File;

/// Folders of people and of sessions, in two halves so that this file does not find them in itself.
const PLACES: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/tm", "p/"),
    concat!("/wo", "rk/"),
    concat!("C:\\Us", "ers\\"),
];

/// Files that may name such a place, and why: `(file, place)`.
const LEGITIMATE: &[(&str, &str)] = &[];

/// The lock file of the web packages, and the only registry it may name.
const WEB_LOCK: &str = "web/package-lock.json";
const RESOLVED: &str = "\"resolved\": \"http";
const REGISTRY: &str = "\"resolved\": \"https://registry.npmjs.org/";

/// Complains of absolute paths and mirrors.
pub(super) fn check(file: &File) -> Vec<String> {
    let is_allowed = |place: &str| LEGITIMATE.contains(&(file.name.as_str(), place));
    let mut complaints = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for place in PLACES.iter().filter(|place| !is_allowed(place) && names(line, place)) {
            complaints.push(file.complain(number, &format!("{place} is a place on one machine")));
        }
        if file.name == WEB_LOCK && line.contains(RESOLVED) && !line.contains(REGISTRY) {
            complaints.push(file.complain(number, "is not resolved from npm's own registry"));
        }
    }
    complaints
}

/// Whether the line holds the place as the beginning of a path, not as a part of a longer path or of an address.
fn names(line: &str, place: &str) -> bool {
    let goes_on = |before: char| before.is_alphanumeric() || "._-~}$*)]".contains(before);
    line.match_indices(place).any(|(at, _)| !line[..at].chars().next_back().is_some_and(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_on_a_machine_are_found() {
        let place = PLACES[0];
        assert_eq!(check(&File::sample("a.md", &format!("see {place}notes.txt"))).len(), 1);
        assert_eq!(check(&File::sample("a.rs", &format!("File::open(\"{place}x\")"))).len(), 1);
        assert_eq!(check(&File::sample("a.sh", &format!("sqlite://{place}x.db"))).len(), 1);
    }

    #[test]
    fn parts_of_longer_paths_are_not() {
        let place = PLACES[1];
        assert!(check(&File::sample("a.md", &format!("https://example.org{place}page"))).is_empty());
        assert!(check(&File::sample("a.ts", &format!("`${{base}}{place}x`"))).is_empty());
    }

    #[test]
    fn the_web_lock_names_no_mirror() {
        let lock = |host: &str| File::sample(WEB_LOCK, &format!("  {RESOLVED}s://{host}/vue/-/vue-3.5.0.tgz\","));
        assert!(check(&lock("registry.npmjs.org")).is_empty());
        assert_eq!(check(&lock("npm.example.com")).len(), 1);
    }
}
