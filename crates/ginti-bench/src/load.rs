//! Clients over HTTP: each a connection of its own, one batch at a time, until told to stop.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    machine::{Usage, usage_of},
    work::{BATCH_ITEMS, Client},
};

/// Until everything is warm.
const WARM_UP: Duration = Duration::from_millis(700);
const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const ENDING: u8 = 2;

/// Where batches go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    /// The processes that do the work, with their children.
    pub(crate) processes: Vec<u32>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    pub(crate) counts_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) cpu_us_per_count: f64,
    pub(crate) rss_mb: f64,
}

/// Sends for so long, on a thread of its own; the clients come back with what was acknowledged.
pub(crate) fn run(target: &Target, clients: Vec<Client>, length: Duration) -> Result<(Run, Vec<Client>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let phase = Arc::new(AtomicU8::new(WARMING));
        let mut sending = Vec::with_capacity(clients.len());
        for client in clients {
            sending.push(tokio::spawn(send(target.clone(), client, Arc::clone(&phase))));
        }
        tokio::time::sleep(WARM_UP).await;
        let (before, start) = (usage_of(&target.processes), Instant::now());
        phase.store(MEASURING, Ordering::Relaxed);
        tokio::time::sleep(length).await;
        phase.store(ENDING, Ordering::Relaxed);
        let (after, took) = (usage_of(&target.processes), start.elapsed());
        let (mut all, mut clients) = (histogram()?, Vec::with_capacity(sending.len()));
        for client in sending {
            let (client, latencies) = client.await??;
            all.add(&latencies).context("latencies")?;
            clients.push(client);
        }
        Ok((summary(&all, before, after, took), clients))
    })
}

#[expect(clippy::cast_precision_loss, reason = "measurements")]
fn summary(all: &Histogram<u64>, before: Usage, after: Usage, took: Duration) -> Run {
    let counts = (all.len() * BATCH_ITEMS) as f64;
    Run {
        counts_per_second: counts / took.as_secs_f64(),
        p50_ms: all.value_at_quantile(0.5) as f64 / 1_000.0,
        p99_ms: all.value_at_quantile(0.99) as f64 / 1_000.0,
        cpu_us_per_count: (after.cpu_us - before.cpu_us) / counts.max(1.0),
        rss_mb: after.rss_mb,
    }
}

fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).context("a histogram")
}

async fn send(target: Target, mut client: Client, phase: Arc<AtomicU8>) -> Result<(Client, Histogram<u64>)> {
    let mut stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    let mut latencies = histogram()?;
    let mut request = Vec::with_capacity(16_384);
    let mut answer = vec![0; 65_536];
    let bearer = target.token.as_ref().map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
    while phase.load(Ordering::Relaxed) != ENDING {
        let body = client.next();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{bearer}content-length: {}\r\n\r\n",
            target.path,
            body.len()
        );
        request.clear();
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(body);
        let start = Instant::now();
        let counts = phase.load(Ordering::Relaxed) == MEASURING;
        stream.write_all(&request).await?;
        read_answer(&mut stream, &mut answer).await?;
        client.acknowledge();
        if counts && phase.load(Ordering::Relaxed) == MEASURING {
            latencies.saturating_record(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }
    Ok((client, latencies))
}

/// Reads one answer to its end; anything but a 2xx ends the run.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("the server hung up");
        }
        filled += read;
        let mut headers = [httparse::EMPTY_HEADER; 48];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(&buffer[..filled])? else { continue };
        let status = response.code.unwrap_or(0);
        let header = |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        let is_whole = match header("content-length") {
            Some(length) => filled >= head + std::str::from_utf8(length.value)?.trim().parse::<usize>()?,
            // Chunked: the last chunk is empty.
            None => buffer[..filled].ends_with(b"0\r\n\r\n"),
        };
        if is_whole {
            if !(200..300).contains(&status) {
                bail!("answered {status}: {}", String::from_utf8_lossy(&buffer[head..filled.min(head + 600)]));
            }
            return Ok(());
        }
    }
}

/// Holds so many idle connections, each after one batch; the memory of the target then, in MB.
pub(crate) fn idle(target: &Target, connections: usize) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut open = Vec::with_capacity(connections);
        let mut client = Client::new(9_000, crate::work::Form::Ginti);
        let mut answer = vec![0; 65_536];
        let token = target.token.clone().unwrap_or_default();
        for _ in 0..connections {
            let mut stream = TcpStream::connect(target.address).await?;
            let body = client.next();
            let head = format!(
                "POST {} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nauthorization: Bearer {token}\r\n\
                 content-length: {}\r\n\r\n",
                target.path,
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body).await?;
            read_answer(&mut stream, &mut answer).await?;
            open.push(stream);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(usage_of(&target.processes).rss_mb)
    })
}
