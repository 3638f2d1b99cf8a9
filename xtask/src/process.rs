//! Starting other programs: a clean environment, and errors that say which command failed.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

/// What `cargo run` and rustup leave in the environment for the program they start. A child cargo that inherited it
/// would load another compiler's libraries, or rebuild everything because a flag differs.
const LEFTOVERS: &[&str] =
    &["CARGO", "LD_LIBRARY_PATH", "OUT_DIR", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "RUST_RECURSION_COUNT"];
const LEFTOVER_PREFIXES: &[&str] = &[
    "CARGO_BIN_",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_CRATE_",
    "CARGO_ENCODED_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
];

/// A command that starts in `folder` with a clean environment and nothing to read from.
pub(crate) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_leftover) {
            command.env_remove(&name);
        }
    }
    command
}

/// Cargo, as the user's shell would start it.
pub(crate) fn cargo(folder: &Path) -> Command {
    command("cargo", folder)
}

/// Runs a command whose output the user wants to see.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a command whose output the user wants to see, and shows each line of it to `watch` too.
pub(crate) fn run_watched(command: &mut Command, mut watch: impl FnMut(&str)) -> Result<()> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("cannot read what `{}` prints", shown(command)))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            watch(&line);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs commands at the same time, and shows what each said when it has ended. All of them end before one is told to have failed.
pub(crate) fn run_side_by_side(commands: Vec<Command>) -> Result<Vec<String>> {
    let threads = commands.into_iter().map(|mut command| thread::spawn(move || run_to_the_end(&mut command)));
    let threads: Vec<_> = threads.collect();
    let results = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a command's thread ended")));
    results.collect::<Vec<_>>().into_iter().collect()
}

fn run_to_the_end(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{printed}{}", String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        bail!("`{}` failed ({}); what it said is above", shown(command), output.status);
    }
    Ok(printed)
}

/// Runs a command that speaks on standard error, and says what that was. What it said is shown when it fails.
pub(crate) fn run_heard(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        eprint!("{said}");
        bail!("`{}` failed ({}); what it said is above", shown(command), output.status);
    }
    Ok(said)
}

/// Runs a command whose output matters only when it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("`{}` failed ({}); its output is above", shown(command), output.status);
    }
    Ok(())
}

/// Runs a command for what it prints on standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", shown(command), output.status, complaint.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed something that is not text", shown(command)))
}

/// The same, for a command whose errors the user wants to see as they come.
pub(crate) fn capture_loudly(command: &mut Command) -> Result<String> {
    capture(command.stderr(Stdio::inherit()))
}

/// Whether a program can be started and ends well with these arguments. Being on the PATH proves less: some
/// distributions ship links to linkers that are not there.
pub(crate) fn works(program: impl AsRef<OsStr>, arguments: &[&str]) -> bool {
    command(program, Path::new("."))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The same command, behind everything else that wants to run, where that can be asked for.
pub(crate) fn behind(command: Command) -> Command {
    if !works("nice", &["true"]) {
        return command;
    }
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        nice.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    nice
}

fn is_leftover(name: &str) -> bool {
    LEFTOVERS.contains(&name) || LEFTOVER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_cargo_run_are_told_from_the_users_own_settings() {
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "LD_LIBRARY_PATH", "RUSTFLAGS"] {
            assert!(is_leftover(name), "{name} would confuse a child");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "CARGO_REGISTRIES_X_INDEX", "RUSTUP_HOME"] {
            assert!(!is_leftover(name), "{name} is the user's own");
        }
    }

    #[test]
    fn of_commands_side_by_side_one_that_fails_is_named() {
        let cargo = |argument: &str| {
            let mut command = command("cargo", Path::new("."));
            command.arg(argument);
            command
        };
        assert!(run_side_by_side(vec![cargo("--version"), cargo("--version")]).is_ok());
        let error = run_side_by_side(vec![cargo("--version"), cargo("no-such-command")]).unwrap_err();
        assert!(error.to_string().starts_with("`cargo no-such-command` failed"), "{error}");
    }

    #[test]
    fn a_failing_command_is_named_in_the_error() {
        let error = capture(command("cargo", Path::new(".")).arg("no-such-command")).unwrap_err();
        assert!(error.to_string().starts_with("`cargo no-such-command` failed"), "{error}");
        assert!(!works("a-program-nobody-has", &[]));
    }
}
