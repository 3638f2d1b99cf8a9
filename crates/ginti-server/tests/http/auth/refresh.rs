//! `POST /auth/refresh` and `/auth/logout`.

use ginti_types::Revision;
use serde_json::json;

use crate::support::{Answer, NOW_MS, PASSWORD, World, batch, count};

/// The `name=value` part of the answer's cookie.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn sign_in(world: &World) -> String {
    let answer = world.post("/auth/login").json(&json!({ "username": "counter", "password": PASSWORD })).send().await;
    answer.ok();
    cookie(&answer)
}

async fn refresh(world: &World, cookie: &str) -> Answer {
    world.post("/auth/refresh").header("cookie", cookie).send().await
}

#[tokio::test]
async fn a_refresh_gives_a_new_token_and_a_new_cookie() {
    let world = World::new().await;
    let first = sign_in(&world).await;
    world.advance_ms(9 * 60_000);
    let answer = refresh(&world, &format!("theme=dark; {first}")).await;
    let renewed = answer.ok();
    assert_eq!((&renewed["expiresIn"], &renewed["user"]["userLoginId"]), (&json!(600), &json!("counter")));
    assert_ne!(cookie(&answer), first);
    assert!(answer.header("set-cookie").contains("Max-Age=2591460"), "the sign-in's end does not move");

    world.advance_ms(9 * 60_000);
    let token = renewed["accessToken"].as_str().unwrap();
    world.get("/auth/me").bearer(token).send().await.ok();
    refresh(&world, &cookie(&answer)).await.ok();
}

#[tokio::test]
async fn within_the_grace_a_lost_answer_can_be_repeated() {
    let world = World::new().await;
    let first = sign_in(&world).await;
    let lost = refresh(&world, &first).await;
    lost.ok();
    world.advance_ms(59_000);
    let again = refresh(&world, &first).await;
    again.ok();
    world.advance_ms(61_000);
    // Whichever answer arrived, its cookie works.
    refresh(&world, &cookie(&again)).await.ok();
    refresh(&world, &cookie(&lost)).await.ok();
}

#[tokio::test]
async fn a_cookie_used_again_after_the_grace_ends_the_whole_sign_in() {
    let world = World::new().await;
    let stolen = sign_in(&world).await;
    let honest = cookie(&refresh(&world, &stolen).await);
    let other = sign_in(&world).await;
    world.advance_ms(61_000);
    refresh(&world, &stolen).await.problem("refresh-refused");
    refresh(&world, &honest).await.problem("refresh-refused");
    refresh(&world, &other).await.ok();
}

#[tokio::test]
async fn a_sign_in_ends_after_thirty_days_whatever_happens() {
    let world = World::new().await;
    let mut held = sign_in(&world).await;
    for _ in 0..29 {
        world.advance_ms(86_400_000);
        let answer = refresh(&world, &held).await;
        answer.ok();
        held = cookie(&answer);
    }
    world.advance_ms(86_400_001);
    refresh(&world, &held).await.problem("refresh-refused");
}

#[tokio::test]
async fn no_cookie_or_a_made_up_one_is_refused() {
    let world = World::new().await;
    world.post("/auth/refresh").send().await.problem("refresh-refused");
    let known = sign_in(&world).await;
    let made_up = format!("__Host-ginti-refresh={}", "A".repeat(43));
    for cookie in [made_up.as_str(), "__Host-ginti-refresh=", "__Host-ginti-refresh=%%%", &known[..known.len() - 2]] {
        refresh(&world, cookie).await.problem("refresh-refused");
    }
    refresh(&world, &known).await.ok();
}

#[tokio::test]
async fn a_device_that_took_a_new_id_may_still_carry_what_was_counted_on_it() {
    let world = World::new().await;
    for user in ["counter2", "counter"] {
        let login = json!({ "username": user, "password": PASSWORD, "deviceId": "old-id" });
        world.post("/auth/login").json(&login).send().await.ok();
    }
    let login = json!({ "username": "counter", "password": PASSWORD, "deviceId": "old-id" });
    let held = cookie(&world.post("/auth/login").json(&login).send().await);
    let body = json!({ "deviceId": "device-1", "formerDeviceId": "old-id" });
    world.post("/auth/refresh").header("cookie", &held).json(&body).send().await.ok();

    let mut item = count("a", 5, 1);
    item["countedByUserLoginId"] = json!("counter2");
    assert_eq!(world.import("counter", &batch(1, &json!([item]))).await.outcomes(), ["applied"]);
}

#[tokio::test]
async fn a_refresh_with_a_broken_body_changes_nothing() {
    let world = World::new().await;
    let held = sign_in(&world).await;
    let call = || world.post("/auth/refresh").header("cookie", &held);
    call().text("{").send().await.problem("malformed-json");
    call().text(r#"{"device":"x"}"#).send().await.problem("field-invalid");
    call().header("content-type", "text/plain").body("x").send().await.problem("unsupported-media-type");
    call().json(&json!(null)).send().await.ok();
    call().json(&json!({})).send().await.ok();
}

#[tokio::test]
async fn signing_out_ends_the_sign_in_and_takes_the_cookie_away() {
    let world = World::new().await;
    let held = sign_in(&world).await;
    let answer = world.post("/auth/logout").header("cookie", &held).send().await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let cleared = answer.header("set-cookie");
    assert!(cleared.starts_with("__Host-ginti-refresh=;") && cleared.contains("Max-Age=0"), "{cleared}");
    for attribute in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cleared.contains(attribute), "browsers ignore a __Host- cookie without {attribute}");
    }
    refresh(&world, &held).await.problem("refresh-refused");
    assert_eq!(world.post("/auth/logout").send().await.status, 204, "signing out twice is no error");
}

#[tokio::test]
async fn what_an_id_given_up_for_its_fast_clock_had_stamped_too_far_ahead_never_wins() {
    let world = World::new().await;
    let login = json!({ "username": "counter", "password": PASSWORD, "deviceId": "device-1" });
    let held = cookie(&world.post("/auth/login").json(&login).send().await);
    let stamped_a_day_ahead = Revision::from_unix_ms(NOW_MS + 86_400_000).get();
    let retire = json!({ "deviceId": "device-2", "formerDeviceId": "device-1", "retireFormer": true });
    let renewed = world.post("/auth/refresh").header("cookie", &held).json(&retire).send().await.ok();
    assert_eq!(
        renewed["serverTime"], "2026-11-22T09:14:04.000Z",
        "the device stamps above what may be accepted by then"
    );

    // A copy strays in when the server's own clock has passed its stamp.
    world.advance_ms(2 * 86_400_000);
    let problem =
        world.import("counter", &batch(1, &json!([count("a", 5, stamped_a_day_ahead)]))).await.problem("items-refused");
    assert_eq!(problem.errors[0].code, "clock-skew");
}
