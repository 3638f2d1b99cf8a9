//! `ginti backup` and `ginti restore`, with a server that goes on and a device that has sent more since.

use super::{
    demo::{authorized, start, token},
    ginti, run, text,
};

fn batch(number: u32, revision: u32) -> String {
    format!(
        r#"{{"batchId":"019aab7e-1111-7222-8333-4444555566{number:02}","deviceId":"d","inventoryCountImportId":"M101429","items":[{{"importItemSeqId":"{number}","productId":"10001","quantity":{number},"revision":{revision}}}]}}"#
    )
}

/// A member of the JSON answer, as it stands there.
fn member<'a>(answer: &'a str, name: &str) -> &'a str {
    let (_, after) = answer.rsplit_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name}: {answer}"));
    after.split([',', '}']).next().unwrap()
}

const IMPORT: &str = "POST /maarg/poorti/InventoryCountImport";
const ITEMS: &str = "GET /maarg/poorti/InventoryCountImport/M101429/items";

#[cfg(unix)]
#[test]
fn a_copy_is_made_while_the_server_serves_and_devices_notice_when_it_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), Some("x"), &[]);
    let bearer = token(&server, "counter", "x");
    let first = authorized(&server, IMPORT, &bearer, &batch(1, 1));
    assert!(first.contains("\"applied\""), "{first}");

    let copied = run(ginti(folder.path(), &["backup", "copy.db"]), "");
    assert!(copied.status.success(), "{copied:?}");
    assert!(text(&copied.stdout).starts_with("copy.db: 1 entries of history"), "{copied:?}");
    let again = run(ginti(folder.path(), &["backup", "copy.db"]), "");
    assert!(!again.status.success() && text(&again.stderr).contains("give it another name"), "{again:?}");
    let in_use = run(ginti(folder.path(), &["restore", "copy.db", "--replace"]), "");
    assert!(!in_use.status.success() && text(&in_use.stderr).contains("another ginti"), "{in_use:?}");

    assert!(authorized(&server, IMPORT, &bearer, &batch(2, 2)).contains("\"applied\""));
    let before = authorized(&server, ITEMS, &bearer, "");
    server.terminate();
    assert!(server.child.wait().unwrap().success());

    let no = run(ginti(folder.path(), &["restore", "copy.db"]), "");
    assert!(!no.status.success() && text(&no.stderr).contains("--replace"), "{no:?}");
    let yes = run(ginti(folder.path(), &["restore", "copy.db", "--replace"]), "");
    assert!(yes.status.success() && text(&yes.stdout).contains("ginti.db.before-restore-1"), "{yes:?}");

    let server = start(folder.path(), Some("x"), &[]);
    // The copy has the key that signs tokens: nobody has to sign in again.
    let after = authorized(&server, ITEMS, &bearer, "");
    assert_eq!((member(&before, "ledgerSeq"), member(&after, "ledgerSeq")), ("2", "1"));
    assert_ne!(member(&before, "epoch"), member(&after, "epoch"));
    let sent_again = authorized(&server, IMPORT, &bearer, &batch(2, 2));
    assert!(sent_again.contains("\"applied\""), "{sent_again}");
    drop(server);

    let epoch = run(ginti(folder.path(), &["restore", "--new-epoch"]), "");
    assert!(epoch.status.success() && text(&epoch.stdout).contains("new epoch"), "{epoch:?}");
    let server = start(folder.path(), Some("x"), &[]);
    let anew = authorized(&server, ITEMS, &bearer, "");
    assert_eq!(member(&anew, "ledgerSeq"), "2");
    assert_ne!(member(&after, "epoch"), member(&anew, "epoch"));
}
