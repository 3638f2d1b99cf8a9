//! The page's machine: a scan, a flush, a receipt, each with the JSON that crosses the border to WebAssembly.

use anyhow::{Context, Result, ensure};
use ginti_sync::{
    Batcher, Moment,
    batcher::{Count, CountIn, Counted, Handed, NewDeviceIn, NewRow, Plan, PlanIn, Settle, Settled, Trigger},
    record::{Answer, DeliveryState, DeviceRecord, ItemRecord},
};
use ginti_types::{Epoch, Outcome, ProductId, Quantity, Receipt, ReceiptItem, SessionId, Timestamp, UserLoginId};
use serde::{Serialize, de::DeserializeOwned};

use crate::work::{SESSION, USER, now_ms};

/// Rows of a flush.
const ROWS: u64 = 1_000;

/// As the shell around the machines does it.
fn across<T: Serialize + DeserializeOwned>(value: &T) -> Result<T> {
    Ok(serde_json::from_str(&serde_json::to_string(value)?)?)
}

pub(super) fn scan(times: u64) -> Result<()> {
    let (machine, mut device) = machine();
    let mut item = None;
    for at in 0..times {
        let counted = count(&machine, &device, item.take(), 0, at)?;
        device = counted.device;
        item = Some(counted.item);
    }
    ensure!(item.is_some_and(|item| item.quantity == units(times)));
    Ok(())
}

/// Cuts a batch so many times, and takes in its receipt as often or not at all.
pub(super) fn flush(times: u64, is_settled: bool) -> Result<()> {
    let (machine, mut device) = machine();
    let mut items = Vec::new();
    for row in 0..ROWS {
        let counted = count(&machine, &device, None, row, row)?;
        device = counted.device;
        items.push(counted.item);
    }
    let plan = plan(&machine, &device, &items)?;
    let answered = answered(&machine, &plan)?;
    for _ in 0..times {
        if is_settled {
            let settled: Settled = across(&machine.settle(across(&answered)?))?;
            ensure!(settled.items.iter().all(|item| item.confirmed == Some(item.revision)));
        } else {
            ensure!(self::plan(&machine, &device, &items)?.sends.len() == 1);
        }
    }
    Ok(())
}

fn machine() -> (Batcher, DeviceRecord) {
    let machine = Batcher::default();
    let device = machine.new_device(&NewDeviceIn { entropy: vec![7; 32] }).device;
    (machine, device)
}

fn units(units: u64) -> Quantity {
    Quantity::from_micros(i64::try_from(units).unwrap_or(0) * 1_000_000).expect("a quantity")
}

fn count(machine: &Batcher, device: &DeviceRecord, item: Option<ItemRecord>, row: u64, at: u64) -> Result<Counted> {
    let new_row = NewRow {
        inventory_count_import_id: SessionId::new(SESSION)?,
        product_id: Some(ProductId::new((10_000 + row).to_string())?),
        product_identifier: None,
        is_requested: None,
        location_seq_id: None,
    };
    let input = CountIn {
        now: Moment(now_ms() + i64::try_from(at)?),
        device: device.clone(),
        row: item.is_none().then_some(new_row),
        item,
        count: Count::Add { quantity: units(1) },
        counted_by_user_login_id: UserLoginId::new(USER)?,
        product_identifier: None,
    };
    across(&machine.count(across(&input)?)?)
}

fn plan(machine: &Batcher, device: &DeviceRecord, items: &[ItemRecord]) -> Result<Plan> {
    let input = PlanIn {
        now: Moment(now_ms()),
        trigger: Trigger::Manual,
        device: device.clone(),
        saved: items.to_vec(),
        open: Vec::new(),
        held_items: Vec::new(),
        entropy: vec![7; 64],
    };
    across(&machine.plan(across(&input)?))
}

/// The planned batch with the server's answer to it.
fn answered(machine: &Batcher, plan: &Plan) -> Result<Settle> {
    let delivery = plan.deliveries.first().context("nothing was cut")?.clone();
    let handed = machine.handed(Handed { now: Moment(now_ms()), device: plan.device.clone(), delivery });
    let mut delivery = handed.delivery;
    let items = plan.items.iter().map(|item| ReceiptItem {
        import_item_seq_id: Some(item.import_item_seq_id.as_str().to_owned()),
        outcome: Outcome::Applied,
        revision: Some(item.revision),
        device_id: Some(item.device_id.clone()),
        code: None,
        detail: None,
    });
    let receipt = Receipt {
        batch_id: delivery.batch_id,
        epoch: Epoch::new("epoch-1")?,
        ledger_seq: ROWS,
        server_time: Timestamp::from_unix_ms(now_ms()),
        items: items.collect(),
    };
    delivery.state = DeliveryState::Answered;
    delivery.answer =
        Some(Answer { status: 200, body: serde_json::to_string(&receipt)?, at: Moment(now_ms()), replayed: false });
    Ok(Settle {
        now: Moment(now_ms()),
        device: handed.device,
        delivery,
        items: plan.items.clone(),
        entropy: vec![7; 64],
    })
}
