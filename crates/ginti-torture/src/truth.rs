//! What was sent, what was acknowledged, and what follows for what the server must hold.

use std::collections::HashMap;

use anyhow::{Result, bail, ensure};
use ginti_types::{Outcome, Quantity, Receipt};
use serde::Deserialize;

/// A write: to which row, with which revision, from which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Milliseconds and counter.
    pub revision: u64,
    /// Breaks ties; clients' device ids sort as their numbers do.
    pub client: u32,
}

/// One count as sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// The row's number.
    pub row: u32,
    /// Its stamp.
    pub stamp: Stamp,
    /// Whole units.
    pub quantity: u32,
}

/// A row as the server shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The row.
    pub import_item_seq_id: String,
    /// Its stamp.
    pub revision: u64,
    /// Its stamp.
    pub device_id: String,
    /// What it says.
    pub quantity: Quantity,
    /// `applied`.
    pub outcome: String,
}

/// What must be there at a moment.
#[derive(Clone, Debug)]
pub struct Expected {
    rows: HashMap<u32, Stamp>,
    ledger_seq: u64,
}

/// Everything known from outside.
#[derive(Debug, Default)]
pub struct Truth {
    /// Every write that ever left a client.
    sent: HashMap<(u32, Stamp), u32>,
    /// The newest acknowledged write of each row.
    acknowledged: HashMap<u32, Stamp>,
    /// What the server has shown of each row.
    shown: HashMap<u32, Stamp>,
    /// Writes acknowledged, each once.
    pub counts: u64,
    /// Batches acknowledged.
    pub batches: u64,
    /// Batches that had to be sent more than once.
    pub repeated: u64,
    /// The longest ledger any answer has told of.
    ledger_seq: u64,
}

impl Truth {
    /// A batch is about to leave.
    pub fn sending(&mut self, items: &[Sent]) {
        for item in items {
            self.sent.insert((item.row, item.stamp), item.quantity);
        }
    }

    /// A receipt has come.
    pub fn acknowledge(&mut self, items: &[Sent], receipt: &Receipt, tries: u32) -> Result<()> {
        ensure!(receipt.items.len() == items.len(), "a receipt of {} items for {}", receipt.items.len(), items.len());
        for (item, told) in items.iter().zip(&receipt.items) {
            let is_taken = matches!(told.outcome, Outcome::Applied | Outcome::Superseded | Outcome::Duplicate);
            if !is_taken {
                bail!("row {} was answered {:?}: {:?}", item.row, told.outcome, told.detail);
            }
            if told.outcome == Outcome::Duplicate && tries == 1 {
                bail!("row {} is called a duplicate, and was sent once", item.row);
            }
            let newest = self.acknowledged.entry(item.row).or_insert(item.stamp);
            *newest = (*newest).max(item.stamp);
        }
        self.counts += items.len() as u64;
        self.batches += 1;
        self.repeated += u64::from(tries > 1);
        self.ledger_seq = self.ledger_seq.max(receipt.ledger_seq);
        Ok(())
    }

    /// What a look that begins now must find.
    pub fn expected(&self) -> Expected {
        Expected { rows: self.acknowledged.clone(), ledger_seq: self.ledger_seq }
    }

    /// Forgets what was shown: the next look begins at the beginning.
    pub fn look_anew(&mut self) {
        self.shown.clear();
    }

    /// Rows the server has shown since the last look, and its ledger's length, when this was expected.
    pub fn look(&mut self, rows: &[Held], ledger_seq: u64, expected: &Expected) -> Result<()> {
        for held in rows {
            let (row, stamp) = (row_number(held)?, Stamp { revision: held.revision, client: client_number(held)? });
            let Some(quantity) = self.sent.get(&(row, stamp)) else {
                bail!("row {row} holds revision {} of client {}, which nobody sent", stamp.revision, stamp.client)
            };
            let is_right = held.quantity.micros() == i64::from(*quantity) * 1_000_000;
            ensure!(is_right, "row {row} holds {:?}, not {quantity}", held.quantity);
            ensure!(held.outcome == "applied", "row {row} is {}", held.outcome);
            let shown = self.shown.entry(row).or_insert(stamp);
            ensure!(stamp >= *shown, "row {row} went back from {shown:?} to {stamp:?}");
            *shown = stamp;
        }
        for (row, acknowledged) in &expected.rows {
            let Some(shown) = self.shown.get(row) else { bail!("row {row} was acknowledged and is gone") };
            ensure!(
                shown >= acknowledged,
                "row {row} lost {acknowledged:?}, which was acknowledged; it holds {shown:?}"
            );
        }
        let before = expected.ledger_seq;
        ensure!(ledger_seq >= before, "the ledger had {before} entries and now has {ledger_seq}");
        self.ledger_seq = self.ledger_seq.max(ledger_seq);
        Ok(())
    }

    /// Every batch has been answered: the ledger has an entry for each write, and none twice.
    pub fn settled(&self, ledger_seq: u64) -> Result<()> {
        let (sent, counts) = (self.sent.len() as u64, self.counts);
        ensure!(sent == counts, "{sent} counts were sent and {counts} acknowledged");
        ensure!(ledger_seq == sent, "{sent} counts were sent, and the ledger has {ledger_seq} entries");
        Ok(())
    }
}

/// The device id of a client; ids sort as numbers do.
pub fn device_id(client: u32) -> String {
    format!("torture-{client:04}")
}

/// The name of a row.
pub fn row_name(row: u32) -> String {
    format!("row-{row}")
}

fn row_number(held: &Held) -> Result<u32> {
    let number = held.import_item_seq_id.strip_prefix("row-").and_then(|number| number.parse().ok());
    number.ok_or_else(|| anyhow::anyhow!("nobody sent a row \"{}\"", held.import_item_seq_id))
}

fn client_number(held: &Held) -> Result<u32> {
    let number = held.device_id.strip_prefix("torture-").and_then(|number| number.parse().ok());
    number.ok_or_else(|| anyhow::anyhow!("nobody is device \"{}\"", held.device_id))
}

#[cfg(test)]
mod tests {
    use ginti_types::{BatchId, Epoch, ReceiptItem, Timestamp};

    use super::*;

    fn sent(row: u32, revision: u64) -> Sent {
        Sent { row, stamp: Stamp { revision, client: 1 }, quantity: row + 1 }
    }

    fn receipt(outcomes: &[Outcome], ledger_seq: u64) -> Receipt {
        let item = |outcome: &Outcome| ReceiptItem {
            import_item_seq_id: None,
            outcome: *outcome,
            revision: None,
            device_id: None,
            code: None,
            detail: None,
        };
        Receipt {
            batch_id: BatchId::from_time(1, [0; 10]),
            epoch: Epoch::new("e").unwrap(),
            ledger_seq,
            server_time: Timestamp::from_unix_ms(0),
            items: outcomes.iter().map(item).collect(),
        }
    }

    fn held(row: u32, revision: u64) -> Held {
        let quantity = Quantity::from_micros(i64::from(row + 1) * 1_000_000).unwrap();
        Held {
            import_item_seq_id: row_name(row),
            revision,
            device_id: device_id(1),
            quantity,
            outcome: "applied".into(),
        }
    }

    fn acknowledged() -> Truth {
        let mut truth = Truth::default();
        let items = [sent(0, 5), sent(1, 5)];
        truth.sending(&items);
        truth.acknowledge(&items, &receipt(&[Outcome::Applied; 2], 2), 1).unwrap();
        truth
    }

    fn look(truth: &mut Truth, rows: &[Held]) -> Result<()> {
        let expected = truth.expected();
        truth.look(rows, expected.ledger_seq, &expected)
    }

    #[test]
    fn what_was_acknowledged_must_be_shown() {
        let mut truth = acknowledged();
        look(&mut truth, &[held(0, 5), held(1, 5)]).unwrap();
        truth.look_anew();
        assert!(look(&mut truth, &[held(0, 5)]).unwrap_err().to_string().contains("is gone"));
    }

    #[test]
    fn nothing_older_newer_or_other_than_what_was_sent_is_taken() {
        assert!(look(&mut acknowledged(), &[held(0, 4), held(1, 5)]).is_err(), "older");
        assert!(look(&mut acknowledged(), &[held(0, 6), held(1, 5)]).is_err(), "nobody sent it");
        let mut other = held(0, 5);
        other.quantity = Quantity::ONE.checked_add(Quantity::ONE).unwrap();
        assert!(look(&mut acknowledged(), &[other, held(1, 5)]).is_err(), "another quantity");
        let mut late = acknowledged();
        late.sending(&[sent(0, 7)]);
        look(&mut late, &[held(0, 7), held(1, 5)]).unwrap();
        assert!(look(&mut late, &[held(0, 5)]).is_err(), "it went back");
    }

    #[test]
    fn the_ledger_has_one_entry_for_each_count_and_never_shrinks() {
        let mut truth = acknowledged();
        truth.settled(2).unwrap();
        assert!(truth.settled(1).is_err() && truth.settled(3).is_err());
        let expected = truth.expected();
        let rows = [held(0, 5), held(1, 5)];
        truth.look(&rows, 2, &expected).unwrap();
        assert!(truth.look(&rows, 1, &expected).is_err());
    }

    #[test]
    fn a_count_sent_once_is_no_duplicate_and_none_is_refused() {
        let items = [sent(0, 8)];
        let mut truth = Truth::default();
        assert!(truth.acknowledge(&items, &receipt(&[Outcome::Duplicate], 1), 1).is_err());
        truth.acknowledge(&items, &receipt(&[Outcome::Duplicate], 1), 2).unwrap();
        assert!(truth.acknowledge(&items, &receipt(&[Outcome::Rejected], 1), 2).is_err());
        assert!(truth.acknowledge(&items, &receipt(&[], 1), 1).is_err());
    }
}
