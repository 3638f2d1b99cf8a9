//! Access tokens, good and forged.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384};

use ginti_desk::{RenewTokenKey, run_on};
use ginti_postgres::PostgresStore;
use ginti_server::auth::TokenKeys;
use ginti_store::{Role, User};
use ginti_types::{TenantId, UserLoginId};

use crate::support::{NOW_MS, TOKEN_KEY, World};

fn claims() -> Value {
    let now = NOW_MS / 1_000;
    json!({ "iss": "ginti", "aud": "ginti-api", "sub": "counter", "tenant": "acme", "role": "counter",
        "facilities": ["STORE_1"], "iat": now, "exp": now + 600 })
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

fn without(member: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(member);
    claims
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn hs256(header: &Value, claims: &Value, key: &[u8]) -> String {
    let message = unsigned(header, claims);
    let signature = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(&message).finalize().into_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The same claims with the tenant told twice, signed: readers differ in which one they take.
fn twice(claims: &Value) -> String {
    let text = claims.to_string();
    let doubled = format!("{{\"tenant\":\"rival-co\",{}", &text[1..]);
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header().to_string()), URL_SAFE_NO_PAD.encode(doubled));
    let signature = Hmac::<Sha256>::new_from_slice(&TOKEN_KEY).unwrap().chain_update(&message).finalize().into_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({ "typ": "at+jwt", "alg": "HS256" })
}

async fn me(token: &str) -> crate::support::Answer {
    World::new().await.get("/auth/me").bearer(token).send().await
}

#[tokio::test]
async fn a_token_made_by_the_book_is_accepted() {
    assert_eq!(me(&hs256(&header(), &claims(), &TOKEN_KEY)).await.ok()["userLoginId"], "counter");
}

#[tokio::test]
async fn a_token_is_good_until_its_very_last_second() {
    let world = World::new().await;
    let token = world.token("counter").await;
    world.advance_ms(599_999);
    world.get("/auth/me").bearer(&token).send().await.ok();
    world.advance_ms(1);
    let answer = world.get("/auth/me").bearer(&token).send().await;
    answer.problem("token-expired");
    assert!(answer.header("www-authenticate").contains("invalid_token"));
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_refused() {
    let none = json!({ "typ": "at+jwt", "alg": "none" });
    let hs384 = {
        let message = unsigned(&json!({ "typ": "at+jwt", "alg": "HS384" }), &claims());
        let signature =
            Hmac::<Sha384>::new_from_slice(&TOKEN_KEY).unwrap().chain_update(&message).finalize().into_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let good = hs256(&header(), &claims(), &TOKEN_KEY);
    let (head_and_claims, signature) = good.rsplit_once('.').unwrap();
    let own_key = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode([8; 32]) });
    let other_claims = unsigned(&header(), &with("tenant", json!("rival-co")));
    let tokens = [
        ("alg none, no signature", unsigned(&none, &claims()) + "."),
        ("alg none, two parts", unsigned(&none, &claims())),
        ("alg none, signed all the same", hs256(&none, &claims(), &TOKEN_KEY)),
        ("another algorithm of the family", hs384),
        ("says RS256", hs256(&json!({ "typ": "at+jwt", "alg": "RS256" }), &claims(), &TOKEN_KEY)),
        ("another key", hs256(&header(), &claims(), &[8; 32])),
        ("no key", hs256(&header(), &claims(), &[])),
        ("claims exchanged under the signature", format!("{other_claims}.{signature}")),
        ("signature cut off", format!("{head_and_claims}.{}", &signature[..20])),
        ("signature gone", format!("{head_and_claims}.")),
        ("another kind of token", hs256(&json!({ "typ": "JWT", "alg": "HS256" }), &claims(), &TOKEN_KEY)),
        ("no kind", hs256(&json!({ "alg": "HS256" }), &claims(), &TOKEN_KEY)),
        ("another audience", hs256(&header(), &with("aud", json!("other-api")), &TOKEN_KEY)),
        ("no audience", hs256(&header(), &without("aud"), &TOKEN_KEY)),
        ("another issuer", hs256(&header(), &with("iss", json!("someone")), &TOKEN_KEY)),
        ("no issuer", hs256(&header(), &without("iss"), &TOKEN_KEY)),
        ("no expiry", hs256(&header(), &without("exp"), &TOKEN_KEY)),
        ("no person", hs256(&header(), &without("sub"), &TOKEN_KEY)),
        ("no tenant", hs256(&header(), &without("tenant"), &TOKEN_KEY)),
        ("unknown role", hs256(&header(), &with("role", json!("owner")), &TOKEN_KEY)),
        ("claims told twice", twice(&claims())),
        (
            "another critical header",
            hs256(&json!({ "typ": "at+jwt", "alg": "HS256", "crit": ["x"], "x": 1 }), &claims(), &[8; 32]),
        ),
        ("a key of its own", hs256(&json!({ "typ": "at+jwt", "alg": "HS256", "jwk": own_key }), &claims(), &[8; 32])),
        (
            "a key to be fetched",
            hs256(
                &json!({ "typ": "at+jwt", "alg": "HS256", "jku": "https://evil.example/k", "x5u": "https://evil.example/k" }),
                &claims(),
                &[8; 32],
            ),
        ),
        (
            "a key id that is a path",
            hs256(&json!({ "typ": "at+jwt", "alg": "HS256", "kid": "../../../../dev/null" }), &claims(), &[]),
        ),
        (
            "a key id that is a statement",
            hs256(&json!({ "typ": "at+jwt", "alg": "HS256", "kid": "x' UNION SELECT 'k' --" }), &claims(), b"k"),
        ),
        ("algorithm in small letters", hs256(&json!({ "typ": "at+jwt", "alg": "hs256" }), &claims(), &TOKEN_KEY)),
        ("algorithm in two", hs256(&json!({ "typ": "at+jwt", "alg": ["HS256", "none"] }), &claims(), &TOKEN_KEY)),
        ("expiry as a text", hs256(&header(), &with("exp", json!("9999999999")), &TOKEN_KEY)),
        ("expiry with a fraction", hs256(&header(), &with("exp", json!(9e99)), &TOKEN_KEY)),
        ("a tenant that is no id", hs256(&header(), &with("tenant", json!("")), &TOKEN_KEY)),
        ("not valid yet", hs256(&header(), &with("nbf", json!(NOW_MS / 1_000 + 3_600)), &TOKEN_KEY)),
        ("oversized", hs256(&header(), &with("sub", json!("x".repeat(1_000_000))), &TOKEN_KEY)),
        ("four parts", format!("{good}.{signature}")),
        ("padded", format!("{good}=")),
        ("a line break in it", good.replacen('.', ".%0a", 1)),
        (
            "sealed for another purpose",
            hs256(&json!({ "typ": "ginti-oidc+jwt", "alg": "HS256" }), &claims(), &TOKEN_KEY),
        ),
        ("empty", String::new()),
        ("no token at all", "counter".to_owned()),
    ];
    let world = World::new().await;
    for (name, token) in tokens {
        println!("{name}");
        let answer = world.get("/auth/me").bearer(&token).send().await;
        answer.problem("token-invalid");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
}

#[tokio::test]
async fn an_expired_forgery_is_invalid_not_expired() {
    let expired = with("exp", json!(NOW_MS / 1_000 - 1));
    me(&hs256(&header(), &expired, &TOKEN_KEY)).await.problem("token-expired");
    me(&hs256(&header(), &expired, &[8; 32])).await.problem("token-invalid");
}

#[tokio::test]
async fn only_the_bearer_scheme_is_read() {
    let world = World::new().await;
    let token = world.token("counter").await;
    world.get("/auth/me").header("authorization", &format!("bearer {token}")).send().await.ok();
    world.get("/auth/me").header("authorization", &format!("Basic {token}")).send().await.problem("token-invalid");
    world.get("/auth/me").header("authorization", &token).send().await.problem("token-invalid");
    world.get("/auth/me").send().await.problem("token-missing");
}

/// Servers over PostgreSQL share the key of its database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_token_key_is_what_servers_find_from_then_on_on_postgresql() {
    let database = ginti_cluster::Database::new().await.unwrap();
    let store = PostgresStore::connect(&database.url, ginti_postgres::Options::default()).await.unwrap();
    let user = User {
        id: UserLoginId::new("ann").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        name: "Ann".to_owned(),
        role: Role::Counter,
        facilities: None,
    };
    let now = ginti_types::Timestamp::from_unix_ms(NOW_MS);
    let token = async |fresh: u8| TokenKeys::from_store(&store, [fresh; 32]).await.unwrap().issue(&user, now, 60);
    let first = token(1).await;
    assert_eq!(first, token(2).await, "the one that is there stays");
    run_on(&store, RenewTokenKey { fresh: [3; 32] }).await.unwrap();
    let renewed = token(4).await;
    assert_ne!(first, renewed);
    assert_eq!(renewed, TokenKeys::new(&[3; 32]).issue(&user, now, 60));
}
