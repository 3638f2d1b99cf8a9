//! Progress, and its stream over a real connection.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_see_counts_as_they_arrive() {
    let world = World::new().await;
    planned(&world).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(ginti_server::serve(listener, world.deps.clone(), async { _ = stopped.await }));
    let token = world.token("manager").await;
    let mut viewers = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {RUN}/R1/progress/stream HTTP/1.1\r\nHost: ginti\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        viewers.push(BufReader::new(stream).lines());
    }
    for viewer in &mut viewers {
        assert_eq!(event(viewer).await["sessions"][0]["itemsCounted"], 0);
    }
    counted(&world, 1, &["a", "b"]).await;
    for viewer in &mut viewers {
        while event(viewer).await["sessions"][0]["itemsCounted"] != 2 {}
    }
    drop(viewers);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
