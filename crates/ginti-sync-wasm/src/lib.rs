//! The sync machines as WebAssembly, for the page and the service worker.
//!
//! A thin shell: every call takes one JSON text and returns one, so that whole records cross cheaply and nothing of the
//! machines' types leaks into JavaScript. The shapes are in `web/courier/src/machine.ts`. A call that cannot be done throws
//! an `Error` whose message is a sentence for people; a call that JavaScript makes wrongly throws one that names the member.

pub mod calls;

use calls::{Call, Refused};
use wasm_bindgen::prelude::*;

/// The page's machine.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Batcher {
    inner: ginti_sync::Batcher,
}

#[wasm_bindgen]
impl Batcher {
    /// With settings as JSON; `{}` for the defaults.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str) -> Result<Self, JsError> {
        Ok(Self { inner: calls::new_batcher(config).map_err(thrown)? })
    }

    /// A fresh installation.
    #[wasm_bindgen(js_name = newDevice)]
    pub fn new_device(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::NewDevice, input)
    }

    /// One scan or correction.
    pub fn count(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Count, input)
    }

    /// A code that nobody knew is a product.
    #[wasm_bindgen(js_name = matchProduct)]
    pub fn match_product(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::MatchProduct, input)
    }

    /// A note beside a row's count.
    pub fn annotate(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Annotate, input)
    }

    /// What this device says of a session.
    pub fn manifest(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Manifest, input)
    }

    /// Sends a refused row again.
    pub fn retry(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Retry, input)
    }

    /// Refused because of who was signed in: goes out again.
    #[wasm_bindgen(js_name = signedIn)]
    pub fn signed_in(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::SignedIn, input)
    }

    /// The server knows the device's next id.
    pub fn announced(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Announced, input)
    }

    /// What to cut and when.
    pub fn plan(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Plan, input)
    }

    /// The courier has the batch.
    pub fn handed(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Handed, input)
    }

    /// The courier could not take the batch.
    #[wasm_bindgen(js_name = handoverFailed)]
    pub fn handover_failed(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::HandoverFailed, input)
    }

    /// The server's answer, turned into truth.
    pub fn settle(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Settle, input)
    }

    /// Epoch and ledger of another answer.
    pub fn seen(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Seen, input)
    }

    /// Everything made here is dirty again.
    pub fn unconfirm(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Unconfirm, input)
    }

    /// The server's rows, merged.
    pub fn absorb(&self, input: &str) -> Result<String, JsError> {
        self.ask(Call::Absorb, input)
    }
}

impl Batcher {
    fn ask(&self, call: Call, input: &str) -> Result<String, JsError> {
        calls::batcher(&self.inner, call, input).map_err(thrown)
    }
}

/// The worker's machine.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Courier {
    inner: ginti_sync::Courier,
}

#[wasm_bindgen]
impl Courier {
    /// With settings as JSON (`{}` for the defaults) and the record of the last worker (empty for none).
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, record: &str) -> Result<Self, JsError> {
        Ok(Self { inner: calls::new_courier(config, record).map_err(thrown)? })
    }

    /// One event in, effects out.
    pub fn handle(&mut self, input: &str) -> Result<String, JsError> {
        calls::courier(&mut self.inner, input).map_err(thrown)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err`")]
fn thrown(refused: Refused) -> JsError {
    JsError::new(&refused.0)
}
