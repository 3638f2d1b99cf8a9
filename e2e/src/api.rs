//! The server's view, read past the link with a sign-in of one's own.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

const IMPORTS: &str = "/maarg/poorti/InventoryCountImport";

/// A client signed in straight at the server.
#[derive(Debug)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    user: String,
    token: Mutex<String>,
}

/// A row as the server holds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerRow {
    /// The row.
    pub import_item_seq_id: String,
    /// The product.
    pub product_id: Option<String>,
    /// The count.
    pub quantity: f64,
    /// The revision that holds.
    pub revision: u64,
    /// Who counted.
    pub counted_by_user_login_id: String,
    /// `Y` for what the list asked for, `N` for what was found besides.
    pub is_requested: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<ServerRow>,
    ledger_seq: u64,
}

impl Api {
    /// Signs in.
    pub async fn sign_in(base: String, user: &str) -> Result<Self> {
        let client = reqwest::Client::new();
        let api = Self { client, base, user: user.to_owned(), token: Mutex::default() };
        api.renew().await?;
        Ok(api)
    }

    async fn renew(&self) -> Result<()> {
        let credentials = json!({ "username": self.user, "password": crate::PASSWORD });
        let answer = self.client.post(format!("{}/auth/login", self.base)).json(&credentials).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        *self.token.lock().await = answer["accessToken"].as_str().context("no token")?.to_owned();
        Ok(())
    }

    /// A GET's JSON. Signs in again when the token has expired (some tests make tokens short-lived).
    pub async fn get(&self, path: &str) -> Result<Value> {
        let mut answer = self.ask(path).await?;
        if answer.status() == reqwest::StatusCode::UNAUTHORIZED {
            self.renew().await?;
            answer = self.ask(path).await?;
        }
        Ok(answer.error_for_status()?.json().await?)
    }

    /// A POST's JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let token = self.token.lock().await.clone();
        let answer = self.client.post(format!("{}{path}", self.base)).bearer_auth(token).json(body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// A PUT's JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let token = self.token.lock().await.clone();
        let answer = self.client.put(format!("{}{path}", self.base)).bearer_auth(token).json(body).send().await?;
        let answer = answer.error_for_status()?;
        // Some answer with nothing.
        if answer.status() == reqwest::StatusCode::NO_CONTENT { Ok(Value::Null) } else { Ok(answer.json().await?) }
    }

    async fn ask(&self, path: &str) -> Result<reqwest::Response> {
        let token = self.token.lock().await.clone();
        Ok(self.client.get(format!("{}{path}", self.base)).bearer_auth(token).send().await?)
    }

    /// All rows of a session.
    pub async fn rows(&self, session: &str) -> Result<BTreeMap<String, ServerRow>> {
        let mut rows = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = self.get(&format!("{IMPORTS}/{session}/items?after={after}")).await?;
            let page: Page = serde_json::from_value(page)?;
            rows.extend(page.items.into_iter().map(|row| (row.import_item_seq_id.clone(), row)));
            if page.ledger_seq == after {
                return Ok(rows);
            }
            after = page.ledger_seq;
        }
    }

    /// How often each revision of a row was applied, from its whole history.
    pub async fn applications(&self, session: &str, row: &str) -> Result<BTreeMap<u64, usize>> {
        let history = self.get(&format!("{IMPORTS}/{session}/items/{row}/history")).await?;
        let entries = history["items"].as_array().context("no history")?;
        ensure!(!entries.is_empty(), "row {row} has no history");
        let mut applied = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry["outcome"] == "applied") {
            *applied.entry(entry["revision"].as_u64().context("no revision")?).or_default() += 1;
        }
        Ok(applied)
    }

    /// The catalogue: product ids with the first barcode of each that has one.
    pub async fn barcodes(&self) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("/maarg/poorti/Products?after={after}&limit=500")).await?;
            for product in page["items"].as_array().context("no products")? {
                if let (Some(id), Some(code)) = (product["productId"].as_str(), product["barcodes"][0].as_str()) {
                    found.push((id.to_owned(), code.to_owned()));
                }
            }
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut after),
                None => return Ok(found),
            }
        }
    }
}
