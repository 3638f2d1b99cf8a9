//! Calls of the sync engine as JavaScript makes them: records out of a device's database, which an older app or a broken disk may
//! have left in any state.

use ginti_sync_wasm::calls::{self, Call};

use super::text;
use crate::Target;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "queued",
        holds: "Whatever the worker's database holds, the courier takes it or says in a sentence why not; what it wants kept it can read \
                again.",
        check: queued,
        bytes_max: 1_024,
        words: &[
            "{\"now\":1795348800000,\"entropy\":[1,2],\"event\":",
            "{\"wake\":{\"cause\":\"queued\",\"entries\":[",
            "\"realm\":\"demo\"",
            "{\"id\":1,\"batchId\":\"019aab7e-1111-7222-8333-444455556666\",\"realm\":\"demo\",\"withdrawn\":true}",
            "{\"failed\":{\"entry\":1,\"failure\":\"timeout\"}}",
            "{\"refreshed\":{\"result\":\"denied\",\"realm\":null}}",
            "{\"answered\":{\"entry\":1,\"status\":200,\"retryAfter\":null,\"body\":\"\"}}",
            "-9223372036854775808",
            "9223372036854775807",
            "18446744073709551615",
            "\n",
            "\"failures\":",
            "\"notBefore\":",
            "\"gate\":\"closed\"",
            "\"gateProbeAt\":",
            "\"retryAfterUntil\":",
            "\"signedIn\"",
            "\"sync\"",
            "\"online\"",
            "4294967295",
        ],
    },
    Target {
        name: "records",
        holds: "Whatever the page's database holds, the batcher takes it or says in a sentence why not.",
        check: records,
        bytes_max: 4_096,
        words: &[
            "\"now\":",
            "\"device\":",
            "\"deviceId\":\"6f0c\"",
            "\"clock\":",
            "\"skewMs\":",
            "\"nextItemSeq\":",
            "\"batchItemsMax\":",
            "\"items\":[",
            "\"entropy\":[]",
            "\"inventoryCountImportId\":\"M1\"",
            "\"importItemSeqId\":\"1\"",
            "\"productId\":\"p\"",
            "\"productIdentifier\":null",
            "\"quantity\":1",
            "\"revision\":",
            "\"countedAt\":\"2026-11-22T09:14:03.120Z\"",
            "\"countedByUserLoginId\":\"counter\"",
            "\"isRequested\":null",
            "\"locationSeqId\":null",
            "\"own\":true",
            "\"confirmed\":null",
            "\"custody\":null",
            "\"problem\":null",
            "\"truth\":\"saved\"",
            "\"restamps\":",
            "\"local\":[",
            "\"remote\":[",
            "\"open\":[",
            "\"saved\":[",
            "\"heldItems\":[",
            "\"trigger\":\"tick\"",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "4294967295",
            "9007199254740991",
        ],
    },
];

/// The courier's record, then one event a line.
fn queued(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let mut lines = text.split('\n');
    let record = lines.next().unwrap_or_default();
    let mut machine = match calls::new_courier("{}", record) {
        Ok(machine) => machine,
        Err(refused) => return sentence(&refused.0),
    };
    for line in lines {
        match calls::courier(&mut machine, line) {
            Ok(effects) => {
                let effects: serde_json::Value = serde_json::from_str(&effects).expect("effects are JSON");
                assert!(!effects["effects"].as_array().expect("a list").is_empty(), "the last says what to do next");
            }
            Err(refused) => sentence(&refused.0),
        }
        let record = serde_json::to_string(machine.record()).expect("JSON");
        calls::new_courier("{}", &record).expect("what is kept can be read again");
    }
}

/// The first byte chooses the call.
fn records(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Some(text) = text(rest) else { return };
    let machine = calls::new_batcher("{}").expect("the defaults are settings");
    match calls::batcher(&machine, Call::ALL[usize::from(*first) % Call::ALL.len()], text) {
        Ok(answer) => {
            serde_json::from_str::<serde_json::Value>(&answer).expect("an answer is JSON");
        }
        Err(refused) => sentence(&refused.0),
    }
}

fn sentence(text: &str) {
    assert!(text.ends_with('.') && text.len() < 4_096, "a sentence: {text:?}");
}
