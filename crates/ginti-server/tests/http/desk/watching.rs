//! Progress, and its stream over a real connection.

use std::{io::Write, time::Duration};

use axum::{
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tower::ServiceExt;

use super::{RUN, planned};
use crate::support::World;

async fn counted(world: &World, number: u32, rows: &[&str]) {
    let items: Vec<_> = rows
        .iter()
        .map(|row| json!({ "importItemSeqId": row, "productId": "10440", "quantity": 1, "revision": number, "countedAt": "2026-11-22T09:14:02.000Z" }))
        .collect();
    let mut batch = crate::support::batch(number, &json!(items));
    batch["inventoryCountImportId"] = json!("S1");
    world.import("counter", &batch).await.ok();
}

#[tokio::test]
async fn progress_says_who_counts_where_and_how_fast() {
    let world = World::new().await;
    planned(&world).await;
    counted(&world, 1, &["a", "b"]).await;
    let progress = world.read("manager", &format!("{RUN}/R1/progress")).await.ok();
    let session = &progress["sessions"][0];
    assert_eq!(
        (&session["itemsCounted"], &session["itemsRequested"], &session["devices"]),
        (&json!(2), &json!(3), &json!(1))
    );
    assert_eq!(
        (&progress["people"][0]["userLoginId"], &progress["people"][0]["counts"]),
        (&json!("counter"), &json!(2))
    );
    assert_eq!(progress["perMinute"].as_array().unwrap().len(), 60);
    assert_eq!(progress["perMinute"][59]["counts"], 2);
    let lag = json!({ "counts": 2, "p50": 2_000, "p95": 2_000, "max": 2_000, "buckets": [0, 2, 0, 0, 0, 0] });
    assert_eq!(progress["lag"], lag);
    world.read("manager", &format!("{RUN}/none/progress")).await.problem("not-found");
    world.read("counter", &format!("{RUN}/R1/progress")).await.problem("not-allowed");
}

/// The data of the next event.
async fn event(lines: &mut Lines<BufReader<TcpStream>>) -> Value {
    loop {
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        let line = line.expect("an event in time").unwrap().expect("the stream goes on");
        if let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str(data).unwrap();
        }
    }
}

/// Viewers of a run at a server that listens, until they and it are dropped.
struct Watching {
    viewers: Vec<Lines<BufReader<TcpStream>>>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Watching {
    async fn begin(world: &World, viewers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(ginti_server::serve(listener, world.deps.clone(), async { _ = stopped.await }));
        let token = world.token("manager").await;
        let request = format!(
            "GET {RUN}/R1/progress/stream HTTP/1.1\r\nHost: ginti\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let mut watching = Self { viewers: Vec::new(), stop, server };
        for _ in 0..viewers {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            watching.viewers.push(BufReader::new(stream).lines());
        }
        watching
    }

    /// Until every viewer sees so many rows counted.
    async fn see(&mut self, rows: u64) {
        for viewer in &mut self.viewers {
            while event(viewer).await["sessions"][0]["itemsCounted"] != rows {}
        }
    }

    async fn end(self) {
        drop(self.viewers);
        self.stop.send(()).unwrap();
        self.server.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_see_counts_as_they_arrive() {
    let world = World::new().await;
    planned(&world).await;
    let mut watching = Watching::begin(&world, 3).await;
    watching.see(0).await;
    counted(&world, 1, &["a", "b"]).await;
    watching.see(2).await;
    watching.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_at_one_server_see_what_arrives_at_another() {
    let database = ginti_cluster::Database::new().await.unwrap();
    let store = async || {
        let store = ginti_postgres::PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await;
        std::sync::Arc::new(store.unwrap())
    };
    let here = World::new().await.over(store().await, true).await;
    let there = World::new().await.over(store().await, false).await;
    planned(&there).await;
    let mut watching = Watching::begin(&here, 2).await;
    watching.see(0).await;
    counted(&there, 1, &["a", "b", "c"]).await;
    watching.see(3).await;
    watching.end().await;
}

#[tokio::test]
async fn a_viewer_who_takes_gzip_gets_it_and_one_who_may_not_look_is_told_why() {
    let world = World::new().await;
    planned(&world).await;
    let stream = async |user: &str, run: &str| {
        let request = Request::get(format!("{RUN}/{run}/progress/stream"))
            .header(header::AUTHORIZATION, format!("Bearer {}", world.token(user).await))
            .header(header::ACCEPT_ENCODING, "gzip, br");
        world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    assert_eq!(stream("manager", "none").await.status(), 404);
    assert_eq!(stream("counter", "R1").await.status(), 403);
    let mut response = stream("manager", "R1").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    let mut unpacked = flate2::write::GzDecoder::new(Vec::new());
    let mut has_counted = false;
    // The first state is whole though the file has no end; later ones continue it.
    for counted_rows in [0, 2] {
        let expected = format!("\"itemsCounted\":{counted_rows}");
        while !String::from_utf8_lossy(unpacked.get_ref()).contains(&expected) {
            let frame = tokio::time::timeout(Duration::from_secs(60), response.body_mut().frame()).await;
            let frame = frame.expect("a frame in time").expect("the stream goes on").unwrap();
            unpacked.write_all(&frame.into_data().unwrap()).unwrap();
            unpacked.flush().unwrap();
        }
        if !has_counted {
            counted(&world, 1, &["a", "b"]).await;
            has_counted = true;
        }
    }
}
