//! One target of `ginti-fuzz` under libFuzzer; the environment says which.

#![no_main]

use std::sync::OnceLock;

use ginti_fuzz::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| (chosen().check)(bytes));

fn chosen() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name =
            std::env::var("GINTI_FUZZ_TARGET").expect("GINTI_FUZZ_TARGET says which target: use `cargo xtask fuzz`");
        ginti_fuzz::target(&name).expect("there is a target of that name")
    })
}
