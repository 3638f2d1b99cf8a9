//! `cargo xtask schemathesis`: the real server with demo data against its own OpenAPI document. Every check of schemathesis, with valid
//! and invalid requests, for one role after the other, until enough of them were answered.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace::Workspace;
use crate::{debian, process, server, wasm, web};

/// What `cargo xtask schemathesis` takes.
#[derive(Args)]
pub(crate) struct SchemathesisArguments {
    /// Go on until so many requests were answered
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    requests: u64,
    /// Requests of one kind for each operation in a round, at most
    #[arg(long, value_name = "N", default_value_t = 150)]
    examples: u32,
    /// The first round's seed; each round takes the next
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Who asks, one round each. The last two see next to nothing of what the others made.
const ROLES: [&str; 5] = ["admin", "counter", "manager", "lead", "rival"];
/// The demo's password here; the server listens on this machine only.
const PASSWORD: &str = "schemathesis-only";
/// Streams do not end, so that whoever waits for all of an answer waits for ever.
const ENDLESS: &str = "streamProgress";

/// The long form.
pub(crate) fn run(workspace: &Workspace, arguments: &SchemathesisArguments) -> Result<()> {
    wasm::build(workspace)?;
    web::build(workspace)?;
    server::build(workspace, false)?;
    ask(workspace, arguments)
}

/// The short form that `cargo xtask test` runs: one seed, two roles, about a minute.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    ask(workspace, &SchemathesisArguments { requests: 4_000, examples: 12, seed: 1 })
}

fn ask(workspace: &Workspace, arguments: &SchemathesisArguments) -> Result<()> {
    let program = installed(workspace)?;
    let folder = tempfile::tempdir().context("no temporary folder could be made")?;
    let demo = Demo::start(&server::binary(workspace, false), folder.path())?;
    // Signed in beforehand: later a round may have changed somebody's password or role.
    let tokens = ROLES.iter().map(|role| demo.sign_in(role)).collect::<Result<Vec<_>>>()?;
    let rounds = ROLES.iter().zip(&tokens).cycle();
    for (round, (role, token)) in (0..).zip(rounds) {
        let seed = arguments.seed + round;
        let answered = demo.answered()?;
        if answered >= arguments.requests {
            println!("{answered} requests in {round} rounds: nothing was found.");
            return Ok(());
        }
        println!("\n{answered} of {} requests. As {role}, with seed {seed}:", arguments.requests);
        let mut schemathesis = process::command(&program, folder.path());
        schemathesis
            .arg("--config-file")
            .arg(workspace.root.join("xtask/schemathesis/config.toml"))
            .args(["run", &format!("{}/openapi.json", demo.url), "--checks", "all"])
            .args([
                "--phases",
                "examples,coverage,fuzzing,stateful",
                "--mode",
                "all",
                "--exclude-operation-id",
                ENDLESS,
            ])
            .args(["--header", &format!("Authorization: Bearer {token}")])
            .args(["--max-examples", &arguments.examples.to_string(), "--seed", &seed.to_string()])
            .args(["--continue-on-failure", "--request-timeout", "30", "--generation-database", "none"])
            .args(["--suppress-health-check", "all", "--warnings", "off", "--no-color"]);
        process::run(&mut schemathesis).with_context(|| {
            format!(
                "as {role}, schemathesis found something: repeat it with --seed {seed}, and see above for each request"
            )
        })?;
    }
    Ok(())
}

/// schemathesis from the Python registry, in an environment of its own.
fn installed(workspace: &Workspace) -> Result<PathBuf> {
    let requirements = workspace.root.join("xtask/schemathesis/requirements.txt");
    let wanted = fs::read_to_string(&requirements).context("the list of Python packages cannot be read")?;
    let folder = workspace.notes().join("schemathesis");
    let (program, mark) = (folder.join("bin/schemathesis"), folder.join("installed.txt"));
    if process::works(&program, &["--version"]) && fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted)
    {
        return Ok(program);
    }
    debian::need_python_environments()?;
    println!("Installing schemathesis, once.");
    let mut python = process::command("python3", &workspace.root);
    process::run_quietly(python.args(["-m", "venv", "--clear"]).arg(&folder))
        .context("no Python environment could be made")?;
    let mut pip = process::command(folder.join("bin/pip"), &workspace.root);
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"]).arg(&requirements);
    process::run_quietly(&mut pip).context("schemathesis could not be installed")?;
    fs::write(&mark, wanted).context("a note could not be left")?;
    Ok(program)
}

/// The real server with demo data, ended when this goes.
struct Demo {
    process: Child,
    url: String,
}

impl Demo {
    fn start(binary: &Path, folder: &Path) -> Result<Self> {
        let mut server = process::command(binary, folder);
        server
            .args([
                "serve",
                "--demo",
                "--listen",
                "127.0.0.1:0",
                "--access-token-seconds",
                "86400",
                "--log-format",
                "text",
            ])
            .arg("--database")
            .arg(format!("sqlite://{}", folder.join("ginti.db").display()))
            .env("GINTI_DEMO_PASSWORD", PASSWORD)
            .env("RUST_LOG", "error")
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped());
        let mut process = server.spawn().context("the server could not be started")?;
        let said = process.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let url = said.map_while(Result::ok).find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        let Some(url) = url else {
            let _ = process.wait();
            bail!("the server ended before it listened; what it said is above")
        };
        Ok(Self { process, url })
    }

    fn sign_in(&self, name: &str) -> Result<String> {
        let body = serde_json::json!({ "username": name, "password": PASSWORD }).to_string();
        let answer = self.call(&format!(
            "POST /auth/login HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))?;
        let answer: serde_json::Value = serde_json::from_str(&answer).with_context(|| format!("{name}: {answer}"))?;
        answer["accessToken"].as_str().map(str::to_owned).with_context(|| format!("{name} could not sign in: {answer}"))
    }

    /// How many requests the server has answered, by its own account.
    fn answered(&self) -> Result<u64> {
        Ok(requests(&self.call("GET /metrics HTTP/1.0\r\n\r\n")?))
    }

    /// The body of the answer to a request.
    fn call(&self, request: &str) -> Result<String> {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).context("the server does not listen any more")?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context("the server's answer is not readable")?;
        let (_, body) = answer.split_once("\r\n\r\n").context("the server's answer has no body")?;
        Ok(body.to_owned())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The sum over methods and statuses in Prometheus' text.
fn requests(metrics: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with("ginti_requests_total"));
    lines.filter_map(|line| line.rsplit_once(' ')).filter_map(|(_, number)| number.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_summed_over_methods_and_statuses() {
        let metrics = "# TYPE ginti_requests_total counter\n\
                       ginti_requests_total{method=\"GET\",status=\"200\"} 40\n\
                       ginti_requests_total{method=\"PUT\",status=\"422\"} 2\nginti_devices 7\n";
        assert_eq!(requests(metrics), 42);
        assert_eq!(requests(""), 0);
    }
}
