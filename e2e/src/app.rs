//! The built web app as files: copies for a server of its own, and builds of it that differ as versions do.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};

/// Where `cargo xtask web` puts it.
pub const BUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/app/dist");

/// Puts a build where another may have been. Compressed copies stay behind: they would be those of another build.
pub fn copy_app(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    copy(from, to)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).context("the web app is not built: run `cargo xtask web`")? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else if path.extension().is_none_or(|end| end != "br" && end != "gz") {
            std::fs::copy(path, target)?;
        }
    }
    Ok(())
}

/// The same app as another build: its worker and, by a digest that the worker knows, its page differ.
pub fn numbered_app(app: &Path, number: u8) -> Result<()> {
    copy_app(Path::new(BUILT), app)?;
    for file in ["sw.js", "index.html"] {
        let mut text = std::fs::read_to_string(app.join(file))?;
        if file == "sw.js" {
            text = format!("{text}\n// build {number}\n");
            if let Some(at) = text.find("\",\"url\":\"index.html\"") {
                text.replace_range(at - 32..at, &format!("{number:032}"));
            }
        } else {
            text = format!("{text}\n<!-- build {number} -->\n");
        }
        std::fs::write(app.join(file), text)?;
    }
    Ok(())
}

/// The same app, whose worker takes so long to get through its own code whenever it starts.
pub fn slow_to_start_app(app: &Path, own_code: Duration) -> Result<()> {
    copy_app(Path::new(BUILT), app)?;
    let worker = app.join("sw.js");
    let code = std::fs::read_to_string(&worker)?;
    Ok(std::fs::write(
        worker,
        format!("for (const until = Date.now() + {}; Date.now() < until; );\n{code}", own_code.as_millis()),
    )?)
}
