//! Over a real socket: what only shows with connections.

use std::{net::SocketAddr, time::Duration};

use ginti_server::serve;
use ginti_store::{Store, StoreError};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::support::{IMPORT, World, batch, count};

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

async fn run(world: &World) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(serve(listener, world.deps.clone(), async {
        let _ = stopped.await;
    }));
    Running { address, stop, server }
}

fn head(path: &str, token: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    )
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// Reads up to the end of that text.
async fn read_until(stream: &mut TcpStream, end: &str) {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        text.push(stream.read_u8().await.unwrap());
    }
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let world = World::new().await;
    let running = run(&world).await;
    let token = world.token("counter").await;
    for (token, expected) in [("x.y.z", "HTTP/1.1 401"), (token.as_str(), "HTTP/1.1 413")] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let body = vec![b' '; 2 * 1_048_576];
        stream.write_all(head(IMPORT, token, body.len()).as_bytes()).await.unwrap();
        stream.write_all(&body).await.expect("the server reads on while it refuses");
        assert!(rest(stream).await.starts_with(expected));
    }
}

/// A connection that breaks while a batch is on its way says nothing about the batch: a proxy that passes the answer on must not make
/// the device take it for refused.
#[tokio::test]
async fn a_batch_that_broke_off_on_its_way_is_to_be_sent_again() {
    let world = World::new().await;
    let running = run(&world).await;
    let token = world.token("counter").await;
    let body = batch(1, &json!([count("a", 5, 1)])).to_string();
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(head(IMPORT, &token, body.len()).as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..body.len() / 2]).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"body-incomplete\""), "{answer}");

    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(head(IMPORT, &token, body.len()).as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_draining_server_says_so_and_refuses_stragglers() {
    let world =
        World::with(ginti_sqlite::Options::default(), |deps| deps.config.drain_notice = Duration::from_secs(60)).await;
    let running = run(&world).await;
    let token = world.token("counter").await;
    let sent = batch(1, &json!([count("a", 5, 1)])).to_string();

    // A device that has talked to the server before and comes back on the same connection.
    let mut straggler = TcpStream::connect(running.address).await.unwrap();
    straggler.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    read_until(&mut straggler, "{\"status\":\"ok\"}").await;
    running.stop.send(()).unwrap();
    while !world.deps.drain.has_begun() {
        tokio::task::yield_now().await;
    }

    // Within the notice the listener still answers: not ready, and no new counts.
    let mut probe = TcpStream::connect(running.address).await.unwrap();
    probe.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(probe).await.starts_with("HTTP/1.1 503"));
    straggler.write_all((head(IMPORT, &token, sent.len()) + &sent).as_bytes()).await.unwrap();
    let answer = rest(straggler).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: "), "{answer}");
    running.server.abort();
}

#[tokio::test]
async fn a_stopped_server_leaves_a_closed_database() {
    let world = World::new().await;
    let running = run(&world).await;
    let token = world.token("counter").await;
    let sent = batch(1, &json!([count("a", 5, 1)])).to_string();
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all((head(IMPORT, &token, sent.len()) + &sent).as_bytes()).await.unwrap();
    assert!(rest(stream).await.starts_with("HTTP/1.1 200"));
    running.stop.send(()).unwrap();
    running.server.await.unwrap().unwrap();
    assert_eq!(world.store.ping().await, Err(StoreError::Closed));
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn idle_connections_do_not_hold_a_stopped_server() {
    let world = World::new().await;
    let running = run(&world).await;
    let silent = TcpStream::connect(running.address).await.unwrap();
    let mut kept = TcpStream::connect(running.address).await.unwrap();
    kept.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    read_until(&mut kept, "{\"status\":\"ok\"}").await;
    running.stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), running.server).await.expect("it ends by itself").unwrap().unwrap();
    drop((silent, kept));
}

/// Slowloris: heads that never end, bodies that never end, and connections that say nothing, each held by a client that sends
/// just enough to look alive.
#[tokio::test]
async fn slow_senders_are_cut_off_and_others_are_served_meanwhile() {
    let world = World::new().await.reconfigured(|config| {
        config.head_within = Duration::from_millis(300);
        config.request_timeout = Duration::from_millis(300);
    });
    let running = run(&world).await;
    let token = world.token("counter").await;
    let mut slow = Vec::new();
    for at in 0..30 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let begun = match at % 3 {
            0 => String::new(),
            1 => "GET /livez HTTP/1.1\r\nhost: loc".to_owned(),
            _ => head(IMPORT, &token, 100_000),
        };
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let mut probe = TcpStream::connect(running.address).await.unwrap();
    probe.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(probe).await.starts_with("HTTP/1.1 200"));
    for mut stream in slow {
        // A byte now and then keeps nothing open: what counts is when it was to be complete.
        let ended = async {
            let (mut reading, mut writing) = stream.split();
            let drip = async {
                loop {
                    if writing.write_all(b" ").await.is_err() {
                        std::future::pending::<()>().await;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let mut said = Vec::new();
            tokio::select! {
                _ = reading.read_to_end(&mut said) => {}
                () = drip => {}
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it is cut off");
    }
}

#[tokio::test]
async fn no_more_connections_are_open_than_the_server_takes_and_the_next_waits_for_its_turn() {
    let world = World::new().await.reconfigured(|config| {
        config.connections_max = 3;
        config.head_within = Duration::from_millis(500);
    });
    let running = run(&world).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(TcpStream::connect(running.address).await.unwrap());
    }
    let mut next = TcpStream::connect(running.address).await.unwrap();
    next.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(20), rest(next)).await.expect("the idle ones make room");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
