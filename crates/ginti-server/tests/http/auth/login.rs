//! `POST /auth/login` and `GET /auth/me`.

use std::sync::Arc;

use ginti_postgres::PostgresStore;
use serde_json::json;

use crate::support::{Answer, PASSWORD, World};

#[tokio::test]
async fn signing_in_gives_a_token_the_person_and_a_cookie_no_script_can_read() {
    let world = World::new().await;
    let answer = world.post("/auth/login").json(&json!({ "username": "counter", "password": PASSWORD })).send().await;
    let signed_in = answer.ok();
    assert_eq!(signed_in["expiresIn"], 600);
    let user = json!({ "userLoginId": "counter", "tenantId": "acme", "name": "Name of counter", "role": "counter",
        "facilityIds": ["STORE_1"] });
    assert_eq!(signed_in["user"], user);

    let cookie = answer.header("set-cookie");
    let mut attributes = cookie.split("; ");
    let (name, value) = attributes.next().unwrap().split_once('=').unwrap();
    assert_eq!((name, value.len()), ("__Host-ginti-refresh", 43));
    let mut attributes: Vec<_> = attributes.collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Strict", "Secure"]);
    assert!(!answer.text().contains(value), "the refresh token is in the cookie alone");

    let token = signed_in["accessToken"].as_str().unwrap();
    assert_eq!(world.get("/auth/me").bearer(token).send().await.ok(), user);
}

#[tokio::test]
async fn a_person_of_all_facilities_has_none_listed() {
    let world = World::new().await;
    let login = json!({ "username": "manager", "password": PASSWORD, "deviceId": "device-7" });
    let signed_in = world.post("/auth/login").json(&login).send().await.ok();
    assert_eq!(signed_in["user"]["facilityIds"], json!(null));
    assert_eq!(signed_in["user"]["role"], "manager");
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_are_not_told_apart() {
    let world = World::new().await;
    let mut answers = Vec::new();
    for (name, password) in [
        ("counter", "wrong"),
        ("counter", ""),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("x".repeat(41).as_str(), PASSWORD),
        ("counter\n", PASSWORD),
        ("counter", "x".repeat(2_000).as_str()),
    ] {
        let answer = world.post("/auth/login").json(&json!({ "username": name, "password": password })).send().await;
        answer.problem("credentials-wrong");
        assert_eq!(answer.header("set-cookie"), "");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    // Nobody's name: said before anybody is looked for.
    let nul = json!({ "username": "counter\u{0}", "password": PASSWORD });
    world.post("/auth/login").json(&nul).send().await.problem("field-invalid");
}

#[tokio::test]
async fn a_body_that_is_no_sign_in_is_refused() {
    let world = World::new().await;
    for (body, code) in [
        ("", "malformed-json"),
        ("{", "malformed-json"),
        ("[]", "field-invalid"),
        ("{}", "field-invalid"),
        (r#"{"username":"counter"}"#, "field-invalid"),
        (r#"{"username":"counter","password":7}"#, "field-invalid"),
        (r#"{"username":"counter","password":"x","remember":true}"#, "field-invalid"),
        (r#"{"username":"counter","username":"rival","password":"x"}"#, "field-invalid"),
        (r#"{"username":"counter","password":"x","deviceId":""}"#, "field-invalid"),
    ] {
        world.post("/auth/login").text(body).send().await.problem(code);
    }
    let long = json!({ "username": "counter", "password": "x".repeat(20_000) });
    world.post("/auth/login").json(&long).send().await.problem("body-too-large");
    let form = world.post("/auth/login").header("content-type", "application/x-www-form-urlencoded");
    form.body("username=counter&password=x").send().await.problem("unsupported-media-type");
}

#[tokio::test]
async fn another_sites_page_cannot_sign_anyone_in_or_out() {
    let world = World::new().await;
    let login = json!({ "username": "counter", "password": PASSWORD });
    let call = |path: &'static str| world.post(path).header("host", "ginti.example").json(&login);
    for path in ["/auth/login", "/auth/refresh", "/auth/logout"] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "https://ginti.example.evil.example"),
        ] {
            call(path).header(name, value).send().await.problem("not-allowed");
        }
    }
    call("/auth/login").header("origin", "https://ginti.example").send().await.ok();
    let behind_a_proxy = call("/auth/login").header("origin", "https://counts.example");
    behind_a_proxy.header("sec-fetch-site", "same-origin").send().await.ok();
}

async fn one_sign_in_in_the_place_of_another(world: World) {
    let cookie = |answer: &Answer| answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let sign_in = async |name: &str, password: &str, held: &str| {
        let login = json!({ "username": name, "password": password, "deviceId": "device-1" });
        world.post("/auth/login").header("cookie", held).json(&login).send().await
    };
    let refresh = async |held: &str| world.post("/auth/refresh").header("cookie", held).send().await;
    let first = cookie(&sign_in("counter", PASSWORD, "").await);
    let elsewhere = cookie(&sign_in("counter", PASSWORD, "").await);
    let renewed = cookie(&refresh(&first).await);
    sign_in("counter2", "wrong", &renewed).await.problem("credentials-wrong");
    refresh(&renewed).await.ok();

    // The same person again, a colleague, and somebody of another company: the cookie is overwritten each time.
    let mut held = renewed;
    for name in ["counter", "counter2", "rival"] {
        let next = cookie(&sign_in(name, PASSWORD, &held).await);
        for former in [&held, &first] {
            refresh(former).await.problem("refresh-refused");
        }
        assert_eq!(refresh(&next).await.ok()["user"]["userLoginId"], name);
        held = next;
    }
    refresh(&elsewhere).await.ok();
    let strange = format!("__Host-ginti-refresh={}", "A".repeat(43));
    sign_in("counter", PASSWORD, &strange).await.ok();
}

#[tokio::test]
async fn signing_in_on_a_device_ends_the_sign_in_it_takes_the_place_of() {
    one_sign_in_in_the_place_of_another(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_on_a_device_ends_the_sign_in_it_takes_the_place_of_on_postgresql() {
    let database = ginti_cluster::Database::new().await.unwrap();
    let store = PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    one_sign_in_in_the_place_of_another(World::new().await.over(Arc::new(store), true).await).await;
}
