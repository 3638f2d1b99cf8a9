//! One exchange: the request read whole, what befalls it, and the answer passed on until the server closes.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use crate::{Fault, State};

/// The longest head of a request that is read.
const HEAD_BYTES: usize = 64 * 1024;
const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 20\r\nConnection: close\r\n\r\n<h1>Bad Gateway</h1>";
const GATEWAY_TIMEOUT: &str = "HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/html\r\nContent-Length: 24\r\nConnection: close\r\n\r\n<h1>Gateway Timeout</h1>";
const UNAVAILABLE: &str =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CAPTIVE_PORTAL: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 27\r\nConnection: close\r\n\r\n<h1>Welcome to our WiFi</h1>";

/// Carries it.
pub(crate) async fn carry(mut client: TcpStream, state: &State) -> io::Result<()> {
    let (fault, mut dice) = state.next();
    if fault == Some(Fault::Reset) {
        return reset(&client);
    }
    let Some(request) = read_request(&mut client).await? else { return Ok(()) };
    match fault {
        None => pass(&mut client, state, &request).await,
        Some(Fault::Reset) => reset(&client),
        Some(Fault::Lost) => {
            sleep(Duration::from_millis(500 + dice.below(4_000))).await;
            Ok(())
        }
        Some(Fault::HalfRequest) => {
            let mut server = TcpStream::connect(state.upstream).await?;
            server.write_all(&request[..request.len() / 2]).await?;
            server.shutdown().await?;
            reset(&client)
        }
        Some(Fault::Delayed) => {
            sleep(Duration::from_millis(dice.below(3_000))).await;
            pass(&mut client, state, &request).await
        }
        Some(Fault::Doubled) => {
            answer_to(state, &request).await?;
            pass(&mut client, state, &request).await
        }
        Some(Fault::AnswerLost) => {
            answer_to(state, &request).await?;
            reset(&client)
        }
        Some(Fault::HalfAnswer) => {
            let answer = answer_to(state, &request).await?;
            client.write_all(&answer[..answer.len() / 2]).await?;
            // Let it arrive before the reset overtakes it.
            sleep(Duration::from_millis(20)).await;
            reset(&client)
        }
        Some(Fault::HalfClosed) => {
            answer_to(state, &request).await?;
            client.shutdown().await?;
            sleep(Duration::from_millis(500 + dice.below(2_000))).await;
            Ok(())
        }
        Some(Fault::Dripped) => {
            let answer = answer_to(state, &request).await?;
            let piece = answer.len() / (2 + usize::try_from(dice.below(20)).unwrap_or(0)) + 1;
            for piece in answer.chunks(piece) {
                client.write_all(piece).await?;
                sleep(Duration::from_millis(20 + dice.below(80))).await;
            }
            Ok(())
        }
        Some(Fault::BadGateway) => say(&mut client, BAD_GATEWAY).await,
        Some(Fault::GatewayTimeout) => {
            answer_to(state, &request).await?;
            say(&mut client, GATEWAY_TIMEOUT).await
        }
        Some(Fault::Unavailable) => say(&mut client, UNAVAILABLE).await,
        Some(Fault::CaptivePortal) => say(&mut client, CAPTIVE_PORTAL).await,
    }
}

/// The request, told to be the last on its connection; none if the client went away.
async fn read_request(client: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    let (head, body) = loop {
        if client.read_buf(&mut read).await? == 0 || read.len() > HEAD_BYTES {
            return Ok(None);
        }
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&read) {
            Ok(httparse::Status::Complete(length)) => break (length, body_length(request.headers)),
            Ok(httparse::Status::Partial) => {}
            Err(_) => return Ok(None),
        }
    };
    while read.len() < head + body {
        if client.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(as_the_last(&read, head)))
}

fn body_length(headers: &[httparse::Header<'_>]) -> usize {
    let length = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok()).unwrap_or(0)
}

/// Without what it says of its connection, and with "close".
fn as_the_last(request: &[u8], head: usize) -> Vec<u8> {
    let mut changed = Vec::with_capacity(request.len() + 32);
    let (head, body) = request.split_at(head);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let of_connection = [&b"connection:"[..], b"keep-alive:", b"proxy-connection:"];
        let is_dropped =
            of_connection.iter().any(|name| line.len() >= name.len() && line[..name.len()].eq_ignore_ascii_case(name));
        if line == b"\r\n" {
            changed.extend_from_slice(b"Connection: close\r\n\r\n");
        } else if !is_dropped {
            changed.extend_from_slice(line);
        }
    }
    changed.extend_from_slice(body);
    changed
}

/// Asks the server and passes on whatever comes, as it comes. A client that goes away takes the server's answer with it.
async fn pass(client: &mut TcpStream, state: &State, request: &[u8]) -> io::Result<()> {
    let mut server = TcpStream::connect(state.upstream).await?;
    server.write_all(request).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, _to_server) = server.split();
    let mut beyond = [0; 1024];
    tokio::select! {
        done = tokio::io::copy(&mut from_server, &mut to_client) => { done?; }
        _ = from_client.read(&mut beyond) => {}
    }
    to_client.shutdown().await
}

/// The server's whole answer.
async fn answer_to(state: &State, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(state.upstream).await?;
    server.write_all(request).await?;
    let mut answer = Vec::new();
    // A stream that never ends is as good as lost after a while.
    let whole = tokio::time::timeout(Duration::from_secs(10), server.read_to_end(&mut answer)).await;
    whole.unwrap_or(Ok(0))?;
    Ok(answer)
}

async fn say(client: &mut TcpStream, answer: &str) -> io::Result<()> {
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

/// The client sees a reset, not an end.
fn reset(client: &TcpStream) -> io::Result<()> {
    client.set_zero_linger()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_passed_on_as_the_last_of_its_connection() {
        let request = b"POST / HTTP/1.1\r\nHost: a\r\nconnection: keep-alive\r\nContent-Length: 2\r\n\r\n\r\n";
        let head = request.len() - 2;
        let expected = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n\r\n";
        assert_eq!(as_the_last(request, head), expected);
    }
}
