//! `ginti serve --demo`.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::Stdio,
};

use super::{Server, ginti, text};

pub(super) fn start(folder: &Path, password: Option<&str>, more: &[&str]) -> Server {
    let arguments = [&["serve", "--demo", "--listen", "127.0.0.1:0"], more].concat();
    let mut command = ginti(folder, &arguments);
    if let Some(password) = password {
        command.env("GINTI_DEMO_PASSWORD", password);
    }
    Server::start(command)
}

/// What the server has to say, after it has been told to stop.
fn welcome(mut server: Server) -> String {
    server.terminate();
    let mut text = String::new();
    server.greeting.read_to_string(&mut text).unwrap();
    text
}

fn sign_in(server: &Server, user: &str, password: &str) -> String {
    server.request("POST /auth/login", &format!(r#"{{"username":"{user}","password":"{password}","deviceId":"d"}}"#))
}

pub(super) fn token(server: &Server, user: &str, password: &str) -> String {
    let answer = sign_in(server, user, password);
    let (_, after) = answer.split_once("\"accessToken\":\"").unwrap_or_else(|| panic!("{answer}"));
    after.split('"').next().unwrap().to_owned()
}

pub(super) fn authorized(server: &Server, head: &str, token: &str, body: &str) -> String {
    server.request(&format!("{head} HTTP/1.1\r\nauthorization: Bearer {token}\r\nx-rest:"), body)
}

#[test]
fn a_stranger_learns_how_to_sign_in_and_what_to_scan() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), None, &[]);
    let address = server.address.clone();
    let said = welcome(server);
    assert!(said.contains(&format!("http://{address}")), "{said}");
    let password = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("counter "))
        .and_then(|rest| rest.split_whitespace().next());
    let password = password.unwrap_or_else(|| panic!("{said}")).to_owned();
    for user in ["counter2", "manager", "admin", "rival"] {
        assert!(said.contains(&format!("\n  {user} ")), "{said}");
    }
    assert!(said.contains("sign in as manager") && said.contains(&format!("http://{address}/desk/runs")), "{said}");

    // A restart finds the same data and the same password.
    let again = start(folder.path(), None, &[]);
    for user in ["counter", "counter2", "manager", "admin", "rival"] {
        assert!(sign_in(&again, user, &password).starts_with("HTTP/1.1 200"), "{user} {password}");
    }
    let products =
        authorized(&again, "GET /maarg/poorti/Products?limit=1000", &token(&again, "counter", &password), "");
    let code = said
        .lines()
        .filter_map(|line| line.strip_prefix("       "))
        .map(|line| line.split_whitespace().next().unwrap());
    let codes: Vec<_> = code.collect();
    assert_eq!(codes.len(), 3, "{said}");
    assert!(codes.iter().all(|code| products.contains(&format!("\"{code}\""))), "{codes:?}");
    assert!(welcome(again).contains(&password));
}

/// Its passwords are printed and stored in the clear: it stays on this machine, with --demo or without.
#[test]
fn a_database_with_demo_data_listens_on_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(folder.path(), Some("x"), &[]));
    for more in [&["--demo"][..], &[]] {
        let arguments = [&["serve", "--listen", "0.0.0.0:0"], more].concat();
        let mut refused = ginti(folder.path(), &arguments);
        let mut child = refused.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut greeting = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let _ = child.kill();
        assert_eq!(greeting, "", "it must not listen");
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success() && text(&output.stderr).contains("on this machine only"), "{output:?}");
    }
    let mut plain = Server::start(ginti(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
    plain.terminate();
    assert!(plain.child.wait().unwrap().success());
}

#[test]
fn the_password_follows_the_variable_and_outlives_it() {
    let folder = tempfile::tempdir().unwrap();
    for (given, good, bad) in
        [(Some("first"), "first", "second"), (Some("second"), "second", "first"), (None, "second", "first")]
    {
        let server = start(folder.path(), given, &[]);
        for user in ["counter", "rival"] {
            assert!(sign_in(&server, user, good).starts_with("HTTP/1.1 200"), "{given:?} {user}");
        }
        assert!(sign_in(&server, "counter", bad).starts_with("HTTP/1.1 401"), "{given:?}");
    }
}

#[test]
fn the_products_of_an_export_take_the_place_of_the_made_up_ones() {
    let folder = tempfile::tempdir().unwrap();
    let header = "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,\
        Variant SKU,Variant Price,Variant Barcode,Image Src";
    let row = "pump,Bicycle pump,Title,Default Title,,,,,PUMP-1,19.90,4006381333931,";
    fs::write(folder.path().join("shop.csv"), format!("{header}\n{row}\n")).unwrap();
    let said = welcome(start(folder.path(), Some("x"), &["--products", "shop.csv"]));
    assert!(said.contains("4006381333931  Bicycle pump"), "{said}");
}

#[test]
fn a_crash_between_commit_and_answer_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let item = r#"{"importItemSeqId":"a","productId":"p","quantity":5,"revision":1}"#;
    let body = format!(
        r#"{{"batchId":"019aab7e-0000-7000-8000-000000000001","deviceId":"d","inventoryCountImportId":"M101429","items":[{item}]}}"#
    );
    let send = |server: &Server| {
        authorized(server, "POST /maarg/poorti/InventoryCountImport", &token(server, "counter", "x"), &body)
    };

    let mut command = ginti(folder.path(), &["serve", "--demo", "--listen", "127.0.0.1:0"]);
    command.env("GINTI_DEMO_PASSWORD", "x").env("GINTI_CRASH_AFTER_COMMITS", "1");
    let mut crashing = Server::start(command);
    assert_eq!(send(&crashing), "", "no answer reaches the client");
    assert!(!crashing.child.wait().unwrap().success());
    drop(crashing);

    let server = start(folder.path(), None, &[]);
    let answer = send(&server);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("idempotency-replayed: true"), "{answer}");
    let path = "GET /maarg/poorti/InventoryCountImport/M101429/items/a/history";
    let history = authorized(&server, path, &token(&server, "counter", "x"), "");
    assert_eq!(history.matches("\"outcome\":\"applied\"").count(), 1, "{history}");
    assert_eq!(history.matches("\"outcome\"").count(), 1, "{history}");
}
