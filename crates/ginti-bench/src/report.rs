//! The report: a table to read, and `report.json` with the goals.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::{load::Run, target::Who};

/// A goal, what was measured, and whether that is enough.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) name: String,
    #[serde(rename = "goal")]
    pub(crate) bound: String,
    pub(crate) measured: f64,
    pub(crate) met: bool,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Report {
    /// Every run, by who and how many clients, in the order of the rounds.
    pub(crate) runs: BTreeMap<(Who, u64), Vec<Run>>,
    /// Runs of 64 clients with old batches among the new ones.
    pub(crate) mixed: BTreeMap<Who, Vec<Run>>,
    pub(crate) goals: Vec<Goal>,
    /// Single numbers, in words.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    if values.is_empty() { f64::NAN } else { values[values.len() / 2] }
}

impl Report {
    /// The median over rounds of what one did against another in the same round.
    pub(crate) fn ratio(&self, of: (Who, u64), to: (Who, u64), value: fn(&Run) -> f64) -> Option<f64> {
        let (of, to) = (self.runs.get(&of)?, self.runs.get(&to)?);
        Some(median(of.iter().zip(to).map(|(of, to)| value(of) / value(to))))
    }

    pub(crate) fn median(&self, of: (Who, u64), value: fn(&Run) -> f64) -> Option<f64> {
        self.runs.get(&of).map(|runs| median(runs.iter().map(value)))
    }

    /// Notes a goal: at least so much, or at most.
    pub(crate) fn goal(&mut self, name: &str, at_least: bool, bound: f64, measured: Option<f64>) {
        let Some(measured) = measured else { return };
        let met = if at_least { measured >= bound } else { measured <= bound };
        let goal = format!("{} {bound}", if at_least { "≥" } else { "≤" });
        self.goals.push(Goal { name: name.to_owned(), bound: goal, measured, met });
    }

    pub(crate) fn text(&self, machine: &str) -> String {
        let mut text = format!(
            "# Ginti's write path beside its peers\n\n{machine}. Batches of 50 counts, one at a time from each client, load generator on \
             the same cores. Medians of interleaved rounds; ratios are of the same round.\n\n\
             | | clients | counts/s | p50 ms | p99 ms | CPU µs/count | RSS MB | rounds | when it answers |\n|---|---|---|---|---|---|---|---|---|\n"
        );
        for ((who, clients), runs) in &self.runs {
            let of = |value: fn(&Run) -> f64| median(runs.iter().map(value));
            let _ = writeln!(
                text,
                "| {} | {clients} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {} | {} |",
                who.name(),
                of(|run| run.counts_per_second),
                of(|run| run.p50_ms),
                of(|run| run.p99_ms),
                of(|run| run.cpu_us_per_count),
                of(|run| run.rss_mb),
                runs.len(),
                who.durability()
            );
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text.push_str("\n| goal | bound | measured | |\n|---|---|---|---|\n");
        for goal in &self.goals {
            let verdict = if goal.met { "met" } else { "missed" };
            let _ = writeln!(text, "| `{}` | {} | {:.2} | {verdict} |", goal.name, goal.bound, goal.measured);
        }
        text
    }

    pub(crate) fn write(&self, folder: &Path, machine: &str) -> Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("report.md"), self.text(machine))?;
        let runs: Vec<_> = self
            .runs
            .iter()
            .flat_map(|((who, clients), runs)| {
                runs.iter().map(move |run| {
                    serde_json::json!({
                        "who": who.name(), "clients": clients, "countsPerSecond": run.counts_per_second, "p50Ms": run.p50_ms,
                        "p99Ms": run.p99_ms, "cpuUsPerCount": run.cpu_us_per_count, "rssMb": run.rss_mb,
                        "durability": who.durability(),
                    })
                })
            })
            .collect();
        let json = serde_json::json!({ "machine": machine, "goals": self.goals, "notes": self.notes, "runs": runs });
        fs::write(folder.join("report.json"), serde_json::to_string_pretty(&json)?)?;
        Ok(())
    }
}
