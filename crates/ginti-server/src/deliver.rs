//! Tells receivers of approved results and of alerts: signed, with an idempotency key, again and again until they have taken it.
//!
//! Where a message may go is chosen by people of a tenant, not by the operator: it goes to addresses on the internet only, checked
//! when it is set and again when its name is looked up, and follows no redirect.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ginti_desk::{About, Alert, Desk, DueMessages, Message, NoteAttempt, ReceiverKind, Results};
use ginti_types::Timestamp;
use hmac::{Hmac, Mac};
use reqwest::{
    Client, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{Deps, alerts, routes::decimal};

/// Messages taken up at a time.
const AT_ONCE: i64 = 10;
/// How long to wait when there is nothing to do.
const IDLE: Duration = Duration::from_secs(2);
/// How long a receiver may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The longest wait between two attempts, in milliseconds.
const WAIT_MS_MAX: i64 = 60 * 60 * 1_000;
const FIRST_WAIT_MS: i64 = 5_000;
/// Characters of a receiver's answer that are kept.
const ANSWER_CHARS_MAX: usize = 200;
/// Bytes of it that are read.
const ANSWER_BYTES_MAX: usize = 4_096;

/// Delivers until the server drains.
pub async fn run(deps: Deps) {
    let Some(client) = client(deps.config.private_receivers) else { return };
    let desk = Desk::new(deps.store.clone());
    while !deps.drain.has_begun() {
        let due = match desk.run(DueMessages { now: deps.now(), limit: AT_ONCE }).await {
            Ok(due) => due,
            Err(error) => {
                tracing::debug!(%error, "the outbox cannot be read");
                Vec::new()
            }
        };
        if due.is_empty() {
            tokio::time::sleep(IDLE).await;
        }
        for message in due {
            let error = send(&client, &message, deps.now(), deps.config.private_receivers).await.err();
            if let Some(error) = &error {
                tracing::warn!(
                    message = message.id,
                    receiver = message.receiver.id,
                    error,
                    "a message was not delivered"
                );
            }
            let wait_ms = wait_ms(message.attempts, u64::from_be_bytes(deps.random()));
            let note = NoteAttempt { key: message.key, error, wait_ms, now: deps.now() };
            if let Err(error) = desk.run(note).await {
                // It is tried again when its lease has run out; the receiver knows it by its key.
                tracing::warn!(%error, "an attempt could not be noted");
            }
        }
    }
}

fn client(private: bool) -> Option<Client> {
    // Another part of the program may have chosen one already: then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(Policy::none())
        .timeout(ANSWER_WITHIN)
        .user_agent(concat!("ginti/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::new(PublicOnly { private }))
        .no_proxy()
        .build();
    client.inspect_err(|error| tracing::error!(%error, "messages cannot be delivered")).ok()
}

/// Full jitter under a ceiling that doubles.
fn wait_ms(attempts: i64, random: u64) -> i64 {
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(16);
    let ceiling = (FIRST_WAIT_MS << doublings).min(WAIT_MS_MAX);
    1_000 + i64::try_from(random % u64::try_from(ceiling).unwrap_or(1)).unwrap_or(0)
}

async fn send(client: &Client, message: &Message, now: Timestamp, private: bool) -> Result<(), String> {
    check_url(&message.receiver.url, private)?;
    let body = body(message).to_string();
    let url: Url = message.receiver.url.parse().map_err(|_| "The address is none.".to_owned())?;
    let signed = sign(&message.receiver.secret, &message.receiver.id, url.as_str(), &message.id, &body, now);
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("idempotency-key", &message.id)
        .header("content-digest", signed.digest)
        .header("signature-input", signed.input)
        .header("signature", signed.signature)
        .body(body);
    let answer = request.send().await.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(" ({cause})"));
        format!("Not reached: {}{cause}", error.without_url())
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let said: String = beginning(answer).await.chars().take(ANSWER_CHARS_MAX).collect();
    Err(format!("The receiver answered {status}. {said}").trim_end().to_owned())
}

/// The beginning of what a receiver says: it may say anything, and without end.
async fn beginning(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        let Ok(Some(more)) = answer.chunk().await else { break };
        let room = ANSWER_BYTES_MAX - bytes.len();
        bytes.extend_from_slice(&more[..more.len().min(room)]);
    }
    // NUL, which databases do not keep, is replaced like all that is no text.
    String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}")
}

fn body(message: &Message) -> Json {
    match &message.about {
        About::Results(results) => results_body(message, results),
        About::Raised(alert) => alert_body(message, alert, "ginti.alert.raised", None),
        About::Cleared(alert) => alert_body(message, alert, "ginti.alert.cleared", Some(message.created)),
    }
}

fn alert_body(message: &Message, alert: &Alert, kind: &str, cleared: Option<Timestamp>) -> Json {
    json!({
        "type": kind, "messageId": message.id, "tenantId": message.tenant, "alertId": alert.id, "kind": alert.kind.as_str(),
        "subject": alert.subject, "detail": alerts::said(alert), "details": alert.details, "raisedAt": alert.raised,
        "clearedAt": cleared,
    })
}

fn results_body(message: &Message, results: &Results) -> Json {
    let number = |micros: i64| decimal(micros).parse::<serde_json::Number>().map_or(Json::Null, Json::Number);
    let line = |line: &ginti_desk::MessageRow| match message.receiver.kind {
        ReceiverKind::Webhook | ReceiverKind::Alerts => json!({
            "productId": line.product, "expectedQuantity": line.expected.map(number), "quantity": number(line.quantity),
        }),
        ReceiverKind::Moqui => json!({
            "productId": line.product, "facilityId": results.facility, "quantity": number(line.quantity),
            "systemQuantityOnHand": line.expected.map(number),
            "quantityOnHandVar": number(line.quantity.saturating_sub(line.expected.unwrap_or(0))),
            "varianceReasonId": "VAR_CYCLE_COUNT",
        }),
    };
    let lines: Vec<_> = results.lines.iter().map(line).collect();
    match message.receiver.kind {
        ReceiverKind::Webhook | ReceiverKind::Alerts => json!({
            "type": "ginti.count.approved", "messageId": message.id, "tenantId": message.tenant,
            "workEffortId": results.run, "workEffortName": results.run_name, "facilityId": results.facility,
            "approvedAt": message.created, "items": lines,
        }),
        ReceiverKind::Moqui => json!({
            "workEffortId": results.run, "facilityId": results.facility, "effectiveDate": message.created,
            "externalId": message.id, "inventoryVariances": lines,
        }),
    }
}

struct Signed {
    digest: String,
    input: String,
    signature: String,
}

/// HTTP Message Signatures (RFC 9421), `hmac-sha256`, over what the receiver acts on.
fn sign(secret: &[u8], key_id: &str, url: &str, id: &str, body: &str, now: Timestamp) -> Signed {
    let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)));
    let parameters = format!(
        "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\" \"idempotency-key\");created={};keyid=\"{}\";\
         alg=\"hmac-sha256\"",
        now.unix_ms() / 1_000,
        key_id.replace(['"', '\\'], "_")
    );
    let base = format!(
        "\"@method\": POST\n\"@target-uri\": {url}\n\"content-digest\": {digest}\n\"content-type\": application/json\n\
         \"idempotency-key\": {id}\n\"@signature-params\": {parameters}"
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length is a key");
    mac.update(base.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Signed { digest, input: format!("ginti={parameters}"), signature: format!("ginti=:{signature}:") }
}

/// Whether results may go there; else why not.
pub(crate) fn check_url(url: &str, private: bool) -> Result<(), String> {
    // What is shown is what is called: these are left out, or taken for others, where an address is read.
    if url.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err("\"url\" must not hold spaces, control characters or backslashes.".to_owned());
    }
    let is_whole = url.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(':'));
    if !is_whole {
        return Err("\"url\" is no address like https://erp.example/counts.".to_owned());
    }
    let url: Url = url.parse().map_err(|_| "\"url\" is no address like https://erp.example/counts.".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("\"url\" must not hold a password: messages are signed instead.".to_owned());
    }
    if private && url.scheme() == "http" {
        return Ok(());
    }
    if url.scheme() != "https" {
        return Err("\"url\" must begin with https://.".to_owned());
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(address) if !private && !is_public(address) => {
            Err("\"url\" must be an address on the internet, not one of this network.".to_owned())
        }
        _ if host.is_empty() || (!private && host.eq_ignore_ascii_case("localhost")) => {
            Err("\"url\" must be an address on the internet, not this machine.".to_owned())
        }
        _ => Ok(()),
    }
}

/// Looks names up, and knows only those that lead to the internet.
struct PublicOnly {
    private: bool,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|address| private || is_public(address.ip())).collect();
            if good.is_empty() {
                return Err("the name leads to no address on the internet".into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one that anybody on the internet can reach.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_benchmark = a == 198 && (18..20).contains(&b);
    let is_protocol = a == 192 && b == 0 && c == 0;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || is_shared
        || is_benchmark
        || is_protocol)
}

/// Global unicast without the parts that lead back into IPv4 (6to4, Teredo, NAT64) or nowhere.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    (0x2000..0x4000).contains(&a) && a != 0x2002 && !(a == 0x2001 && (b < 0x200 || b == 0xdb8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_go_to_the_internet_only() {
        for good in ["https://erp.example/counts", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/x"] {
            assert_eq!(check_url(good, false), Ok(()), "{good}");
        }
        for bad in [
            "http://erp.example/",
            "ftp://erp.example/",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://10.1.2.3/",
            "https://169.254.169.254/latest",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[fd00::1]/",
            "https://0.0.0.0/",
            "https://100.64.0.1/",
            "https://192.168.1.1/",
            "https://me:secret@erp.example/",
            "https://2130706433/",
            "https://[2002:7f00:1::]/",
            "https://127%2e0%2e0%2e1/",
            "\0https://erp.example/",
            " https://erp.example/",
            "https://erp\t.example/",
            "https:erp.example/",
            "https:/\\erp.example/",
            "erp.example",
        ] {
            assert!(check_url(bad, false).is_err(), "{bad}");
        }
        assert_eq!(check_url("http://127.0.0.1:9/", true), Ok(()));
    }

    #[test]
    fn a_name_that_leads_inside_is_not_known() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(runtime.block_on(PublicOnly { private: false }.resolve(name())).is_err());
        assert!(runtime.block_on(PublicOnly { private: true }.resolve(name())).is_ok());
    }

    #[tokio::test]
    async fn of_an_answer_without_end_only_the_beginning_is_read() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 99999999999\r\n\r\nno\0\xff").await;
            let mut bytes: usize = 0;
            while stream.write_all(&[b'x'; 8_192]).await.is_ok() {
                bytes += 8_192;
            }
            bytes
        });
        let answer = client(true).unwrap().get(format!("http://{address}/")).send().await.unwrap();
        let said = beginning(answer).await;
        assert!(said.starts_with("no\u{fffd}\u{fffd}xxx") && said.chars().count() == ANSWER_BYTES_MAX, "{said}");
        let sent = receiver.await.unwrap();
        assert!(sent < 64 * 1_024 * 1_024, "the connection was cut after {sent} bytes");
    }

    #[test]
    fn waits_grow_to_an_hour_and_are_spread() {
        assert!((1_000..6_000).contains(&wait_ms(0, u64::MAX)));
        assert_eq!(wait_ms(0, 0), 1_000);
        for attempts in 0..40 {
            assert!(wait_ms(attempts, u64::MAX / 2) <= WAIT_MS_MAX + 1_000);
        }
    }

    #[test]
    fn a_signature_is_over_what_the_receiver_acts_on() {
        let now = Timestamp::from_unix_ms(1_795_338_844_000);
        let of = |url: &str, id: &str, body: &str| sign(b"secret", "erp", url, id, body, now).signature;
        let first = of("https://erp.example/", "m1", "{}");
        assert!(first.starts_with("ginti=:") && first.ends_with(':'));
        assert_eq!(first, of("https://erp.example/", "m1", "{}"));
        for other in [
            of("https://erp.example/x", "m1", "{}"),
            of("https://erp.example/", "m2", "{}"),
            of("https://erp.example/", "m1", "[]"),
        ] {
            assert_ne!(other, first);
        }
        // The digest of an empty object, as RFC 9530 writes it.
        let digest = sign(b"secret", "erp", "https://erp.example/", "m1", "{}", now).digest;
        assert_eq!(digest, "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:");
    }
}
