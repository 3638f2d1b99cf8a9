//! The server and the reference side by side: each step is done to both, and what they answer is compared.

use std::fmt::Debug;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ginti_sqlite::{Executor, Options};
use ginti_store::{
    Access, DeviceSeen, HistoryEntry, Import, Imported, ItemPage, ItemRow, NewRefreshToken, SessionSummary, Store,
    StoreError, User, conformance::Reference,
};
use ginti_types::{
    BatchId, Code, DeviceId, Epoch, FieldError, ItemSeqId, Outcome, Receipt, Revision, SessionId, TenantId, Timestamp,
    UserLoginId, limits::CLOCK_AHEAD_MS_MAX,
};
use proptest::sample::Index;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    counts::{Form, Item, Sent, Unusable, gzip},
    story::{Name, PEOPLE, ROWS, SESSIONS, Step, Token},
};
use crate::support::{ACME, Answer, IMPORT, PASSWORD, World, batch_id};

const RIVAL: &str = "rival-co";

pub(super) struct Server {
    world: World,
    reference: Reference,
    people: Vec<User>,
    sent: Vec<Sent>,
    number: u32,
}

type Compared = Result<(), String>;

impl Server {
    pub(super) async fn new() -> Self {
        let inline = Options { executor: Executor::Inline, ..Options::default() };
        let world = World::with(inline, |_| {}).await;
        let reference = Reference::of(&*world.store, &[tenant(ACME), tenant(RIVAL)]).await.unwrap();
        let mut people = Vec::new();
        for name in PEOPLE {
            people.push(world.store.login(&UserLoginId::new(*name).unwrap()).await.unwrap().unwrap().user);
        }
        Self { world, reference, people, sent: Vec::new(), number: 0 }
    }

    /// Does the step to both; the error says what differs.
    pub(super) async fn take(&mut self, step: &Step) -> Compared {
        self.number += 1;
        match step {
            Step::Import { who, device, session, items, form } => {
                let sent = Sent { number: self.number, device, session, items: items.clone() };
                self.sent.push(sent.clone());
                self.import(who, &sent, *form).await
            }
            Step::Again { earlier, who, anew, form } => {
                let Some(mut sent) = self.earlier(*earlier) else { return Ok(()) };
                if *anew {
                    sent.number = self.number;
                    self.sent.push(sent.clone());
                }
                self.import(who, &sent, *form).await
            }
            Step::OtherContent { earlier, who, items } => {
                let Some(sent) = self.earlier(*earlier) else { return Ok(()) };
                let other = Sent { items: items.clone(), ..sent };
                self.import(who, &other, Form::PLAIN).await
            }
            Step::Unusable { who, body } => self.unusable(who, *body).await,
            Step::Unsigned(token) => self.unsigned(*token).await,
            Step::Items { who, session, after, limit } => self.items(who, session, *after, *limit).await.map(drop),
            Step::History { who, session, row } => self.history(who, session, row).await,
            Step::Sessions { who } => self.sessions(who).await,
            Step::Session { who, session } => self.session(who, session).await,
            Step::SignIn { who, device, former, retire, by_password: false } => {
                self.refresh(who, device, *former, *retire).await
            }
            Step::SignIn { who, device, by_password: true, .. } => self.login(who, device).await,
            _ => self.administer(step).await,
        }
    }

    /// What no route does yet, or nobody outside does.
    async fn administer(&mut self, step: &Step) -> Compared {
        let (store, reference) = (&self.world.store, &mut self.reference);
        match step {
            Step::Status { session, status } => {
                let (tenant, session) = (tenant(if *session == "R1" { RIVAL } else { ACME }), session_id(session));
                let found = store.set_session_status(&tenant, &session, *status).await.unwrap();
                same(
                    "whether there is such a session",
                    &reference.set_session_status(&tenant, &session, *status),
                    &found,
                )
            }
            Step::Revoke { rivals, device, revoked } => {
                let (tenant, device) = (tenant(if *rivals { RIVAL } else { ACME }), device_id(device));
                let found = store.set_device_revoked(&tenant, &device, *revoked).await;
                let known = !matches!(found, Err(StoreError::Missing(_)));
                same(
                    "whether there is such a device",
                    &reference.set_device_revoked(&tenant, &device, *revoked),
                    &known,
                )
            }
            Step::Epoch(number) => {
                let epoch = Epoch::new(format!("epoch-{number}")).unwrap();
                reference.new_epoch(epoch.clone());
                store.new_epoch(epoch).await.unwrap();
                Ok(())
            }
            Step::Wait { seconds } => {
                self.world.advance_ms(seconds * 1_000);
                Ok(())
            }
            other => Err(format!("nobody does {other:?}")),
        }
    }

    /// All that everyone can read.
    pub(super) async fn read_everything(&self) -> Compared {
        for who in PEOPLE {
            self.sessions(who).await?;
            for session in SESSIONS {
                let mut cursor = 0;
                while let Some(next) = self.items(who, session, cursor, Some(2)).await?.filter(|next| *next > cursor) {
                    cursor = next;
                }
                for row in ROWS {
                    self.history(who, session, row).await?;
                }
            }
        }
        Ok(())
    }

    async fn import(&mut self, who: Name, sent: &Sent, form: Form) -> Compared {
        let expected = self.reference.import(&Import {
            access: self.access(who),
            batch_id: BatchId::parse(&batch_id(sent.number)).unwrap(),
            digest: sent.digest(),
            device_id: device_id(sent.device),
            session_id: session_id(sent.session),
            now: self.world.deps.now(),
            items: sent.items.iter().map(Item::meant).collect(),
        });
        let mut call = self.world.post(IMPORT).bearer(&self.token(who));
        if form.key {
            call = call.header("idempotency-key", &batch_id(sent.number));
        }
        let text = sent.text(form.other_words);
        let answer = if form.gzip {
            let call = call.header("content-type", "application/json").header("content-encoding", "gzip");
            call.body(gzip(&text)).send().await
        } else {
            call.text(text).send().await
        };
        match expected {
            Imported::Stored(receipt) => self::receipt(&answer, sent, &receipt, ""),
            Imported::Replayed(receipt) => self::receipt(&answer, sent, &receipt, "true"),
            Imported::BatchIdReused => problem(&answer, Code::BatchIdReused),
            Imported::SessionNotAllowed => problem(&answer, Code::SessionNotAllowed),
            Imported::DeviceRevoked => problem(&answer, Code::DeviceRevoked),
        }
    }

    async fn unusable(&self, who: Name, body: Unusable) -> Compared {
        let good = crate::support::batch(self.number, &json!([crate::support::count("a", 99, 99)]));
        let mut bent = good.clone();
        let call = self.world.post(IMPORT).bearer(&self.token(who));
        let call = match body {
            Unusable::NotJson => call.text("{\"batchId\":"),
            Unusable::NoItems => {
                bent["items"] = json!([]);
                call.json(&bent)
            }
            Unusable::NoDevice => {
                bent["deviceId"] = Value::Null;
                call.json(&bent)
            }
            Unusable::OtherKey => call.header("idempotency-key", &batch_id(0)).json(&good),
            Unusable::NotGzip => call.header("content-encoding", "gzip").json(&good),
            Unusable::NotSaidToBeJson => call.header("content-type", "text/plain").body(good.to_string()),
        };
        problem(&call.send().await, body.code())
    }

    async fn unsigned(&self, token: Token) -> Compared {
        let good = crate::support::batch(self.number, &json!([crate::support::count("a", 99, 99)]));
        let call = self.world.post(IMPORT).json(&good);
        let (call, code) = match token {
            Token::Missing => (call, Code::TokenMissing),
            Token::Foreign => (call.bearer("x.y.z"), Code::TokenInvalid),
            Token::Expired => {
                let long_ago = Timestamp::from_unix_ms(self.world.deps.now().unix_ms() - 601_000);
                let token = self.world.deps.tokens.issue(&self.people[0], long_ago, 600);
                (call.bearer(&token), Code::TokenExpired)
            }
        };
        problem(&call.send().await, code)
    }

    /// The cursor after the page; none where there is no such session.
    async fn items(&self, who: Name, session: Name, after: u64, limit: Option<usize>) -> Result<Option<u64>, String> {
        let limited = limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
        let answer = self.read(who, &format!("/{session}/items?after={after}{limited}")).await;
        let page = if answer.status == 200 { Some(self.page(&answer.ok())) } else { None };
        if page.is_none() {
            problem(&answer, Code::NotFound)?;
        }
        let asked = (after, limit.unwrap_or(500));
        match self.reference.fault_of_page(&self.access(who), &session_id(session), asked, page.as_ref()) {
            Some(fault) => Err(format!("rows of {session} for {who}: {fault}")),
            None => Ok(page.map(|page| page.ledger_seq)),
        }
    }

    fn page(&self, json: &Value) -> ItemPage {
        assert_eq!(json["serverTime"], json!(self.world.deps.now()));
        ItemPage {
            items: json["items"].as_array().unwrap().iter().map(row).collect(),
            ledger_seq: member(json, "ledgerSeq"),
            epoch: member(json, "epoch"),
        }
    }

    async fn history(&self, who: Name, session: Name, row: Name) -> Compared {
        let answer = self.read(who, &format!("/{session}/items/{row}/history")).await;
        let (session, item) = (session_id(session), ItemSeqId::new(row).unwrap());
        // A row that never was, and a session one may not see: nothing to be found.
        match self.reference.history(&self.access(who), &session, &item).filter(|entries| !entries.is_empty()) {
            None => problem(&answer, Code::NotFound),
            Some(expected) => {
                let entry = |json: &Value| HistoryEntry { row: self::row(json), sent_by: member(json, "sentBy") };
                let found: Vec<_> = answer.ok()["items"].as_array().unwrap().iter().map(entry).collect();
                same(&format!("the history of row {row} of {session} for {who}"), &expected, &found)
            }
        }
    }

    async fn sessions(&self, who: Name) -> Compared {
        let expected: Vec<_> = self.reference.sessions(&self.access(who)).iter().map(summary).collect();
        let mut expected = json!({ "items": expected });
        self.add_standing(&mut expected);
        same(&format!("the list of sessions for {who}"), &expected, &self.read(who, "").await.ok())
    }

    async fn session(&self, who: Name, session: Name) -> Compared {
        let answer = self.read(who, &format!("/{session}")).await;
        match self.reference.session(&self.access(who), &session_id(session)) {
            None => problem(&answer, Code::NotFound),
            Some(found) => {
                let mut expected = summary(&found);
                self.add_standing(&mut expected);
                same(&format!("session {session} for {who}"), &expected, &answer.ok())
            }
        }
    }

    fn add_standing(&self, json: &mut Value) {
        let ledger = self.reference.ledger();
        json["epoch"] = json!(ledger.epoch);
        json["ledgerSeq"] = json!(ledger.ledger_seq);
        json["serverTime"] = json!(self.world.deps.now());
    }

    /// Renews a sign-in that was made before the story began.
    async fn refresh(&mut self, who: Name, device: Name, former: Option<Name>, retire: bool) -> Compared {
        let (user, now) = (self.user(who).clone(), self.world.deps.now());
        let token: [u8; 32] = Sha256::digest(self.number.to_be_bytes()).into();
        let family = NewRefreshToken {
            hash: Sha256::digest(token).into(),
            tenant: user.tenant.clone(),
            user: user.id.clone(),
            password_hash: None,
            expires: Timestamp::from_unix_ms(now.unix_ms() + 60_000),
            replaces: None,
        };
        self.world.store.add_refresh_token(family).await.unwrap();
        let cookie = format!("__Host-ginti-refresh={}", URL_SAFE_NO_PAD.encode(token));
        let body = json!({ "deviceId": device, "formerDeviceId": former, "retireFormer": retire });
        let answer = self.world.post("/auth/refresh").header("cookie", &cookie).json(&body).send().await;
        let bound_ms = i64::try_from(CLOCK_AHEAD_MS_MAX).unwrap();
        let seen = DeviceSeen {
            device: device_id(device),
            former: former.map(device_id),
            retire_former_above: retire.then(|| Revision::last_of_unix_ms(now.unix_ms() + bound_ms)),
            user: user.id.clone(),
            refresh_token: None,
            now,
        };
        self.reference.see_device(&user.tenant, &seen);
        same("who has signed in", &json!(user.id), &answer.ok()["user"]["userLoginId"])
    }

    async fn login(&mut self, who: Name, device: Name) -> Compared {
        let (user, now) = (self.user(who).clone(), self.world.deps.now());
        let body = json!({ "username": who, "password": PASSWORD, "deviceId": device });
        let answer = self.world.post("/auth/login").json(&body).send().await;
        let device = device_id(device);
        let seen = DeviceSeen {
            device,
            former: None,
            retire_former_above: None,
            user: user.id.clone(),
            refresh_token: None,
            now,
        };
        self.reference.see_device(&user.tenant, &seen);
        same("who has signed in", &json!(user.id), &answer.ok()["user"]["userLoginId"])
    }

    async fn read(&self, who: Name, path: &str) -> Answer {
        self.world.get(&format!("{IMPORT}{path}")).bearer(&self.token(who)).send().await
    }

    fn earlier(&self, index: Index) -> Option<Sent> {
        (!self.sent.is_empty()).then(|| index.get(&self.sent).clone())
    }

    fn user(&self, who: Name) -> &User {
        self.people.iter().find(|user| user.id.as_str() == who).unwrap()
    }

    fn access(&self, who: Name) -> Access {
        let user = self.user(who).clone();
        Access { tenant: user.tenant, user: user.id, facilities: user.facilities }
    }

    fn token(&self, who: Name) -> String {
        self.world.deps.tokens.issue(self.user(who), self.world.deps.now(), 600)
    }
}

/// A receipt alone when every item is durable, else in a problem that says what is wrong where.
fn receipt(answer: &Answer, sent: &Sent, receipt: &Receipt, replayed: &str) -> Compared {
    same("Idempotency-Replayed", &replayed, &answer.header("idempotency-replayed"))?;
    let errors: Vec<_> = receipt.items.iter().zip(&sent.items).enumerate().filter_map(field_error).collect();
    if errors.is_empty() {
        return same("the receipt", &json!(receipt), &answer.ok());
    }
    problem(answer, Code::ItemsRefused)?;
    let problem = answer.problem(Code::ItemsRefused.as_str());
    same("the problem's receipt", &Some(receipt), &problem.receipt.as_ref())?;
    same("the problem's errors", &errors, &problem.errors)
}

fn field_error((at, (answer, item)): (usize, (&ginti_types::ReceiptItem, &Item))) -> Option<FieldError> {
    let code = answer.code.clone().filter(|_| answer.outcome == Outcome::Rejected)?;
    let member = match item.fault {
        Some(fault) => fault.said().0,
        None if code == "attribution-not-allowed" => Some("countedByUserLoginId"),
        None => Some("revision"),
    };
    let pointer = member.map_or_else(|| format!("/items/{at}"), |member| format!("/items/{at}/{member}"));
    Some(FieldError { pointer, code, detail: answer.detail.clone()? })
}

fn problem(answer: &Answer, code: Code) -> Compared {
    same("the status", &code.status(), &answer.status)
        .and_then(|()| same("the code", &code.as_str(), &answer.problem(code.as_str()).code.as_str()))
        .map_err(|fault| format!("{code:?} expected: {fault}\n{}", answer.text()))
}

fn summary(summary: &SessionSummary) -> Value {
    let session = &summary.session;
    json!({
        "inventoryCountImportId": session.id, "countImportName": session.name, "facilityId": session.facility,
        "facilityName": summary.facility_name, "purposeType": session.purpose, "statusId": session.status,
        "dueDate": session.due, "createdDate": session.created, "itemsCounted": summary.items_counted,
        "itemsRequested": summary.items_requested,
        "assignedUserLoginId": null, "assignedUserName": null, "submittedDate": null, "areaName": null, "isBlind": false
    })
}

fn row(json: &Value) -> ItemRow {
    ItemRow {
        import_item_seq_id: member(json, "importItemSeqId"),
        stamp: serde_json::from_value(json.clone()).unwrap(),
        content: serde_json::from_value(json.clone()).unwrap(),
        outcome: member(json, "outcome"),
        ledger_seq: member(json, "ledgerSeq"),
        received_at: member(json, "receivedAt"),
        batch_id: member(json, "batchId"),
    }
}

fn member<T: DeserializeOwned>(json: &Value, name: &str) -> T {
    serde_json::from_value(json[name].clone()).unwrap_or_else(|error| panic!("{name} of {json}: {error}"))
}

fn same<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Compared {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what} differs.\nreference: {expected:?}\nfound: {found:?}"))
}

fn tenant(id: &str) -> TenantId {
    TenantId::new(id).unwrap()
}

fn session_id(id: &str) -> SessionId {
    SessionId::new(id).unwrap()
}

fn device_id(id: &str) -> DeviceId {
    DeviceId::new(id).unwrap()
}
