//! From a bound socket to a closed database: runs the router until told to stop, then drains.

use std::{future::Future, io, time::Duration};

use axum::serve::ListenerExt;
use tokio::{net::TcpListener, sync::oneshot, time::sleep};

use crate::{Deps, router};

/// How much longer than one request may take the whole drain may take.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// Serves until `stop` is done; then says "not ready" and takes no new writes, finishes what is under way, and closes the
/// store. Returns when nothing is left to lose.
pub async fn serve(
    listener: TcpListener,
    deps: Deps,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (store, config, drain) = (deps.store.clone(), deps.config.clone(), deps.drain.clone());
    let (begun, drain_begun) = oneshot::channel();
    let listener = listener.tap_io(|stream| {
        // Answers are single small writes: waiting for more to send only adds delay.
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, router(deps)).with_graceful_shutdown(async move {
        stop.await;
        tracing::info!("stopping: no new writes; requests under way are finished");
        drain.begin();
        let _ = begun.send(());
        sleep(config.drain_notice).await;
    });
    let too_long = async {
        if drain_begun.await.is_err() {
            std::future::pending::<()>().await;
        }
        sleep(config.drain_notice + config.request_timeout + DRAIN_MARGIN).await;
    };
    let ended = tokio::select! {
        ended = serving.into_future() => ended,
        () = too_long => {
            tracing::warn!("some connections did not end in time and are cut off");
            Ok(())
        }
    };
    let closed = store.close().await.map_err(io::Error::other);
    ended.and(closed)
}
