//! What each fault does to the server behind the proxy and to the client before it, through real sockets.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ginti_fault_proxy::{Fault, Proxy, Weather};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const BODY: &str = "counted: twelve";

/// A server that answers every whole request with the same words and knows how many it got.
async fn server() -> io::Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, asked) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut read = Vec::new();
                while !read.ends_with(BODY.as_bytes()) {
                    if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nreceived";
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    Ok((address, asked))
}

/// Everything that comes back, or the error it ended with.
async fn send(proxy: &Proxy) -> io::Result<String> {
    let mut stream = TcpStream::connect(proxy.address()).await?;
    let head = format!("POST /counts HTTP/1.1\r\nHost: here\r\nContent-Length: {}\r\n\r\n", BODY.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(BODY.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn each_fault_does_what_its_name_says() -> io::Result<()> {
    let (upstream, asked) = server().await?;
    let proxy = Proxy::start(upstream, 1).await?;
    for fault in Fault::ALL {
        let before = asked.load(Ordering::SeqCst);
        proxy.set(Weather::always(fault));
        let answer = send(&proxy).await;
        let times = asked.load(Ordering::SeqCst) - before;
        let (asks, starts, ends) = match fault {
            Fault::Reset | Fault::HalfRequest => (0, None, ""),
            Fault::Lost => (0, Some(""), ""),
            Fault::Delayed | Fault::Dripped => (1, Some("HTTP/1.1 200"), "received"),
            Fault::Doubled => (2, Some("HTTP/1.1 200"), "received"),
            Fault::AnswerLost | Fault::HalfAnswer => (1, None, ""),
            Fault::HalfClosed => (1, Some(""), ""),
            Fault::BadGateway => (0, Some("HTTP/1.1 502"), "Gateway</h1>"),
            Fault::GatewayTimeout => (1, Some("HTTP/1.1 504"), "Timeout</h1>"),
            Fault::Unavailable => (0, Some("HTTP/1.1 503"), "\r\n\r\n"),
            Fault::CaptivePortal => (0, Some("HTTP/1.1 200"), "WiFi</h1>"),
        };
        assert_eq!(times, asks, "{}", fault.name());
        match (starts, answer) {
            (None, Err(_)) => {}
            (Some(starts), Ok(answer)) => {
                assert!(answer.starts_with(starts) && answer.ends_with(ends), "{}: {answer}", fault.name());
                assert!(!starts.is_empty() || answer.is_empty(), "{}: {answer}", fault.name());
            }
            (_, answer) => panic!("{}: {answer:?}", fault.name()),
        }
    }
    assert!(proxy.tally().iter().all(|(_, times)| *times == 1), "{:?}", proxy.tally());
    assert_eq!(proxy.exchanges(), Fault::ALL.len() as u64);
    Ok(())
}

#[tokio::test]
async fn in_fair_weather_everything_gets_through_and_when_down_nothing() -> io::Result<()> {
    let (upstream, asked) = server().await?;
    let proxy = Proxy::start(upstream, 1).await?;
    assert!(send(&proxy).await?.ends_with("received"));
    proxy.set(Weather::down());
    assert!(send(&proxy).await.is_err());
    proxy.set(Weather::fair());
    assert!(send(&proxy).await?.ends_with("received"));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    Ok(())
}
