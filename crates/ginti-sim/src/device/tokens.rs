//! Follows `tokens.ts`: the access token, in memory only, shared by messages and refreshed by one at a time.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    rc::Rc,
};

use futures_util::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use ginti_sync::courier;
use ginti_types::{DeviceId, TenantId, Timestamp, UserLoginId};
use serde::Deserialize;

use super::{Host, browser::Word, disk::Profile, lock::with_lock};
use crate::network::{Request, fetch};

const AUTH_LOCK: &str = "ginti-auth";

/// A token and the company it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// As the header has it.
    pub access: String,
    /// The company.
    pub realm: TenantId,
}

/// How a refresh came back.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// Its result for the machine.
    pub result: courier::Refreshed,
    /// Company of the new token.
    pub realm: Option<TenantId>,
    /// The server's clock.
    pub server_time: Option<Timestamp>,
}

/// What listeners hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEvent {
    /// There is a token.
    Token,
    /// A refresh was refused.
    Denied,
    /// Somebody signed out.
    SignedOut,
}

/// What a refresh tells the server.
#[derive(Clone, Debug, Default)]
pub struct Announcement {
    /// The device.
    pub device_id: Option<DeviceId>,
    /// What it was called before.
    pub former: Option<DeviceId>,
    /// Whether that id's clock ran ahead.
    pub retire: bool,
}

type Listener = Rc<dyn Fn(TokenEvent)>;

/// One host's tokens.
pub struct Tokens {
    host: Host,
    channel: Cell<u64>,
    token: RefCell<Option<Token>>,
    token_at_ms: Cell<i64>,
    spent: RefCell<Option<String>>,
    refreshing: RefCell<Option<Shared<LocalBoxFuture<'static, Refreshed>>>>,
    listeners: RefCell<Vec<Listener>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthAnswer {
    access_token: String,
    server_time: Timestamp,
    user: UserAnswer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserAnswer {
    user_login_id: UserLoginId,
    tenant_id: TenantId,
}

impl Tokens {
    /// Listens from now on.
    pub fn new(host: &Host) -> Rc<Self> {
        let tokens = Rc::new(Self {
            host: host.clone(),
            channel: Cell::new(0),
            token: RefCell::default(),
            token_at_ms: Cell::new(0),
            spent: RefCell::default(),
            refreshing: RefCell::default(),
            listeners: RefCell::default(),
        });
        let weak = Rc::downgrade(&tokens);
        let id = host.device.listen(
            host,
            Rc::new(move |word| {
                let Some(tokens) = weak.upgrade() else { return };
                match word {
                    Word::Token(token) => tokens.remember(token),
                    Word::Denied { asked_at_ms } => tokens.deny(asked_at_ms),
                    Word::SignedOut => tokens.forget(),
                    Word::Answered(_) | Word::Noted(_) => {}
                }
            }),
        );
        tokens.channel.set(id);
        let weak = Rc::downgrade(&tokens);
        host.at_end(move || {
            if let Some(tokens) = weak.upgrade() {
                drop(tokens.refreshing.take());
            }
        });
        tokens
    }

    /// The token of the moment.
    pub fn current(&self) -> Option<Token> {
        self.token.borrow().clone()
    }

    /// Takes a token that another context obtained.
    pub fn remember(&self, token: Token) {
        let known = self.token.borrow().as_ref().is_some_and(|known| known.access == token.access);
        if known || self.spent.borrow().as_ref() == Some(&token.access) {
            return;
        }
        self.host.device.world.oracle.secret(&token.access);
        *self.token.borrow_mut() = Some(token);
        self.token_at_ms.set(self.host.now().0);
        self.emit(TokenEvent::Token);
    }

    /// Nobody is signed in any more.
    pub fn forget(&self) {
        *self.token.borrow_mut() = None;
        self.emit(TokenEvent::SignedOut);
    }

    /// Adds a listener.
    pub fn on(&self, listener: Listener) {
        self.listeners.borrow_mut().push(listener);
    }

    /// Signs in with a password; none when that failed.
    pub async fn sign_in(&self, person: &str, device_id: &DeviceId) -> Option<Profile> {
        let body = serde_json::json!({
            "username": person, "password": crate::shop::PASSWORD, "deviceId": device_id,
        });
        let request = Request::post("/auth/login", body.to_string());
        let response = fetch(&self.host, request, Some(20_000)).await.ok()?;
        let answer: AuthAnswer = serde_json::from_str(&response.body).ok().filter(|_| response.status == 200)?;
        let profile = Profile { user: answer.user.user_login_id, tenant: answer.user.tenant_id.clone() };
        self.share(Token { access: answer.access_token, realm: answer.user.tenant_id });
        Some(profile)
    }

    /// Signs out.
    pub async fn sign_out(&self) {
        self.forget();
        self.say(&Word::SignedOut);
        let request = Request::post("/auth/logout", "{}".to_owned());
        let _ = fetch(&self.host, request, Some(5_000)).await;
    }

    /// One refresh for everyone in this context; across contexts the lock's next holder takes over what the first got.
    pub async fn refresh(self: &Rc<Self>, timeout_ms: i64) -> Refreshed {
        let running = self.refreshing.borrow().clone();
        let running = running.unwrap_or_else(|| {
            let tokens = Rc::clone(self);
            let shared = async move {
                let refreshed = tokens.refresh_once(timeout_ms).await;
                *tokens.refreshing.borrow_mut() = None;
                refreshed
            }
            .boxed_local()
            .shared();
            *self.refreshing.borrow_mut() = Some(shared.clone());
            let driven = shared.clone();
            self.host.spawn(async move {
                driven.await;
            });
            shared
        });
        running.await
    }

    /// Tells the server the id this device is about to take; the server's time, none when that failed.
    pub async fn announce(&self, announcement: Announcement, timeout_ms: i64) -> Option<Timestamp> {
        self.alone(timeout_ms, || self.fetch_token(announcement.clone(), timeout_ms)).await.server_time
    }

    async fn refresh_once(&self, timeout_ms: i64) -> Refreshed {
        let given_up = self.token.borrow_mut().take();
        if let Some(token) = given_up {
            *self.spent.borrow_mut() = Some(token.access);
        }
        self.alone(timeout_ms, || async {
            if let Some(token) = self.current() {
                return Refreshed { result: courier::Refreshed::Ok, realm: Some(token.realm), server_time: None };
            }
            let device_id = self.known_device_id().await;
            self.fetch_token(Announcement { device_id, ..Announcement::default() }, timeout_ms).await
        })
        .await
    }

    /// Under the lock; without it when it is not free in time: its holder may be gone for good.
    async fn alone<F: Future<Output = Refreshed>>(&self, timeout_ms: i64, work: impl Fn() -> F) -> Refreshed {
        match with_lock(&self.host, AUTH_LOCK, timeout_ms, work()).await {
            Some(refreshed) => refreshed,
            None => work().await,
        }
    }

    async fn fetch_token(&self, told: Announcement, timeout_ms: i64) -> Refreshed {
        let asked_at_ms = self.host.now().0;
        let mut body = serde_json::Map::new();
        if let Some(device_id) = told.device_id {
            body.insert("deviceId".to_owned(), device_id.as_str().into());
        }
        if let Some(former) = told.former {
            body.insert("formerDeviceId".to_owned(), former.as_str().into());
            body.insert("retireFormer".to_owned(), told.retire.into());
        }
        let request = Request::post("/auth/refresh", serde_json::Value::Object(body).to_string());
        let Ok(response) = fetch(&self.host, request, Some(timeout_ms)).await else { return unreachable() };
        if [400, 401, 403].contains(&response.status) {
            self.say(&Word::Denied { asked_at_ms });
            self.deny(asked_at_ms);
            let Some(token) = self.current() else {
                return Refreshed { result: courier::Refreshed::Denied, realm: None, server_time: None };
            };
            return Refreshed { result: courier::Refreshed::Ok, realm: Some(token.realm), server_time: None };
        }
        let answer = serde_json::from_str::<AuthAnswer>(&response.body).ok().filter(|_| response.status == 200);
        let Some(answer) = answer else { return unreachable() };
        let realm = answer.user.tenant_id;
        self.share(Token { access: answer.access_token, realm: realm.clone() });
        Refreshed { result: courier::Refreshed::Ok, realm: Some(realm), server_time: Some(answer.server_time) }
    }

    /// Somebody may have signed in while the refusal was on its way.
    fn deny(&self, asked_at_ms: i64) {
        if self.token.borrow().is_some() && self.token_at_ms.get() >= asked_at_ms {
            return;
        }
        *self.token.borrow_mut() = None;
        self.emit(TokenEvent::Denied);
    }

    async fn known_device_id(&self) -> Option<DeviceId> {
        let known = self.host.read_disk(|disk| {
            let profile = disk.profile.as_ref()?;
            disk.tenants.get(&profile.tenant)?.device.as_ref().map(|device| device.device_id.clone())
        });
        known.await.ok().flatten()
    }

    fn share(&self, token: Token) {
        self.remember(token.clone());
        self.say(&Word::Token(token));
    }

    fn say(&self, word: &Word) {
        self.host.device.broadcast(self.channel.get(), word);
    }

    fn emit(&self, event: TokenEvent) {
        let listeners = self.listeners.borrow().clone();
        for listener in listeners {
            listener(event);
        }
    }
}

fn unreachable() -> Refreshed {
    Refreshed { result: courier::Refreshed::Unreachable, realm: None, server_time: None }
}
