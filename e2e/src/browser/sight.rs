//! What of a page a person can see. Where the driver is wrong about that, the page itself is asked.

use anyhow::Result;
use serde_json::json;
use thirtyfour::prelude::*;

use super::Browser;
use crate::Capability;

/// Rendered, not transparent, and part of it within the window and within whatever cuts it off: an observer of the browser's own
/// says what remains. A window that is not on the screen shows nothing, and would observe nothing.
const IS_IN_VIEW: &str = "
    const [element] = args;
    const style = { opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true };
    if (document.hidden || !element.checkVisibility(style)) return false;
    const { width, height } = await new Promise((resolve) => {
      const observer = new IntersectionObserver(([entry]) => {
        observer.disconnect();
        resolve(entry.intersectionRect);
      });
      observer.observe(element);
    });
    return width > 0 && height > 0;";

impl Browser {
    /// Whether an element is shown. One that is gone meanwhile is not.
    pub async fn shows(&self, element: &WebElement) -> bool {
        if self.engine.can(Capability::DriverSight) {
            return element.is_displayed().await.unwrap_or(false);
        }
        let Ok(element) = element.to_json() else { return false };
        self.run(IS_IN_VIEW, vec![element]).await.is_ok_and(|shown| shown == json!(true))
    }

    /// The text of an element that is shown.
    pub async fn text_of(&self, element: &WebElement) -> Result<String> {
        if self.engine.can(Capability::DriverSight) {
            return Ok(element.text().await?);
        }
        let text = self.run("return args[0].innerText;", vec![element.to_json()?]).await?;
        Ok(text.as_str().unwrap_or_default().trim().to_owned())
    }
}
