//! A hostile network for tests: a proxy that does to each request what chance, from one seed, says.
//!
//! It carries one exchange per connection, so that an answer is whatever comes until the server closes. What it does with the
//! n-th exchange follows from the seed and n alone.

mod dice;
mod exchange;
mod fault;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use crate::{
    dice::Dice,
    fault::{Fault, Weather},
};

/// The proxy. Its address stays the same while it lives.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

/// What all exchanges share.
#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    seed: u64,
    weather: Mutex<Weather>,
    exchanges: AtomicU64,
    done: [AtomicU64; Fault::ALL.len()],
    cut: watch::Sender<u64>,
}

impl Proxy {
    /// A proxy before that server, in fair weather.
    pub async fn start(upstream: SocketAddr, seed: u64) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            upstream,
            seed,
            weather: Mutex::new(Weather::fair()),
            exchanges: AtomicU64::new(0),
            done: [const { AtomicU64::new(0) }; Fault::ALL.len()],
            cut: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, accepting })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather. A new one that is down breaks what is on its way.
    pub fn set(&self, weather: Weather) {
        if weather.is_down() {
            self.state.cut.send_modify(|cuts| *cuts += 1);
        }
        *self.state.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// Exchanges begun so far.
    pub fn exchanges(&self) -> u64 {
        self.state.exchanges.load(Ordering::SeqCst)
    }

    /// How often each fault has happened.
    pub fn tally(&self) -> Vec<(Fault, u64)> {
        let times = |fault: Fault| self.state.done[fault as usize].load(Ordering::SeqCst);
        Fault::ALL.into_iter().map(|fault| (fault, times(fault))).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.state.cut.send_modify(|cuts| *cuts += 1);
    }
}

impl State {
    /// What befalls the next exchange.
    fn next(&self) -> (Option<Fault>, Dice) {
        let number = self.exchanges.fetch_add(1, Ordering::SeqCst);
        let mut dice = Dice::new(self.seed, number);
        let fault = self.weather.lock().unwrap_or_else(PoisonError::into_inner).draw(&mut dice);
        if let Some(fault) = fault {
            self.done[fault as usize].fetch_add(1, Ordering::SeqCst);
        }
        (fault, dice)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let mut cut = state.cut.subscribe();
        cut.mark_unchanged();
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // A broken connection is what this is for.
            tokio::select! {
                _ = exchange::carry(client, &state) => {}
                _ = cut.changed() => {}
            }
        });
    }
}
