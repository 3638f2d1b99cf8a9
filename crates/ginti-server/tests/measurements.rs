//! What is measured takes no memory for each measurement, also in a server that nobody asks for its numbers.
#![cfg(target_os = "linux")]

use std::{fs, time::Duration};

const ROUNDS: u32 = 12;
/// Of eight bytes each.
const MEASUREMENTS: u32 = 1_000_000;
/// What an allocator keeps varies; kept one by one, all rounds together would take four times as much.
const GROWTH_MAX_KB: u64 = 24_000;

fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn measurements_that_nobody_asks_for_take_no_memory() {
    tokio::spawn(ginti_server::add_up_measurements(Duration::from_millis(5)));
    let mut after_first = None;
    for _ in 0..ROUNDS {
        let lag = metrics::histogram!("ginti_count_lag_seconds");
        for _ in 0..MEASUREMENTS {
            lag.record(1.0);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        after_first.get_or_insert_with(resident_kb);
    }
    let (first, last) = (after_first.unwrap(), resident_kb());
    assert!(last < first + GROWTH_MAX_KB, "memory grew from {first} KB to {last} KB");
}
