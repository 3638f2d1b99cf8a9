//! A seeded monkey that drives the real app against the real server behind a hostile network, and knows at any moment what the
//! screen has to show. `cargo xtask e2e --engine X --seed N --minutes M` lets it loose.
//!
//! The seed decides what it does and what befalls which request. How much of it fits into a minute is the machine's affair; it goes on
//! until it has done everything once.

mod hands;
mod plan;
mod screen;
mod truth;
mod verdict;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use self::hands::Hands;
pub use self::{
    plan::{Plan, Sky, Step},
    truth::{Change, Held, TakenBack, Truth},
};
use crate::{Engine, ServerOptions};

/// So short that tokens run out under way, again and again.
const ACCESS_TOKEN_SECONDS: u32 = 20;
/// Steps told when something is wrong.
const LAST_STEPS: usize = 25;

/// What it is let loose with.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What its plan and the network's faults follow from.
    pub seed: u64,
    /// How long it goes on; what it counted then still has to arrive.
    pub duration: Duration,
    /// Each step is told when it begins.
    pub is_verbose: bool,
}

/// Lets it loose, and says what it did. The error says how to see it again.
pub async fn run(options: Options) -> Result<String> {
    let engine = Engine::chosen()?;
    let server = ServerOptions { access_token_seconds: Some(ACCESS_TOKEN_SECONDS), ..ServerOptions::default() };
    let mut hands = Hands::begin(options.seed, server, plan::PRODUCTS).await?;
    let mut done = Done::default();
    let result = match play(&mut hands, options, &mut done).await {
        Ok(()) => verdict::reach(&mut hands).await,
        Err(error) => Err(error),
    };
    let report = done.report(engine, options, &hands);
    let verdict = match result {
        Ok(verdict) => verdict,
        Err(error) => {
            let left = leave_evidence(&hands, engine).await;
            let evidence =
                left.map_or_else(|error| format!("(no evidence: {error:#})"), |path| path.display().to_string());
            let again = format!(
                "cargo xtask e2e --engine {} --seed {} --minutes {}",
                engine.name(),
                options.seed,
                minutes(options)
            );
            return Err(error
                .context(format!("{report}\n{}\nthe device's databases: {evidence}\nagain: {again}\n", done.last())));
        }
    };
    hands.device.close().await?;
    Ok(format!(
        "{report}\nin the end {} products in {} counts hold {} pieces, written down in {} entries of history\nserver = screen = truth",
        verdict.rows,
        Hands::counts().len(),
        verdict.pieces,
        verdict.entries,
    ))
}

async fn play(hands: &mut Hands, options: Options, done: &mut Done) -> Result<()> {
    let until = tokio::time::Instant::now() + options.duration;
    for (number, step) in Plan::new(options.seed).enumerate() {
        // A machine that is busy elsewhere does less in a minute; everything comes once all the same.
        if tokio::time::Instant::now() >= until && number >= plan::steps_for_all() {
            break;
        }
        if options.is_verbose {
            println!("{number} {step:?}");
        }
        done.note(number, step);
        hands.act(step).await.with_context(|| format!("step {number}, {step:?}"))?;
    }
    Ok(())
}

/// What it has done so far.
#[derive(Debug, Default)]
struct Done {
    steps: BTreeMap<&'static str, u32>,
    last: VecDeque<(usize, Step)>,
}

impl Done {
    fn note(&mut self, number: usize, step: Step) {
        *self.steps.entry(step.name()).or_default() += 1;
        self.last.push_back((number, step));
        if self.last.len() > LAST_STEPS {
            self.last.pop_front();
        }
    }

    fn last(&self) -> String {
        let mut text = "the last steps:".to_owned();
        for (number, step) in &self.last {
            let _ = write!(text, "\n  {number} {step:?}");
        }
        text
    }

    fn report(&self, engine: Engine, options: Options, hands: &Hands) -> String {
        let steps: u32 = self.steps.values().sum();
        let (entries, taken_back) = hands.truth.entries();
        let faults: Vec<_> = hands.proxy.tally().into_iter().filter(|(_, times)| *times > 0).collect();
        let struck: u64 = faults.iter().map(|(_, times)| times).sum();
        let names = |all: Vec<String>| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        format!(
            "monkey in {}, seed {}, {} minutes: {steps} steps\n  {}\n{} requests through the proxy, {struck} of them struck; {} imports reached the server\n  {}\n{entries} counts acknowledged by the screen, {taken_back} of them taken back; {} times a row was called confirmed and was; {} times signed in again",
            engine.name(),
            options.seed,
            minutes(options),
            names(self.steps.iter().map(|(name, times)| format!("{name} {times}")).collect()),
            hands.proxy.exchanges(),
            hands.world.link.imports(),
            names(faults.iter().map(|(fault, times)| format!("{} {times}", fault.name())).collect()),
            hands.confirmed,
            hands.asked,
        )
    }
}

fn minutes(options: Options) -> f64 {
    options.duration.as_secs_f64() / 60.0
}

/// A picture, and everything in the device's databases.
async fn leave_evidence(hands: &Hands, engine: Engine) -> Result<PathBuf> {
    hands.device.browser().screenshot("monkey").await?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/e2e/monkey-{}.json", engine.name()));
    let mut databases = hands.device.databases().await?;
    if let Some(tenant) = databases["ginti-demo"].as_object_mut() {
        tenant.remove("products");
    }
    std::fs::write(&path, serde_json::to_string_pretty(&databases)?)?;
    Ok(path)
}
