//! The test programs of the workspace. Cargo builds them and would run one after the other; `cargo xtask test` starts them itself, some
//! beside others.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;
use crate::workspace::Workspace;

/// A test program, as cargo built it.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct TestProgram {
    /// Its package's folder, where cargo would start it.
    pub(crate) folder: PathBuf,
    name: String,
    path: PathBuf,
}

/// Builds those that cargo would run for these arguments.
pub(crate) fn build(workspace: &Workspace, selection: &[&str]) -> Result<Vec<TestProgram>> {
    let mut cargo = process::cargo(&workspace.root);
    cargo.arg("test").args(selection).args(["--no-run", "--message-format", "json-render-diagnostics"]);
    // Cargo's progress goes to standard error, where the user sees it.
    let mut programs: Vec<_> = process::capture_loudly(&mut cargo)?.lines().filter_map(test_program).collect();
    // Cargo names them as they come to be built.
    programs.sort();
    Ok(programs)
}

impl TestProgram {
    /// Runs it, shows what it prints, and says how many of its tests passed.
    pub(crate) fn run(&self, prepare: impl FnOnce(&mut Command)) -> Result<u32> {
        println!("\nRunning {} of {}", self.name, self.folder.display());
        let mut command = process::command(&self.path, &self.folder);
        command.env("CARGO_MANIFEST_DIR", &self.folder);
        prepare(&mut command);
        let mut counted = 0;
        process::run_watched(&mut command, |line| counted += passed(line))
            .with_context(|| format!("a test of {} failed", self.name))?;
        Ok(counted)
    }
}

/// How many tests a line of a test program's output says have passed.
pub(crate) fn passed(line: &str) -> u32 {
    line.strip_prefix("test result: ok. ")
        .and_then(|rest| rest.split_once(" passed"))
        .and_then(|(count, _)| count.parse().ok())
        .unwrap_or(0)
}

/// What a line of cargo's says was built, if that is a test program.
fn test_program(line: &str) -> Option<TestProgram> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let manifest = PathBuf::from(message["manifest_path"].as_str()?);
    Some(TestProgram {
        folder: manifest.parent()?.to_owned(),
        name: message["target"]["name"].as_str()?.to_owned(),
        path: message["executable"].as_str()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted_from_the_programs_lines() {
        let line = "test result: ok. 17 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(passed(line), 17);
        assert_eq!(passed("test tests::it_passed ... ok"), 0);
        assert_eq!(passed("running 3 tests"), 0);
    }

    #[test]
    fn test_programs_are_told_from_libraries_and_programs() {
        let line = |reason: &str, is_test: bool, executable: &str| {
            format!(
                r#"{{"reason":"{reason}","manifest_path":"/w/e2e/Cargo.toml","target":{{"name":"desk"}},
                "profile":{{"test":{is_test}}},"executable":{executable}}}"#
            )
        };
        let program = TestProgram { folder: "/w/e2e".into(), name: "desk".to_owned(), path: "/w/target/desk-1".into() };
        assert_eq!(test_program(&line("compiler-artifact", true, r#""/w/target/desk-1""#)), Some(program));
        assert_eq!(test_program(&line("compiler-artifact", false, r#""/w/target/ginti""#)), None);
        assert_eq!(test_program(&line("compiler-artifact", true, "null")), None);
        assert_eq!(test_program(&line("build-finished", true, r#""/w/target/desk-1""#)), None);
        assert_eq!(test_program("not a message"), None);
    }
}
