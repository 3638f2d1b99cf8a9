//! `cargo xtask test`: everything that must hold, cheap checks first, with a summary of what took how long.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::aside::Part;
use crate::engines::Engine;
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
    let mut steps = Steps::default();
    let result = all(workspace, arguments.fast, &mut steps);
    steps.sum_up(result.is_ok());
    result
}

fn all(workspace: &Workspace, fast: bool, steps: &mut Steps) -> Result<()> {
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
    // One selection for both steps, for the same reason; it makes the `ginti` binary too.
    let selection = selection(fast);
    steps.run("building binaries and tests", || {
        cargo(workspace, &[&["build"], selection.as_slice(), &["--all-targets"]].concat())
    })?;
    let simulator = Part::Simulator.start(workspace)?;
    let mut counted = 0;
    steps.run("tests", || {
        let mut command = process::cargo(&workspace.root);
        command.arg("test").args(&selection);
        e2e::tell(workspace, &mut command);
        process::run_watched(&mut command, |line| counted += passed(line))
            .context("run `cargo xtask e2e NAME` to repeat one browser test, `cargo test -p PACKAGE NAME` any other")
    })?;
    steps.run("schemathesis", || schemathesis::check(workspace))?;
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
            counted += printed.iter().flat_map(|printed| printed.lines()).map(passed).sum::<u32>();
            Ok(())
        })?;
        steps.run("monkey", || e2e::monkeys(workspace))?;
    }
    steps.run("torture", || torture::check(workspace))?;
    steps.run("simulator", || simulator.finish())?;
    steps.remark = format!("test result: ok. {counted} passed");
    Ok(())
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

/// How many tests a line of the test runner's output says have passed.
fn passed(line: &str) -> u32 {
    line.strip_prefix("test result: ok. ")
        .and_then(|rest| rest.split_once(" passed"))
        .and_then(|(count, _)| count.parse().ok())
        .unwrap_or(0)
}

/// The steps done so far and how long each took.
#[derive(Default)]
struct Steps {
    done: Vec<(&'static str, Duration)>,
    failed: Option<&'static str>,
    remark: String,
}

impl Steps {
    fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = step();
        self.done.push((name, start.elapsed()));
        if result.is_err() {
            self.failed = Some(name);
        }
        result.with_context(|| format!("the step \"{name}\" failed"))
    }

    fn sum_up(&self, is_ok: bool) {
        println!("\n== summary");
        for (name, took) in &self.done {
            let verdict = if self.failed == Some(name) { "FAILED" } else { "ok" };
            println!("{:>7.1} s  {verdict:<6}  {name}", took.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        let verdict = if is_ok { "everything holds" } else { "stopped at the first failure" };
        println!("{:>7.1} s  {verdict}", total.as_secs_f64());
        if !self.remark.is_empty() {
            println!("{}", self.remark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted_from_the_runners_lines() {
        let line = "test result: ok. 17 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(passed(line), 17);
        assert_eq!(passed("test tests::it_passed ... ok"), 0);
        assert_eq!(passed("running 3 tests"), 0);
    }

    #[test]
    fn a_failed_step_ends_the_run_and_is_named() {
        let mut steps = Steps::default();
        steps.run("first", || Ok(())).expect("a step that holds");
        let error = steps.run("second", || anyhow::bail!("it does not hold")).unwrap_err();
        assert!(error.to_string().contains("second"));
        assert_eq!(steps.failed, Some("second"));
        assert_eq!(steps.done.len(), 2);
    }
}
