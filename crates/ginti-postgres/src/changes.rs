//! Hearing of what any server adds to the ledger (LISTEN/NOTIFY).

use std::{
    future::poll_fn,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ginti_store::StoreError;
use tokio::{sync::watch, task::JoinHandle};
use tokio_postgres::{
    AsyncMessage, Client, Connection, NoTls,
    tls::{MakeTlsConnect, TlsStream},
};

use crate::{CONNECTED_WITHIN, address::Address, error::Fault};

/// Where the ledger's length is told. Whoever listens may miss some and hear only the latest.
pub(crate) const CHANNEL: &str = "ginti_ledger";
/// Between two attempts to listen again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The ledger's length as last heard.
#[derive(Debug)]
pub(crate) struct Changes {
    heard: watch::Receiver<u64>,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Changes {
    pub(crate) async fn listen(address: &Address) -> Result<Self, StoreError> {
        let mut config = address.config.clone();
        config.application_name("ginti listens").connect_timeout(CONNECTED_WITHIN);
        let (told, heard) = watch::channel(0);
        let listener = match address.tls()? {
            Some(tls) => begin(config, tls, told).await?,
            None => begin(config, NoTls, told).await?,
        };
        Ok(Self { heard, listener: Mutex::new(Some(listener)) })
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.heard.clone()
    }

    pub(crate) fn close(&self) {
        if let Some(listener) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() {
            listener.abort();
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.close();
    }
}

async fn begin<T>(
    config: tokio_postgres::Config,
    tls: T,
    told: watch::Sender<u64>,
) -> Result<JoinHandle<()>, StoreError>
where
    T: MakeTlsConnect<tokio_postgres::Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send,
    T::TlsConnect: Send,
    <T::TlsConnect as tokio_postgres::tls::TlsConnect<tokio_postgres::Socket>>::Future: Send,
{
    let first = config.connect(tls.clone()).await.map_err(Fault::from)?;
    Ok(tokio::spawn(async move {
        let mut next = Some(first);
        loop {
            let connected = match next.take() {
                Some(connected) => Ok(connected),
                None => config.connect(tls.clone()).await,
            };
            match connected {
                Ok((client, connection)) => hear(client, connection, &told).await,
                Err(error) => tracing::warn!(%error, "PostgreSQL cannot be listened to; trying again"),
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }))
}

/// Passes on what is told, until the connection ends.
async fn hear<S>(client: Client, mut connection: Connection<tokio_postgres::Socket, S>, told: &watch::Sender<u64>)
where
    S: TlsStream + Unpin,
{
    // What was told while nobody listened is asked for: the length now.
    let ask = async {
        client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
        let row = client.query_one("SELECT last_seq FROM ledger", &[]).await?;
        tell(told, &row.get::<_, i64>(0).to_string());
        // Kept until the connection ends.
        std::future::pending::<Result<(), tokio_postgres::Error>>().await
    };
    let pass = async {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notification(notification)) => tell(told, notification.payload()),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the connection that listens to PostgreSQL broke");
                    return;
                }
            }
        }
    };
    tokio::select! {
        asked = ask => if let Err(error) = asked {
            tracing::warn!(%error, "PostgreSQL cannot be listened to");
        },
        () = pass => {}
    }
}

fn tell(told: &watch::Sender<u64>, length: &str) {
    if let Ok(length) = length.parse::<u64>() {
        told.send_if_modified(|known| {
            let is_news = length > *known;
            *known = length.max(*known);
            is_news
        });
    }
}
