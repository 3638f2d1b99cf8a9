//! `ginti serve`.

use super::{Server, ginti, run, text};

#[test]
fn it_serves_until_told_to_stop_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(ginti(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
    assert!(server.request("GET /readyz", "").starts_with("HTTP/1.1 200"));
    server.terminate();
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn one_database_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Server::start(ginti(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
    let second = run(ginti(folder.path(), &["serve", "--listen", "127.0.0.1:0"]), "");
    assert!(!second.status.success());
    assert!(text(&second.stderr).contains("another ginti has"), "{}", text(&second.stderr));
}

#[test]
fn a_sign_in_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let add =
        ["user", "add", "ann", "--tenant", "acme", "--tenant-name", "Acme", "--role", "admin", "--all-facilities"];
    assert!(run(ginti(folder.path(), &add), "three blind mice").status.success());
    let serve = || Server::start(ginti(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
    let answer = serve().request("POST /auth/login", r#"{"username":"ann","password":"three blind mice"}"#);
    let (_, after) = answer.split_once("\"accessToken\":\"").expect("signed in");
    let token = after.split('"').next().unwrap();
    let me = serve().request(&format!("GET /auth/me HTTP/1.1\r\nauthorization: Bearer {token}\r\nx-rest:"), "");
    assert!(me.starts_with("HTTP/1.1 200"), "{me}");
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["serve", "--demo", "--listen", "0.0.0.0:0"], "--demo listens on this machine only"),
        (&["serve", "--database", "mysql://user:secret@host/db"], "SQLite or PostgreSQL"),
        (&["serve", "--database", "postgres://user:secret@127.0.0.1:1/db"], "cannot open the PostgreSQL database"),
        (&["serve", "--access-token-seconds", "0"], "--access-token-seconds"),
        (&["serve", "--oidc-issuer", "http://login.example", "--oidc-client-id", "ginti"], "is no https:// address"),
        (&["serve", "--oidc-issuer", "https://login.example"], "--oidc-client-id"),
        (&["serve", "--products", "x.csv"], "--demo"),
        (&["serve", "--database", "sqlite://no/such/folder/ginti.db"], "cannot open"),
    ];
    for (arguments, said) in cases {
        let done = run(ginti(folder.path(), arguments), "");
        assert!(!done.status.success(), "{arguments:?}");
        let log = text(&done.stderr);
        assert!(log.contains(said) && !log.contains("secret"), "{arguments:?}: {log}");
    }
}
