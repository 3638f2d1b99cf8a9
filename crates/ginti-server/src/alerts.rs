//! Looks for what tenants want to be told of, for as long as the server runs. What it finds is written down with its messages
//! (`ginti_desk::LookForAlerts`); they leave as results do.

use ginti_desk::{Alert, AlertKind, Desk, HasAlertNews, LookForAlerts};

use crate::Deps;

/// Looks until the server drains.
pub async fn run(deps: Deps) {
    let desk = Desk::new(deps.store.clone());
    while !deps.drain.has_begun() {
        let now = deps.now();
        let found = match desk.run(HasAlertNews { now }).await {
            Ok(true) => desk.run(LookForAlerts { now }).await,
            Ok(false) => Ok((0, 0)),
            Err(error) => Err(error),
        };
        match found {
            Ok((0, 0)) => {}
            Ok((raised, cleared)) => tracing::info!(raised, cleared, "alerts"),
            Err(error) => tracing::warn!(%error, "nobody could look for alerts; the next look makes up for it"),
        }
        tokio::time::sleep(deps.config.alerts_every).await;
    }
}

/// What happened, for whoever reads the message.
pub(crate) fn said(alert: &Alert) -> String {
    let text = |member: &str| alert.details[member].as_str().unwrap_or("unknown");
    let subject = &alert.subject;
    match alert.kind {
        AlertKind::UnsentForLong => format!(
            "Device {subject} ({}) has {} counts that have not arrived, the oldest of {}.",
            text("userLoginId"),
            alert.details["unsentCount"],
            text("oldestUnsentAt")
        ),
        AlertKind::SilentWithUnsent => format!(
            "Device {subject} ({}) has {} counts that have not arrived, and was last heard of at {}.",
            text("userLoginId"),
            alert.details["unsentCount"],
            text("lastSeenAt")
        ),
        AlertKind::CountsRefused => format!(
            "Counts of device {subject} ({}) in count {} were refused at {} ({}).",
            text("userLoginId"),
            text("inventoryCountImportId"),
            text("refusedAt"),
            text("code")
        ),
        AlertKind::DeliveryDead => format!(
            "{} messages to the receiver {subject} were given up and wait for a person. The last error: {}",
            alert.details["messages"],
            text("lastError")
        ),
    }
}
