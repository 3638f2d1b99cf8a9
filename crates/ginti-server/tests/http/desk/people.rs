//! People, set by an admin.

use serde_json::json;

use super::{add_admin, ask};
use crate::support::World;

const USERS: &str = "/maarg/poorti/Users";

pub(super) async fn with_admin() -> World {
    add_admin(World::new().await).await
}

#[tokio::test]
async fn an_admin_adds_people_and_sets_passwords() {
    let world = with_admin().await;
    let nina = format!("{USERS}/nina");
    let new = json!({ "name": "Nina", "role": "counter", "facilityIds": ["STORE_1"], "password": "three blind mice" });
    assert_eq!(ask(&world, "PUT", "root", &nina, Some(&new)).await.status, 204);
    let sign_in = async |password: &str| {
        world.post("/auth/login").json(&json!({ "username": "nina", "password": password })).send().await
    };
    assert_eq!(sign_in("three blind mice").await.ok()["user"]["name"], "Nina");
    let change = json!({ "name": "Nina", "role": "lead", "facilityIds": ["STORE_1"] });
    assert_eq!(ask(&world, "PUT", "root", &nina, Some(&change)).await.status, 204);
    assert_eq!(sign_in("three blind mice").await.ok()["user"]["role"], "lead", "the password stays");
    let reset = json!({ "name": "Nina", "role": "lead", "facilityIds": ["STORE_1"], "password": "another long one" });
    assert_eq!(ask(&world, "PUT", "root", &nina, Some(&reset)).await.status, 204);
    sign_in("three blind mice").await.problem("credentials-wrong");
    let users = world.read("manager", USERS).await.ok();
    let entry = users["items"].as_array().unwrap().iter().find(|user| user["userLoginId"] == "nina").unwrap().clone();
    assert_eq!(
        entry,
        json!({ "userLoginId": "nina", "name": "Nina", "role": "lead", "facilityIds": ["STORE_1"], "disabledAt": null })
    );
    let log = world.read("manager", "/maarg/poorti/Audit?subject=nina&limit=1").await.ok();
    assert_eq!(
        (&log["items"][0]["action"], &log["items"][0]["details"]["passwordChanged"]),
        (&json!("user-put"), &json!(true))
    );
    assert!(!log.to_string().contains("another long one"));
}

/// When it is set for somebody new, when it is set anew, and when an invited person chooses it.
#[tokio::test]
async fn a_common_password_is_refused_wherever_one_is_set() {
    let world = with_admin().await;
    let new = |password: &str| json!({ "name": "Nina", "role": "manager", "facilityIds": null, "password": password });
    let put = async |password: &str| ask(&world, "PUT", "root", &format!("{USERS}/nina"), Some(&new(password))).await;
    let invited = json!({ "userLoginId": "olga", "name": "Olga", "role": "manager" });
    let made = ask(&world, "POST", "root", "/maarg/poorti/Invitations", Some(&invited)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let secret = made.json()["path"].as_str().unwrap().strip_prefix("/invitation#").unwrap().to_owned();
    let accept = async |password: &str| {
        let body = json!({ "secret": secret, "password": password });
        world.post("/auth/invitation").json(&body).send().await
    };
    let long = [
        "Password1",
        "passw0rd123",
        "qwertyuiop",
        "1qaz2wsx3edc",
        "123456789987654321",
        "aaaaaaaaaa",
        "leavemealone",
        "sonyericsson",
        "needforspeed",
        "finalfantasy",
        "justinbieber",
        "christopher",
    ];
    let refused = |answer: crate::support::Answer, password: &str| {
        let problem = answer.problem("field-invalid");
        assert!(
            problem.detail.contains("first that others would try. Choose another"),
            "{password}: {}",
            problem.detail
        );
    };
    for password in long {
        refused(put(password).await, password);
        refused(accept(password).await, password);
    }
    assert_eq!(put("three blind mice").await.status, 204);
    for password in long {
        refused(put(password).await, password);
    }
    let login = json!({ "username": "nina", "password": "three blind mice" });
    assert_eq!(world.post("/auth/login").json(&login).send().await.status, 200, "the password is as it was");
    accept("another long one").await.ok();
}

#[tokio::test]
async fn what_must_not_be_is_refused_in_words() {
    let world = with_admin().await;
    let good = json!({ "name": "Nina", "role": "counter", "facilityIds": ["STORE_1"], "password": "three blind mice" });
    let with = |member: &str, value: serde_json::Value| {
        let mut user = good.clone();
        user[member] = value;
        user
    };
    for (body, words) in [
        (with("password", json!("short")), "at least 8"),
        (with("password", json!("ninanina")), "first that others would try"),
        (with("password", json!(null)), "needs a \"password\""),
        (with("role", json!("king")), "\"role\""),
        (with("facilityIds", json!(null)), "Name the stores"),
        (with("facilityIds", json!(["STORE_9"])), "There is no"),
    ] {
        let problem = ask(&world, "PUT", "root", &format!("{USERS}/nina"), Some(&body)).await.problem("field-invalid");
        assert!(problem.detail.contains(words), "{words}: {}", problem.detail);
    }
    let taken = ask(&world, "PUT", "root", &format!("{USERS}/rival"), Some(&good)).await.problem("field-invalid");
    assert!(taken.detail.contains("is taken"));
    let own = json!({ "name": "Root", "role": "manager", "facilityIds": null });
    ask(&world, "PUT", "root", &format!("{USERS}/root"), Some(&own)).await.problem("field-invalid");
    ask(&world, "PUT", "manager", &format!("{USERS}/nina"), Some(&good)).await.problem("not-allowed");
}
