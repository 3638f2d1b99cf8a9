//! The counting app's other flows: handing in and over, places, matching, lists, the journal, and the device's own page.

use anyhow::{Context, Result, ensure};
use ginti_e2e::{DIRECTED, Device, Engine, HARD, PASSWORD, ServerOptions, World, eventually, pictures};
use serde_json::{Value, json};

async fn says(device: &Device, test_id: &str, what: &str) -> Result<()> {
    eventually(&format!("{test_id} says {what:?}"), || async {
        Ok(device
            .shows(test_id)
            .await?
            .then_some(device.text(test_id).await?)
            .filter(|text| text.contains(what))
            .map(drop))
    })
    .await
}

/// Presses a line of the menu that the head's button opens.
async fn menu(device: &Device, line: &str) -> Result<()> {
    device.press("menu").await?;
    device.press_the_one("ion-action-sheet button", line).await
}

async fn answer_alert(device: &Device, role: &str) -> Result<()> {
    device.press_the_one(&format!("ion-alert .alert-button-role-{role}"), "").await
}

async fn type_into(device: &Device, test_id: &str, text: &str) -> Result<()> {
    Ok(device.find(test_id).await?.send_keys(text).await?)
}

async fn confirmed(device: &Device, session: &str, rows: usize) -> Result<()> {
    eventually("every row is confirmed", || async {
        let held = device.rows(session).await?;
        Ok((held.len() == rows && held.values().all(|row| row.truth == "confirmed")).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_names_the_device_that_is_missing_and_a_lead_may_answer_for_it() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut hers = world.device("hers").await?;
    hers.begin("counter", HARD).await?;
    hers.scan(&codes[0].1).await?;
    hers.press("send-now").await?;
    confirmed(&hers, HARD, 1).await?;
    // It reports beside a flush, by itself.
    let api = world.api().await?;
    let devices_path = format!("/maarg/poorti/InventoryCountImport/{HARD}/devices");
    let device_id = eventually("her device has said how it stands", || async {
        let devices = api.get(&devices_path).await?;
        let device = &devices["items"][0];
        Ok(device["deviceId"].as_str().filter(|_| device["standing"] == "complete").map(ToOwned::to_owned))
    })
    .await?;
    hers.close().await?;
    // As it would after one more scan: two rows, of which one has arrived.
    let report = json!({ "deviceId": device_id, "details": {}, "sessions": [{
        "inventoryCountImportId": HARD, "itemCount": 2, "digest": "0".repeat(32), "unsentCount": 1, "oldestUnsentAt": null }] });
    api.post("/maarg/poorti/CourierStatus", &report).await?;

    let mut lead = world.device("lead").await?;
    lead.begin("lead", HARD).await?;
    menu(&lead, "Submit").await?;
    pictures(&lead, "submit").await?;
    lead.press("submit-go").await?;
    says(&lead, "submit-incomplete", "Not submitted").await?;
    // The manager reported for it last, but the counts are hers.
    says(&lead, &format!("missing-{device_id}"), "Asha Counter").await?;
    pictures(&lead, "submit-incomplete").await?;
    type_into(&lead, "submit-reason", "Her phone is broken").await?;
    lead.press("submit-override").await?;
    says(&lead, "closed", "takes no more changes").await?;
    let events = api.get(&format!("/maarg/poorti/InventoryCountImport/{HARD}/events")).await?;
    ensure!(events["items"][0]["reason"] == "Her phone is broken", "{events}");
    ensure!(events["items"][0]["missingDeviceIds"] == json!([device_id]), "{events}");
    lead.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_is_handed_over_and_submitted_by_the_colleague() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut hers = world.device("hers").await?;
    hers.begin("counter", HARD).await?;
    hers.scan(&codes[0].1).await?;
    hers.press("send-now").await?;
    confirmed(&hers, HARD, 1).await?;
    menu(&hers, "Hand over").await?;
    hers.find("give-counter2").await?;
    pictures(&hers, "hand-over").await?;
    hers.press("give-counter2").await?;
    says(&hers, "notice", "Ben Counter").await?;
    hers.close().await?;

    let mut his = world.device("his").await?;
    his.open("/").await?;
    his.sign_in("counter2", PASSWORD).await?;
    // It is among his without his looking for it.
    his.find(&format!("session-{HARD}")).await?;
    says(&his, "assigned", "Ben Counter").await?;
    pictures(&his, "sessions").await?;
    his.press(&format!("session-{HARD}")).await?;
    his.worker_is_in_charge().await?;
    his.find("scan-field").await?;
    his.scan(&codes[1].1).await?;
    menu(&his, "Submit").await?;
    his.press("submit-go").await?;
    says(&his, "closed", "takes no more changes").await?;
    let session = world.api().await?.get(&format!("/maarg/poorti/InventoryCountImport/{HARD}")).await?;
    ensure!(session["statusId"] == "SESSION_SUBMITTED" && session["itemsCounted"] == 2, "{session}");
    his.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_still_being_written_is_handed_in_with_the_rest() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    device.scan(&codes[0].1).await?;
    device.press("send-now").await?;
    confirmed(&device, HARD, 1).await?;
    // A slow device: who looks for a product waits until this lets go.
    let hold = "const db = await new Promise((ok) => { const open = indexedDB.open('ginti-demo'); open.onsuccess = () => ok(open.result); });
        const products = db.transaction('products', 'readwrite').objectStore('products');
        const on = () => { if (!document.body.dataset.letGo) products.count().onsuccess = on; else db.close(); };
        await new Promise((ok) => (products.count().onsuccess = () => { ok(); on(); }));";
    device.browser().run(hold, vec![]).await?;
    device.scan(&codes[1].1).await?;
    menu(&device, "Submit").await?;
    device.press("submit-go").await?;
    device.find("submit-waiting").await?;
    device.browser().run("document.body.dataset.letGo = 'yes';", vec![]).await?;
    says(&device, "closed", "takes no more changes").await?;
    let session = world.api().await?.get(&format!("/maarg/poorti/InventoryCountImport/{HARD}")).await?;
    ensure!(session["statusId"] == "SESSION_SUBMITTED" && session["itemsCounted"] == 2, "{session}");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_in_two_places_adds_up_and_a_recount_replaces() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let (product, code) = codes[3].clone();
    let mut hers = world.device("hers").await?;
    hers.begin("counter", HARD).await?;
    hers.scan(&code).await?;
    hers.press("place").await?;
    type_into(&hers, "place-field", "Window").await?;
    pictures(&hers, "place").await?;
    hers.press("place-set").await?;
    says(&hers, "place", "Window").await?;
    hers.scan(&code).await?;
    hers.scan(&code).await?;
    says(&hers, "last-total", "3").await?;
    hers.press("send-now").await?;
    confirmed(&hers, HARD, 2).await?;
    hers.close().await?;

    let mut his = world.device("his").await?;
    his.begin("counter2", HARD).await?;
    eventually("her rows have come", || async { Ok((his.rows(HARD).await?.len() == 2).then_some(())) }).await?;
    his.scan(&code).await?;
    says(&his, "elsewhere", "Already counted elsewhere: 3").await?;
    pictures(&his, "elsewhere").await?;
    his.press("recount").await?;
    says(&his, "last-total", "1").await?;
    his.press("send-now").await?;
    confirmed(&his, HARD, 3).await?;
    let rows = world.api().await?.rows(HARD).await?;
    let total: f64 =
        rows.values().filter(|row| row.product_id.as_deref() == Some(&product)).map(|row| row.quantity).sum();
    ensure!((total - 1.0).abs() < 1e-9, "only his counts: {total}");
    his.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_pauses_is_one_code_and_a_piece_of_one_is_not_counted() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let code = world.api().await?.barcodes().await?[0].1.clone();
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    let (begin, end) = code.split_at(code.len() - 4);
    device.scan(end).await?;
    let doubt = format!("doubt-{end}");
    says(&device, &doubt, "not counted").await?;
    ensure!(device.rows(HARD).await?.is_empty(), "a piece was counted");
    device.keys(begin).await?;
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    device.scan(end).await?;
    says(&device, "last-total", "1").await?;
    device.scan(&code).await?;
    says(&device, "last-total", "2").await?;
    ensure!(!device.shows(&doubt).await?, "the whole code explains its piece");
    ensure!(device.rows(HARD).await?.len() == 1, "one row");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_code_is_matched_later_and_what_has_no_code_is_counted_by_hand() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    device.scan(&codes[0].1).await?;
    // Without a check digit it may be a piece of a code: the person says once that it is none.
    device.scan("OLD-LABEL-77").await?;
    says(&device, "doubt-OLD-LABEL-77", "not counted").await?;
    pictures(&device, "doubt").await?;
    device.press("doubt-count-OLD-LABEL-77").await?;
    says(&device, "notice", "not in the catalogue").await?;
    device.scan("OLD-LABEL-77").await?;
    says(&device, "last-total", "2").await?;
    device.press("unmatched").await?;
    device.press("match-code-OLD-LABEL-77").await?;
    type_into(&device, "match-field", &codes[0].1).await?;
    device.find(&format!("match-{}", codes[0].0)).await?;
    pictures(&device, "match").await?;
    device.press(&format!("match-{}", codes[0].0)).await?;
    says(&device, "last-total", "3").await?;
    // The code is known from now on.
    device.scan("OLD-LABEL-77").await?;
    says(&device, "last-total", "4").await?;

    // A sheet that goes takes the keyboard with it.
    eventually("the sheet is gone", || async { Ok((!device.shows("match-field").await?).then_some(())) }).await?;
    type_into(&device, "scan-field", "blue chair").await?;
    device.press("by-hand").await?;
    device.press("key-7").await?;
    device.press("keypad-set").await?;
    says(&device, "last-product", "Unknown code").await?;
    device.press("send-now").await?;
    confirmed(&device, HARD, 3).await?;
    let rows = world.api().await?.rows(HARD).await?;
    let of = |product: Option<&str>| -> f64 {
        rows.values().filter(|row| row.product_id.as_deref() == product).map(|row| row.quantity).sum()
    };
    ensure!((of(Some(&codes[0].0)) - 4.0).abs() < 1e-9 && (of(None) - 7.0).abs() < 1e-9, "moved, not doubled");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_written_without_a_network_and_arrives_with_its_count() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let (_, code) = world.api().await?.barcodes().await?[0].clone();
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    world.link.down().await;
    device.emulate_network(false).await?;
    device.scan(&code).await?;
    device.scan(&code).await?;
    says(&device, "last-total", "2").await?;
    let row = device.rows(HARD).await?.into_keys().next().context("no row")?;
    device.press("last-note").await?;
    type_into(&device, "note-field", " Box torn, ").await?;
    pictures(&device, "note").await?;
    type_into(&device, "note-field", "2 missing").await?;
    device.press("note-save").await?;
    says(&device, "last-note", "Box torn, 2 missing").await?;
    says(&device, &format!("note-{row}"), "Box torn, 2 missing").await?;
    pictures(&device, "noted").await?;

    world.link.up().await?;
    device.emulate_network(true).await?;
    device.press("send-now").await?;
    confirmed(&device, HARD, 1).await?;
    let api = world.api().await?;
    let items_path = format!("/maarg/poorti/InventoryCountImport/{HARD}/items");
    let items = api.get(&items_path).await?;
    ensure!(items["items"][0]["note"] == "Box torn, 2 missing" && items["items"][0]["quantity"] == 2, "{items}");

    // A colleague reads it; taken away, it is gone on the server too, and the count stays.
    let mut his = world.device("his").await?;
    his.begin("counter2", HARD).await?;
    says(&his, &format!("note-{row}"), "Box torn, 2 missing").await?;
    his.close().await?;
    device.press(&format!("note-{row}")).await?;
    device.press("note-clear").await?;
    says(&device, "last-note", "Add a note").await?;
    device.press("send-now").await?;
    confirmed(&device, HARD, 1).await?;
    let items = api.get(&items_path).await?;
    ensure!(items["items"][0]["note"].is_null() && items["items"][0]["quantity"] == 2, "{items}");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_list_is_written_down_as_none_in_one_step() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let mut device = world.device("phone").await?;
    device.begin("counter", DIRECTED).await?;
    device.press("to-count").await?;
    let api = world.api().await?;
    let list = api.get(&format!("/maarg/poorti/InventoryCountImport/{DIRECTED}/assignments")).await?;
    let asked: Vec<_> =
        list["items"].as_array().context("no list")?.iter().filter_map(|line| line["productId"].as_str()).collect();
    device.press(&format!("zero-{}", asked[0])).await?;
    says(&device, "notice", "1 product written down as zero").await?;
    device.press("zero-remaining").await?;
    answer_alert(&device, "confirm").await?;
    says(&device, "to-count-list", "Everything on the list").await?;
    device.press("send-now").await?;
    confirmed(&device, DIRECTED, asked.len()).await?;
    let rows = api.rows(DIRECTED).await?;
    ensure!(rows.len() == asked.len() && rows.values().all(|row| row.quantity.abs() < 1e-9), "zero is a count");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_scan_of_the_journal_can_be_taken_back() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    for at in [0, 1, 0] {
        device.scan(&codes[at].1).await?;
    }
    says(&device, "last-total", "2").await?;
    menu(&device, "Journal").await?;
    device.find("journal-1").await?;
    pictures(&device, "journal").await?;
    device.press("take-back-1").await?;
    says(&device, "journal-1", "Undone").await?;
    let rows = device.rows(HARD).await?;
    let first = rows.values().find(|row| row.product_id.as_ref() == Some(&codes[0].0)).context("no row")?;
    ensure!((first.quantity - 1.0).abs() < 1e-9, "{first:?}");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_page_says_when_it_is_safe_and_lets_unsent_counts_out_by_file() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    device.scan(&codes[0].1).await?;
    device.press("send-now").await?;
    confirmed(&device, HARD, 1).await?;
    device.press("look-at-sending").await?;
    says(&device, "safe", "safe to close").await?;
    says(&device, "batches", "Confirmed").await?;
    pictures(&device, "device").await?;
    device.press("device-back").await?;

    world.link.down().await;
    device.scan(&codes[1].1).await?;
    device.scan(&codes[1].1).await?;
    device.press("look-at-sending").await?;
    says(&device, "safe", "Keep this device").await?;
    device.browser().run("const make = URL.createObjectURL; URL.createObjectURL = (blob) => { window.saved = blob.text(); return make.call(URL, blob); }; return true;", vec![]).await?;
    device.press("export").await?;
    let saved = eventually("the file is there", || async {
        let text = device.browser().run("return window.saved ? await window.saved : null;", vec![]).await?;
        Ok(text.as_str().map(ToOwned::to_owned))
    })
    .await?;
    let file: Value = serde_json::from_str(&saved)?;
    ensure!(file["counts"].as_array().is_some_and(|counts| counts.len() == 1), "{file}");

    // Signing out wants a word while something is unsent.
    device.press("sign-out").await?;
    device.find("signout-sheet").await?;
    pictures(&device, "sign-out").await?;
    ensure!(!device.find("signout-go").await?.is_enabled().await?, "not before the word is typed");
    device.press("signout-stay").await?;
    device.close().await?;
    world.link.up().await?;

    // The phone is lost. Another one takes the file in, and the count arrives as hers.
    let path = std::env::temp_dir().join(format!("ginti-unsent-{}.json", std::process::id()));
    std::fs::write(&path, &saved)?;
    let mut other = world.device("other").await?;
    other.begin("counter", HARD).await?;
    other.press("look-at-sending").await?;
    other.attach("restore", &path).await?;
    says(&other, "device-said", "1 count taken").await?;
    other.press("send-now").await?;
    eventually("the restored count is on the server", || async {
        let rows = world.api().await?.rows(HARD).await?;
        let found = rows.values().find(|row| row.product_id.as_ref() == Some(&codes[1].0));
        Ok(found
            .is_some_and(|row| (row.quantity - 2.0).abs() < 1e-9 && row.counted_by_user_login_id == "counter")
            .then_some(()))
    })
    .await?;
    std::fs::remove_file(&path)?;
    other.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_speaks_the_language_that_is_chosen_also_after_a_cold_start() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let mut device = world.device("phone").await?;
    device.open("/").await?;
    device.find("sign-in").await?;
    pictures(&device, "sign-in").await?;
    device.begin("counter", HARD).await?;
    // No language of ours is written from right to left yet; the pages are made for it all the same.
    device.browser().run("document.documentElement.dir = 'rtl'; return true;", vec![]).await?;
    pictures(&device, "right-to-left").await?;
    device.press("look-at-sending").await?;
    device.find("language").await?;
    for (tag, safe) in [("de", "Alles ist bestätigt"), ("es", "Todo está confirmado"), ("hi", "पक्का")] {
        let choose = "const list = document.querySelector('[data-testid=\"language\"]');
             list.value = arguments[0]; list.dispatchEvent(new Event('change')); return true;";
        device.browser().run(choose, vec![json!(tag)]).await?;
        says(&device, "safe", safe).await?;
        pictures(&device, &format!("language-{tag}")).await?;
    }
    device.close().await?;
    device.reopen("/device").await?;
    says(&device, "safe", "पक्का").await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_fetched_comes_by_itself_once_there_is_a_network() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    device.close().await?;
    // Planned while the phone was off.
    let api = world.api().await?;
    let facility = api.get("/maarg/poorti/InventoryCountImport").await?["items"][0]["facilityId"].clone();
    let session = json!({
        "inventoryCountImportId": "NEW1", "countImportName": "Planned meanwhile", "facilityId": facility,
        "purposeType": "HARD_COUNT", "assignedUserLoginId": "counter"
    });
    api.post("/maarg/poorti/InventoryCountRun", &json!({ "workEffortId": "R1", "workEffortName": "Later" })).await?;
    api.post("/maarg/poorti/InventoryCountRun/R1/sessions", &json!({ "sessions": [session] })).await?;
    world.link.down().await;
    device.reopen("/sessions").await?;
    device.find("fetch-error").await?;
    ensure!(!device.shows("session-NEW1").await?, "nobody could have told it");
    // The browser was never told that it is offline, so that it has no event to tell either.
    world.link.up().await?;
    device.find("session-NEW1").await?;
    eventually("what is over is shown no more", || async { Ok((!device.shows("fetch-error").await?).then_some(())) })
        .await?;
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_camera_reads_a_label_once_while_it_is_held_there_and_without_a_network() -> Result<()> {
    if Engine::chosen()? != Engine::Chromium {
        println!("skipped: {} cannot be shown a label in the place of a camera", Engine::chosen()?.name());
        return Ok(());
    }
    let mut world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let (product, code) = codes.iter().find(|(_, code)| code.len() == 13).context("no EAN-13")?.clone();
    let mut device = world.device("phone").await?;
    device.begin("counter", HARD).await?;
    // The decoder comes in the first quiet moment.
    eventually("the decoder is kept", || async {
        let kept =
            device.browser().run("return (await (await caches.open('ginti-decoder')).keys()).length;", vec![]).await?;
        Ok((kept == json!(1)).then_some(()))
    })
    .await?;
    device.close().await?;
    world.link.down().await;
    device.show_label(&code)?;
    device.reopen(&format!("/sessions/{HARD}")).await?;
    device.press("camera").await?;
    eventually("the label is counted", || async {
        let rows = device.rows(HARD).await?;
        Ok(rows.values().any(|row| row.product_id.as_ref() == Some(&product)).then_some(()))
    })
    .await?;
    pictures(&device, "camera").await?;
    let rows = device.rows(HARD).await?;
    ensure!(
        rows.len() == 1 && rows.values().all(|row| (row.quantity - 1.0).abs() < 1e-9),
        "held there, counted once: {rows:?}"
    );
    device.press("camera-close").await?;
    ensure!(!device.shows("camera-scanner").await?, "closed");
    device.close().await
}
