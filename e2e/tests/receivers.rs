//! Messages that leave the house: an admin says on the Deliveries page where alerts go, and a real receiver is told of one.

use anyhow::{Context, Result, ensure};
use ginti_e2e::{
    Api, DESKTOP, HARD, Receiver, ServerOptions, World,
    desk::{choose, fill, manager, says},
    eventually, pictures,
};
use serde_json::{Value, json};

/// What a phone says of itself.
fn report(unsent: u64) -> Value {
    let session = json!({
        "inventoryCountImportId": HARD, "itemCount": 3, "digest": "0".repeat(32), "unsentCount": unsent,
        "oldestUnsentAt": (unsent > 0).then_some("2026-01-05T08:00:00.000Z")
    });
    json!({ "deviceId": "a-phone", "sessions": [session] })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_says_where_alerts_go_and_one_arrives_there() -> Result<()> {
    let world = World::new(ServerOptions { private_receivers: true, ..ServerOptions::default() }).await?;
    let receiver = Receiver::start().await?;
    let mut desk = manager(&world, "admin", "/desk/outbox").await?;
    desk.press("add-receiver").await?;
    fill(&desk, "receiver-id", "night-shift").await?;
    fill(&desk, "receiver-url", receiver.url()).await?;
    choose(&desk, "receiver-kind", "alerts").await?;
    pictures(&desk, "desk-receiver-alerts").await?;
    desk.browser().show_as(DESKTOP, false).await?;
    desk.press("save-receiver").await?;
    says(&desk, "receiver-night-shift", receiver.url()).await?;
    let secret = desk.text("secret").await?;
    ensure!(secret.split_whitespace().last().is_some_and(|word| word.len() >= 43), "the key is told once: {secret}");

    let counter = Api::sign_in(world.link.origin(), "counter").await?;
    counter.post("/maarg/poorti/CourierStatus", &report(3)).await?;
    let told = async |number: usize| {
        eventually(&format!("the receiver was told {number} times"), || async {
            let got = receiver.got();
            Ok((got.len() >= number).then_some(got))
        })
        .await
    };
    let got = told(1).await?;
    let (headers, raised) = &got[0];
    ensure!(raised["type"] == "ginti.alert.raised" && raised["kind"] == "unsent-for-long", "{raised}");
    ensure!(raised["subject"] == "a-phone" && raised["tenantId"] == "demo", "{raised}");
    let detail = raised["detail"].as_str().context("no sentence")?;
    ensure!(detail.contains("has 3 counts that have not arrived"), "{detail}");
    for name in ["signature", "signature-input", "content-digest", "idempotency-key"] {
        ensure!(headers.contains_key(name), "a message without {name}: {headers:?}");
    }
    counter.post("/maarg/poorti/CourierStatus", &report(0)).await?;
    let got = told(2).await?;
    let cleared = &got[1].1;
    ensure!(cleared["type"] == "ginti.alert.cleared" && cleared["alertId"] == raised["alertId"], "{cleared}");
    ensure!(got.len() == 2, "once when it began and once when it was over: {got:?}");

    // What became of both stands on the page.
    let api = Api::sign_in(world.link.origin(), "admin").await?;
    let messages = eventually("both are noted as delivered", || async {
        let outbox = api.get("/maarg/poorti/Outbox").await?;
        let messages = outbox["items"].as_array().context("no messages")?.clone();
        let is_done = messages.len() == 2 && messages.iter().all(|message| message["status"] == "delivered");
        Ok(is_done.then_some(messages))
    })
    .await?;
    desk.open("/desk/outbox").await?;
    // Newest first.
    for (message, (state, said)) in messages.iter().zip([("cleared", "Alert 1 cleared"), ("raised", "Alert 1 raised")])
    {
        let id = &message["messageId"];
        ensure!(message["alertState"] == state, "{message}");
        says(&desk, &format!("message-{id}"), "night-shift").await?;
        says(&desk, &format!("message-{id}"), said).await?;
        says(&desk, &format!("message-{id}"), "Delivered").await?;
    }
    pictures(&desk, "desk-outbox-alerts").await?;
    desk.browser().show_as(DESKTOP, false).await?;
    desk.press("nav.log").await?;
    says(&desk, "log", "night-shift").await?;
    desk.close().await
}
