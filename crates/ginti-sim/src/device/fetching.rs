//! Follows `fetching.ts`: sessions and rows from the server, merged by the machine. The catalogue is left out: it carries no count.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

use ginti_sync::batcher::{Absorb, RemoteItem, Seen, Trigger};
use ginti_sync::courier;
use ginti_types::{Epoch, SessionId, SessionStatus, TenantId, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Host, engine::Engine, page::Page, planning::unconfirm_counted, tokens::Tokens};
use crate::network::{IMPORTS, Request, Response, fetch};

const PAGE: usize = 500;
const TIMEOUT_MS: i64 = 30_000;
const PAGES_MAX: usize = 2_000;

/// Reads for one page.
pub struct Fetching {
    host: Host,
    realm: TenantId,
    engine: Rc<Engine>,
    tokens: Rc<Tokens>,
    page: RefCell<Weak<Page>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionsAnswer {
    items: Vec<SessionAnswer>,
    epoch: Epoch,
    ledger_seq: u64,
    server_time: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionAnswer {
    inventory_count_import_id: SessionId,
    status_id: SessionStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemsAnswer {
    items: Vec<RemoteItem>,
    ledger_seq: u64,
    epoch: Epoch,
}

#[derive(Clone, PartialEq)]
struct Position {
    after: u64,
    epoch: Option<Epoch>,
}

impl Fetching {
    /// For that host.
    pub fn new(host: &Host, realm: TenantId, engine: Rc<Engine>, tokens: Rc<Tokens>) -> Self {
        Self { host: host.clone(), realm, engine, tokens, page: RefCell::new(Weak::new()) }
    }

    /// Whose fetching it is.
    pub fn belongs_to(&self, page: &Rc<Page>) {
        *self.page.borrow_mut() = Rc::downgrade(page);
    }

    /// The sessions one may see.
    pub async fn sessions(&self) -> Result<(), String> {
        let answer: SessionsAnswer = self.get(IMPORTS.to_owned()).await?;
        self.seen(&answer).await?;
        self.host
            .transact(&self.realm, |txn| {
                // A session that left the list stays while counts of it are unsent or refused.
                let unconfirmed = txn.data().unconfirmed_rows();
                let kept: Vec<_> = unconfirmed.map(|item| item.inventory_count_import_id.clone()).collect();
                txn.edit(|data| {
                    data.sessions.retain(|session, _| kept.contains(session));
                    for session in &answer.items {
                        let takes_counts = session.status_id.takes_counts();
                        data.sessions.insert(session.inventory_count_import_id.clone(), takes_counts);
                    }
                });
                Ok(())
            })
            .await
    }

    /// Rows of a session that changed since the last look.
    pub async fn items(&self, session: &SessionId) -> Result<(), String> {
        let mut is_epoch_settled = false;
        for _ in 0..PAGES_MAX {
            let from = self.position(session).await?;
            let path = format!("{IMPORTS}/{session}/items?after={}&limit={PAGE}", from.after);
            let answer: ItemsAnswer = self.get(path).await?;
            if !is_epoch_settled && from.epoch.as_ref() != Some(&answer.epoch) {
                // This cursor is not the end of the ledger: only the list of sessions says where that is.
                is_epoch_settled = true;
                self.sessions().await?;
                continue;
            }
            let (after, now_at) = (from.after, answer.ledger_seq);
            if self.absorb(session, answer, &from).await? && now_at == after {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Everything a shift without network needs.
    pub async fn everything(&self) -> Result<(), String> {
        self.sessions().await?;
        let sessions =
            self.host.transact(&self.realm, |txn| Ok(txn.data().sessions.keys().cloned().collect::<Vec<_>>()));
        for session in sessions.await? {
            self.items(&session).await?;
        }
        Ok(())
    }

    async fn position(&self, session: &SessionId) -> Result<Position, String> {
        self.host.transact(&self.realm, |txn| Ok(position(txn.data(), session))).await
    }

    /// Rows and cursor in one transaction. False when the reading was begun anew meanwhile.
    async fn absorb(&self, session: &SessionId, answer: ItemsAnswer, from: &Position) -> Result<bool, String> {
        let (host, engine) = (&self.host, &self.engine);
        host.transact(&self.realm, |txn| {
            let device = txn.device().ok_or("This device has no identity yet.")?;
            if position(txn.data(), session) != *from {
                return Ok(false);
            }
            let local = answer
                .items
                .iter()
                .filter_map(|row| txn.data().items.get(&(session.clone(), row.import_item_seq_id.clone())).cloned());
            let local = local.collect();
            let out = engine.absorb(Absorb {
                now: host.now(),
                device,
                inventory_count_import_id: session.clone(),
                remote: answer.items.clone(),
                local,
            });
            txn.put_device(out.device);
            txn.put_items(out.items);
            txn.edit(|data| _ = data.cursors.insert(session.clone(), answer.ledger_seq));
            Ok(true)
        })
        .await
    }

    async fn seen(&self, answer: &SessionsAnswer) -> Result<(), String> {
        let (host, engine) = (&self.host, &self.engine);
        let changed = host
            .transact(&self.realm, |txn| {
                let Some(device) = txn.device() else { return Ok(false) };
                let out = engine.seen(Seen {
                    now: host.now(),
                    device,
                    epoch: answer.epoch.clone(),
                    ledger_seq: answer.ledger_seq,
                    server_time: answer.server_time,
                });
                txn.put_device(out.device);
                if out.epoch_changed {
                    unconfirm_counted(txn, engine);
                }
                Ok(out.epoch_changed)
            })
            .await?;
        let page = self.page.borrow().upgrade();
        if let Some(page) = page.filter(|_| changed) {
            page.plan(Trigger::Online);
        }
        Ok(())
    }

    /// One refresh of the token, then one more try; everything else is the caller's to repeat.
    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, String> {
        let mut response = self.ask(&path).await?;
        if response.status == 401 && self.tokens.refresh(TIMEOUT_MS).await.result == courier::Refreshed::Ok {
            response = self.ask(&path).await?;
        }
        if response.status != 200 {
            return Err(format!("The server answered {}.", response.status));
        }
        serde_json::from_str(&response.body).map_err(|error| error.to_string())
    }

    async fn ask(&self, path: &str) -> Result<Response, String> {
        if self.tokens.current().is_none() {
            self.tokens.refresh(TIMEOUT_MS).await;
        }
        let token = self.tokens.current();
        if token.as_ref().is_some_and(|token| token.realm != self.realm) {
            return Err("Someone of another company has signed in on this device.".to_owned());
        }
        let request = Request::get(path.to_owned(), token.map(|token| token.access));
        fetch(&self.host, request, Some(TIMEOUT_MS)).await.map_err(|_| "The server cannot be reached.".to_owned())
    }
}

fn position(data: &super::disk::TenantData, session: &SessionId) -> Position {
    let after = data.cursors.get(session).copied().unwrap_or(0);
    Position { after, epoch: data.device.as_ref().and_then(|device| device.epoch.clone()) }
}
