//! Pressing as a finger does: what is pressed is in view and at rest, and it is the one that feels it.

use anyhow::Result;
use serde_json::json;
use thirtyfour::prelude::*;

use super::Browser;

/// At rest: where it was two frames ago. From then on it tells whether a press of the browser's own has come to it.
const IS_AT_REST: &str = "
    const [element] = args;
    const frame = () => new Promise((next) => (document.hidden ? setTimeout(next, 20) : requestAnimationFrame(next)));
    const place = () => JSON.stringify(element.getBoundingClientRect());
    const before = place();
    await frame();
    await frame();
    if (!element.isConnected || place() !== before) return false;
    window.isPressed = false;
    element.addEventListener('click', ({ isTrusted }) => (window.isPressed ||= isTrusted), { capture: true, once: true });
    return true;";

impl Browser {
    /// Presses an element that is shown, by the driver, and says whether it was the one that was pressed: something may move
    /// between the driver's look and its press.
    pub async fn press(&self, element: &WebElement) -> Result<bool> {
        if self.run(IS_AT_REST, vec![element.to_json()?]).await? != json!(true) {
            return Ok(false);
        }
        element.click().await?;
        // A page that has gone with the press has felt it.
        let felt = self.run("return window.isPressed ?? true;", vec![]).await;
        Ok(felt.map_or(true, |felt| felt == json!(true)))
    }
}
