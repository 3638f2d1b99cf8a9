//! What a build makes stays out of git.

/// Folders whose content is made or fetched.
const MADE: &[&str] = &["node_modules", "dist", "dev-dist", "target", "coverage"];
/// Where the generated WebAssembly module goes.
const MODULE: &str = "web/courier/wasm/";
const DATABASES: &[&str] = &[".db", ".db-wal", ".db-shm"];

/// Complains of names that git should not know.
pub(super) fn check(names: &[String]) -> Vec<String> {
    names
        .iter()
        .filter(|name| is_made(name))
        .map(|name| format!("{name}: is made by a build; git must not track it"))
        .collect()
}

fn is_made(name: &str) -> bool {
    name.starts_with(MODULE)
        || name.split('/').any(|part| MADE.contains(&part))
        || DATABASES.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_makes_is_found() {
        let names = ["web/app/dist/index.html", "web/courier/wasm/ginti_sync.js", "target/x", "demo.db-wal"];
        let names: Vec<String> = names.map(str::to_owned).into();
        assert_eq!(check(&names).len(), names.len());
        assert!(
            check(&["web/app/src/distance.ts".to_owned(), "crates/ginti-sync-wasm/src/lib.rs".to_owned()]).is_empty()
        );
    }
}
