//! A receiver of messages on this machine: takes everything and keeps it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

type Got = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    got: Got,
    task: JoinHandle<()>,
}

impl Receiver {
    /// A new one, on a port of its own.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/messages", listener.local_addr()?);
        let got = Got::default();
        let app = Router::new().route("/messages", post(take)).with_state(got.clone());
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { url, got, task })
    }

    /// Where it takes messages.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was told so far, in order.
    pub fn got(&self) -> Vec<(HeaderMap, Value)> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(got): State<Got>, headers: HeaderMap, Json(told): Json<Value>) -> StatusCode {
    got.lock().unwrap_or_else(PoisonError::into_inner).push((headers, told));
    StatusCode::NO_CONTENT
}
