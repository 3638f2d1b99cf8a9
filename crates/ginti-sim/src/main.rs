//! Plays seeds.
use ginti_sim::{mutants::Mutant, scenario::Scenario, trace::clock_face, world};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let from: u64 = args.get(1).and_then(|a| a.parse().ok()).unwrap_or(1);
    let count: u64 = args.get(2).and_then(|a| a.parse().ok()).unwrap_or(1);
    let mutant = args.get(3).and_then(|name| Mutant::by_name(name));
    let told = args.iter().any(|a| a == "-v");
    let start = std::time::Instant::now();
    let mut total = world::Outcome::default();
    for seed in from..from + count {
        let outcome = world::run(&Scenario::new(seed), mutant, told).expect("runs");
        total.counts += outcome.counts;
        total.requests += outcome.requests;
        total.batches += outcome.batches;
        total.sends_a_minute = total.sends_a_minute.max(outcome.sends_a_minute);
        total.longest_queue = total.longest_queue.max(outcome.longest_queue);
        total.converged_ms = total.converged_ms.max(outcome.converged_ms);
        for (at, line) in &outcome.lines {
            println!("{} {line}", clock_face(at - ginti_sim::shop::START_MS));
        }
        if let Some(v) = &outcome.violation {
            println!(
                "seed {seed}: {} at {} device {:?}: {}",
                v.invariant.name(),
                clock_face(v.at_ms - ginti_sim::shop::START_MS),
                v.device.map(|d| d + 1),
                v.what
            );
            if mutant.is_some() {
                break;
            }
        }
    }
    println!(
        "{count} seeds, {:.1} s; {} counts {} requests {} batches, max/min {} queue {} converged {} s",
        start.elapsed().as_secs_f64(),
        total.counts,
        total.requests,
        total.batches,
        total.sends_a_minute,
        total.longest_queue,
        total.converged_ms / 1000
    );
}
