//! `cargo xtask spreadsheet`: an export of hostile texts, opened in the real LibreOffice.

use anyhow::Result;

use crate::debian::{self, Program};
use crate::process;
use crate::workspace::Workspace;

const LIBREOFFICE: &[Program] = &[Program { name: "soffice", package: "libreoffice-calc-nogui" }];

/// Fails if a cell of the export is a formula to it.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    debian::need(LIBREOFFICE)?;
    let mut command = process::cargo(&workspace.root);
    command.args(["test", "--package", "ginti-server", "--lib", "--features", "libreoffice", "libreoffice"]);
    process::run(&mut command)
}
