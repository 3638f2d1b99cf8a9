//! What must hold of every parser of data from outside, whatever it is given: one function per parser, over any bytes.
//!
//! Two things run them. `cargo test -p ginti-fuzz` replays the small corpus in `corpus/` and some thousand changes of it, the
//! same ones each time. `cargo xtask fuzz` looks for inputs of its own, guided by which code they reach; it builds the package
//! in `fuzz/`, which is apart because it needs a compiler's flags of its own. What was found is in `docs/fuzzing.md`.

pub mod change;
pub mod corpus;
mod targets;

/// A parser and what must hold of it.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name on the command line, and its folder in the corpus.
    pub name: &'static str,
    /// What must hold, in a sentence.
    pub holds: &'static str,
    /// Panics where it does not.
    pub check: fn(&[u8]),
    /// Longer inputs find nothing more.
    pub bytes_max: usize,
    /// Pieces of its language, to build inputs from.
    pub words: &'static [&'static str],
}

/// All of them.
pub fn targets() -> Vec<Target> {
    targets::all()
}

/// The one of that name.
pub fn target(name: &str) -> Option<Target> {
    targets().into_iter().find(|target| target.name == name)
}
