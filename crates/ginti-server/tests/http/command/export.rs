//! `ginti export`.

use super::{ginti, run, text};

#[test]
fn a_run_is_written_for_spreadsheets_and_programs() {
    let folder = tempfile::tempdir().unwrap();
    // A server of before leaves its database with the demo's counts; nothing is handed in, so there are no lines yet.
    let server = super::Server::start(ginti(
        folder.path(),
        &["serve", "--demo", "--listen", "127.0.0.1:0", "--database", "sqlite://ginti.db"],
    ));
    drop(server);
    let export = |more: &[&str]| {
        let arguments = [&["export", "M101429", "--tenant", "demo", "--database", "sqlite://ginti.db"], more].concat();
        run(ginti(folder.path(), &arguments), "")
    };
    let csv = export(&[]);
    assert!(csv.status.success(), "{}", text(&csv.stderr));
    assert!(text(&csv.stdout).starts_with("facilityId,productId,sku,"), "{}", text(&csv.stdout));
    let json = export(&["--format", "json", "--to", "count.json"]);
    assert!(json.status.success(), "{}", text(&json.stderr));
    assert_eq!(std::fs::read_to_string(folder.path().join("count.json")).unwrap(), "{\"items\":[]}");
    let again = export(&["--format", "json", "--to", "count.json"]);
    assert!(!again.status.success(), "a file that is there is not written over");
    let unknown =
        run(ginti(folder.path(), &["export", "none", "--tenant", "demo", "--database", "sqlite://ginti.db"]), "");
    assert!(!unknown.status.success());
    assert!(text(&unknown.stderr).contains("has no run \"none\""), "{}", text(&unknown.stderr));
}
