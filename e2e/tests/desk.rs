//! The manager's side, with two people at once: what one counts the other sees, decides on, and sends back.

use anyhow::{Context, Result, ensure};
use ginti_e2e::{
    Api, HARD, PASSWORD, ServerOptions, World,
    desk::{choose, fill, manager, says},
    eventually, pictures,
};
use serde_json::{Value, json};

const COUNTS: &str = "/maarg/poorti/InventoryCountImport";
const RUNS: &str = "/maarg/poorti/InventoryCountRun";

/// Counts of somebody else, from another device.
async fn count(api: &Api, session: &str, device: &str, rows: &[(&str, &str, f64)]) -> Result<()> {
    let items: Vec<_> = rows
        .iter()
        .map(|(row, product, quantity)| json!({ "importItemSeqId": row, "productId": product, "quantity": quantity, "revision": 1 }))
        .collect();
    let batch = json!({
        "batchId": uuid_of(device, session), "deviceId": device, "inventoryCountImportId": session, "items": items
    });
    api.post(COUNTS, &batch).await.map(drop)
}

/// The same for the same names: nothing here is sent twice.
fn uuid_of(device: &str, session: &str) -> String {
    let sum = device
        .bytes()
        .chain(session.bytes())
        .fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("019aab7e-0000-7000-8000-{:012x}", sum & 0xffff_ffff_ffff)
}

/// The one session of a run.
async fn session_of(api: &Api, run: &str) -> Result<String> {
    let progress = api.get(&format!("{RUNS}/{run}/progress")).await?;
    Ok(progress["sessions"][0]["inventoryCountImportId"].as_str().context("no session")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_is_planned_counted_watched_reviewed_and_approved() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let api = world.api().await?;
    let mut desk = manager(&world, "manager", "/desk/runs").await?;
    pictures(&desk, "desk-runs").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    desk.press("new-run").await?;
    fill(&desk, "run-name", "November").await?;
    desk.press("make-run").await?;
    desk.press("tab-plan").await?;
    fill(&desk, "session-name", "Aisle 3").await?;
    choose(&desk, "session-kind", "true").await?;
    fill(&desk, "session-filter", "rice").await?;
    choose(&desk, "session-person", "counter").await?;
    pictures(&desk, "desk-plan").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    desk.press("add-session").await?;
    says(&desk, "plan-said", "Made: 1 session").await?;
    let runs = api.get(RUNS).await?;
    let run = runs["items"].as_array().context("no runs")?.iter().find(|run| run["workEffortName"] == "November");
    let run = run.context("the run is not there")?["workEffortId"].as_str().context("no id")?.to_owned();
    let session = session_of(&api, &run).await?;
    let list = api.get(&format!("{COUNTS}/{session}/assignments")).await?;
    let products: Vec<String> = list["items"]
        .as_array()
        .context("no list")?
        .iter()
        .filter_map(|line| Some(line["productId"].as_str()?.to_owned()))
        .collect();
    ensure!(products.len() >= 3, "the filter found only {products:?}");

    // Somebody counts, and the manager sees it happen.
    desk.press("tab-progress").await?;
    says(&desk, "live", "Live").await?;
    let codes = api.barcodes().await?;
    let code =
        |product: &str| codes.iter().find(|(id, _)| id == product).map(|(_, code)| code.clone()).context("no barcode");
    let mut hers = world.device("hers").await?;
    hers.begin("counter", &session).await?;
    for product in &products[..2] {
        hers.scan(&code(product)?).await?;
    }
    hers.press("send-now").await?;
    says(&desk, &format!("progress-{session}"), "2 of").await?;
    says(&desk, "people-at-work", "Asha Counter").await?;
    let other = Api::sign_in(world.link.origin(), "counter2").await?;
    count(&other, &session, "other", &[("x1", &products[0], 3.0)]).await?;
    says(&desk, &format!("progress-{session}"), "3 of").await?;
    pictures(&desk, "desk-progress").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    hers.close().await?;
    api.put(
        &format!("{COUNTS}/{session}"),
        &json!({ "statusId": "SESSION_SUBMITTED", "override": { "reason": "test" } }),
    )
    .await?;

    // What two devices counted comes first; the manager chooses one of the values.
    desk.press("tab-review").await?;
    let first = format!("line-{}", products[0]);
    says(&desk, &first, "Contested").await?;
    pictures(&desk, "desk-review").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    desk.press("approve").await?;
    says(&desk, "review-trouble", "undecided").await?;
    desk.press(&format!("open-{}", products[0])).await?;
    says(&desk, "story", "counter2").await?;
    pictures(&desk, "desk-line").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    desk.press("use-3").await?;
    says(&desk, &format!("decision-{}", products[0]), "Accepted").await?;

    let is_gone = async |sheet: &str| {
        eventually(&format!("{sheet} is gone"), || async { Ok((!desk.shows(sheet).await?).then_some(())) }).await
    };
    is_gone("line-sheet").await?;
    // By keyboard: the second line is rejected, taken back, and accepted.
    let script = "document.querySelector('[data-testid=\"review\"]').focus();
         document.querySelector(`[data-testid=\"line-${args[0]}\"]`).click();";
    desk.browser().run(script, vec![json!(products[1])]).await?;
    desk.keys("r").await?;
    fill(&desk, "reason", "the box fell over").await?;
    desk.press("give-reason").await?;
    says(&desk, &format!("decision-{}", products[1]), "Rejected").await?;
    is_gone("reason-sheet").await?;
    desk.press("undo").await?;
    eventually("it is taken back", || async {
        Ok((!desk.shows(&format!("decision-{}", products[1])).await?).then_some(()))
    })
    .await?;
    desk.browser().run(script, vec![json!(products[1])]).await?;
    desk.keys("a").await?;
    says(&desk, &format!("decision-{}", products[1]), "Accepted").await?;
    desk.press("approve").await?;
    says(&desk, "review-said", "Approved: 1 session").await?;
    says(&desk, "run-status", "Approved").await?;
    let lines = api.get(&format!("{RUNS}/{run}/review?sort=subject")).await?;
    let chosen =
        lines["items"].as_array().context("no lines")?.iter().find(|line| line["subject"] == products[0].as_str());
    ensure!(chosen.context("no line")?["chosenQuantity"] == 3, "the chosen value is kept");
    desk.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_looked_at_before_it_makes_anything_and_lines_go_back_to_be_counted() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let api = world.api().await?;
    let made = api.post(RUNS, &json!({ "workEffortId": "R1", "workEffortName": "By file" })).await?;
    ensure!(made["workEffortId"] == "R1");
    let products = api.get("/maarg/poorti/Products?limit=3").await?;
    let skus: Vec<&str> = products["items"]
        .as_array()
        .context("no products")?
        .iter()
        .filter_map(|product| product["sku"].as_str())
        .collect();
    let ids: Vec<&str> = products["items"]
        .as_array()
        .context("no products")?
        .iter()
        .filter_map(|product| product["productId"].as_str())
        .collect();
    let folder = tempfile::tempdir()?;
    let plan = folder.path().join("plan.csv");
    std::fs::write(&plan, format!("What,Article\nShelf A,{}\nShelf A,{}\nShelf B,nothing-known\n", skus[0], skus[1]))?;
    let mut desk = manager(&world, "manager", "/desk/runs/R1").await?;
    desk.press("tab-plan").await?;
    desk.attach("plan-file", &plan).await?;
    says(&desk, "plan-file-trouble", "countImportName").await?;
    // The file's own names say nothing to us: a file with ours, of which only the SKU's column is called otherwise.
    std::fs::write(
        &plan,
        format!("countImportName,Article\nShelf A,{}\nShelf A,{}\nShelf B,nothing-known\n", skus[0], skus[1]),
    )?;
    desk.attach("plan-file", &plan).await?;
    says(&desk, "plan-found", "3 rows read").await?;
    choose(&desk, "map-productSku", "Article").await?;
    says(&desk, "plan-found", "1 with errors").await?;
    says(&desk, "plan-errors", "nothing-known").await?;
    pictures(&desk, "desk-file").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    ensure!(
        api.get(&format!("{RUNS}/R1/progress")).await?["sessions"].as_array().is_some_and(Vec::is_empty),
        "only looked at"
    );
    desk.press("plan-make-good").await?;
    says(&desk, "plan-file-said", "Made: 1 session").await?;
    let stock = folder.path().join("stock.csv");
    std::fs::write(&stock, format!("sku,quantity,cost\n{},10,2.5\n{},4,1\n", skus[0], skus[1]))?;
    desk.attach("stock-file", &stock).await?;
    says(&desk, "stock-found", "Stock of 2 products").await?;
    desk.press("stock-make").await?;
    says(&desk, "stock-file-said", "Done").await?;

    let session = session_of(&api, "R1").await?;
    let other = Api::sign_in(world.link.origin(), "counter2").await?;
    count(&other, &session, "other", &[("x1", ids[0], 3.0)]).await?;
    api.put(&format!("{COUNTS}/{session}"), &json!({ "statusId": "SESSION_SUBMITTED" })).await?;
    desk.press("tab-review").await?;
    says(&desk, "totals", "-17.50").await?;
    desk.press("select-all").await?;
    says(&desk, "selected", "2 selected").await?;
    desk.press("recount").await?;
    says(&desk, &format!("decision-{}", ids[0]), "Counted again").await?;
    let sessions = api.get(&format!("{RUNS}/R1/progress")).await?;
    let recount =
        sessions["sessions"].as_array().context("no sessions")?.iter().find(|session| session["isRecount"] == true);
    let recount =
        recount.context("no recount was made")?["inventoryCountImportId"].as_str().context("no id")?.to_owned();
    // The person sees it on the phone, counts, and hands it in.
    let mut hers = world.device("hers").await?;
    hers.begin("counter", &recount).await?;
    let codes = api.barcodes().await?;
    let (_, code) = codes.iter().find(|(id, _)| id == ids[0]).context("no barcode")?;
    for _ in 0..4 {
        hers.scan(code).await?;
    }
    ginti_e2e::counted(&hers, &recount, &[(ids[0].to_owned(), 4.0)].into()).await?;
    hers.press("send-now").await?;
    eventually("it is confirmed", || async {
        Ok(hers.rows(&recount).await?.values().all(|row| row.truth == "confirmed").then_some(()))
    })
    .await?;
    api.put(&format!("{COUNTS}/{recount}"), &json!({ "statusId": "SESSION_SUBMITTED" })).await?;
    let line = eventually("the recount stands in the place of the count", || async {
        let lines = api.get(&format!("{RUNS}/R1/review?sort=subject")).await?;
        let line =
            lines["items"].as_array().context("no lines")?.iter().find(|line| line["subject"] == ids[0]).cloned();
        Ok(line.filter(|line| line["countedQuantity"] == 4))
    })
    .await?;
    ensure!(line["decision"] == Value::Null, "{line}");
    hers.close().await?;
    desk.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_device_is_seen_asked_and_shut_out_and_people_are_changed() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let mut hers = world.device("hers").await?;
    hers.begin("counter", HARD).await?;
    let codes = world.api().await?.barcodes().await?;
    hers.scan(&codes[0].1).await?;
    hers.press("send-now").await?;
    eventually("it is confirmed", || async {
        let rows = hers.rows(HARD).await?;
        Ok((!rows.is_empty() && rows.values().all(|row| row.truth == "confirmed")).then_some(()))
    })
    .await?;
    let id = hers.id().await?;
    let mut desk = manager(&world, "admin", "/desk/devices").await?;
    says(&desk, &format!("device-{id}"), "Asha Counter").await?;
    pictures(&desk, "desk-devices").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    let ask = "document.querySelector(`[data-testid=\"device-${args[0]}\"] [data-testid=\"nudge-sign-in\"]`).click();";
    desk.browser().run(ask, vec![json!(id)]).await?;
    says(&desk, "fleet-said", "next contact").await?;
    // The device's next report brings the word to its person.
    hers.scan(&codes[1].1).await?;
    hers.press("send-now").await?;
    says(&hers, "reauth-banner", "Your manager asks you to sign in").await?;
    hers.sign_in_again(PASSWORD).await?;
    eventually("the banner is gone", || async { Ok((!hers.shows("reauth-banner").await?).then_some(())) }).await?;

    desk.press("nav.people").await?;
    desk.press("add-person").await?;
    fill(&desk, "person-id", "nina").await?;
    fill(&desk, "person-name", "Nina New").await?;
    fill(&desk, "person-password", "short").await?;
    let store = world.api().await?.get("/maarg/poorti/Facilities").await?["items"][0]["facilityId"]
        .as_str()
        .context("no store")?
        .to_owned();
    desk.press(&format!("store-{store}")).await?;
    desk.press("save-person").await?;
    says(&desk, "person-trouble", "at least 8 characters").await?;
    pictures(&desk, "desk-person").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    fill(&desk, "person-password", "three blind mice").await?;
    desk.press("save-person").await?;
    says(&desk, "person-nina", "Nina New").await?;
    // A program's token, and a person who chooses a password with a link.
    desk.press("new-token").await?;
    fill(&desk, "token-name", "erp").await?;
    desk.press("make-token").await?;
    says(&desk, "token-secret", "gt_").await?;
    desk.press("invite").await?;
    fill(&desk, "invite-id", "ines").await?;
    fill(&desk, "invite-name", "Ines Invited").await?;
    desk.press(&format!("store-{store}")).await?;
    desk.press("send-invite").await?;
    says(&desk, "invitation-ines", "Ines Invited").await?;
    pictures(&desk, "desk-people").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    let link = desk
        .browser()
        .run("return document.querySelector('[data-testid=\"invitation-link\"]').innerText;", vec![])
        .await?;
    let path = link.as_str().and_then(|link| Some(link[link.find("/invitation#")?..].to_owned())).context("no link")?;
    let mut theirs = world.device("theirs").await?;
    theirs.open(&path).await?;
    fill(&theirs, "new-password", "four and twenty").await?;
    pictures(&theirs, "invitation").await?;
    theirs.press("accept-invitation").await?;
    says(&theirs, "accepted", "ines").await?;
    theirs.open(&path).await?;
    theirs.browser().run("location.reload();", vec![]).await?;
    fill(&theirs, "new-password", "four and twenty").await?;
    theirs.press("accept-invitation").await?;
    says(&theirs, "invitation-trouble", "invitation").await?;
    theirs.open("/sign-in").await?;
    theirs.sign_in("ines", "four and twenty").await?;
    theirs.find(&format!("session-{HARD}")).await?;
    theirs.close().await?;

    desk.press("nav.log").await?;
    says(&desk, "log", "user-put").await?;
    pictures(&desk, "desk-log").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    desk.press("nav.outbox").await?;
    desk.press("add-receiver").await?;
    fill(&desk, "receiver-id", "erp").await?;
    fill(&desk, "receiver-url", "https://erp.example/counts").await?;
    desk.press("save-receiver").await?;
    says(&desk, "secret", "not shown again").await?;
    pictures(&desk, "desk-outbox").await?;

    hers.close().await?;
    desk.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_came_after_its_session_was_handed_in_is_taken_in_the_review() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let api = world.api().await?;
    let codes = api.barcodes().await?;
    let (product, code) = &codes[0];
    api.post(RUNS, &json!({ "workEffortId": "R1", "workEffortName": "Late" })).await?;
    let facility = api.get("/maarg/poorti/InventoryCountImport").await?["items"][0]["facilityId"].clone();
    let session = json!({
        "inventoryCountImportId": "L1", "countImportName": "Shelf by the door", "facilityId": facility,
        "purposeType": "DIRECTED_COUNT", "productIds": [product], "assignedUserLoginId": "counter"
    });
    api.post(&format!("{RUNS}/R1/sessions"), &json!({ "sessions": [session] })).await?;
    let mut hers = world.device("hers").await?;
    hers.begin("counter", "L1").await?;
    hers.scan(code).await?;
    ginti_e2e::counted(&hers, "L1", &[(product.clone(), 1.0)].into()).await?;
    hers.press("send-now").await?;
    eventually("it is confirmed", || async {
        Ok(hers.rows("L1").await?.values().all(|row| row.truth == "confirmed").then_some(()))
    })
    .await?;
    // One more where there is no network, and the phone goes into a pocket.
    hers.emulate_network(false).await?;
    world.link.down().await;
    hers.scan(code).await?;
    ginti_e2e::counted(&hers, "L1", &[(product.clone(), 2.0)].into()).await?;
    hers.close().await?;
    world.link.up().await?;

    // The manager hands it in without her, and sees one.
    let submit = json!({ "statusId": "SESSION_SUBMITTED", "override": { "reason": "her shift is over" } });
    api.put(&format!("{COUNTS}/L1"), &submit).await?;
    let mut desk = manager(&world, "manager", "/desk/runs/R1").await?;
    desk.press("tab-review").await?;
    says(&desk, &format!("line-{product}"), "1").await?;
    hers.reopen("/sessions").await?;
    let line = async || {
        let lines = api.get(&format!("{RUNS}/R1/review?sort=subject")).await?;
        let items = lines["items"].as_array().context("no lines")?;
        Ok::<_, anyhow::Error>(items.iter().find(|line| line["subject"] == product.as_str()).cloned())
    };
    eventually("her second one has come late", || async {
        Ok(line().await?.filter(|line| line["lateCount"] == 1 && line["countedQuantity"] == 1))
    })
    .await?;
    desk.press("tab-progress").await?;
    desk.press("tab-review").await?;
    says(&desk, &format!("line-{product}"), "Late").await?;
    pictures(&desk, "desk-late").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    desk.press("approve").await?;
    says(&desk, "review-trouble", "undecided").await?;
    desk.press(&format!("open-{product}")).await?;
    says(&desk, "story", "late, not applied").await?;
    says(&desk, "take-late", "2").await?;
    pictures(&desk, "desk-late-line").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    desk.press("take-late").await?;
    says(&desk, &format!("decision-{product}"), "Accepted").await?;
    eventually("the sheet is gone", || async { Ok((!desk.shows("line-sheet").await?).then_some(())) }).await?;
    desk.press("approve").await?;
    says(&desk, "review-said", "Approved: 1 session").await?;
    let line = line().await?.context("no line")?;
    ensure!(line["chosenQuantity"] == 2 && line["decision"] == "accept", "{line}");
    hers.close().await?;
    desk.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_seen_and_clears_its_rule_is_changed_and_what_went_wrong_is_plotted() -> Result<()> {
    const ALERTS: &str = "/maarg/poorti/Alerts";
    let world = World::new(ServerOptions::default()).await?;
    let api = world.api().await?;
    let counter = Api::sign_in(world.link.origin(), "counter").await?;
    let now = api.get("/maarg/poorti/FleetHistory?hours=1").await?["serverTime"].clone();
    let report = |unsent: u64| {
        let session = json!({
            "inventoryCountImportId": HARD, "itemCount": 3, "digest": "0".repeat(32), "unsentCount": unsent,
            "oldestUnsentAt": (unsent > 0).then_some("2026-01-05T08:00:00.000Z")
        });
        json!({ "deviceId": "a-phone", "sessions": [session], "retries": [{ "at": now, "count": 6 }] })
    };
    counter.post("/maarg/poorti/CourierStatus", &report(3)).await?;
    let batch = json!({
        "batchId": uuid_of("a-phone", "refused"), "deviceId": "a-phone", "inventoryCountImportId": HARD,
        "items": [{ "importItemSeqId": "x", "productId": "none", "quantity": -1, "revision": 1 }]
    });
    ensure!(counter.post(COUNTS, &batch).await.is_err(), "nobody can count less than nothing");
    let open = async |number: usize| {
        eventually(&format!("{number} alerts last"), || async {
            let alerts = api.get(ALERTS).await?;
            let lasting =
                alerts["items"].as_array().context("no alerts")?.iter().filter(|one| one["clearedAt"].is_null());
            Ok((lasting.count() == number).then_some(()))
        })
        .await
    };
    open(2).await?;
    let mut desk = manager(&world, "admin", "/desk/devices").await?;
    says(&desk, "alert-unsent-for-long", "Asha Counter: 3 counts have not arrived").await?;
    says(&desk, "alert-counts-refused", "counts were refused (a quantity below zero)").await?;
    says(&desk, "device-a-phone", "3 not arrived").await?;
    says(&desk, "retries", "6 times in two days").await?;
    says(&desk, "refused-quantity-negative", "1 count in two days").await?;
    let (product, _) = api.barcodes().await?.swap_remove(0);
    count(&counter, HARD, "a-phone", &[("one", &product, 1.0)]).await?;
    fill(&desk, "batch-id", &uuid_of("a-phone", HARD)).await?;
    desk.press("find-batch").await?;
    says(&desk, "batch-found", "from counter").await?;
    fill(&desk, "batch-id", "0").await?;
    desk.press("find-batch").await?;
    says(&desk, "batch-found", "No batch").await?;
    pictures(&desk, "desk-alerts").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    let scroll = "const part = document.querySelector(`[data-testid=\"${args[0]}\"]`);
         part.open = true;
         part.scrollIntoView();";
    desk.browser().run(scroll, vec![json!("trouble-table")]).await?;
    says(&desk, "trouble-table", "a quantity below zero").await?;
    pictures(&desk, "desk-trouble").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;

    desk.press("alert-rules").await?;
    choose(&desk, "after-unsent-for-long", "3600").await?;
    desk.press("rule-counts-refused").await?;
    pictures(&desk, "desk-rules").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    desk.press("save-rules").await?;
    eventually("the rules are set", || async {
        let rules = api.get("/maarg/poorti/AlertRules").await?;
        let is_set = rules["items"][0]["afterSeconds"] == 3600 && rules["items"][2]["isActive"] == false;
        Ok(is_set.then_some(()))
    })
    .await?;
    open(1).await?;
    counter.post("/maarg/poorti/CourierStatus", &report(0)).await?;
    open(0).await?;
    says(&desk, "no-alerts", "Nothing needs you now").await?;
    says(&desk, "device-a-phone", "All arrived").await?;
    desk.press("nav.log").await?;
    says(&desk, "log", "alert-rule-put").await?;
    desk.close().await
}
