//! The same histories, but with batches that arrive at the same time: what is answered must be what one after the other would
//! have been answered, in the order that the ledger tells.

use std::{collections::HashSet, sync::Arc};

use ginti_types::TenantId;
use tokio::task::JoinSet;

use super::{
    Draws, Reference, STEPS_PER_AUDIT, audit, fill,
    history::{History, Step},
    same, take,
};
use crate::{Import, Imported, Store, conformance::Fixture};

const SEEDS: u64 = 12;
const STEPS: u64 = 120;

/// Batches of different devices at once, many seeds in one database.
pub async fn batches_that_arrive_together_are_answered_as_one_after_the_other(fixture: &dyn Fixture) {
    let store = fixture.open().await;
    let mut at_once = 0;
    for seed in 0..SEEDS {
        at_once = run(&store, seed).await.unwrap_or_else(|difference| panic!("{difference}")).max(at_once);
    }
    assert!(at_once > 3, "at most {at_once} batches at once");
}

/// The most batches at once.
async fn run(store: &Arc<dyn Store>, seed: u64) -> Result<usize, String> {
    let tenants = ["one", "two"].map(|name| TenantId::new(format!("together-{seed}-{name}")).expect("an id"));
    fill(&**store, &tenants).await.map_err(|error| error.to_string())?;
    let mut reference = Reference::of(&**store, &tenants).await.map_err(|error| error.to_string())?;
    let (mut history, mut looks) = (History::new(seed, &tenants), Draws(!seed));
    let (mut round, mut busy) = (Vec::new(), HashSet::new());
    let mut most = 0;
    for number in 1..=STEPS {
        let step = history.step();
        let fits = match &step {
            // What a device is answered depends on what it sent before, so it sends one at a time; so does a batch's id.
            Step::Import(import) => {
                let tenant = import.access.tenant.clone();
                busy.insert((tenant.clone(), import.device_id.to_string()))
                    & busy.insert((tenant, import.batch_id.to_string()))
            }
            _ => false,
        };
        if !fits {
            most = most.max(round.len());
            settle(store, &mut reference, std::mem::take(&mut round))
                .await
                .map_err(|difference| format!("seed {seed}, before step {number}: {difference}"))?;
            busy.clear();
        }
        match step {
            Step::Import(import) if fits => round.push(import),
            step => take(&**store, &mut reference, &step, &mut std::collections::BTreeMap::new())
                .await
                .map_err(|difference| format!("seed {seed}, step {number}: {step:?}\n{difference}"))?,
        }
        if number % STEPS_PER_AUDIT == 0 && round.is_empty() {
            audit(&**store, &reference, &tenants, &mut looks)
                .await
                .map_err(|difference| format!("seed {seed}, after step {number}: {difference}"))?;
        }
    }
    settle(store, &mut reference, round).await?;
    audit(&**store, &reference, &tenants, &mut looks)
        .await
        .map_err(|difference| format!("seed {seed}: {difference}"))?;
    Ok(most)
}

/// Sends the batches at once, and feeds them to the reference in the order they were taken in.
async fn settle(store: &Arc<dyn Store>, reference: &mut Reference, round: Vec<Import>) -> Result<(), String> {
    let mut sending = JoinSet::new();
    for import in round {
        let store = Arc::clone(store);
        sending.spawn(async move {
            let answer = store.import(import.clone()).await;
            (import, answer)
        });
    }
    let mut answered = Vec::new();
    while let Some(sent) = sending.join_next().await {
        let (import, answer) = sent.map_err(|error| error.to_string())?;
        answered.push((import, answer.map_err(|error| error.to_string())?));
    }
    while let Some(next) = next_in_ledger(reference, &answered) {
        let (import, answer) = answered.remove(next);
        let expected = reference.import(&import);
        same(&format!("the answer to {import:?}"), &Ok(expected), &Ok(answer))?;
    }
    same("the ledger", &Ok(reference.ledger().clone()), &store.ledger().await)
}

/// The batch with the lowest number in the ledger. Of several with one number only one has appended; which of them came first
/// is seen by the answers.
fn next_in_ledger(reference: &Reference, answered: &[(Import, Imported)]) -> Option<usize> {
    let number = |answer: &Imported| match answer {
        Imported::Stored(receipt) => receipt.ledger_seq,
        // These change nothing, whenever they came.
        _ => u64::MAX,
    };
    let lowest = answered.iter().map(|(_, answer)| number(answer)).min()?;
    let mut of_lowest = (0..answered.len()).filter(|at| number(&answered[*at].1) == lowest);
    let fits = |at: &usize| reference.clone().import(&answered[*at].0) == answered[*at].1;
    of_lowest.clone().find(fits).or_else(|| of_lowest.next())
}
