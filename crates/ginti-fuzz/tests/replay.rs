//! Every committed input and some thousand changes of it, the same ones each time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ginti_fuzz::{Target, change::Changes, corpus, targets};

/// Changed inputs tried for each target.
const CHANGED: u64 = 4_000;

#[test]
fn every_target_holds_for_its_corpus_and_for_changes_of_it() {
    for target in targets() {
        let inputs = corpus::inputs(target.name).expect("each target has a folder in corpus/");
        assert!(inputs.len() >= 5, "{}: the corpus lacks inputs", target.name);
        for (name, bytes) in &inputs {
            check(&target, bytes, &format!("corpus/{}/{name}", target.name));
        }
        for seed in 0..CHANGED {
            let bytes = Changes::new(seed).next(&inputs, target.words, target.bytes_max);
            check(&target, &bytes, &format!("{}, change {seed}", target.name));
        }
    }
}

#[test]
fn nothing_in_the_corpus_is_of_no_target() {
    let root = corpus::folder("");
    for folder in std::fs::read_dir(root).expect("the corpus is there") {
        let name = folder.expect("a folder").file_name().to_string_lossy().into_owned();
        let target = ginti_fuzz::target(&name).unwrap_or_else(|| panic!("corpus/{name} belongs to no target"));
        for (input, bytes) in corpus::inputs(&name).expect("readable") {
            assert!(bytes.len() <= target.bytes_max, "corpus/{name}/{input} is longer than its target takes");
        }
    }
}

fn check(target: &Target, bytes: &[u8], which: &str) {
    let held = catch_unwind(AssertUnwindSafe(|| (target.check)(bytes)));
    assert!(
        held.is_ok(),
        "{which} does not hold, see above. The input: {:?}\nIt must hold: {}",
        String::from_utf8_lossy(bytes),
        target.holds
    );
}
