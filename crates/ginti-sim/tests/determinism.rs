//! The same seed tells the same story, byte for byte, in any process; another seed tells another one.

use std::process::Command;

/// A story and the server's tables at its end.
fn told(seed: &str) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_ginti-sim"))
        .args(["--seed", seed, "--devices", "5", "--hours", "2", "--verbose", "--tables"])
        .output()
        .expect("the simulator starts");
    assert!(output.status.success(), "seed {seed} fails: {}", String::from_utf8_lossy(&output.stdout));
    output.stdout
}

#[test]
fn two_processes_tell_the_same_story() {
    for seed in ["7", "8"] {
        let first = told(seed);
        let text = String::from_utf8_lossy(&first);
        assert!(text.lines().count() > 500, "the story of seed {seed} is long enough to differ: {text}");
        assert!(text.contains("# arrival"), "the tables are in it");
        assert!(first == told(seed), "seed {seed} tells two stories");
    }
    assert!(told("7") != told("8"), "two seeds tell one story");
}
