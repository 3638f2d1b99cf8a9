//! What the machine says: processor time and memory of processes, how long its disk takes, what it is.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::Path,
    time::Instant,
};

use anyhow::Result;

/// Of processes together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_us: f64,
    pub(crate) rss_mb: f64,
}

/// A tick of `/proc/PID/stat` is a hundredth of a second on every Linux.
const TICK_US: f64 = 10_000.0;

/// Of these processes and all their descendants.
#[expect(clippy::cast_precision_loss, reason = "measurements")]
pub(crate) fn usage_of(processes: &[u32]) -> Usage {
    let mut all: BTreeMap<u32, (u32, u64, u64)> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(stat) = stat(process) {
            all.insert(process, stat);
        }
    }
    let is_ours = |mut process: u32| {
        for _ in 0..8 {
            if processes.contains(&process) {
                return true;
            }
            let Some((parent, ..)) = all.get(&process) else { return false };
            process = *parent;
        }
        false
    };
    let mut usage = Usage::default();
    for (process, (_, ticks, pages)) in &all {
        if is_ours(*process) {
            usage.cpu_us += *ticks as f64 * TICK_US;
            usage.rss_mb += *pages as f64 * 4_096.0 / 1_000_000.0;
        }
    }
    usage
}

/// Parent, ticks used, pages resident.
fn stat(process: u32) -> Option<(u32, u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything, but it ends with the last parenthesis.
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    // The time of children that have ended is theirs no longer, but ours: pools of short-lived ones count too.
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some((u32::try_from(number(1)?).ok()?, ticks, number(21)?))
}

/// The median time of appending a batch's worth of bytes and waiting until the disk has it, in microseconds.
pub(crate) fn fsync_us(folder: &Path) -> Result<f64> {
    let mut file = File::create(folder.join("fsync"))?;
    let mut took = Vec::new();
    for _ in 0..200 {
        file.write_all(&[7; 16_384])?;
        let start = Instant::now();
        file.sync_data()?;
        took.push(start.elapsed().as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() / 2])
}

/// In a line.
pub(crate) fn description() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_start_matches(['\t', ':', ' ']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores ({model}), Linux {}", kernel.trim())
}
