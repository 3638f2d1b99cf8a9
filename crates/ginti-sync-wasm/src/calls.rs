//! The machines' calls as JSON text in and JSON text out, without anything of JavaScript: what the shell around it wraps, and what
//! can be tried out without a browser.

use ginti_sync::{Batcher, Courier, Moment, batcher, courier};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What the batcher can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A fresh installation.
    NewDevice,
    /// One scan or correction.
    Count,
    /// A code that nobody knew is a product.
    MatchProduct,
    /// A note beside a row's count.
    Annotate,
    /// What this device says of a session.
    Manifest,
    /// Sends a refused row again.
    Retry,
    /// Somebody signed in.
    SignedIn,
    /// The server knows the device's next id.
    Announced,
    /// What to cut and when.
    Plan,
    /// The courier has the batch.
    Handed,
    /// The courier could not take the batch.
    HandoverFailed,
    /// The server's answer, turned into truth.
    Settle,
    /// Epoch and ledger of another answer.
    Seen,
    /// Everything made here is dirty again.
    Unconfirm,
    /// The server's rows, merged.
    Absorb,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::NewDevice,
        Self::Count,
        Self::MatchProduct,
        Self::Annotate,
        Self::Manifest,
        Self::Retry,
        Self::SignedIn,
        Self::Announced,
        Self::Plan,
        Self::Handed,
        Self::HandoverFailed,
        Self::Settle,
        Self::Seen,
        Self::Unconfirm,
        Self::Absorb,
    ];
}

/// Why a call was not done, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// Asks the batcher.
pub fn batcher(machine: &Batcher, call: Call, input: &str) -> Result<String, Refused> {
    match call {
        Call::NewDevice => text(&machine.new_device(&parse::<batcher::NewDeviceIn>(input)?)),
        Call::Count => text(&machine.count(parse(input)?).map_err(said)?),
        Call::MatchProduct => text(&machine.match_product(parse(input)?)),
        Call::Annotate => text(&machine.annotate(parse(input)?).map_err(said)?),
        Call::Manifest => text(&machine.manifest(&parse(input)?)),
        Call::Retry => text(&machine.retry(parse(input)?)),
        Call::SignedIn => text(&machine.signed_in(parse(input)?)),
        Call::Announced => text(&machine.announced(parse(input)?)),
        Call::Plan => text(&machine.plan(parse(input)?)),
        Call::Handed => text(&machine.handed(parse(input)?)),
        Call::HandoverFailed => text(&machine.handover_failed(parse(input)?)),
        Call::Settle => text(&machine.settle(parse(input)?)),
        Call::Seen => text(&machine.seen(parse(input)?)),
        Call::Unconfirm => text(&machine.unconfirm(parse(input)?)),
        Call::Absorb => text(&machine.absorb(parse(input)?)),
    }
}

/// A batcher with settings as JSON.
pub fn new_batcher(config: &str) -> Result<Batcher, Refused> {
    Ok(Batcher::new(parse(config)?))
}

/// A courier with settings as JSON, where the last worker stopped (empty for nowhere).
pub fn new_courier(config: &str, record: &str) -> Result<Courier, Refused> {
    let record = if record.is_empty() { courier::CourierRecord::default() } else { parse(record)? };
    Ok(Courier::new(parse(config)?, record))
}

/// Tells the courier what happened.
pub fn courier(machine: &mut Courier, input: &str) -> Result<String, Refused> {
    let Happened { now, entropy, event } = parse(input)?;
    text(&Effects { effects: machine.handle(now, &entropy, event) })
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

fn parse<T: DeserializeOwned>(input: &str) -> Result<T, Refused> {
    serde_json::from_str(input).map_err(|error| Refused(format!("The sync engine was called wrongly: {error}.")))
}

fn text<T: Serialize>(output: &T) -> Result<String, Refused> {
    serde_json::to_string(output).map_err(said)
}

fn said(error: impl std::fmt::Display) -> Refused {
    Refused(error.to_string())
}
