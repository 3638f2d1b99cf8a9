//! ID tokens, good and forged. RS256 is tested with a real provider (`tests/oidc`).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::json;
use sha2::Sha256;

use super::*;

const NOW_SECONDS: i64 = 1_795_338_844;

struct Issuer {
    pair: EcdsaKeyPair,
}

impl Issuer {
    fn new() -> Self {
        crate::auth::install_algorithms();
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self { pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap() }
    }

    fn jwk(&self) -> Json {
        let point = self.pair.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "x": part(&point[1..33]), "y": part(&point[33..]) })
    }

    fn sign(&self, header: &Json, claims: &Json) -> String {
        let message = message(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn check(&self, token: &str) -> Result<Said, Refused> {
        let key: Jwk = serde_json::from_value(self.jwk()).unwrap();
        let now = Timestamp::from_unix_ms(NOW_SECONDS * 1_000);
        check(token, &key, &Wanted { issuer: "https://login.example", client_id: "ginti", nonce: "n1", now })
    }
}

fn message(header: &Json, claims: &Json) -> String {
    let part = |value: &Json| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn header() -> Json {
    json!({ "alg": "ES256", "kid": "k1" })
}

fn claims() -> Json {
    json!({ "iss": "https://login.example", "aud": "ginti", "sub": "u1", "exp": NOW_SECONDS + 300, "iat": NOW_SECONDS,
        "nonce": "n1", "preferred_username": "asha" })
}

fn with(member: &str, value: Json) -> Json {
    let mut claims = claims();
    claims[member] = value;
    claims
}

#[test]
fn a_token_by_the_book_is_believed() {
    let issuer = Issuer::new();
    let said = issuer.check(&issuer.sign(&header(), &claims())).unwrap();
    assert_eq!((said.sub.as_str(), said.name()), ("u1", Some("asha")));
    for (member, value) in [
        ("aud", json!(["ginti"])),
        ("azp", json!("ginti")),
        ("exp", json!(NOW_SECONDS - 59)),
        ("email_verified", json!("true")),
    ] {
        assert!(issuer.check(&issuer.sign(&header(), &with(member, value))).is_ok(), "{member}");
    }
    let mut both = with("aud", json!(["ginti", "other"]));
    both["azp"] = json!("ginti");
    assert!(issuer.check(&issuer.sign(&header(), &both)).is_ok());
}

#[test]
fn any_other_token_is_refused() {
    let issuer = Issuer::new();
    for (member, value) in [
        ("iss", json!("https://login.example/")),
        ("aud", json!("other")),
        ("aud", json!(["ginti", "other"])),
        ("azp", json!("other")),
        ("exp", json!(NOW_SECONDS - 60)),
        ("nonce", json!("n2")),
        ("nonce", json!(null)),
        ("sub", json!("")),
        ("sub", json!(null)),
        ("iss", json!(null)),
    ] {
        let token = issuer.sign(&header(), &with(member, value.clone()));
        assert_eq!(issuer.check(&token).unwrap_err().code, "provider-answer-invalid", "{member} {value}");
    }
    for member in ["iss", "aud", "exp", "sub", "nonce"] {
        let mut less = claims();
        less.as_object_mut().unwrap().remove(member);
        assert!(issuer.check(&issuer.sign(&header(), &less)).is_err(), "without {member}");
    }
    assert!(Issuer::new().check(&issuer.sign(&header(), &claims())).is_err(), "another's key");
    let good = issuer.sign(&header(), &claims());
    let (_, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{}.{signature}", message(&header(), &with("preferred_username", json!("root"))));
    assert!(issuer.check(&forged).is_err());
    assert!(issuer.check(&format!("{}.", message(&json!({ "alg": "none" }), &claims()))).is_err());
    // The public key taken for a shared secret.
    let text = message(&json!({ "alg": "HS256", "kid": "k1" }), &claims());
    let secret = issuer.pair.public_key().as_ref();
    let signature = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(&text).finalize().into_bytes();
    assert!(issuer.check(&format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))).is_err());
    assert!(key_id("nonsense").is_err());
}

#[test]
fn a_name_is_the_preferred_one_or_a_checked_address() {
    let name = |said: Json| serde_json::from_value::<Said>(said).unwrap().name().map(str::to_owned);
    let address = |verified: Json| json!({ "sub": "u1", "email": "asha@example.com", "email_verified": verified });
    assert_eq!(name(address(json!(true))).as_deref(), Some("asha@example.com"));
    assert_eq!(name(address(json!(false))), None);
    assert_eq!(name(address(json!("true"))), None);
    assert_eq!(name(json!({ "sub": "u1", "email": "asha@example.com" })), None);
    let mut both = address(json!(true));
    both["preferred_username"] = json!("asha");
    assert_eq!(name(both).as_deref(), Some("asha"));
}

#[test]
fn a_key_is_found_by_its_id_or_because_it_is_the_only_one() {
    let keys = |list: Json| keys(&json!({ "keys": list }));
    let (one, mut other, mut secret) = (Issuer::new().jwk(), Issuer::new().jwk(), Issuer::new().jwk());
    other["kid"] = json!("k2");
    secret["use"] = json!("enc");
    let id = |key: Option<&Jwk>| key.and_then(|key| key.common.key_id.clone());
    let unknown = json!({ "kty": "EC", "crv": "secp256k1", "kid": "k2", "alg": "ES256K", "x": "", "y": "" });
    let both = keys(json!([unknown, "nonsense", secret, one, other]));
    assert_eq!(id(key(&both, Some("k2"))).as_deref(), Some("k2"));
    assert_eq!(id(key(&both, Some("k3"))), None);
    assert_eq!(id(key(&both, None)), None, "either could be meant");
    assert_eq!(id(key(&keys(json!([secret, one])), None)).as_deref(), Some("k1"));
}
