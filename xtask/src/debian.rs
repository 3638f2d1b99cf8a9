//! Programs that come as Debian packages: installed when we may, named in a sentence when we may not.

use std::path::Path;
use std::sync::Once;

use anyhow::{Context, Result, bail};

use crate::process;

/// A program and the Debian package that brings it.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

/// The browser that the end-to-end tests drive, and its driver.
pub(crate) const CHROMIUM: &[Program] =
    &[Program { name: "chromium", package: "chromium" }, Program { name: "chromedriver", package: "chromium-driver" }];

/// What WebKitGTK is driven with: its driver, an X server to show itself on, and the tests' browser program.
const WEBKIT: &[&str] = &["webkit2gtk-driver", "gir1.2-webkit2-4.1", "python3-gi", "xvfb", "xauth", "dbus-x11"];

/// Firefox; its driver comes from crates.io.
pub(crate) const FIREFOX: &[Program] = &[Program { name: "firefox-esr", package: "firefox-esr" }];

/// For networks of a test's own.
pub(crate) const NETWORK: &[Program] = &[Program { name: "ip", package: "iproute2" }];

/// Makes sure that WebKitGTK can be driven. Its parts are no programs that could tell their version.
pub(crate) fn need_webkit() -> Result<()> {
    let has_bindings = || {
        let bindings = "import gi; gi.require_version('WebKit2', '4.1'); from gi.repository import WebKit2";
        process::works("/usr/bin/python3", &["-c", bindings])
    };
    let has_all =
        || process::works("which", &["WebKitWebDriver"]) && process::works("which", &["Xvfb"]) && has_bindings();
    if has_all() {
        return Ok(());
    }
    install(WEBKIT)?;
    if has_all() {
        Ok(())
    } else {
        bail!("the packages {} are installed, but WebKitGTK cannot be started", WEBKIT.join(" "))
    }
}

/// Makes sure that PostgreSQL's server programs are here, for the tests' temporary clusters. Its package keeps them out of the
/// path, and would start a cluster of its own, which nobody asked for.
pub(crate) fn need_postgresql() -> Result<()> {
    if std::env::var_os("GINTI_POSTGRES_BIN").is_some() || process::works("initdb", &["--version"]) || has_postgresql()
    {
        return Ok(());
    }
    install(&["postgresql"])?;
    if has_postgresql() { Ok(()) } else { bail!("the package postgresql is installed, but there is no initdb") }
}

/// Makes sure that Python can make environments with pip in them: Debian keeps that part in a package of its own.
pub(crate) fn need_python_environments() -> Result<()> {
    let has_them = || process::works("python3", &["-c", "import venv, ensurepip"]);
    if has_them() {
        return Ok(());
    }
    install(&["python3-venv"])?;
    if has_them() {
        Ok(())
    } else {
        bail!("the package python3-venv is installed, but python3 cannot make environments")
    }
}

fn has_postgresql() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin/initdb")).any(|initdb| initdb.exists())
}

/// Makes sure that the programs can be started.
pub(crate) fn need(programs: &[Program]) -> Result<()> {
    // Some know only the short form.
    let works = |program: &Program| ["--version", "-V"].iter().any(|ask| process::works(program.name, &[*ask]));
    let missing = |program: &&Program| !works(program);
    let packages: Vec<&str> = programs.iter().filter(missing).map(|program| program.package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    install(&packages)?;
    match programs.iter().find(missing) {
        None => Ok(()),
        Some(program) => {
            bail!("the package {} is installed, but `{}` does not tell its version", program.package, program.name)
        }
    }
}

/// Installs packages, or says what the user has to install.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if !can_install() {
        bail!(
            "this needs the Debian packages {names}; install them: sudo apt-get install --no-install-recommends {names}"
        );
    }
    println!("Installing the Debian packages {names}.");
    update();
    let mut apt = apt_get();
    apt.args(["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]).args(packages);
    process::run_quietly(&mut apt).with_context(|| format!("the Debian packages {names} could not be installed"))
}

/// Whether this is a Debian-like system and we are allowed to install packages on it.
pub(crate) fn can_install() -> bool {
    Path::new("/etc/debian_version").exists() && process::works("apt-get", &["--version"]) && is_root()
}

/// Fetches the package lists, once in a run. A list that cannot be fetched may still leave the package installable.
fn update() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = process::run_quietly(apt_get().arg("update")) {
            eprintln!("{error:#}; trying with the package lists that are here.");
        }
    });
}

fn apt_get() -> std::process::Command {
    let mut apt = process::command("apt-get", Path::new("/"));
    apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    apt
}

fn is_root() -> bool {
    process::capture(process::command("id", Path::new("/")).arg("-u")).is_ok_and(|user| user.trim() == "0")
}
