//! `ginti token-key`.

use super::{Server, ginti, run, text};

#[test]
fn another_token_key_ends_access_tokens_and_no_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let add =
        ["user", "add", "ann", "--tenant", "acme", "--tenant-name", "Acme", "--role", "counter", "--all-facilities"];
    assert!(run(ginti(folder.path(), &add), "three blind mice\n").status.success());
    let serve = || Server::start(ginti(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
    let between = |text: &str, from: &str, to: char| {
        text.split_once(from).and_then(|(_, rest)| rest.split(to).next()).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let signed_in = serve().request("POST /auth/login", r#"{"username":"ann","password":"three blind mice"}"#);
    let token = between(&signed_in, "\"accessToken\":\"", '"');
    let cookie = between(&signed_in, "__Host-ginti-refresh=", ';');
    let me = |server: &Server| {
        server.request(&format!("GET /auth/me HTTP/1.1\r\nauthorization: Bearer {token}\r\nx-rest:"), "")
    };
    let server = serve();
    assert!(me(&server).starts_with("HTTP/1.1 200"), "a start changes nothing");
    drop(server);

    let renewed = run(ginti(folder.path(), &["token-key", "renew"]), "");
    assert!(renewed.status.success() && text(&renewed.stdout).contains("Start every server anew"), "{renewed:?}");
    let server = serve();
    let refused = me(&server);
    assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("token-invalid"), "{refused}");
    let head = format!("POST /auth/refresh HTTP/1.1\r\ncookie: __Host-ginti-refresh={cookie}\r\nx-rest:");
    let refreshed = server.request(&head, "{}");
    assert!(refreshed.starts_with("HTTP/1.1 200"), "{refreshed}");
}
