//! What the operator's log says, and what it never says.

use std::{fs, fs::File};

use super::{Server, ginti};

#[test]
fn the_log_is_json_lines_without_passwords_tokens_or_line_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = ginti(folder.path(), &["serve", "--demo", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    command.env("GINTI_DEMO_PASSWORD", "open-sesame").env("RUST_LOG", "trace");
    let server = Server::start_logging(command, File::create(&log).unwrap().into());

    let answer = server.request("POST /auth/login", r#"{"username":"counter","password":"open-sesame"}"#);
    let between = |from: &str, to: char| {
        answer.split_once(from).and_then(|(_, rest)| rest.split(to).next()).expect(from).to_owned()
    };
    let secrets = [between("\"accessToken\":\"", '"'), between("__Host-ginti-refresh=", ';'), "open-sesame".to_owned()];
    let [token, refresh, _] = &secrets;
    let headers =
        format!("HTTP/1.1\r\nauthorization: Bearer {token}\r\ncookie: __Host-ginti-refresh={refresh}\r\nx-rest:");
    server.request(&format!("GET /auth/me {headers}"), "");
    server.request(&format!("POST /auth/refresh {headers}"), "");
    server.request(&format!("GET /maarg/a%0d%0aforged?token={token} {headers}"), "");
    drop(server);

    let log = fs::read_to_string(log).unwrap();
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let answered = lines.iter().filter(|line| line["message"] == "answered");
    let paths: Vec<_> = answered.map(|line| line["span"]["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/auth/login", "/auth/me", "/auth/refresh", "/maarg/a%0d%0aforged"]);
}
