//! Compressed bodies, and the limit that counts after decompression.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use ginti_types::limits::BATCH_BYTES_MAX;
use serde_json::json;

use crate::support::{Answer, IMPORT, World, batch, count};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn send(world: &World, encoding: &str, body: Vec<u8>) -> Answer {
    let token = world.token("counter").await;
    let call = world.post(IMPORT).bearer(&token).header("content-type", "application/json");
    call.header("content-encoding", encoding).body(body).send().await
}

#[tokio::test]
async fn gzip_is_undone_and_makes_no_difference_to_what_the_batch_is() {
    let world = World::new().await;
    let sent = batch(1, &json!([count("a", 5, 1)]));
    send(&world, "gzip", gzip(sent.to_string().as_bytes())).await.ok();
    let plain = world.import("counter", &sent).await;
    assert_eq!(plain.header("idempotency-replayed"), "true");
    send(&world, "identity", sent.to_string().into_bytes()).await.ok();
}

#[tokio::test]
async fn another_encoding_or_a_broken_gzip_is_refused() {
    let world = World::new().await;
    let body = batch(1, &json!([count("a", 5, 1)])).to_string().into_bytes();
    for encoding in ["br", "deflate", "zstd", "gzip, gzip"] {
        send(&world, encoding, body.clone()).await.problem("unsupported-encoding");
    }
    let whole = gzip(&body);
    let mut bent = whole.clone();
    *bent.last_mut().unwrap() ^= 1;
    let cases = [body.clone(), whole[..whole.len() / 2].to_vec(), bent, [whole.as_slice(), b"more"].concat()];
    for broken in cases {
        send(&world, "gzip", broken).await.problem("unsupported-encoding");
    }
    assert!(world.quantities("M1").await.is_empty());
}

#[tokio::test]
async fn a_bomb_is_cut_off_at_the_limit() {
    let world = World::new().await;
    let spaces = vec![b' '; 64 * BATCH_BYTES_MAX];
    let bomb = gzip(&spaces);
    assert!(bomb.len() < 100_000, "a small body: {}", bomb.len());
    let problem = send(&world, "gzip", bomb).await.problem("body-too-large");
    assert!(problem.detail.contains("1048576 bytes (counted after decompression)"), "{}", problem.detail);
}

#[tokio::test]
async fn the_limit_is_one_mebibyte_plain_or_compressed() {
    let padded = |n: u32, bytes: usize| {
        let mut text = batch(n, &json!([count("a", 5, 1)])).to_string();
        text.push_str(&" ".repeat(bytes - text.len()));
        text.into_bytes()
    };
    let world = World::new().await;
    send(&world, "identity", padded(1, BATCH_BYTES_MAX)).await.ok();
    send(&world, "gzip", gzip(&padded(2, BATCH_BYTES_MAX))).await.ok();
    send(&world, "identity", padded(3, BATCH_BYTES_MAX + 1)).await.problem("body-too-large");
    send(&world, "gzip", gzip(&padded(4, BATCH_BYTES_MAX + 1))).await.problem("body-too-large");
}
