//! Hostile texts and hostile builds in a real browser: script text in every field that the API takes runs on no page and makes no
//! page break its own policy; a build put in the place of a newer one loses no count.

use anyhow::{Context, Result, ensure};
use ginti_e2e::{DESKTOP, Device, HARD, PASSWORD, ServerOptions, Tally, World, counted, eventually, numbered_app};
use serde_json::{Value, json};

const COUNTS: &str = "/maarg/poorti/InventoryCountImport";
const RUNS: &str = "/maarg/poorti/InventoryCountRun";

/// What would run, each in its way, if a page took it for markup.
const SCRIPT: &str = "<img src=x onerror=ran=1><script>ran=1</script>";

/// In every page from its very beginning: notes what ran and what the policy refused, across loads of the page.
const WATCH: &str = "addEventListener('securitypolicyviolation', (event) => {
    const seen = JSON.parse(sessionStorage.getItem('violations') ?? '[]');
    seen.push([location.pathname, event.effectiveDirective, event.blockedURI, event.sample, event.sourceFile, event.lineNumber]);
    sessionStorage.setItem('violations', JSON.stringify(seen));
  });
  Object.defineProperty(window, 'ran', { set() { sessionStorage.setItem('ran', location.pathname); } });";

async fn clean(device: &Device, page: &str) -> Result<()> {
    let script = "return [sessionStorage.getItem('ran'), sessionStorage.getItem('violations')];";
    let seen = device.browser().run(script, vec![]).await?;
    ensure!(seen == json!([null, null]), "{page}: something ran, or the policy had to refuse something: {seen}");
    Ok(())
}

/// Until the text stands on the page, as a text.
async fn shows_text(device: &Device, page: &str) -> Result<()> {
    let script = "return document.body.innerText.includes('onerror=') || \
                  [...document.querySelectorAll('input, textarea, option')].some((field) => (field.value + field.text).includes('onerror='));";
    let found = eventually(&format!("{page} shows the text"), || async {
        Ok((device.browser().run(script, vec![]).await? == json!(true)).then_some(()))
    })
    .await;
    if found.is_err() {
        let seen = device.browser().run("return document.body.innerText;", vec![]).await?;
        ensure!(false, "{page} does not show the text, but: {seen}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn script_text_in_every_field_is_a_text_on_every_page() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let admin = ginti_e2e::Api::sign_in(world.link.origin(), "admin").await?;
    let products = admin.get("/maarg/poorti/Products?limit=2").await?;
    let product = products["items"][0]["productId"].as_str().context("no product")?.to_owned();
    let facilities = admin.get("/maarg/poorti/Facilities").await?;
    let facility = facilities["items"][0]["facilityId"].as_str().context("no store")?.to_owned();
    let id = "<b onclick=ran=1>x</b>";
    admin.post(RUNS, &json!({ "workEffortId": "XSS", "workEffortName": SCRIPT })).await?;
    let session = json!({ "inventoryCountImportId": "XSS-1", "countImportName": SCRIPT, "facilityId": facility,
        "purposeType": "HARD_COUNT", "areaName": SCRIPT, "assignedUserLoginId": "counter" });
    admin.post(&format!("{RUNS}/XSS/sessions"), &json!({ "sessions": [session] })).await?;
    let person = json!({ "name": SCRIPT, "role": "manager", "password": "something long" });
    admin.put("/maarg/poorti/Users/hostile", &person).await?;
    let invited = json!({ "userLoginId": "hostile2", "name": SCRIPT, "role": "manager" });
    admin.post("/maarg/poorti/Invitations", &invited).await?;
    admin.post("/maarg/poorti/ApiTokens", &json!({ "name": "<img src=x onerror=ran=1>", "role": "manager" })).await?;
    let url = "https://example.org/?q=<img%20src=x%20onerror=ran=1>";
    admin.put("/maarg/poorti/Receivers/hostile", &json!({ "kind": "webhook", "url": url })).await?;
    let counter = ginti_e2e::Api::sign_in(world.link.origin(), "counter").await?;
    let items = json!([
        { "importItemSeqId": id, "productId": product, "quantity": 3, "revision": 1, "note": SCRIPT },
        { "importItemSeqId": "x2", "productId": null, "productIdentifier": id, "quantity": 1, "revision": 2,
          "locationSeqId": id },
    ]);
    let batch = json!({ "batchId": "019aab7e-0000-7000-8000-0000000000aa", "deviceId": id,
        "inventoryCountImportId": "XSS-1", "items": items });
    counter.post(COUNTS, &batch).await?;
    let details = json!({ "appVersion": SCRIPT, "platform": SCRIPT });
    let report = json!({ "deviceId": id, "details": details, "sessions": [] });
    counter.post("/maarg/poorti/CourierStatus", &report).await?;

    let device = world.device("victim").await?;
    device.browser().show_as(DESKTOP, false).await?;
    device.browser().devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH })).await?;
    device.open("/sign-in").await?;
    device.sign_in("admin", PASSWORD).await?;
    // The worker's registration is the one place that needs the app's own policy.
    device.worker_is_in_charge().await?;
    clean(&device, "sign-in").await?;
    let submit = json!({ "statusId": "SESSION_SUBMITTED", "override": { "reason": SCRIPT } });
    for (page, shown) in [
        ("/sessions", true),
        ("/sessions/XSS-1", false),
        ("/sessions/XSS-1/journal", false),
        ("/desk/runs", true),
        ("/desk/runs/XSS", true),
        ("/desk/devices", false),
        ("/desk/people", true),
        ("/desk/outbox", true),
        ("/desk/log", true),
        ("/device", false),
        ("/invitation#<img src=x onerror=ran=1>", false),
    ] {
        device.open(page).await?;
        if shown {
            shows_text(&device, page).await?;
        } else {
            device.browser().run("await new Promise((done) => setTimeout(done, 300));", vec![]).await?;
        }
        clean(&device, page).await?;
    }
    // In review, where notes, reasons and codes that are nobody's stand.
    admin.put(&format!("{COUNTS}/XSS-1"), &submit).await?;
    device.open("/desk/runs/XSS").await?;
    for tab in ["tab-plan", "tab-progress", "tab-review"] {
        device.press(tab).await?;
        shows_text(&device, tab).await?;
        clean(&device, tab).await?;
    }
    // The watch itself sees: what the policy must refuse is refused and noted.
    let forbidden = "try { document.body.innerHTML = args[0]; } catch {}
         await new Promise((done) => setTimeout(done, 200));
         return [sessionStorage.getItem('ran'), sessionStorage.getItem('violations') !== null];";
    let seen = device.browser().run(forbidden, vec![Value::from(SCRIPT)]).await?;
    ensure!(seen == json!([null, true]), "text that is made markup: {seen}");
    Ok(())
}

/// An operator puts back yesterday's build while a device has counts that the server has not: they stay, and arrive.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_of_the_app_with_unsent_counts_loses_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let app = folder.path().join("app");
    numbered_app(&app, 2)?;
    let world = World::new(ServerOptions { app: Some(app.clone()), ..ServerOptions::default() }).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("hers").await?;
    device.begin("counter", HARD).await?;
    world.link.swallow_answers(1_000);
    let mut tally = Tally::new();
    for (product, code) in codes.iter().take(4) {
        device.scan(code).await?;
        tally.insert(product.clone(), 1.0);
    }
    counted(&device, HARD, &tally).await?;
    device.press("send-now").await?;
    eventually("the queue is full", || async { Ok((device.queued().await? > 0).then_some(())) }).await?;

    numbered_app(&app, 1)?;
    let script = "const registration = await navigator.serviceWorker.getRegistration(); await registration.update(); return registration.waiting !== null || registration.installing !== null;";
    eventually("the older worker is found", || async {
        Ok((device.browser().run(script, vec![]).await? == json!(true)).then_some(()))
    })
    .await?;
    device.press("take-update").await?;
    eventually("the older version is in charge", || async {
        let text = device.browser().run("return (await (await fetch('/', { cache: 'force-cache' })).text()).includes('build 1 ') && navigator.serviceWorker.controller !== null;", vec![]).await?;
        Ok((text == json!(true)).then_some(()))
    })
    .await?;
    device.find("scan-field").await?;
    counted(&device, HARD, &tally).await?;
    ensure!(device.queued().await? > 0, "the queue is as it was");
    world.link.swallow_answers(0);
    device.press("send-now").await?;
    eventually("the queue is empty", || async { Ok((device.queued().await? == 0).then_some(())) }).await?;
    world.all_arrived(&device, HARD, &tally).await?;
    device.close().await
}
