//! One shelf counted and sent, again and again: each time something ends one await later, until nothing is left to end.
//! Seeds strike anywhere; this leaves no gap between the counting of a shelf and its confirmation.

use anyhow::Result;

use crate::{
    mutants::Mutant,
    oracle::Violation,
    scenario::{Act, Bad, DevicePlan, Fault, Kind, Scenario, Step, Sudden, What},
    world,
};

/// Strikes at the n-th await.
type Strike = fn(u32) -> Sudden;

/// What ends, as a story tells it.
const ENDS: &[(&str, Strike)] = &[
    ("killed by the browser", Sudden::KillWorker),
    ("closes", Sudden::CloseTab),
    ("the power goes", Sudden::PowerCut),
];
const KINDS: &[Kind] = &[Kind::Chromium, Kind::Firefox, Kind::Safari, Kind::NoWorker];
const MINUTE_MS: i64 = 60_000;
const COUNTED_MS: i64 = MINUTE_MS;
const LENGTH_MS: i64 = 4 * MINUTE_MS;

/// What it came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Stories in which something ended.
    pub stories: u64,
    /// The first that did not hold.
    pub failed: Option<(Scenario, Violation)>,
}

/// Plays all of them, with every answer heard and with those of the first minute lost.
pub fn run(mutant: Option<Mutant>) -> Result<Report> {
    let mut report = Report::default();
    for kind in KINDS {
        for (told, strike) in ENDS.iter().filter(|(told, _)| *kind != Kind::NoWorker || !told.starts_with("killed")) {
            for loses in [false, true] {
                for steps in 1.. {
                    let scenario = story(*kind, strike(steps), loses);
                    let outcome = world::run(&scenario, mutant, true)?;
                    if let Some(violation) = outcome.violation {
                        report.failed = Some((scenario, violation));
                        return Ok(report);
                    }
                    // So many awaits there are not.
                    if !outcome.lines.iter().any(|(_, line)| line.contains(told)) {
                        break;
                    }
                    report.stories += 1;
                }
            }
        }
    }
    Ok(report)
}

fn story(kind: Kind, sudden: Sudden, loses_answers: bool) -> Scenario {
    let scan = |at_ms, session, product| Step { at_ms, act: Act::Scan { session, product } };
    let steps = vec![
        Step { at_ms: 0, act: Act::OpenTab { shift: false } },
        scan(COUNTED_MS, 0, 1),
        scan(COUNTED_MS + 300, 0, 2),
        scan(COUNTED_MS + 600, 1, 1),
        Step { at_ms: COUNTED_MS + 1_000, act: Act::SendNow },
    ];
    let mut faults = Vec::new();
    if loses_answers {
        let what = What::Bad(Bad::AnswersLost(100));
        faults.push(Fault { at_ms: COUNTED_MS, until_ms: 2 * COUNTED_MS, device: Some(0), what });
    }
    let what = What::Sudden(sudden);
    faults.push(Fault { at_ms: COUNTED_MS - 1, until_ms: COUNTED_MS - 1, device: Some(0), what });
    let device = DevicePlan { index: 0, kind, clock_ms: 0, person: 0, steps };
    Scenario { seed: 1, length_ms: LENGTH_MS, devices: vec![device], faults }
}
