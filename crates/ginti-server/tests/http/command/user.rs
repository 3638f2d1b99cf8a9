//! `ginti user`.

use super::{Server, ginti, run, text};

#[test]
fn a_person_is_added_signs_in_gets_another_password_and_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let add = [
        "user",
        "add",
        "counter",
        "--tenant",
        "acme",
        "--tenant-name",
        "Acme",
        "--role",
        "counter",
        "--all-facilities",
    ];
    let added = run(ginti(folder.path(), &add), "three blind mice\n");
    assert!(added.status.success(), "{}", text(&added.stderr));
    let sign_in = |password: &str| {
        let server = Server::start(ginti(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
        server.request("POST /auth/login", &format!(r#"{{"username":"counter","password":"{password}"}}"#))
    };
    assert!(sign_in("three blind mice").starts_with("HTTP/1.1 200"));

    let mut command = ginti(folder.path(), &["user", "password", "counter"]);
    command.env("GINTI_PASSWORD", "another long one");
    assert!(run(command, "").status.success());
    assert!(sign_in("three blind mice").starts_with("HTTP/1.1 401"));
    assert!(sign_in("another long one").starts_with("HTTP/1.1 200"));

    let listed = run(ginti(folder.path(), &["user", "list", "--tenant", "acme"]), "");
    assert_eq!(text(&listed.stdout), "counter\tcounter\tcounter\tall facilities\n");
}

#[test]
fn a_person_is_disabled_and_enabled_but_not_the_last_admin() {
    let folder = tempfile::tempdir().unwrap();
    for (name, role) in [("root", "admin"), ("ann", "counter")] {
        let add =
            ["user", "add", name, "--tenant", "acme", "--tenant-name", "Acme", "--role", role, "--all-facilities"];
        assert!(run(ginti(folder.path(), &add), GOOD).status.success());
    }
    let user = |arguments: &[&str]| {
        let done = run(ginti(folder.path(), &[&["user"], arguments].concat()), GOOD);
        (done.status.success(), text(&done.stdout).to_owned() + text(&done.stderr))
    };
    assert_eq!(
        user(&["disable", "ann"]),
        (true, "ann is disabled: the sign-ins have ended, and none begins.\n".to_owned())
    );
    let (_, listed) = user(&["list", "--tenant", "acme"]);
    assert_eq!(listed, "ann\tcounter\tann\tall facilities\tdisabled\nroot\tadmin\troot\tall facilities\n");
    let (_, said) = user(&["password", "ann"]);
    assert!(said.contains("\"ginti user enable ann\""), "{said}");
    let sign_in = || {
        let server = Server::start(ginti(folder.path(), &["serve", "--listen", "127.0.0.1:0"]));
        server.request("POST /auth/login", &format!(r#"{{"username":"ann","password":"{GOOD}"}}"#))
    };
    assert!(sign_in().contains("account-disabled"));
    assert_eq!(user(&["enable", "ann"]), (true, "ann can sign in again.\n".to_owned()));
    assert!(sign_in().starts_with("HTTP/1.1 200"));
    let (is_done, said) = user(&["disable", "root"]);
    assert!(!is_done && said.contains("the last admin who can sign in"), "{said}");
    let (is_done, said) = user(&["disable", "nobody"]);
    assert!(!is_done && said.contains("there is no user nobody"), "{said}");
}

const GOOD: &str = "three blind mice";

#[test]
fn what_cannot_be_done_is_a_sentence_and_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let add = |user: &'static str, tenant: &'static str| {
        ["user", "add", user, "--tenant", tenant, "--role", "admin", "--all-facilities"]
    };
    let with_name: Vec<_> = add("ann", "acme").into_iter().chain(["--tenant-name", "Acme"]).collect();
    assert!(run(ginti(folder.path(), &with_name), GOOD).status.success());
    let other: Vec<_> = add("bob", "other").into_iter().chain(["--tenant-name", "Other"]).collect();
    assert!(run(ginti(folder.path(), &other), GOOD).status.success());

    let forty_one = "x".repeat(41);
    let cases: [(&[&str], &str, &str); 10] = [
        (&add("ann", "nowhere"), GOOD, "does not exist (a tenant is added with --tenant-name)"),
        (&add("ann", "other"), GOOD, "the sign-in name ann is taken by a user of another tenant"),
        (&add("cat", "acme"), "", "at least 8 characters"),
        (&add("cat", "acme"), "password123", "first that others would try"),
        (&["user", "password", "ann"], "sonyericsson", "first that others would try"),
        (&add("token:erp", "acme"), GOOD, "names that begin with \"token:\" are for programs"),
        (&["user", "password", "nobody"], GOOD, "there is no user nobody"),
        (&["user", "password", &forty_one], GOOD, "the sign-in name has 41 characters; at most 40 are allowed"),
        (
            &["user", "list", "--tenant", "acme", "--database", "ginti.db"],
            "",
            "write sqlite://ginti.db for a SQLite file",
        ),
        (&["user", "add", "dan", "--tenant", "acme", "--role", "counter"], GOOD, "--facility"),
    ];
    for (arguments, input, said) in cases {
        let done = run(ginti(folder.path(), arguments), input);
        assert!(!done.status.success(), "{arguments:?}");
        assert!(text(&done.stderr).contains(said), "{arguments:?}: {}", text(&done.stderr));
    }
}
