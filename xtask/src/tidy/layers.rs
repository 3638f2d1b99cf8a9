//! Dependencies between the crates point one way: types ← sync ← {sync-wasm, sim} and
//! types ← store ← {sqlite, postgres, desk} ← server ← sim. `fuzz` stands at the end of both. The sync machines never see the server, nor the server them.

use crate::workspace::Workspace;

/// Which crates each crate may depend on. What is not listed here depends on nothing of ours.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ginti-types", &[]),
    ("ginti-sync", &["ginti-types"]),
    ("ginti-sync-wasm", &["ginti-sync", "ginti-types"]),
    ("ginti-fuzz", &["ginti-server", "ginti-sync", "ginti-sync-wasm", "ginti-types"]),
    ("ginti-store", &["ginti-types"]),
    ("ginti-sqlite", &["ginti-store", "ginti-types"]),
    ("ginti-desk", &["ginti-cluster", "ginti-postgres", "ginti-sqlite", "ginti-store", "ginti-types"]),
    ("ginti-cluster", &[]),
    ("ginti-postgres", &["ginti-cluster", "ginti-store", "ginti-types"]),
    ("ginti-server", &["ginti-cluster", "ginti-desk", "ginti-postgres", "ginti-sqlite", "ginti-store", "ginti-types"]),
    ("ginti-sim", &["ginti-postgres", "ginti-server", "ginti-sqlite", "ginti-store", "ginti-sync", "ginti-types"]),
    (
        "ginti-bench",
        &[
            "ginti-cluster",
            "ginti-desk",
            "ginti-postgres",
            "ginti-server",
            "ginti-sqlite",
            "ginti-store",
            "ginti-sync",
            "ginti-types",
        ],
    ),
    ("ginti-fault-proxy", &[]),
    ("ginti-torture", &["ginti-cluster", "ginti-fault-proxy", "ginti-types"]),
    ("ginti-fault-shim", &[]),
    ("ginti-e2e", &["ginti-fault-proxy", "ginti-sqlite", "ginti-store", "ginti-sync", "ginti-types"]),
    ("xtask", &[]),
];

/// A crate and the workspace's crates it depends on, for tests and builds too.
pub(super) struct Layer {
    name: String,
    depends_on: Vec<String>,
}

/// The crates of the workspace.
pub(super) fn of(workspace: &Workspace) -> Vec<Layer> {
    let layer = |package: &crate::workspace::Package| Layer {
        name: package.name.clone(),
        depends_on: package
            .dependencies
            .iter()
            .filter(|dependency| dependency.path.is_some())
            .map(|dependency| dependency.name.clone())
            .collect(),
    };
    workspace.packages.iter().map(layer).collect()
}

/// Complains of dependencies that point the wrong way and of crates that have no place yet.
pub(super) fn check(layers: &[Layer]) -> Vec<String> {
    let mut complaints = Vec::new();
    for layer in layers {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == layer.name) else {
            complaints.push(format!("{}: say in xtask/src/tidy/layers.rs where this crate stands", layer.name));
            continue;
        };
        for dependency in layer.depends_on.iter().filter(|name| !allowed.contains(&name.as_str())) {
            complaints.push(format!("{}: must not depend on {dependency}", layer.name));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, depends_on: &[&str]) -> Layer {
        Layer { name: name.to_owned(), depends_on: depends_on.iter().map(|&name| name.to_owned()).collect() }
    }

    #[test]
    fn dependencies_point_one_way() {
        assert!(check(&[layer("ginti-sync", &["ginti-types"]), layer("ginti-types", &[])]).is_empty());
        assert_eq!(check(&[layer("ginti-sync", &["ginti-store"])]), ["ginti-sync: must not depend on ginti-store"]);
        assert_eq!(check(&[layer("ginti-server", &["ginti-sync"])]).len(), 1);
        assert_eq!(check(&[layer("ginti-types", &["ginti-types", "ginti-sync"])]).len(), 2);
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert!(check(&[layer("ginti-new", &[])])[0].contains("where this crate stands"));
    }
}
