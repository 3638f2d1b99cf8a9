//! Requests to the server: tokens, cookies, small bodies, queries, encodings and addresses.

use std::{io::Write, net::Ipv4Addr, sync::OnceLock};

use ginti_server::{auth::TokenKeys, outside};
use ginti_types::Timestamp;

use super::{said, text};
use crate::Target;

/// What a decompressed body may have here.
const BODY_BYTES_MAX: usize = 4_096;
const NOW_MS: i64 = 1_795_348_800_000;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "token",
        holds: "Nothing that this server did not sign is an access token, an ID token or a sign-in under way, whatever it says of itself; a \
                refresh cookie is 32 bytes or none.",
        check: token,
        bytes_max: 1_024,
        words: &[
            "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9",
            "eyJhbGciOiJub25lIn0",
            ".",
            "{\"keys\":[",
            "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"",
            "\"y\":\"",
            "{\"kty\":\"RSA\",\"n\":\"",
            "\"e\":\"AQAB\"",
            "\"kid\":\"k1\"",
            "\"use\":\"sig\"",
            "\n",
            "__Host-ginti-refresh=",
            "; ",
            "gt_",
            "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE",
        ],
    },
    Target {
        name: "body",
        holds: "Each small body is read from an object or refused with a code and a sentence; what is no JSON is none for any route.",
        check: body,
        bytes_max: 1_024,
        words: &[
            "\"username\":",
            "\"password\":",
            "\"deviceId\":",
            "\"formerDeviceId\":",
            "\"retireFormer\":true",
            "\"statusId\":\"SESSION_SUBMITTED\"",
            "\"manifest\":{",
            "\"digest\":",
            "\"itemCount\":",
            "\"override\":{\"reason\":\"x\"}",
            "\"assignedUserLoginId\":null",
            "\"sessions\":[",
            "\"details\":{",
            "\"inventoryCountImportId\":",
            "\"unsentCount\":",
            "\"workEffortName\":",
            "\"facilityId\":",
            "\"purposeType\":\"HARD_COUNT\"",
            "\"productIds\":[",
            "\"lines\":[",
            "\"subject\":",
            "\"decision\":\"accept\"",
            "\"chosenQuantity\":",
            "\"role\":",
            "\"name\":",
            "\"facilityIds\":",
            "\"expiresAt\":",
            "\"kind\":",
            "\"url\":",
            "\"secret\":",
            "null",
            "[]",
            "{}",
            "\\u0000",
            "9007199254740992",
            "1e300",
        ],
    },
    Target {
        name: "request",
        holds: "A query is read or not, and so are an encoding, an address to send results to and a path to return to: none of them leads to where \
                it must not.",
        check: request,
        bytes_max: 256,
        words: &[
            "after=",
            "limit=",
            "offset=",
            "filter=",
            "&",
            "%00",
            "%ff",
            "gzip",
            "br",
            ";q=0",
            ", ",
            "https://",
            "http://",
            "//",
            "/\\",
            "127.0.0.1",
            "[::1]",
            "localhost",
            "[::ffff:10.0.0.1]",
            "2130706433",
            "@",
            "18446744073709551616",
            "0x7f.1",
            "169.254.169.254",
            "%2e",
            "。",
        ],
    },
    Target {
        name: "gzip",
        holds: "What is compressed comes out as it was, or is refused for being no gzip or for being too large, and never more than the limit is kept.",
        check: gzip,
        bytes_max: 512,
        words: &["\u{1f}"],
    },
];

fn keys() -> &'static TokenKeys {
    static KEYS: OnceLock<TokenKeys> = OnceLock::new();
    KEYS.get_or_init(|| TokenKeys::new(b"a key that no input can know, 32+"))
}

/// A token; behind a line break, the keys of a provider.
fn token(bytes: &[u8]) {
    if let Some(hash) = outside::refresh_cookie(bytes) {
        assert_ne!(hash, [0; 32]);
    }
    let Some(text) = text(bytes) else { return };
    let now = Timestamp::from_unix_ms(NOW_MS);
    let (token, published) = text.split_once('\n').unwrap_or((text, ""));
    assert!(outside::access_token(keys(), token, now).is_err(), "forged: {token}");
    assert!(!outside::sealed(keys(), token), "forged: {token}");
    assert!(!outside::id_token(token, published, now), "forged: {token}");
}

fn body(bytes: &[u8]) {
    let is_json = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    for read in outside::bodies(bytes) {
        match read {
            Ok(()) => assert!(is_json.as_ref().is_some_and(serde_json::Value::is_object), "only an object is read"),
            Err(problem) => {
                said::problem(&problem);
                assert!(is_json.is_some() || ["malformed-json", "field-invalid"].contains(&problem.code.as_str()));
            }
        }
    }
}

fn request(bytes: &[u8]) {
    outside::accepts_encoding(bytes, "gzip");
    let Some(text) = text(bytes) else { return };
    outside::queries(text);
    match outside::receiver_address(text) {
        Ok(()) => {
            assert!(text.to_ascii_lowercase().starts_with("https://"), "{text:?} is not encrypted");
            let host = text["https://".len()..].split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            let is_inside = host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback() || address.is_private());
            assert!(!is_inside && !host.eq_ignore_ascii_case("localhost"), "{text:?} leads inside");
        }
        Err(why) => said::sentence(&why),
    }
    if outside::return_to(text) {
        assert!(text.starts_with('/') && !text.starts_with("//") && !text.contains(['\\', '\r', '\n', '\t', ' ']));
    }
}

fn gzip(bytes: &[u8]) {
    match outside::gunzip(bytes, BODY_BYTES_MAX) {
        Ok(body) => assert!(body.len() <= BODY_BYTES_MAX),
        Err(problem) => said::problem(&problem),
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let Ok(compressed) = encoder.write_all(bytes).and_then(|()| encoder.finish()) else { return };
    assert_eq!(outside::gunzip(&compressed, BODY_BYTES_MAX).as_deref(), Ok(bytes), "it comes out as it was");
    if let Some(limit) = bytes.len().checked_sub(1) {
        let refused = outside::gunzip(&compressed, limit).expect_err("one byte too many");
        assert_eq!(refused.code, "body-too-large");
    }
}
