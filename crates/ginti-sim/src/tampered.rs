//! What stands before the simulated server's store: a product that is refused, and a planted bug if the story asks for one.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use ginti_store::{Import, ImportItem, Imported, Refusal, Store, StoreError, async_trait, conformance::Between};
use ginti_types::{Code, Quantity, Revision, Timestamp};

use crate::{mutants::Mutant, shop};

/// What is done to the batches that pass.
pub struct Tampered {
    mutant: Option<Mutant>,
    memory: Mutex<Memory>,
}

/// What a planted bug has to remember.
#[derive(Default)]
struct Memory {
    /// What each row was last told by its device, and the revision made up for it.
    rows: BTreeMap<(String, String), (i64, u64)>,
    made_up: u64,
}

impl Tampered {
    /// With that bug.
    pub fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, memory: Mutex::default() }
    }

    fn planted(&self, import: &mut Import) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let now = import.now;
        let session = import.session_id.as_str().to_owned();
        let sender = import.access.user.clone();
        for item in &mut import.items {
            let ImportItem::Count { item: row, revision, content } = item else { continue };
            match self.mutant {
                // Whatever arrives gets a revision above all that came before.
                Some(Mutant::StaleUpsert) => *revision = memory.next(now),
                Some(Mutant::IncrementsInsteadOfAbsolutes) => {
                    let told = content.quantity.micros();
                    let name = (session.clone(), row.as_str().to_owned());
                    let (before, sum) = memory.rows.get(&name).copied().unwrap_or_default();
                    let added = if told == before { told.min(1_000_000) } else { told - before };
                    let sum = i64::try_from(sum).unwrap_or(0) + added;
                    memory.rows.insert(name, (told, u64::try_from(sum).unwrap_or(0)));
                    content.quantity = Quantity::from_micros(sum.max(0)).unwrap_or(Quantity::ZERO);
                    *revision = memory.next(now);
                }
                Some(Mutant::AttributedToSender) => content.counted_by_user_login_id = Some(sender.clone()),
                _ => {}
            }
        }
    }
}

impl Memory {
    fn next(&mut self, now: Timestamp) -> Revision {
        self.made_up += 1;
        let above = Revision::from_unix_ms(now.unix_ms()).get() + self.made_up;
        Revision::new(above).unwrap_or(Revision::MAX)
    }
}

/// What the server does not take, as if a newer rule refused it.
fn refuse_poison(import: &mut Import) {
    let poison = shop::product_id(shop::POISON);
    for item in &mut import.items {
        if let ImportItem::Count { item: row, content, .. } = item
            && content.product_id.as_ref() == Some(&poison)
        {
            *item = ImportItem::Refused(Refusal {
                import_item_seq_id: Some(row.as_str().to_owned()),
                code: Code::FieldInvalid,
                detail: "This product is not counted any more. Take it off the shelf.".to_owned(),
            });
        }
    }
}

/// Receipts speak of the revisions that were sent, not of those a planted bug made up.
fn as_sent(imported: Imported, sent: &Import) -> Imported {
    let mend = |mut receipt: ginti_types::Receipt| {
        for (answer, item) in receipt.items.iter_mut().zip(&sent.items) {
            if let ImportItem::Count { revision, .. } = item
                && answer.outcome != ginti_types::Outcome::Rejected
            {
                answer.revision = Some(*revision);
                answer.device_id = Some(sent.device_id.clone());
            }
        }
        receipt
    };
    match imported {
        Imported::Stored(receipt) => Imported::Stored(mend(receipt)),
        Imported::Replayed(receipt) => Imported::Replayed(mend(receipt)),
        other => other,
    }
}

#[async_trait]
impl Between for Tampered {
    async fn import(&self, store: &dyn Store, mut import: Import) -> Result<Imported, StoreError> {
        refuse_poison(&mut import);
        match self.mutant {
            Some(Mutant::StaleUpsert | Mutant::IncrementsInsteadOfAbsolutes) => {
                let sent = import.clone();
                self.planted(&mut import);
                // Such a server remembers no batches either.
                let number = self.memory.lock().unwrap_or_else(PoisonError::into_inner).made_up;
                import.batch_id = ginti_types::BatchId::from_time(number, [9; 10]);
                let imported = store.import(import).await?;
                Ok(match as_sent(imported, &sent) {
                    Imported::Stored(mut receipt) => {
                        receipt.batch_id = sent.batch_id;
                        Imported::Stored(receipt)
                    }
                    other => other,
                })
            }
            Some(Mutant::AttributedToSender) => {
                self.planted(&mut import);
                store.import(import).await
            }
            Some(Mutant::ClockBelieved) => {
                let true_time = import.now;
                let newest = import.items.iter().filter_map(|item| match item {
                    ImportItem::Count { revision, .. } => Some(revision.unix_ms()),
                    ImportItem::Refused(_) => None,
                });
                import.now = Timestamp::from_unix_ms(newest.max().unwrap_or(0).max(true_time.unix_ms()));
                Ok(match store.import(import).await? {
                    Imported::Stored(mut receipt) => {
                        receipt.server_time = true_time;
                        Imported::Stored(receipt)
                    }
                    other => other,
                })
            }
            _ => store.import(import).await,
        }
    }
}
