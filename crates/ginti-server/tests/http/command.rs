//! The `ginti` command itself, as an operator runs it.

mod copies;
mod demo;
mod export;
mod import;
mod log;
mod serve;
mod token_key;
mod user;

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// `ginti`, with nothing of this process's environment that could change what it does.
fn ginti(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ginti"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    for name in ["RUST_LOG", "GINTI_PASSWORD", "GINTI_DATABASE", "GINTI_LISTEN", "GINTI_DEMO_PASSWORD"] {
        command.env_remove(name);
    }
    for name in ["GINTI_OIDC_ISSUER", "GINTI_OIDC_CLIENT_ID", "GINTI_OIDC_CLIENT_SECRET"] {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end, with that text on its standard input.
fn run(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it has read anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A server that runs until it is stopped, or killed when the test ends.
struct Server {
    child: Child,
    address: String,
    greeting: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(command: Command) -> Self {
        Self::start_logging(command, Stdio::inherit())
    }

    /// The same with its log going elsewhere.
    fn start_logging(mut command: Command, log: Stdio) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut greeting = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        greeting.read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            panic!("the server did not start: {line}");
        };
        Self { address: address.to_owned(), child, greeting }
    }

    /// One request, over a connection of its own; the whole answer, or nothing if the server ended first.
    fn request(&self, head: &str, body: &str) -> String {
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        // A server that refuses what it has read so far need not read the rest.
        let _ = write!(
            stream,
            "{head} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[cfg(unix)]
    fn terminate(&self) {
        let done = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
