//! From a bound socket to a closed database: runs the router until told to stop, then drains.

use std::{future::Future, io, net::IpAddr, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tower::Layer;

use crate::{
    Config, Deps,
    auth::Peer,
    places::{Place, Places},
    router, routes,
};

/// How much longer than one request may take the whole drain may take.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);
/// What a connection may buffer: it keeps it for as long as it is open, and thousands of devices keep theirs open.
const CONNECTION_BUFFER_BYTES: usize = 16 * 1_024;
/// After a connection could not be taken (too many open files): others end meanwhile.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Serves until `stop` is done; then says "not ready" and takes no new writes, finishes what is under way, and closes the
/// store. Returns when nothing is left to lose.
pub async fn serve(
    listener: TcpListener,
    deps: Deps,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (store, config, drain) = (deps.store.clone(), deps.config.clone(), deps.drain.clone());
    routes::recorder();
    let router = router(deps);
    let open = GracefulShutdown::new();
    let stopped = async {
        stop.await;
        tracing::info!("stopping: no new writes; requests under way are finished");
        drain.begin();
        sleep(config.drain_notice).await;
    };
    tokio::select! {
        () = accept(&listener, &router, &config, &open) => {}
        () = stopped => {}
    }
    drop(listener);
    if tokio::time::timeout(config.request_timeout + DRAIN_MARGIN, open.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut off");
    }
    store.close().await.map_err(io::Error::other)
}

/// Takes connections, for ever. When as many are open as there may be, others wait in the system's own queue.
async fn accept(listener: &TcpListener, router: &Router, config: &Config, open: &GracefulShutdown) {
    let places = Places::new(config);
    loop {
        let place = places.any().await;
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Some(place) = places.of(peer.ip(), config, place) {
                    answer(stream, peer.ip(), router.clone(), config, open, place);
                } else {
                    tracing::debug!("a connection too many from one address is closed");
                }
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be taken");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Answers the requests of a connection until it ends.
fn answer(stream: TcpStream, peer: IpAddr, router: Router, config: &Config, open: &GracefulShutdown, place: Place) {
    // Answers are single small writes: waiting for more to send only adds delay.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_within)
        .max_buf_size(CONNECTION_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(Extension(Peer(peer)).layer(router)));
    let connection = open.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection broke off");
        }
        drop(place);
    });
}

/// The other side gave up before it was taken: nothing is wrong here.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
