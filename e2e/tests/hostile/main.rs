//! Hostile texts and hostile builds in a real browser: script text in every field that the API takes runs on no page and makes no
//! page break its own policy; a build put in the place of a newer one loses no count.

mod texts;

use anyhow::{Context, Result, ensure};
use ginti_e2e::{DESKTOP, Device, PASSWORD, ServerOptions, World, desk::says, eventually};
use ginti_store::{Catalogue, Facility, Product, Store};
use ginti_types::{FacilityId, ProductId, TenantId};
use serde_json::{Value, json};
use texts::{As, ID, SCRIPT, Writer, csv, segment};

const COUNTS: &str = "/maarg/poorti/InventoryCountImport";
const RUNS: &str = "/maarg/poorti/InventoryCountRun";

/// No product has it.
const UNKNOWN: &str = "<img src=z onerror=ran=1>";

/// Where a second id is needed.
const OTHER: &str = "<img src=y onerror=ran=1>";

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

/// A store and a product that only a database can be given such ids, and an export with markup in each of its cells.
async fn stock_the_shelves(world: &mut World) -> Result<()> {
    world.kill_server().await?;
    let store = world.store()?;
    let tenant = TenantId::new("demo")?;
    store.put_facility(&tenant, &Facility { id: FacilityId::new(ID)?, name: SCRIPT.to_owned() }).await?;
    let id = ProductId::new(ID)?;
    let product = Product { id, name: SCRIPT.to_owned(), sku: Some(ID.to_owned()), barcodes: vec![ID.to_owned()] };
    store.put_products(&tenant, Catalogue { products: vec![product] }).await?;
    store.close().await?;
    let export = world.folder().join("export.csv");
    let columns = [
        "Handle",
        "Title",
        "Option1 Value",
        "Option2 Value",
        "Option3 Value",
        "Variant SKU",
        "Variant Barcode",
        "Image Src",
    ];
    std::fs::write(&export, csv(&[columns.to_vec(), vec![SCRIPT; columns.len()]]))?;
    world.command(&["import", "products", &export.to_string_lossy(), "--tenant", "demo"]).await?;
    world.restart_server(&ServerOptions::default()).await
}

/// Writes markup into every text that the API takes. Two sessions are left to be handed in and decided on by [`decide`].
async fn write_everywhere(writer: &mut Writer, admin: &str) -> Result<()> {
    let (boss, id) = (|| As::Token(admin), segment(ID));
    let person = json!({ "name": SCRIPT, "role": "lead", "facilityIds": [ID], "password": SCRIPT });
    writer.send(boss(), ("PUT", &format!("/maarg/poorti/Users/{id}")), &person, 204).await?;
    let invited = json!({ "userLoginId": OTHER, "name": SCRIPT, "role": "counter", "facilityIds": [ID] });
    writer.send(boss(), ("POST", "/maarg/poorti/Invitations"), &invited, 201).await?;
    let guess = json!({ "secret": SCRIPT, "password": SCRIPT });
    writer.send(As::Nobody, ("POST", "/auth/invitation"), &guess, 404).await?;
    let login = json!({ "username": ID, "password": SCRIPT, "deviceId": ID });
    let signed_in = writer.send(As::Nobody, ("POST", "/auth/login"), &login, 200).await?;
    let cookie = signed_in.cookie.context("no cookie")?;
    let renamed = json!({ "deviceId": OTHER, "formerDeviceId": ID });
    let renewed = writer.send(As::Cookie(&cookie), ("POST", "/auth/refresh"), &renamed, 200).await?;
    let hers = renewed.json["accessToken"].as_str().context("no token")?.to_owned();
    let password = json!({ "currentPassword": SCRIPT, "newPassword": SCRIPT });
    writer.send(As::Token(&hers), ("POST", "/auth/password"), &password, 422).await?;
    let elsewhere = json!({ "currentPassword": SCRIPT });
    writer.send(As::Token(&hers), ("POST", "/auth/sign-ins/987654/end"), &elsewhere, 404).await?;
    let token = json!({ "name": ID, "role": "counter", "facilityIds": [ID] });
    writer.send(boss(), ("POST", "/maarg/poorti/ApiTokens"), &token, 201).await?;
    let receiver = json!({ "kind": "webhook", "url": "https://example.org/?q=<img%20src=x%20onerror=ran=1>" });
    writer.send(boss(), ("PUT", &format!("/maarg/poorti/Receivers/{id}")), &receiver, 200).await?;

    let run = json!({ "workEffortId": ID, "workEffortName": SCRIPT });
    writer.send(boss(), ("POST", RUNS), &run, 201).await?;
    let session = |session_id: &str| {
        json!({ "inventoryCountImportId": session_id, "countImportName": SCRIPT, "facilityId": ID,
            "purposeType": "DIRECTED_COUNT", "areaName": SCRIPT, "assignedUserLoginId": ID })
    };
    let (mut listed, mut filtered, mut open) = (session(ID), session("XSS-2"), session("XSS-3"));
    listed["productIds"] = json!([ID]);
    filtered["productFilter"] = json!(SCRIPT);
    open["purposeType"] = json!("HARD_COUNT");
    let sessions = json!({ "sessions": [listed, filtered, open] });
    writer.send(boss(), ("POST", &format!("{RUNS}/{id}/sessions")), &sessions, 201).await?;
    let plan = [
        vec![
            "countImportName",
            "productSku",
            "purposeType",
            "facility",
            "externalFacility",
            "estimatedStartDate",
            "estimatedCompletionDate",
        ],
        vec![SCRIPT, ID, "", ID, "", "", ""],
        vec![SCRIPT; 7],
    ];
    let path = format!("{RUNS}/{id}/sessions.csv?dryRun=false&skipErrors=true");
    let made = writer.send_file(admin, &path, &plan).await?;
    ensure!(made["sessions"][0]["countImportName"] == SCRIPT, "the good row is planned: {made}");
    let stock = [
        vec!["productSku", "productId", "barcode", "quantityOnHand", "unitCost"],
        vec![ID, ID, ID, "4", "2.5"],
        vec![SCRIPT; 5],
    ];
    writer.send_file(admin, &format!("/maarg/poorti/Stock?facilityId={id}&dryRun=false"), &stock).await?;
    let copy = json!({ "workEffortId": OTHER, "workEffortName": SCRIPT, "copyOfWorkEffortId": ID });
    writer.send(boss(), ("POST", RUNS), &copy, 201).await?;

    let items = json!([
        { "importItemSeqId": ID, "productId": ID, "quantity": 3, "revision": 1, "note": SCRIPT, "locationSeqId": ID,
          "countedByUserLoginId": ID },
        { "importItemSeqId": OTHER, "productId": null, "productIdentifier": SCRIPT, "quantity": 1, "revision": 2 },
    ]);
    let batch = json!({ "batchId": "019aab7e-0000-7000-8000-0000000000aa", "deviceId": ID,
        "inventoryCountImportId": ID, "items": items });
    writer.send(As::Token(&hers), ("POST", COUNTS), &batch, 200).await?;
    let stated = json!({ "inventoryCountImportId": ID, "itemCount": 2, "digest": "0".repeat(32), "unsentCount": 1,
        "oldestUnsentAt": "2026-01-05T08:00:00.000Z" });
    let report =
        json!({ "deviceId": ID, "details": { "appVersion": SCRIPT, "platform": SCRIPT }, "sessions": [stated] });
    writer.send(As::Token(&hers), ("POST", "/maarg/poorti/CourierStatus"), &report, 200).await?;
    let split = json!({ "userLoginIds": [ID, OTHER] });
    writer.send(boss(), ("POST", &format!("{COUNTS}/XSS-2/split")), &split, 201).await?;
    let given = json!({ "assignedUserLoginId": OTHER });
    writer.send(boss(), ("PUT", &format!("{COUNTS}/{id}")), &given, 200).await.map(drop)
}

/// Hands in and decides, with words of one's own.
async fn decide(writer: &mut Writer, admin: &str) -> Result<()> {
    let (boss, id) = (|| As::Token(admin), segment(ID));
    let manifest = json!({ "deviceId": ID, "itemCount": 2, "digest": "0".repeat(32) });
    let submit = json!({ "statusId": "SESSION_SUBMITTED", "manifest": manifest, "override": { "reason": SCRIPT } });
    writer.send(boss(), ("PUT", &format!("{COUNTS}/{id}")), &submit, 200).await?;
    writer.look(admin, &format!("{RUNS}/{id}/review")).await?;
    let line = json!([{ "facilityId": ID, "subject": ID }]);
    let decisions = format!("{RUNS}/{id}/decisions");
    let rejected = json!({ "lines": line, "decision": "reject", "reason": SCRIPT });
    writer.send(boss(), ("POST", &decisions), &rejected, 201).await?;
    let again = json!({ "lines": line, "decision": "recount", "countImportName": SCRIPT, "assignedUserLoginId": ID });
    writer.send(boss(), ("POST", &decisions), &again, 201).await.map(drop)
}

/// Hands in what else is counted in that store, and approves it all with a word of one's own.
async fn approve(writer: &mut Writer, admin: &str) -> Result<()> {
    let submit = json!({ "statusId": "SESSION_SUBMITTED", "override": { "reason": SCRIPT } });
    let sessions = writer.look(admin, COUNTS).await?["items"].clone();
    for session in sessions.as_array().context("no sessions")?.iter().filter(|session| session["facilityId"] == ID) {
        if matches!(session["statusId"].as_str(), Some("SESSION_CREATED" | "SESSION_ASSIGNED")) {
            let session = segment(session["inventoryCountImportId"].as_str().context("no id")?);
            writer.send(As::Token(admin), ("PUT", &format!("{COUNTS}/{session}")), &submit, 200).await?;
        }
    }
    let id = segment(ID);
    writer.look(admin, &format!("{RUNS}/{id}/review")).await?;
    let approval = json!({ "facilityId": ID, "reason": SCRIPT });
    writer.send(As::Token(admin), ("POST", &format!("{RUNS}/{id}/approval")), &approval, 200).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn script_text_in_every_field_is_a_text_on_every_page() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    stock_the_shelves(&mut world).await?;
    let mut writer = Writer::new(world.server_origin()).await?;
    let login = json!({ "username": "admin", "password": PASSWORD });
    let admin = writer.send(As::Nobody, ("POST", "/auth/login"), &login, 200).await?.json;
    let admin = admin["accessToken"].as_str().context("no token")?;
    write_everywhere(&mut writer, admin).await?;

    let device = world.device("victim").await?;
    device.browser().show_as(DESKTOP, false).await?;
    device.browser().devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH })).await?;
    device.open("/sign-in").await?;
    device.sign_in("admin", PASSWORD).await?;
    // The worker's registration is the one place that needs the app's own policy.
    device.worker_is_in_charge().await?;
    clean(&device, "sign-in").await?;
    let id = segment(ID);
    let (session, run) = (format!("/sessions/{id}"), format!("/desk/runs/{id}"));
    let journal = format!("{session}/journal");
    for (page, shown) in [
        ("/sessions", true),
        (session.as_str(), true),
        (&journal, false),
        ("/desk/runs", true),
        (&run, true),
        ("/desk/devices", true),
        ("/desk/people", true),
        ("/desk/outbox", true),
        ("/desk/log", true),
        ("/device", false),
        ("/invitation#<img src=x onerror=ran=1>", false),
    ] {
        look(&device, page, shown).await?;
    }
    // A file whose every cell is hostile, its header too: what it is taken for, its first rows and what is wrong with them.
    let file = world.folder().join("plan.csv");
    std::fs::write(&file, csv(&[vec!["countImportName", "productSku", SCRIPT], vec![SCRIPT, UNKNOWN, SCRIPT]]))?;
    device.open(&run).await?;
    device.press("tab-plan").await?;
    device.attach("plan-file", &file).await?;
    says(&device, "plan-errors", "onerror=").await?;
    clean(&device, "a file").await?;
    // Counting: found by its name, shown as the last one counted.
    device.open("/sessions/XSS-3").await?;
    device.find("scan-field").await?.send_keys("onerror").await?;
    shows_text(&device, "results").await?;
    device.press(&format!("result-{ID}")).await?;
    device.find("last-product").await?;
    shows_text(&device, "last-product").await?;
    clean(&device, "counting").await?;

    // In review, where notes, reasons and codes that are nobody's stand.
    decide(&mut writer, admin).await?;
    device.open(&run).await?;
    for tab in ["tab-plan", "tab-progress", "tab-review"] {
        device.press(tab).await?;
        shows_text(&device, tab).await?;
        clean(&device, tab).await?;
    }
    approve(&mut writer, admin).await?;
    for page in ["/desk/log", "/desk/outbox", "/desk/devices", &run] {
        look(&device, page, true).await?;
    }
    let missing = writer.missing();
    ensure!(missing.is_empty(), "texts that the API takes and that nothing was written into: {missing:#?}");
    // The watch itself sees: what the policy must refuse is refused and noted.
    let forbidden = "try { document.body.innerHTML = args[0]; } catch {}
         await new Promise((done) => setTimeout(done, 200));
         return [sessionStorage.getItem('ran'), sessionStorage.getItem('violations') !== null];";
    let seen = device.browser().run(forbidden, vec![Value::from(SCRIPT)]).await?;
    ensure!(seen == json!([null, true]), "text that is made markup: {seen}");
    Ok(())
}

/// Opens a page; nothing of it runs.
async fn look(device: &Device, page: &str, shown: bool) -> Result<()> {
    device.open(page).await?;
    if shown {
        shows_text(device, page).await?;
    } else {
        device.browser().run("await new Promise((done) => setTimeout(done, 300));", vec![]).await?;
    }
    clean(device, page).await
}
