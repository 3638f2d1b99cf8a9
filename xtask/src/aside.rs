//! Parts of `cargo xtask test` that run beside the others, in the time these leave: tests in a browser mostly wait, and what only
//! calculates can go on meanwhile. Each is this program once more, behind everything else that runs, and what it printed is shown when
//! its turn comes.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{self as system, Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::engines::Engine;
use crate::workspace::Workspace;
use crate::{process, sim};

/// A part.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Part {
    /// Building the drivers of the browsers.
    Drivers,
    /// The simulator's stories.
    Simulator,
}

impl Part {
    /// Does it, as long as whoever started it is there.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        thread::spawn(end_with_the_other);
        match self {
            Self::Drivers => Engine::OTHERS.iter().try_for_each(|engine| engine.need_driver(workspace)),
            Self::Simulator => sim::check(workspace),
        }
    }

    /// Starts it beside whatever else goes on.
    pub(crate) fn start(self, workspace: &Workspace) -> Result<Aside> {
        let name = self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        fs::create_dir_all(workspace.notes())?;
        let said = workspace.notes().join(format!("{name}.log"));
        let program = env::current_exe().context("this program cannot be found again")?;
        let mut command = process::command(program, &workspace.root);
        command.args(["aside", &name]);
        Aside::start(command, said)
    }
}

/// A program that works in what time others leave it.
pub(crate) struct Aside {
    child: Child,
    said: PathBuf,
}

impl Aside {
    fn start(command: Command, said: PathBuf) -> Result<Self> {
        let file = File::create(&said).with_context(|| format!("cannot write {}", said.display()))?;
        let mut command = process::behind(command);
        command.stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file);
        // A group of its own, so that what it has started ends with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().context("a part of the tests could not be started")?;
        Ok(Self { child, said })
    }

    /// Waits for its end, and shows what it said.
    pub(crate) fn finish(mut self) -> Result<()> {
        // Waiting would close its input, and that is the sign to end.
        let input = self.child.stdin.take();
        let status = self.child.wait()?;
        drop(input);
        print!("{}", String::from_utf8_lossy(&fs::read(&self.said)?));
        if !status.success() {
            bail!("what it said is above ({status})");
        }
        Ok(())
    }
}

/// Whoever gives up on the rest gives up on this.
impl Drop for Aside {
    fn drop(&mut self) {
        // It has nothing to read, and its end is the sign; it may have ended, which is as good.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Ends this program's whole group when its input ends: then the other has, however that came about.
fn end_with_the_other() {
    let _ = io::stdin().read(&mut [0]);
    let group = format!("-{}", system::id());
    let _ = Command::new("kill").args(["--", &group]).status();
    system::exit(1);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_runs_aside_says_its_piece_at_the_end_and_its_failure_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = folder.path().join("said.txt");
        let start = |argument: &str| {
            let mut command = process::cargo(Path::new("."));
            command.arg(argument);
            Aside::start(command, said.clone()).expect("it starts")
        };
        start("--version").finish().expect("it ends well");
        assert!(fs::read_to_string(&said).expect("what it said").starts_with("cargo "));
        start("no-such-command").finish().expect_err("it ends badly");
    }
}
