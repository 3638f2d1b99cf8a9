//! The provider: a program of its own (`provider.mjs`), started on a free port.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// What the provider knows the client by.
pub(crate) const CLIENT_SECRET: &str = "a secret with: signs & a % of its own";

pub(crate) struct Provider {
    pub(crate) issuer: String,
    process: Child,
}

impl Provider {
    pub(crate) fn start(redirect: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc/provider.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .arg(redirect)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js is installed");
        let mut issuer = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        let issuer = issuer.trim().to_owned();
        assert!(issuer.starts_with("http://127.0.0.1:"), "the provider did not start; run `npm ci` in web");
        Self { issuer, process }
    }

    pub(crate) fn port(&self) -> &str {
        self.issuer.rsplit_once(':').unwrap().1
    }
}

impl Provider {
    pub(crate) fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
    }
}
