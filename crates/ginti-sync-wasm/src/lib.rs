//! The sync machines as WebAssembly, for the page and the service worker.
//!
//! A thin shell: every call takes one JSON text and returns one, so that whole records cross cheaply and nothing of the
//! machines' types leaks into JavaScript. The shapes are in `web/courier/src/machine.ts`. A call that cannot be done throws
//! an `Error` whose message is a sentence for people; a call that JavaScript makes wrongly throws one that names the member.

use ginti_sync::{Moment, batcher, courier};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
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
        Ok(Self { inner: ginti_sync::Batcher::new(parse(config)?) })
    }

    /// A fresh installation.
    #[wasm_bindgen(js_name = newDevice)]
    pub fn new_device(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.new_device(&parse::<batcher::NewDeviceIn>(input)?))
    }

    /// One scan or correction.
    pub fn count(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.count(parse(input)?)?)
    }

    /// A code that nobody knew is a product.
    #[wasm_bindgen(js_name = matchProduct)]
    pub fn match_product(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.match_product(parse(input)?))
    }

    /// A note beside a row's count.
    pub fn annotate(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.annotate(parse(input)?)?)
    }

    /// What this device says of a session.
    pub fn manifest(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.manifest(&parse(input)?))
    }

    /// Sends a refused row again.
    pub fn retry(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.retry(parse(input)?))
    }

    /// Refused because of who was signed in: goes out again.
    #[wasm_bindgen(js_name = signedIn)]
    pub fn signed_in(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.signed_in(parse(input)?))
    }

    /// The server knows the device's next id.
    pub fn announced(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.announced(parse(input)?))
    }

    /// What to cut and when.
    pub fn plan(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.plan(parse(input)?))
    }

    /// The courier has the batch.
    pub fn handed(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.handed(parse(input)?))
    }

    /// The courier could not take the batch.
    #[wasm_bindgen(js_name = handoverFailed)]
    pub fn handover_failed(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.handover_failed(parse(input)?))
    }

    /// The server's answer, turned into truth.
    pub fn settle(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.settle(parse(input)?))
    }

    /// Epoch and ledger of another answer.
    pub fn seen(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.seen(parse(input)?))
    }

    /// Everything made here is dirty again.
    pub fn unconfirm(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.unconfirm(parse(input)?))
    }

    /// The server's rows, merged.
    pub fn absorb(&self, input: &str) -> Result<String, JsError> {
        text(&self.inner.absorb(parse(input)?))
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
        let record = if record.is_empty() { courier::CourierRecord::default() } else { parse(record)? };
        Ok(Self { inner: ginti_sync::Courier::new(parse(config)?, record) })
    }

    /// One event in, effects out.
    pub fn handle(&mut self, input: &str) -> Result<String, JsError> {
        let Happened { now, entropy, event } = parse(input)?;
        text(&Effects { effects: self.inner.handle(now, &entropy, event) })
    }
}

#[derive(Deserialize)]
struct Happened {
    now: Moment,
    entropy: Vec<u8>,
    event: courier::Event,
}

#[derive(Serialize)]
struct Effects {
    effects: Vec<courier::Effect>,
}

fn parse<T: DeserializeOwned>(input: &str) -> Result<T, JsError> {
    serde_json::from_str(input).map_err(|error| JsError::new(&format!("The sync engine was called wrongly: {error}.")))
}

fn text<T: Serialize>(output: &T) -> Result<String, JsError> {
    Ok(serde_json::to_string(output)?)
}
