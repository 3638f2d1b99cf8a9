//! The browser engines the tests run in, and what each of them can and cannot do. The table is measured in the real
//! browsers (`tests/engines.rs`) and shown in `docs/engines.md`.

use std::fmt::Write as _;

use anyhow::{Result, bail};

/// The variable that chooses the engine.
const VARIABLE: &str = "GINTI_ENGINE";

/// A browser engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Engine {
    /// Chromium under chromedriver.
    Chromium,
    /// Firefox under geckodriver.
    Firefox,
    /// WebKitGTK under `WebKitWebDriver`; it stands in for Safari.
    WebKit,
}

/// What an engine may or may not be able to do: for the app, and for the tests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Capability {
    /// The browser wakes the worker when the network is back, the app closed.
    BackgroundSync,
    /// `navigator.storage`: asking for storage that lasts, and how much is used.
    Storage,
    /// `navigator.locks`.
    WebLocks,
    /// `BroadcastChannel`.
    BroadcastChannel,
    /// `BarcodeDetector`; where it is missing, the app brings its own decoder.
    BarcodeDetector,
    /// A first worker is installed although the page that asked for it is left before the worker has got through its own code.
    InstalledUnattended,
    /// A window that is minimised is hidden to its page, and visible again afterwards.
    Visibility,
    /// The tests can tell the browser that the network is gone, and `navigator.onLine` and its events follow.
    OfflineEmulation,
    /// The tests can kill the worker and leave its pages alone. (Where not, both are killed, as a phone does.)
    WorkerKilledAlone,
    /// The tests can reload a page so that no worker controls it.
    ReloadPastWorker,
    /// The tests can give the page a phone's size.
    PhoneSize,
    /// The tests can choose between light and dark.
    ColourScheme,
    /// The driver calls shown what is, a line of text that ends in an ellipsis too. (Where not, the page is asked.)
    DriverSight,
    /// A cookie for secure connections is kept on this machine's own address, without TLS.
    SecureCookie,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKit];

    /// The one that `GINTI_ENGINE` names; Chromium when it names none.
    pub fn chosen() -> Result<Self> {
        let Some(name) = std::env::var_os(VARIABLE) else { return Ok(Self::Chromium) };
        match Self::ALL.into_iter().find(|engine| name.to_str() == Some(engine.name())) {
            Some(engine) => Ok(engine),
            None => bail!("{VARIABLE} is chromium, firefox or webkit, not {}", name.display()),
        }
    }

    /// Its name in `GINTI_ENGINE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }

    /// Whether it can do that.
    pub fn can(self, capability: Capability) -> bool {
        let lacks: &[Capability] = match self {
            Self::Chromium => &[Capability::BarcodeDetector],
            Self::Firefox => &[Capability::BackgroundSync, Capability::BarcodeDetector],
            Self::WebKit => &[
                Capability::BackgroundSync,
                Capability::Storage,
                Capability::BarcodeDetector,
                Capability::InstalledUnattended,
                Capability::OfflineEmulation,
                Capability::WorkerKilledAlone,
                Capability::ReloadPastWorker,
                Capability::DriverSight,
                Capability::SecureCookie,
            ],
        };
        !lacks.contains(&capability)
    }
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::BackgroundSync,
        Self::Storage,
        Self::WebLocks,
        Self::BroadcastChannel,
        Self::BarcodeDetector,
        Self::InstalledUnattended,
        Self::Visibility,
        Self::OfflineEmulation,
        Self::WorkerKilledAlone,
        Self::ReloadPastWorker,
        Self::PhoneSize,
        Self::ColourScheme,
        Self::DriverSight,
        Self::SecureCookie,
    ];

    /// What a person calls it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::BackgroundSync => "background sync",
            Self::Storage => "`navigator.storage`",
            Self::WebLocks => "Web Locks",
            Self::BroadcastChannel => "`BroadcastChannel`",
            Self::BarcodeDetector => "`BarcodeDetector` of its own",
            Self::InstalledUnattended => "a first worker is installed although its page is left at once",
            Self::Visibility => "a minimised window is hidden",
            Self::OfflineEmulation => "tests: offline, and `navigator.onLine` follows",
            Self::WorkerKilledAlone => "tests: the worker killed, its page alive",
            Self::ReloadPastWorker => "tests: a reload past the worker",
            Self::PhoneSize => "tests: a phone's size",
            Self::ColourScheme => "tests: light and dark",
            Self::DriverSight => "tests: the driver sees a line that is cut short",
            Self::SecureCookie => "a sign-in that lasts on `http://127.0.0.1`",
        }
    }
}

/// The table of what each engine can do, in Markdown.
pub fn capability_table() -> String {
    let mut table = String::from("| | Chromium | Firefox | WebKitGTK |\n|---|---|---|---|\n");
    for capability in Capability::ALL {
        let _ = write!(table, "| {} |", capability.words());
        for engine in Engine::ALL {
            let _ = write!(table, " {} |", if engine.can(capability) { "yes" } else { "no" });
        }
        table.push('\n');
    }
    table
}
