//! Guessing passwords: how often one may try, per name and per address.

use ginti_server::serve;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{Answer, PASSWORD, World};

async fn sign_in(world: &World, name: &str, password: &str) -> Answer {
    world.post("/auth/login").json(&json!({ "username": name, "password": password })).send().await
}

#[tokio::test]
async fn guesses_run_out_for_names_that_exist_and_for_others_alike() {
    let world = World::new().await;
    for name in ["counter", "nobody"] {
        for left in (0..10).rev() {
            let answer = sign_in(&world, name, "wrong").await;
            answer.problem("credentials-wrong");
            assert_eq!(answer.header("ratelimit-policy"), "\"account\";q=10;w=900");
            assert!(answer.header("ratelimit").starts_with(&format!("\"account\";r={left};t=")), "{answer:?}");
        }
        for password in ["wrong", PASSWORD] {
            let refused = sign_in(&world, name, password).await;
            let problem = refused.problem("too-many-requests");
            assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("91", "\"account\";r=0;t=900"));
            assert_eq!(problem.detail, "There were too many wrong passwords. Try it again in 91 seconds.");
            assert_eq!(refused.header("set-cookie"), "", "not even with the right one");
        }
    }
    sign_in(&world, "counter2", PASSWORD).await.ok();
    world.advance_ms(91_000);
    sign_in(&world, "counter", PASSWORD).await.ok();
    let answer = sign_in(&world, "counter", "wrong").await;
    assert!(answer.header("ratelimit").starts_with("\"account\";r=9"), "the right one gave all back: {answer:?}");
}

#[tokio::test]
async fn many_guesses_at_once_are_no_way_around() {
    let world = World::new().await;
    let all = (0..20).map(|_| sign_in(&world, "counter", "wrong"));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 10);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 10);
}

#[tokio::test]
async fn who_is_signed_in_already_is_not_shut_out_by_somebody_elses_guesses() {
    let world = World::new().await;
    let signed_in = sign_in(&world, "counter", PASSWORD).await;
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap().to_owned();
    for _ in 0..11 {
        sign_in(&world, "counter", "wrong").await;
    }
    world.post("/auth/refresh").header("cookie", &cookie).send().await.ok();
}

/// Over real connections, where there are addresses.
#[tokio::test]
async fn an_address_that_tries_name_after_name_is_stopped_and_a_client_cannot_choose_its_own() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut deps = world.deps.clone();
    deps.config.tries_per_address.tries = 3;
    tokio::spawn(serve(listener, deps, std::future::pending()));
    let attempt = async |number: u32, forwarded: String| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let body = json!({ "username": format!("name-{number}"), "password": "wrong" }).to_string();
        let head = format!(
            "POST /auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n\
             x-forwarded-for: {forwarded}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    for number in 0..3 {
        let answer = attempt(number, format!("192.0.2.{number}")).await;
        assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("\"address\";q=3;w=900"), "{answer}");
    }
    let answer = attempt(3, "192.0.2.3".to_owned()).await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: "), "{answer}");
}

/// One check of a password for each, known or not, so that the time tells nothing either.
#[tokio::test]
async fn an_unknown_name_costs_the_same_check_and_gets_the_same_answer() {
    let world = World::new().await;
    let (known, unknown) = (sign_in(&world, "counter", "wrong").await, sign_in(&world, "nobody", "wrong").await);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    for header in ["ratelimit", "ratelimit-policy", "retry-after", "set-cookie", "content-length"] {
        assert_eq!(known.header(header), unknown.header(header), "{header}");
    }
}
