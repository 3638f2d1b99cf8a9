//! Starting drivers and waiting until they listen.

use std::{net::TcpListener, process::Stdio, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use crate::eventually;

/// A command that is silent, reads nothing and ends with its handle.
pub(super) fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// A port nobody listens on at the moment.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Starts a driver that was told its port, and waits until it listens there.
pub(super) async fn start(command: &mut Command, port: u16, package: &str) -> Result<Child> {
    let name = command.as_std().get_program().display().to_string();
    let child = command.spawn().with_context(|| format!("cannot start {name} ({package})"))?;
    eventually(&format!("{name} listens"), || async {
        let connected = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(("127.0.0.1", port))).await;
        Ok(connected.is_ok_and(|connected| connected.is_ok()).then_some(()))
    })
    .await?;
    Ok(child)
}
