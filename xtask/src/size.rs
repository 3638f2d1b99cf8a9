//! `cargo xtask size`: what a browser loads before the first screen, compressed, against a budget.
//!
//! Counted: the page, the scripts and styles it names, what those import statically, the sign-in page's chunk, the
//! WebAssembly module once and the service worker. Chunks that load later, icons and the barcode reader are not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::web;
use crate::workspace::Workspace;

/// The most the first load may weigh.
const BUDGET_BYTES: u64 = 350 * 1024;

/// Prints the table and fails when the sum is over the budget.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let dist = web::dist(workspace);
    let files = first_load(&dist)?;
    println!("{:>9} {:>9}  first load, as sent to a browser that takes brotli", "bytes", "brotli");
    let mut total = 0;
    for file in &files {
        let size = size_of(&dist, file)?;
        let sent = sent_size(&dist, file)?;
        println!("{size:>9} {sent:>9}  {file}");
        total += sent;
    }
    println!("{:>9} {total:>9}  together, {} % of {BUDGET_BYTES}", "", (total * 100).div_ceil(BUDGET_BYTES));
    if total > BUDGET_BYTES {
        bail!(
            "the first load is {} KB compressed, over the budget of {} KB",
            total.div_ceil(1024),
            BUDGET_BYTES / 1024
        );
    }
    Ok(())
}

/// The files of the first load, relative to `dist`, sorted.
fn first_load(dist: &Path) -> Result<Vec<String>> {
    let page = fs::read_to_string(dist.join("index.html")).context("the app is not built: run `cargo xtask web`")?;
    let mut waiting: Vec<String> = referenced(&page);
    let assets = all_files(dist)?;
    waiting.extend(assets.iter().filter(|name| is_first_screen(name)).cloned());
    let module = assets.iter().find(|name| name.contains("ginti_sync") && has_ending(name, "wasm"));
    waiting.push(module.context("web/app/dist holds no ginti_sync WebAssembly module")?.clone());
    let worker = assets.iter().find(|name| *name == "sw.js");
    waiting.push(worker.context("web/app/dist holds no service worker (sw.js)")?.clone());

    let mut files = BTreeSet::from(["index.html".to_owned()]);
    while let Some(file) = waiting.pop() {
        let Ok(content) = fs::read(dist.join(&file)) else {
            bail!("the app names {file}, which is not in web/app/dist")
        };
        if has_ending(&file, "js") && file != "sw.js" {
            let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
            let imports = static_imports(&String::from_utf8_lossy(&content));
            waiting.extend(imports.iter().map(|name| joined(folder, name)).filter(|name| !files.contains(name)));
        }
        files.insert(file);
    }
    Ok(files.into_iter().collect())
}

/// The scripts, preloads and styles a page names.
fn referenced(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for tag in page.split('<').filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        let attributes = attributes(tag);
        let relation = attributes.get("rel").copied().unwrap_or_default();
        let target = if tag.starts_with("script") {
            attributes.get("src")
        } else if tag.starts_with("link") && ["modulepreload", "preload", "stylesheet"].contains(&relation) {
            attributes.get("href")
        } else {
            None
        };
        if let Some(target) = target.filter(|target| !target.contains("://") && !target.starts_with("data:")) {
            found.push(target.trim_start_matches("./").trim_start_matches('/').to_owned());
        }
    }
    found
}

/// The quoted attributes of one tag.
fn attributes(tag: &str) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once("=\"") {
        let name = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let (value, next) = after.split_once('"').unwrap_or((after, ""));
        found.insert(name, value);
        rest = next;
    }
    found
}

/// The relative modules a bundled script imports when it loads; `import(…)` calls come later and do not count.
fn static_imports(script: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for before in ["from\"./", "import\"./", "from './", "import './", "from \"./", "import \"./"] {
        for rest in script.split(before).skip(1) {
            if let Some(end) = rest.find(['"', '\'']) {
                found.insert(rest[..end].to_owned());
            }
        }
    }
    found.into_iter().collect()
}

/// Route chunks that the first screen, signing in, is made of.
fn is_first_screen(name: &str) -> bool {
    let is_code = has_ending(name, "js") || has_ending(name, "css");
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    is_code && ["signin", "sign-in", "login"].iter().any(|word| file.starts_with(word))
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn all_files(dist: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in walkdir::WalkDir::new(dist).sort_by_file_name() {
        let entry = entry.context("web/app/dist cannot be read")?;
        if entry.file_type().is_file()
            && let Ok(name) = entry.path().strip_prefix(dist)
        {
            names.push(name.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(names)
}

/// What the server sends: the compressed sibling where there is one.
fn sent_size(dist: &Path, file: &str) -> Result<u64> {
    let compressed = format!("{file}.br");
    if dist.join(&compressed).is_file() { size_of(dist, &compressed) } else { size_of(dist, file) }
}

fn size_of(dist: &Path, file: &str) -> Result<u64> {
    Ok(fs::metadata(dist.join(file)).with_context(|| format!("cannot read {file} in web/app/dist"))?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_load_is_the_entry_and_all_it_needs_but_no_lazy_chunk() {
        let dist = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, content: &str| {
            let path = dist.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, content).expect("a file");
        };
        write(
            "index.html",
            r#"<link rel="icon" href="/icon.svg"><script type="module" crossorigin src="/assets/index-1.js"></script>
               <link rel="modulepreload" crossorigin href="/assets/vue-2.js"><link rel="stylesheet" href="/assets/a.css">"#,
        );
        write(
            "assets/index-1.js",
            r#"import{a}from"./vue-2.js";import"./side-3.js";const later=()=>import("./Count-4.js")"#,
        );
        write("assets/vue-2.js", "");
        write("assets/side-3.js", "");
        write("assets/Count-4.js", "");
        write("assets/SignInPage-5.js", r#"import{b}from"./form-6.js""#);
        write("assets/form-6.js", "");
        write("assets/a.css", "");
        write("assets/ginti_sync_bg-7.wasm", "");
        write("assets/zxing-8.wasm", "");
        write("sw.js", "");
        let expected = [
            "assets/SignInPage-5.js",
            "assets/a.css",
            "assets/form-6.js",
            "assets/ginti_sync_bg-7.wasm",
            "assets/index-1.js",
            "assets/side-3.js",
            "assets/vue-2.js",
            "index.html",
            "sw.js",
        ];
        assert_eq!(first_load(dist.path()).expect("a list"), expected);
    }

    #[test]
    fn a_file_that_the_page_names_must_exist() {
        let dist = tempfile::tempdir().expect("a temporary folder");
        fs::write(dist.path().join("index.html"), r#"<script src="/gone.js"></script>"#).expect("a file");
        fs::write(dist.path().join("ginti_sync_bg.wasm"), "").expect("a file");
        fs::write(dist.path().join("sw.js"), "").expect("a file");
        assert!(first_load(dist.path()).unwrap_err().to_string().contains("gone.js"));
    }

    #[test]
    fn a_compressed_sibling_is_what_counts() {
        let dist = tempfile::tempdir().expect("a temporary folder");
        fs::write(dist.path().join("a.js"), "0123456789").expect("a file");
        assert_eq!(sent_size(dist.path(), "a.js").expect("a size"), 10);
        fs::write(dist.path().join("a.js.br"), "012").expect("a file");
        assert_eq!(sent_size(dist.path(), "a.js").expect("a size"), 3);
    }
}
