//! The manager's side as a person uses it: fields, lists, and what the page says.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{DESKTOP, Device, PASSWORD, World, eventually};

/// Wherever it is on the page, scrolled into view or not.
pub async fn says(device: &Device, test_id: &str, what: &str) -> Result<()> {
    let script = "return document.querySelector(`[data-testid=\"${args[0]}\"]`)?.innerText ?? '';";
    eventually(&format!("{test_id} says {what:?}"), || async {
        let shown = device.browser().run(script, vec![json!(test_id)]).await?;
        Ok(shown.as_str().is_some_and(|text| text.contains(what)).then_some(()))
    })
    .await
}

/// Puts a text in the place of a field's.
pub async fn fill(device: &Device, test_id: &str, text: &str) -> Result<()> {
    let field = device.find(test_id).await?;
    field.clear().await?;
    Ok(field.send_keys(text).await?)
}

/// Chooses an option of a list by its value.
pub async fn choose(device: &Device, test_id: &str, value: &str) -> Result<()> {
    device.find(test_id).await?;
    let script = "const list = document.querySelector(`[data-testid=\"${args[0]}\"]`);
         list.value = args[1];
         list.dispatchEvent(new Event('change', { bubbles: true }));
         return list.value;";
    let chosen = device.browser().run(script, vec![json!(test_id), json!(value)]).await?;
    ensure!(chosen == json!(value), "{test_id} has no {value:?}");
    Ok(())
}

/// A manager at a desk, signed in, at a page of the manager's side.
pub async fn manager(world: &World, user: &str, path: &str) -> Result<Device> {
    let device = world.device(user).await?;
    device.browser().show_as(DESKTOP, false).await?;
    device.open("/").await?;
    device.sign_in(user, PASSWORD).await?;
    device.press("desk").await?;
    device.find("new-run").await?;
    if path != "/desk/runs" {
        device.open(path).await?;
    }
    Ok(device)
}
