//! Sign-in with a real OpenID Connect provider, through all its redirects and forms.

mod browser;
mod provider;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use ginti_desk::{Desk, DisabledSet, Invite, SetDisabled};
use ginti_server::{
    Config, Deps, Drain, OidcConfig,
    auth::{ApiTokens, Passwords, TokenKeys},
    os_entropy, router, system_clock,
};
use ginti_sqlite::{Options, SqliteStore};
use ginti_store::{Access, NewUser, Role, Store, User};
use ginti_types::{TenantId, Timestamp, UserLoginId};
use reqwest::Url;
use serde_json::Value;
use tempfile::TempDir;

use browser::{Browser, GINTI, Page};
use provider::{CLIENT_SECRET, Provider};

const CALLBACK: &str = "/auth/oidc/callback";

struct World {
    provider: Provider,
    deps: Deps,
    browser: Browser,
    ahead_ms: Arc<AtomicI64>,
    _folder: TempDir,
}

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn person(id: &str, password_hash: &str) -> NewUser {
    let id = UserLoginId::new(id).unwrap();
    let user = User { id, tenant: tenant(), name: "Asha".to_owned(), role: Role::Counter, facilities: None };
    NewUser { user, password_hash: password_hash.to_owned() }
}

impl World {
    async fn new(arguments: &[&str]) -> Self {
        Self::with_secret(arguments, CLIENT_SECRET).await
    }

    async fn with_secret(arguments: &[&str], secret: &str) -> Self {
        let provider = Provider::start(&format!("{GINTI}{CALLBACK}"), arguments);
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("ginti.db"), Options::default()).unwrap();
        store.put_tenant(&tenant(), "Acme").await.unwrap();
        for name in ["asha", "checked@example.com", "unchecked@example.com"] {
            store.put_user(&tenant(), person(name, "-")).await.unwrap();
        }
        let oidc = OidcConfig::new(&provider.issuer, "ginti", Some(secret.to_owned()), true).unwrap();
        let ahead_ms = Arc::new(AtomicI64::new(0));
        let (clock, ahead) = (system_clock(), ahead_ms.clone());
        let deps = Deps {
            store: Arc::new(store),
            clock: Arc::new(move || Timestamp::from_unix_ms(clock().unix_ms() + ahead.load(Ordering::SeqCst))),
            entropy: os_entropy(),
            tokens: Arc::new(TokenKeys::new(&[7; 32])),
            api_tokens: ApiTokens::default(),
            passwords: Passwords::default(),
            drain: Drain::default(),
            app: Arc::new(|_| None),
            config: Config { oidc: Some(oidc), ..Config::default() },
        };
        let browser = Browser::new(router(deps.clone()));
        Self { provider, deps, browser, ahead_ms, _folder: folder }
    }

    async fn start(&mut self) -> Page {
        self.browser.get(&format!("{GINTI}/auth/oidc/start?returnTo=/sessions?signedIn=1")).await
    }

    /// At the provider, from its address on: signs in as that name and consents. Where the provider sends the browser back to.
    async fn at_provider(&mut self, url: &Url, name: &str) -> Url {
        let is_back = |url: &Url| url.as_str().starts_with(GINTI);
        let page = self.browser.fetch("GET", url, None).await;
        let mut page = self.browser.follow(page, is_back).await.unwrap_or_else(|url| panic!("back at once: {url}"));
        for fields in [format!("prompt=login&login={name}&password=any"), "prompt=consent".to_owned()] {
            let next = self.browser.submit(&page, &fields).await;
            match self.browser.follow(next, is_back).await {
                Ok(next) => page = next,
                Err(back) => return back,
            }
        }
        panic!("still at the provider: {}", page.text)
    }

    /// The whole way, with the provider's address changed before it is gone to. Where it ends.
    async fn sign_in(&mut self, name: &str, change: impl FnOnce(&mut Url)) -> String {
        let mut url = self.start().await.leads_to().unwrap();
        change(&mut url);
        let back = self.at_provider(&url, name).await;
        let end = self.browser.fetch("GET", &back, None).await;
        assert_eq!(end.status, 303, "{}", end.text);
        end.leads_to().unwrap().as_str().strip_prefix(GINTI).unwrap().to_owned()
    }

    /// Who the refresh cookie says is signed in.
    async fn who(&mut self) -> Option<String> {
        let url = format!("{GINTI}/auth/refresh").parse().unwrap();
        let page = self.browser.fetch("POST", &url, Some("{}")).await;
        let answer: Value = serde_json::from_str(&page.text).unwrap();
        answer["user"]["userLoginId"].as_str().map(str::to_owned)
    }
}

fn replace(url: &mut Url, name: &str, value: &str) {
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    assert!(pairs.iter().any(|(known, _)| known == name), "{name} in {url}");
    let pairs = pairs.iter().map(|(known, old)| (known.as_str(), if known == name { value } else { old.as_str() }));
    let changed = url.clone().query_pairs_mut().clear().extend_pairs(pairs).finish().clone();
    *url = changed;
}

#[tokio::test]
async fn a_person_signs_in_at_the_provider_and_is_signed_in_here() {
    let mut world = World::new(&[]).await;
    let methods = world.browser.get(&format!("{GINTI}/auth/methods")).await;
    assert_eq!(methods.text, r#"{"password":true,"oidc":true}"#);
    let url = world.start().await.leads_to().unwrap();
    let asked: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!((asked["response_type"].as_str(), asked["scope"].as_str()), ("code", "openid profile email"));
    assert_eq!((asked["code_challenge_method"].as_str(), asked["code_challenge"].len()), ("S256", 43));
    let cookie = world.browser.cookies.iter().find(|cookie| cookie.name == "__Host-ginti-oidc").unwrap();
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(cookie.attributes.contains(attribute), "{attribute}: {}", cookie.attributes);
    }

    assert_eq!(world.who().await, None);
    assert_eq!(world.sign_in("asha", |_| ()).await, "/sessions?signedIn=1");
    let names: Vec<_> = world.browser.cookies.iter().map(|cookie| cookie.name.as_str()).collect();
    assert!(names.contains(&"__Host-ginti-refresh") && !names.contains(&"__Host-ginti-oidc"), "{names:?}");
    assert_eq!(world.who().await.as_deref(), Some("asha"));
}

/// Browsers do not send the refresh cookie along where another site leads, so it is taken away for the way back.
#[tokio::test]
async fn a_sign_in_with_the_provider_ends_the_one_before_and_a_disabled_person_gets_none() {
    const REFRESH: &str = "__Host-ginti-refresh";
    let mut world = World::new(&[]).await;
    assert_eq!(world.sign_in("asha", |_| ()).await, "/sessions?signedIn=1");
    world.browser.cookies.retain(|cookie| cookie.name == REFRESH);
    let before = world.browser.cookies.clone();
    let url = world.start().await.leads_to().unwrap();
    world.browser.cookies.retain(|cookie| cookie.name != REFRESH);
    let back = world.at_provider(&url, "asha").await;
    let end = world.browser.fetch("GET", &back, None).await;
    assert_eq!(end.leads_to().unwrap().query(), Some("signedIn=1"));
    assert_eq!(world.who().await.as_deref(), Some("asha"));
    let now = std::mem::replace(&mut world.browser.cookies, before);
    assert_eq!(world.who().await, None, "it has ended");
    world.browser.cookies = now;
    assert_eq!(world.who().await.as_deref(), Some("asha"));

    let user = UserLoginId::new("asha").unwrap();
    let disable = SetDisabled { tenant: tenant(), by: None, user, disabled: true, now: world.deps.now() };
    assert_eq!(Desk::new(world.deps.store.clone()).run(disable).await.unwrap(), DisabledSet::Done);
    assert_eq!(world.who().await, None);
    world.browser.cookies.clear();
    assert_eq!(world.sign_in("asha", |_| ()).await, "/?signInError=account-disabled");
}

#[tokio::test]
async fn names_may_stand_in_the_id_token_and_keys_may_be_elliptic() {
    let mut world = World::new(&["0", "ES256", "claims-in-id-token"]).await;
    assert_eq!(world.sign_in("checked@example.com", |_| ()).await, "/sessions?signedIn=1");
    assert_eq!(world.who().await.as_deref(), Some("checked@example.com"));
}

#[tokio::test]
async fn whom_ginti_does_not_know_stays_outside() {
    let mut world = World::new(&[]).await;
    let error = |code: &str| format!("/?signInError={code}");
    assert_eq!(world.sign_in("stranger", |_| ()).await, error("user-unknown"));
    world.browser.cookies.clear();
    assert_eq!(world.sign_in("Asha", |_| ()).await, error("user-unknown"), "names are matched exactly");
    world.browser.cookies.clear();
    assert_eq!(world.sign_in("unchecked@example.com", |_| ()).await, error("user-unknown"));

    world.browser.cookies.clear();
    let now = world.deps.now();
    let invite = Invite {
        access: Access { tenant: tenant(), user: UserLoginId::new("root").unwrap(), facilities: None },
        user: UserLoginId::new("nina").unwrap(),
        hash: [1; 32],
        placeholder: "nobody's".to_owned(),
        expires: Timestamp::from_unix_ms(now.unix_ms() + 1),
        details: Value::Null,
        now,
    };
    Desk::new(world.deps.store.clone()).run(invite).await.unwrap();
    world.deps.store.put_user(&tenant(), person("nina", "nobody's")).await.unwrap();
    assert_eq!(world.sign_in("nina", |_| ()).await, error("invitation-open"));
    assert_eq!(world.who().await, None);
}

#[tokio::test]
async fn another_state_nonce_or_challenge_is_refused() {
    for (name, code) in
        [("state", "state-wrong"), ("nonce", "provider-answer-invalid"), ("code_challenge", "code-refused")]
    {
        let mut world = World::new(&[]).await;
        let end = world.sign_in("asha", |url| replace(url, name, &"A".repeat(43))).await;
        assert_eq!(end, format!("/?signInError={code}"), "{name}");
        assert_eq!(world.who().await, None);
        assert!(!world.browser.cookies.iter().any(|cookie| cookie.name == "__Host-ginti-oidc"));
    }
    let mut world = World::with_secret(&[], "another secret").await;
    assert_eq!(world.sign_in("asha", |_| ()).await, "/?signInError=code-refused");
}

#[tokio::test]
async fn a_callback_works_once_and_in_one_browser() {
    let mut world = World::new(&[]).await;
    let url = world.start().await.leads_to().unwrap();
    let back = world.at_provider(&url, "asha").await;
    let before = world.browser.cookies.clone();
    let end = async |world: &mut World| {
        let page = world.browser.fetch("GET", &back, None).await;
        page.leads_to().unwrap().as_str().strip_prefix(GINTI).unwrap().to_owned()
    };
    let kept = std::mem::take(&mut world.browser.cookies);
    assert_eq!(end(&mut world).await, "/?signInError=sign-in-expired", "another browser");
    world.browser.cookies = kept;
    assert_eq!(end(&mut world).await, "/sessions?signedIn=1");
    assert_eq!(end(&mut world).await, "/?signInError=sign-in-expired", "the cookie is gone");
    world.browser.cookies = before;
    assert_eq!(end(&mut world).await, "/?signInError=code-refused", "a cookie put back does not make the code good");
    assert_eq!(world.who().await, None);

    let url = world.start().await.leads_to().unwrap();
    world.ahead_ms.store(10 * 60 * 1_000, Ordering::SeqCst);
    let late = world.browser.get(&format!("{GINTI}{CALLBACK}?code=x&state={}", state(&url))).await;
    assert_eq!(late.leads_to().unwrap().query(), Some("signInError=sign-in-expired"));
}

fn state(url: &Url) -> String {
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_leads_back_with_a_code() {
    let mut world = World::new(&[]).await;
    let mut error = async |path: &str| {
        let page = world.browser.get(&format!("{GINTI}{path}")).await;
        assert_eq!(page.status, 303, "{path}");
        page.leads_to().unwrap().as_str().strip_prefix(&format!("{GINTI}/?signInError=")).unwrap().to_owned()
    };
    for bad in ["https://evil.example/", "//evil.example", "/%5Cevil.example", "sessions"] {
        assert_eq!(error(&format!("/auth/oidc/start?returnTo={bad}")).await, "return-to-invalid", "{bad}");
    }
    assert_eq!(error(&format!("{CALLBACK}?code=x&state=y")).await, "sign-in-expired");

    let url = world.start().await.leads_to().unwrap();
    let page = world.browser.fetch("GET", &url, None).await;
    let page = world.browser.follow(page, |_| false).await.unwrap_or_else(|url| panic!("{url}"));
    let abort = page.url.join(&format!("{}/abort", page.url.path())).unwrap();
    let page = world.browser.fetch("GET", &abort, None).await;
    let back = world.browser.follow(page, |url| url.as_str().starts_with(GINTI)).await.err().unwrap();
    let page = world.browser.fetch("GET", &back, None).await;
    assert_eq!(page.leads_to().unwrap().query(), Some("signInError=sign-in-cancelled"));

    let (deps, issuer) = (world.deps.clone(), world.provider.issuer.clone());
    drop(world);
    let mut browser = Browser::new(router(deps.clone()));
    let page = browser.get(&format!("{GINTI}/auth/oidc/start")).await;
    assert_eq!(page.leads_to().unwrap().query(), Some("signInError=provider-unreachable"), "{issuer} is away");
    let mut browser = Browser::new(router(Deps { config: Config::default(), ..deps }));
    let page = browser.get(&format!("{GINTI}/auth/oidc/start")).await;
    assert_eq!(page.leads_to().unwrap().query(), Some("signInError=oidc-off"));
    assert_eq!(browser.get(&format!("{GINTI}/auth/methods")).await.text, r#"{"password":true,"oidc":false}"#);
}

#[tokio::test]
async fn new_keys_are_asked_for_at_most_once_a_minute() {
    let mut world = World::new(&[]).await;
    assert_eq!(world.sign_in("asha", |_| ()).await, "/sessions?signedIn=1");
    let port = world.provider.port().to_owned();
    let redirect = format!("{GINTI}{CALLBACK}");
    // Before the next one can have its port.
    world.provider.stop();
    world.provider = Provider::start(&redirect, &[&port]);
    world.browser.cookies.clear();
    assert_eq!(world.sign_in("asha", |_| ()).await, "/?signInError=provider-answer-invalid");
    world.ahead_ms.store(60_000, Ordering::SeqCst);
    world.browser.cookies.clear();
    assert_eq!(world.sign_in("asha", |_| ()).await, "/sessions?signedIn=1");
}
