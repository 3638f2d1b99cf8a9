//! The browser engines of the end-to-end tests: what each needs on this machine, and which tests run in it.

use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::workspace::Workspace;
use crate::{debian, tools};

/// geckodriver speaks to one range of Firefox versions; this one to Debian's.
const GECKODRIVER: &str = "0.37.1";

/// What the engines other than Chromium run: the tests about counts that must arrive, and the counting app's own flows.
const ABOUT_COUNTING: &[&str] = &["engines", "courier", "triggers", "counting", "app"];

/// Of these, what they run within `cargo xtask test`: what each engine does in its own way. The rest is decided by code that
/// is the same in all of them.
const SHORT: &[&str] = &[
    "the_engine_can_do_what_the_table_says_and_nothing_else",
    "delivers_on_its_own",
    "what_was_scanned_offline_arrives_after_a_cold_start_without_another_scan",
    "a_worker_killed_in_the_middle_of_a_replay_loses_nothing",
    "a_page_without_a_worker_delivers_by_itself",
    "two_tabs_of_one_device_add_up",
];

/// A browser engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Engine {
    Chromium,
    Firefox,
    Webkit,
}

impl Engine {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::Webkit];

    /// Those that `cargo xtask test` runs beside Chromium.
    pub(crate) const OTHERS: [Self; 2] = [Self::Firefox, Self::Webkit];

    /// Its name, for the tests and for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::Webkit => "webkit",
        }
    }

    /// Makes sure that it can be driven.
    pub(crate) fn need(self, workspace: &Workspace) -> Result<()> {
        self.need_packages()?;
        self.need_driver(workspace)
    }

    /// What of it comes in packages.
    pub(crate) fn need_packages(self) -> Result<()> {
        match self {
            Self::Chromium => {
                debian::need(debian::CHROMIUM)?;
                debian::need(debian::NETWORK)
            }
            Self::Firefox => debian::need(debian::FIREFOX),
            Self::Webkit => debian::need_webkit(),
        }
    }

    /// What of it has to be built.
    pub(crate) fn need_driver(self, workspace: &Workspace) -> Result<()> {
        match self {
            Self::Firefox => tools::cargo(workspace, "geckodriver", Some(GECKODRIVER)).map(drop),
            Self::Chromium | Self::Webkit => Ok(()),
        }
    }

    /// Tells the tests which engine to drive, and with what.
    pub(crate) fn choose(self, workspace: &Workspace, command: &mut Command) -> Result<()> {
        command.env("GINTI_ENGINE", self.name());
        if self == Self::Firefox {
            command.env("GINTI_GECKODRIVER", tools::cargo(workspace, "geckodriver", Some(GECKODRIVER))?);
        }
        Ok(())
    }

    /// Arguments for `cargo test` that select this engine's tests.
    pub(crate) fn targets(self) -> Vec<&'static str> {
        if self == Self::Chromium {
            return Vec::new();
        }
        ABOUT_COUNTING.iter().flat_map(|target| ["--test", target]).collect()
    }

    /// The names of the short form.
    pub(crate) fn short() -> &'static [&'static str] {
        SHORT
    }
}
