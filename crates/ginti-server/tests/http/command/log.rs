//! What the operator's log says, and what it never says.

use std::{
    fs,
    fs::File,
    io::{Read, Write},
};

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

/// Who signed in, who failed, and who was refused what: lines of their own, with who, where and why, and without what was typed in
/// the place of a name.
#[test]
fn sign_ins_and_refusals_are_told_apart_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = ginti(folder.path(), &["serve", "--demo", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    command.env("GINTI_DEMO_PASSWORD", "open-sesame").env("RUST_LOG", "info");
    let server = Server::start_logging(command, File::create(&log).unwrap().into());
    let sign_in = |name: &str, password: &str| {
        let body = format!(r#"{{"username":"{name}","password":"{password}","deviceId":"phone-7"}}"#);
        server.request("POST /auth/login", &body)
    };
    let between = |text: &str, from: &str, to: char| {
        text.split_once(from).and_then(|(_, rest)| rest.split(to).next()).expect(from).to_owned()
    };
    sign_in("counter", "wrong-but-nearly");
    sign_in("typed-in-the-wrong-field", "x");
    let signed_in = sign_in("counter", "open-sesame");
    let token = between(&signed_in, "\"accessToken\":\"", '"');
    let refresh = |cookie: &str, device: &str| {
        let head = format!("POST /auth/refresh HTTP/1.1\r\ncookie: __Host-ginti-refresh={cookie}\r\nx-rest:");
        server.request(&head, &format!(r#"{{"deviceId":"{device}"}}"#))
    };
    let renewed = refresh(&between(&signed_in, "__Host-ginti-refresh=", ';'), "phone-7");
    let cookie = between(&renewed, "__Host-ginti-refresh=", ';');
    let with = |line: &str, headers: &str, body: &str| {
        server.request(&format!("{line} HTTP/1.1\r\nauthorization: Bearer {token}\r\n{headers}x-rest:"), body)
    };
    with("GET /maarg/poorti/Users", "", "");
    let change = |current: &str| {
        let body = format!(r#"{{"currentPassword":"{current}","newPassword":"three blind mice"}}"#);
        with("POST /auth/password", &format!("cookie: __Host-ginti-refresh={cookie}\r\n"), &body)
    };
    change("wrong-but-nearly");
    change("open-sesame");
    with("POST /auth/sign-ins/99/end", "", r#"{"currentPassword":"three-blind"}"#);
    with("POST /auth/sign-ins/x/end", "", r#"{"currentPassword":"three blind mice"}"#);
    with("POST /auth/sign-ins/1/end", "", r#"{"currentPassword":"three blind mice"}"#);
    server.request("GET /auth/me HTTP/1.1\r\nauthorization: Bearer a.forged.one\r\nx-rest:", "");
    with("POST /auth/logout", &format!("cookie: __Host-ginti-refresh={cookie}\r\n"), "{}");
    refresh(&cookie, "phone-7");
    refresh(&"A".repeat(43), "phone-8");
    refresh("", "phone-8");
    drop(server);

    let log = fs::read_to_string(log).unwrap();
    for secret in [
        "wrong-but-nearly",
        "open-sesame",
        "typed-in-the-wrong-field",
        "three blind mice",
        "three-blind",
        "forged.one",
        &token,
        &cookie,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let told = [
        "signed in",
        "signed out",
        "a sign-in failed",
        "a refresh was refused",
        "a password was changed",
        "not allowed",
        "a change of password failed",
        "a sign-in was ended from elsewhere",
        "a sign-in was not ended",
        "a token was not accepted",
        "input was refused",
    ];
    let mut found = Vec::new();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        let text = |name: &str| {
            let value = line[name].as_str().or_else(|| line["span"][name].as_str());
            value.unwrap_or("-").to_owned()
        };
        if told.contains(&text("message").as_str()) {
            assert_eq!(text("address"), "127.0.0.1", "{line}");
            let fields = ["message", "tenant", "user", "device", "code", "reason"].map(text);
            found.push(fields.join(" | "));
        }
    }
    assert_eq!(
        found,
        [
            "a sign-in failed | demo | counter | phone-7 | credentials-wrong | -",
            "a sign-in failed | - | - | phone-7 | credentials-wrong | -",
            "signed in | demo | counter | phone-7 | - | -",
            "not allowed | demo | counter | - | not-allowed | -",
            "a change of password failed | demo | counter | - | password-wrong | -",
            "not allowed | demo | counter | - | password-wrong | -",
            "a password was changed | demo | counter | - | - | -",
            "a sign-in was not ended | demo | counter | - | password-wrong | -",
            "not allowed | demo | counter | - | password-wrong | -",
            "input was refused | demo | counter | - | invalid-parameter | -",
            "a sign-in was ended from elsewhere | demo | counter | - | - | -",
            "a token was not accepted | - | - | - | token-invalid | -",
            "signed out | demo | counter | - | - | -",
            "a refresh was refused | demo | counter | phone-7 | refresh-refused | ended",
            "a refresh was refused | - | - | phone-8 | refresh-refused | unknown",
            "a refresh was refused | - | - | phone-8 | refresh-refused | no-cookie",
        ]
    );
}

/// Everything secret that the server makes or is told, and texts that want to be a line of their own.
#[test]
fn a_hostile_run_leaves_no_secret_and_no_line_of_its_own_in_the_log() {
    const FORGED: &str = "x\\r\\n{\\\"level\\\":\\\"ERROR\\\",\\\"message\\\":\\\"forged\\\"}\\u001b[2J";
    for format in ["json", "text"] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = ginti(folder.path(), &["serve", "--demo", "--listen", "127.0.0.1:0", "--log-format", format]);
        command.env("GINTI_DEMO_PASSWORD", "open-sesame").env("RUST_LOG", "trace");
        let server = Server::start_logging(command, File::create(&log).unwrap().into());
        let between = |text: &str, from: &str, to: char| {
            text.split_once(from)
                .and_then(|(_, rest)| rest.split(to).next())
                .unwrap_or_else(|| panic!("{text}"))
                .to_owned()
        };
        let mut secrets =
            vec!["open-sesame".to_owned(), "wrong-but-nearly".to_owned(), "chosen-by-the-invited".to_owned()];

        let answer = server.request("POST /auth/login", r#"{"username":"admin","password":"open-sesame"}"#);
        let token = between(&answer, "\"accessToken\":\"", '"');
        secrets.extend([token.clone(), between(&answer, "__Host-ginti-refresh=", ';')]);
        // The request line is followed by headers of one's own; the last of them takes up what the helper appends.
        let with = |line: &str, headers: &str, body: &str| {
            server.request(&format!("{line} HTTP/1.1\r\nauthorization: Bearer {token}\r\n{headers}x-rest:"), body)
        };
        let answer = with("POST /maarg/poorti/ApiTokens", "", &format!(r#"{{"name":"{FORGED}","role":"manager"}}"#));
        assert!(answer.contains(" 422 "), "{answer}");
        let answer = with("POST /maarg/poorti/ApiTokens", "", r#"{"name":"erp","role":"manager"}"#);
        let program = between(&answer, "\"token\":\"", '"');
        server.request(&format!("GET /auth/me HTTP/1.1\r\nauthorization: Bearer {program}\r\nx-rest:"), "");
        secrets.push(program);
        let receiver = r#"{"kind":"webhook","url":"https://example.org/?key=in-the-address"}"#;
        secrets.push(between(&with("PUT /maarg/poorti/Receivers/erp", "", receiver), "\"secret\":\"", '"'));
        let invitation = format!(r#"{{"userLoginId":"new","name":"{FORGED}","role":"manager"}}"#);
        let invitation = with("POST /maarg/poorti/Invitations", "", &invitation.replace("\\u001b", ""));
        if let Some((_, secret)) = invitation.split_once('#') {
            let secret = secret.split('"').next().unwrap().to_owned();
            let accept = format!(r#"{{"secret":"{secret}","password":"chosen-by-the-invited"}}"#);
            server.request("POST /auth/invitation", &accept);
            secrets.push(secret);
        }
        for name in ["admin", FORGED] {
            let device = r#""deviceId":"x\" forged=\"yes""#;
            let body = format!(r#"{{"username":"{name}","password":"wrong-but-nearly",{device}}}"#);
            server.request("POST /auth/login", &body);
        }
        with("GET /maarg/poorti/Products", "x-request-id: a b\tforged\r\nuser-agent: \x1b[2Jforged\r\n", "");
        with("GET /maarg/%0d%0a%1b[2Jforged?password=open-sesame", "", "");
        with(
            "POST /maarg/poorti/InventoryCountImport",
            "idempotency-key: forged\tforged\r\n",
            "{\"batchId\":\"\\r\\nforged\"}",
        );
        // No request at all: whether it is written to the end does not matter.
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        let _ = stream.write_all(b"FORGED\x7f\x1b[2J / HTTP/1.1\r\nx: y\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
        drop(server);

        let log = fs::read_to_string(log).unwrap();
        for secret in &secrets {
            assert!(secret.len() > 8 && !log.contains(secret.as_str()), "{secret} is in the {format} log");
        }
        assert!(!log.contains(['\u{1b}', '\r', '\u{7f}']), "a terminal would act on the {format} log");
        for line in log.lines() {
            assert!(!line.starts_with('{') || format == "json", "a line of the text log is another's: {line}");
            assert!(format == "text" || serde_json::from_str::<serde_json::Value>(line).is_ok(), "no JSON: {line}");
            assert!(!line.contains("\"message\":\"forged\"") && !line.contains(" forged=\"yes"), "{line}");
        }
        assert!(log.lines().count() > 10, "{log}");
    }
}
