//! `cargo xtask test`: everything that must hold, cheap checks first, with a summary of what took how long.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::aside::Part;
use crate::engines::Engine;
use crate::programs::{self, TestProgram};
use crate::workspace::Workspace;
use crate::{debian, e2e, fuzz, process, schemathesis, size, tidy, torture, wasm, web};

/// What `cargo xtask test` takes.
#[derive(Args)]
pub(crate) struct TestArguments {
    /// Leave out the tests in a real browser
    #[arg(long)]
    fast: bool,
}

/// Runs every check, stops at the first that fails, and sums up.
pub(crate) fn run(workspace: &Workspace, arguments: &TestArguments) -> Result<()> {
    let steps = Steps::begin();
    let result = all(workspace, arguments.fast, &steps);
    steps.sum_up(result.is_ok());
    result
}

fn all(workspace: &Workspace, fast: bool, steps: &Steps) -> Result<()> {
    steps.run("formatting", || {
        cargo(workspace, &["fmt", "--all", "--check"])?;
        cargo(workspace, &["fmt", "--manifest-path", fuzz::MANIFEST, "--check"])
    })?;
    steps.run("the fuzzer's lock file", || fuzz::check_lock(workspace))?;
    steps.run("tidy", || tidy::check(workspace))?;
    let mut drivers = None;
    if !fast {
        steps.run("browsers", || {
            Engine::Chromium.need(workspace)?;
            Engine::OTHERS.iter().try_for_each(|engine| engine.need_packages())
        })?;
        drivers = Some(Part::Drivers.start(workspace)?);
    }
    steps.run("PostgreSQL", debian::need_postgresql)?;
    steps.run("WebAssembly", || wasm::build(workspace))?;
    steps.run("web app", || web::build(workspace))?;
    steps.run("TypeScript: lint", || web::script(workspace, "lint"))?;
    steps.run("TypeScript: types", || web::script(workspace, "typecheck"))?;
    steps.run("TypeScript: tests", || web::script(workspace, "test"))?;
    steps.run("size of the first load", || size::check(workspace))?;
    steps.run("clippy", || cargo(workspace, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    steps.run("documentation", || {
        let mut command = process::cargo(&workspace.root);
        command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        process::run(&mut command)
    })?;
    steps.run("this tool's tests", || {
        // By itself: with the packages selected that `cargo xtask` was built with, nothing is compiled twice.
        cargo(workspace, &["test", "--package", "xtask"])
    })?;
    // One selection for all of it, for the same reason; it makes the `ginti` binary too.
    let selection = selection(fast);
    let programs = steps.run("building binaries and tests", || {
        cargo(workspace, &[&["build"], selection.as_slice(), &["--all-targets"]].concat())?;
        programs::build(workspace, &selection)
    })?;
    let simulator = Part::Simulator.start(workspace)?;
    let (in_a_browser, others): (Vec<_>, Vec<_>) =
        programs.iter().partition(|program| program.folder == workspace.root.join(e2e::FOLDER));
    // Beside the tests in a browser, which mostly wait, go those that calculate.
    side_by_side([
        &|| {
            if fast {
                return Ok(());
            }
            steps.run("tests in Chromium", || {
                tests(steps, workspace, &in_a_browser).context("run `cargo xtask e2e NAME` to repeat one browser test")
            })
        },
        &|| {
            steps.run("other tests", || {
                tests(steps, workspace, &others).context("run `cargo test -p PACKAGE NAME` to repeat one of them")?;
                cargo(workspace, &[&["test"], selection.as_slice(), &["--doc"]].concat())
            })?;
            steps.run("schemathesis", || schemathesis::check(workspace))?;
            steps.run("torture", || torture::check(workspace))
        },
    ])?;
    if let Some(drivers) = drivers {
        steps.run("the browsers' drivers", || drivers.finish())?;
        steps.run("tests in Firefox and WebKit", || {
            let commands = Engine::OTHERS.iter().map(|engine| {
                let mut command = process::cargo(&workspace.root);
                // The selection of before, or cargo would build for another one.
                command.arg("test").args(&selection).args(engine.targets()).arg("--").args(Engine::short());
                e2e::tell(workspace, &mut command);
                engine.choose(workspace, &mut command)?;
                Ok(command)
            });
            let printed = process::run_side_by_side(commands.collect::<Result<_>>()?)
                .context("run `cargo xtask e2e --engine firefox NAME`, or webkit, to repeat one of them")?;
            steps.count(printed.iter().flat_map(|printed| printed.lines()).map(programs::passed).sum());
            Ok(())
        })?;
        steps.run("monkey", || e2e::monkeys(workspace))?;
    }
    steps.run("simulator", || simulator.finish())
}

/// Runs them, one after the other.
fn tests(steps: &Steps, workspace: &Workspace, programs: &[&TestProgram]) -> Result<()> {
    for program in programs {
        steps.count(program.run(|command| e2e::tell(workspace, command))?);
    }
    Ok(())
}

/// Does these at the same time, each to its end, and then says what failed first of them in this order.
fn side_by_side<const N: usize>(parts: [&(dyn Fn() -> Result<()> + Sync); N]) -> Result<()> {
    let results = thread::scope(|scope| {
        let threads = parts.map(|part| scope.spawn(part));
        threads.map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread of the tests ended")))
    });
    results.into_iter().collect()
}

fn selection(fast: bool) -> Vec<&'static str> {
    let mut selection = vec!["--workspace", "--exclude", "xtask"];
    if fast {
        selection.extend(["--exclude", e2e::PACKAGE]);
    }
    selection
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    process::run(process::cargo(&workspace.root).args(arguments))
}

/// The steps done so far and how long each took; several may be under way at once.
struct Steps {
    since: Instant,
    done: Mutex<Vec<Step>>,
    counted: AtomicU32,
}

struct Step {
    name: &'static str,
    took: Duration,
    is_ok: bool,
}

impl Steps {
    fn begin() -> Self {
        Self { since: Instant::now(), done: Mutex::default(), counted: AtomicU32::new(0) }
    }

    fn run<T>(&self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = step();
        let done = Step { name, took: start.elapsed(), is_ok: result.is_ok() };
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        if result.is_err() {
            println!("\n== FAILED: {name}");
        }
        result.with_context(|| format!("the step \"{name}\" failed"))
    }

    /// So many more tests have passed.
    fn count(&self, passed: u32) {
        self.counted.fetch_add(passed, Ordering::Relaxed);
    }

    fn sum_up(self, is_ok: bool) {
        println!("\n== summary");
        for Step { name, took, is_ok } in self.done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let verdict = if is_ok { "ok" } else { "FAILED" };
            println!("{:>7.1} s  {verdict:<6}  {name}", took.as_secs_f64());
        }
        let verdict = if is_ok { "everything holds" } else { "stopped after what failed" };
        println!("{:>7.1} s  {verdict}", self.since.elapsed().as_secs_f64());
        if is_ok {
            println!("test result: ok. {} passed", self.counted.into_inner());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_ends_the_run_and_is_named() {
        let steps = Steps::begin();
        steps.run("first", || Ok(())).expect("a step that holds");
        let error = steps.run("second", || -> Result<()> { bail!("it does not hold") }).unwrap_err();
        assert!(error.to_string().contains("second"));
        let done = steps.done.into_inner().expect("nobody panicked");
        assert_eq!(
            done.iter().map(|step| (step.name, step.is_ok)).collect::<Vec<_>>(),
            [("first", true), ("second", false)]
        );
    }

    #[test]
    fn of_what_goes_on_side_by_side_all_comes_to_its_end() {
        let ended = AtomicU32::new(0);
        let end = || {
            ended.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        side_by_side([&end, &end]).expect("both hold");
        let error = side_by_side([&|| bail!("it does not hold"), &end]).unwrap_err();
        assert_eq!(error.to_string(), "it does not hold");
        assert_eq!(ended.load(Ordering::Relaxed), 3);
    }
}
