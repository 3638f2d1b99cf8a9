//! Viewers of a progress stream: each a connection of its own that reads whatever comes, as a browser does.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use super::client::Client;

/// For the first state of everybody.
const ENTER_WITHIN: Duration = Duration::from_secs(600);

/// Viewers on a thread of their own.
pub(super) struct Crowd {
    thread: JoinHandle<Result<()>>,
    leave: watch::Sender<bool>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    entered: AtomicUsize,
    bytes: AtomicUsize,
    /// Why the first that left by itself did.
    failed: OnceLock<String>,
}

impl Crowd {
    /// Comes in; returns when everybody has seen a first state.
    pub(super) async fn enter(client: &Client, of_run: &str, viewers: usize) -> Result<Self> {
        let (leave, left) = watch::channel(false);
        let seen = Arc::new(Seen::default());
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\naccept-encoding: gzip\r\nauthorization: Bearer {}\r\n\r\n",
            Client::path(of_run),
            client.token
        );
        let (address, shared) = (client.address, Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let request: Arc<str> = request.into();
                let viewer = |_| tokio::spawn(view(address, Arc::clone(&request), left.clone(), Arc::clone(&shared)));
                for viewer in (0..viewers).map(viewer).collect::<Vec<_>>() {
                    viewer.await?;
                }
                Ok(())
            })
        });
        let crowd = Self { thread, leave, seen };
        let entered = async {
            while crowd.seen.entered.load(Ordering::Relaxed) < viewers {
                crowd.check()?;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok::<_, anyhow::Error>(())
        };
        tokio::time::timeout(ENTER_WITHIN, entered).await.context("viewers wait for their first state")??;
        Ok(crowd)
    }

    /// Read by all of them so far.
    pub(super) fn bytes(&self) -> usize {
        self.seen.bytes.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<()> {
        self.seen.failed.get().map_or(Ok(()), |error| bail!("a viewer left: {error}"))
    }

    /// Goes; an error if somebody had gone before.
    pub(super) async fn leave(self) -> Result<()> {
        self.check()?;
        self.leave.send_replace(true);
        let thread = self.thread;
        tokio::task::spawn_blocking(move || thread.join()).await?.ok().context("a viewer's thread broke")??;
        // Until the server has noticed.
        tokio::time::sleep(Duration::from_secs(6)).await;
        Ok(())
    }
}

async fn view(address: SocketAddr, request: Arc<str>, left: watch::Receiver<bool>, seen: Arc<Seen>) {
    if let Err(error) = read(address, &request, left, &seen).await {
        let _ = seen.failed.set(format!("{error:#}"));
    }
}

async fn read(address: SocketAddr, request: &str, mut left: watch::Receiver<bool>, seen: &Seen) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 65_536];
    let mut total = 0;
    let mut has_entered = false;
    loop {
        let read = tokio::select! {
            read = stream.read(&mut buffer) => read?,
            _ = left.changed() => return Ok(()),
        };
        ensure!(read > 0, "the stream ended");
        if total == 0 {
            ensure!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..read.min(400)]));
        }
        total += read;
        seen.bytes.fetch_add(read, Ordering::Relaxed);
        // Head and headers are less than this, and a state of a run with a few sessions is more.
        if total > 1_500 && !has_entered {
            has_entered = true;
            seen.entered.fetch_add(1, Ordering::Relaxed);
        }
    }
}
