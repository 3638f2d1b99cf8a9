//! The network between browser and server: a TCP relay that can be cut, that can swallow answers and hold them back.
//!
//! Cutting it is truer than the browser's own offline emulation, which does not reach service workers: the port refuses
//! connections for page and worker alike.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinHandle,
};

const IMPORT: &[u8] = b"POST /maarg/poorti/InventoryCountImport ";

/// The link. Its address is the app's origin for the browser, and stays the same through cuts.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    upstream: SocketAddr,
    state: Arc<State>,
    relay: Option<JoinHandle<()>>,
    hold: watch::Sender<bool>,
    cut: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    imports: AtomicUsize,
    held: AtomicUsize,
    swallow: AtomicU32,
    plain_cookies: bool,
}

impl Link {
    /// A link to a server, up. With `plain_cookies` it stands in for the TLS that some browsers insist on before they keep
    /// the sign-in's cookie: on its way to the browser the cookie is not called secure, and on its way back it is again.
    pub async fn new(upstream: SocketAddr, plain_cookies: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut link = Self {
            address: listener.local_addr()?,
            upstream,
            state: Arc::new(State { plain_cookies, ..State::default() }),
            relay: None,
            hold: watch::Sender::new(false),
            cut: watch::Sender::new(0),
        };
        link.serve(listener);
        Ok(link)
    }

    /// The app's origin.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts it: open connections break, new ones are refused.
    pub async fn down(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.abort();
            let _ = relay.await;
        }
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    /// Mends it.
    pub async fn up(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address).await.context("the link's port was taken meanwhile")?;
        self.serve(listener);
        Ok(())
    }

    /// Import requests that have passed towards the server so far.
    pub fn imports(&self) -> usize {
        self.state.imports.load(Ordering::SeqCst)
    }

    /// Breaks the connection instead of passing on the answers to the next `count` imports.
    pub fn swallow_answers(&self, count: u32) {
        self.state.swallow.store(count, Ordering::SeqCst);
    }

    /// Holds back (or lets go) all answers to imports.
    pub fn hold_answers(&self, hold: bool) {
        self.hold.send_replace(hold);
    }

    /// Answers to imports that are or were held back.
    pub fn held(&self) -> usize {
        self.state.held.load(Ordering::SeqCst)
    }

    fn serve(&mut self, listener: TcpListener) {
        let (upstream, state, hold, cut) = (self.upstream, self.state.clone(), self.hold.clone(), self.cut.clone());
        self.relay = Some(tokio::spawn(async move {
            while let Ok((browser, _)) = listener.accept().await {
                let mut cut = cut.subscribe();
                cut.mark_unchanged();
                let relay = relay(browser, upstream, state.clone(), hold.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = relay => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        }));
    }
}

async fn relay(
    browser: TcpStream,
    upstream: SocketAddr,
    state: Arc<State>,
    hold: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    let (from_browser, to_browser) = browser.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether the last request on this connection was an import.
    let importing = Arc::new(AtomicBool::new(false));
    tokio::select! {
        ended = requests(from_browser, to_server, state.clone(), importing.clone()) => ended,
        ended = answers(from_server, to_browser, state, importing, hold) => ended,
    }
}

async fn requests(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    state: Arc<State>,
    importing: Arc<AtomicBool>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let chunk = &buffer[..read];
        // A browser sends a request's head at the start of a segment, and one request at a time per connection.
        if chunk.starts_with(IMPORT) {
            state.imports.fetch_add(1, Ordering::SeqCst);
            importing.store(true, Ordering::SeqCst);
        } else if chunk.starts_with(b"GET ") || chunk.starts_with(b"POST ") {
            importing.store(false, Ordering::SeqCst);
        }
        if state.plain_cookies {
            to.write_all(&replaced(chunk, b"xxHost-", b"__Host-")).await?;
        } else {
            to.write_all(chunk).await?;
        }
    }
}

async fn answers(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    state: Arc<State>,
    importing: Arc<AtomicBool>,
    mut hold: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if importing.load(Ordering::SeqCst) {
            let swallow = state.swallow.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if swallow.is_ok() {
                return Ok(());
            }
            if *hold.borrow() {
                state.held.fetch_add(1, Ordering::SeqCst);
                let _ = hold.wait_for(|hold| !hold).await;
            }
        }
        if state.plain_cookies {
            let plain = replaced(&buffer[..read], b"__Host-", b"xxHost-");
            to.write_all(&replaced(&plain, b"; Secure", b"; Plain_")).await?;
        } else {
            to.write_all(&buffer[..read]).await?;
        }
    }
}

/// With every `from` made `to`, which is as long.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}
