//! Where a request comes from: the connection's other end, or what a trusted proxy says of it.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use ipnet::IpNet;

use crate::Deps;

/// The other end of a connection; the listener notes it with each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Extractor: where the request comes from, as far as it is known.
pub(crate) struct ClientAddress(pub(crate) Option<IpAddr>);

impl FromRequestParts<Deps> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, deps: &Deps) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<Peer>().copied();
        Ok(Self(client_address(peer, &parts.headers, &deps.config.trusted_proxies)))
    }
}

/// The client's address. Only what a trusted proxy has added to `X-Forwarded-For` counts, from the right: all else a client can
/// write itself.
pub(crate) fn client_address(peer: Option<Peer>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut address = peer?.0.to_canonical();
    let is_proxy = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let said: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in said.into_iter().rev() {
        if !is_proxy(&address) {
            break;
        }
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        client_address(Some(Peer(peer.parse().unwrap())), &headers, &trusted).unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(of("192.0.2.7", "198.51.100.1"), "192.0.2.7", "a client's own words");
        assert_eq!(of("10.1.1.1", "198.51.100.1"), "198.51.100.1");
        assert_eq!(
            of("10.1.1.1", "203.0.113.9, 198.51.100.1"),
            "198.51.100.1",
            "what the proxy added, not what it got"
        );
        assert_eq!(of("10.1.1.1", "198.51.100.1, 10.2.2.2"), "198.51.100.1", "two proxies");
        assert_eq!(of("::1", "nonsense"), "::1");
        assert_eq!(of("::ffff:10.1.1.1", "198.51.100.1"), "198.51.100.1");
        assert!(client_address(None, &HeaderMap::new(), &[]).is_none());
    }
}
