//! Accounts, as people see them: one that is disabled and enabled, and passwords that people change themselves.

use anyhow::{Context, Result, ensure};
use ginti_e2e::{
    Device, HARD, PASSWORD, ServerOptions, Tally, World, counted,
    desk::{fill, manager, says},
    eventually, pictures,
};
use serde_json::json;

const USERS: &str = "/maarg/poorti/Users";

/// Opens somebody's sheet on the page of people.
async fn edit(desk: &Device, person: &str) -> Result<()> {
    let script = "const row = document.querySelector(`[data-testid=\"person-${args[0]}\"]`);
         row?.querySelector('button').click();
         return row !== null;";
    eventually(&format!("{person} is listed"), || async {
        Ok((desk.browser().run(script, vec![json!(person)]).await? == json!(true)).then_some(()))
    })
    .await?;
    desk.find("person-sheet").await.map(drop)
}

/// Presses the button in the sheet that is open, which then goes.
async fn set_disabled(desk: &Device) -> Result<()> {
    desk.press("set-disabled").await?;
    eventually("the sheet is gone", || async { Ok((!desk.shows("person-sheet").await?).then_some(())) }).await
}

/// A phone, closed, with one count that has arrived and two that have not; the link is up again.
async fn with_counts_that_wait(world: &mut World) -> Result<(Device, Tally)> {
    let codes = world.api().await?.barcodes().await?;
    let mut hers = world.device("hers").await?;
    hers.begin("counter", HARD).await?;
    let mut tally = Tally::new();
    hers.scan(&codes[0].1).await?;
    tally.insert(codes[0].0.clone(), 1.0);
    hers.press("send-now").await?;
    world.all_arrived(&hers, HARD, &tally).await?;
    world.link.down().await;
    for (product, code) in &codes[1..3] {
        hers.scan(code).await?;
        tally.insert(product.clone(), 1.0);
    }
    counted(&hers, HARD, &tally).await?;
    hers.close().await?;
    world.link.up().await?;
    Ok((hers, tally))
}

async fn waiting(device: &Device) -> Result<usize> {
    Ok(device.rows(HARD).await?.values().filter(|row| row.truth != "confirmed").count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_person_is_told_and_what_waits_arrives_when_the_account_is_enabled() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let (mut hers, tally) = with_counts_that_wait(&mut world).await?;
    let api = world.api().await?;
    let disabled_at = async || {
        let people = api.get(USERS).await?;
        let mut items = people["items"].as_array().context("no people")?.iter();
        let person = items.find(|one| one["userLoginId"] == "counter").context("no counter")?;
        Ok::<_, anyhow::Error>(person["disabledAt"].clone())
    };
    let mut desk = manager(&world, "admin", "/desk/people").await?;
    edit(&desk, "admin").await?;
    ensure!(!desk.shows("set-disabled").await?, "nobody disables the own account");
    desk.open("/desk/people").await?;
    edit(&desk, "counter").await?;
    says(&desk, "set-disabled", "Disable the account").await?;
    pictures(&desk, "desk-disable").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;
    set_disabled(&desk).await?;
    says(&desk, "person-counter", "Disabled").await?;
    ensure!(disabled_at().await?.is_string(), "the server knows");
    pictures(&desk, "desk-disabled").await?;
    desk.browser().show_as(ginti_e2e::DESKTOP, false).await?;

    hers.reopen(&format!("/sessions/{HARD}")).await?;
    hers.find("reauth-banner").await?;
    hers.sign_in_again("wrong").await?;
    says(&hers, "sign-in-error", "User name or password is wrong").await?;
    hers.fill("password", PASSWORD).await?;
    hers.press("sign-in").await?;
    says(&hers, "sign-in-error", "Your account is disabled. Ask an admin").await?;
    pictures(&hers, "account-disabled").await?;
    ensure!(waiting(&hers).await? == 2, "what has not arrived waits");

    edit(&desk, "counter").await?;
    says(&desk, "disabled-since", "Nobody signs in").await?;
    set_disabled(&desk).await?;
    eventually("the account is enabled", || async { Ok(disabled_at().await?.is_null().then_some(())) }).await?;
    hers.fill("password", PASSWORD).await?;
    hers.press("sign-in").await?;
    world.all_arrived(&hers, HARD, &tally).await?;
    hers.close().await?;
    desk.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_signs_in_delivers_what_a_disabled_person_left() -> Result<()> {
    let mut world = World::new(ServerOptions::default()).await?;
    let (mut hers, tally) = with_counts_that_wait(&mut world).await?;
    world.kill_server().await?;
    world.command(&["user", "disable", "counter"]).await?;
    world.restart_server(&ServerOptions::default()).await?;
    hers.reopen("/device").await?;
    hers.press("sign-out").await?;
    fill(&hers, "signout-word", "UNSENT").await?;
    hers.press("signout-go").await?;
    hers.sign_in("counter", PASSWORD).await?;
    says(&hers, "sign-in-error", "Your account is disabled").await?;
    hers.sign_in("counter2", PASSWORD).await?;
    hers.press(&format!("session-{HARD}")).await?;
    world.all_arrived(&hers, HARD, &tally).await?;
    let rows = world.api().await?.rows(HARD).await?;
    ensure!(rows.values().all(|row| row.counted_by_user_login_id == "counter"), "the counts stay hers: {rows:?}");
    hers.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_changes_the_password_and_only_this_browser_stays_signed_in() -> Result<()> {
    const NEW: &str = "three blind mice";
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut tablet = world.device("tablet").await?;
    tablet.begin("counter", HARD).await?;
    let mut hers = world.device("hers").await?;
    hers.begin("counter", HARD).await?;
    hers.open("/device").await?;
    hers.press("change-password").await?;
    let change = async |current: &str, new: &str| {
        hers.fill("password-current", current).await?;
        hers.fill("password-new", new).await?;
        hers.press("password-save").await
    };
    // What password managers go by, and nothing keeps a text from being pasted.
    let script = "return ['password-current', 'password-new'].map((id) => {
         const field = document.querySelector(`[data-testid=\"${id}\"]`);
         const paste = new ClipboardEvent('paste', { bubbles: true, cancelable: true, composed: true });
         return `${field.type} ${field.autocomplete} ${field.dispatchEvent(paste)}`;
       });";
    let fields = hers.browser().run(script, vec![]).await?;
    ensure!(fields == json!(["password current-password true", "password new-password true"]), "{fields}");
    change("wrong", NEW).await?;
    says(&hers, "password-trouble", "The current password is wrong").await?;
    pictures(&hers, "password").await?;
    change(PASSWORD, "sonyericsson").await?;
    says(&hers, "password-trouble", "first that others would try").await?;
    change(PASSWORD, NEW).await?;
    says(&hers, "password-said", "Your password is changed").await?;
    pictures(&hers, "password-changed").await?;

    // Loaded anew, this browser still has its sign-in, and the other one has none.
    hers.open(&format!("/sessions/{HARD}")).await?;
    hers.find("scan-field").await?;
    hers.scan(&codes[0].1).await?;
    let mut tally = Tally::from([(codes[0].0.clone(), 1.0)]);
    counted(&hers, HARD, &tally).await?;
    hers.press("send-now").await?;
    world.all_arrived(&hers, HARD, &tally).await?;
    ensure!(!hers.shows("reauth-banner").await?, "she is signed in");
    tablet.open(&format!("/sessions/{HARD}")).await?;
    tablet.sign_in_again(PASSWORD).await?;
    says(&tablet, "sign-in-error", "User name or password is wrong").await?;
    tablet.fill("password", NEW).await?;
    tablet.press("sign-in").await?;
    eventually("the banner is gone", || async { Ok((!tablet.shows("reauth-banner").await?).then_some(())) }).await?;
    tablet.scan(&codes[1].1).await?;
    tally.insert(codes[1].0.clone(), 1.0);
    tablet.press("send-now").await?;
    let api = world.api().await?;
    eventually("both counts are there", || async { Ok((api.rows(HARD).await?.len() == 2).then_some(())) }).await?;
    hers.close().await?;
    tablet.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_ends_the_sign_in_on_a_lost_phone_and_what_was_counted_on_it_arrives_once_it_is_found() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut phone = world.device("phone").await?;
    phone.begin("counter", HARD).await?;
    let mut hers = world.device("hers").await?;
    hers.begin("counter", HARD).await?;
    hers.open("/device").await?;
    hers.press("see-sign-ins").await?;
    hers.find("sign-in-here").await?;
    hers.find("sign-in-elsewhere").await?;
    pictures(&hers, "sign-ins").await?;
    hers.press("sign-in-end").await?;
    let end = async |password: &str| {
        hers.fill("sign-ins-password", password).await?;
        hers.press("sign-ins-go").await
    };
    end("wrong").await?;
    says(&hers, "sign-ins-trouble", "The current password is wrong").await?;
    pictures(&hers, "sign-ins-end").await?;
    end(PASSWORD).await?;
    says(&hers, "sign-ins-said", "You are signed out there").await?;
    ensure!(!hers.shows("sign-in-elsewhere").await?, "it is over");
    hers.find("sign-in-here").await?;
    hers.close().await?;

    // Whoever finds it counts on, and nothing is sent in her name.
    phone.open(&format!("/sessions/{HARD}")).await?;
    phone.find("reauth-banner").await?;
    phone.scan(&codes[0].1).await?;
    let tally = Tally::from([(codes[0].0.clone(), 1.0)]);
    counted(&phone, HARD, &tally).await?;
    phone.press("send-now").await?;
    ensure!(world.api().await?.rows(HARD).await?.is_empty(), "nobody is signed in there");
    phone.sign_in_again(PASSWORD).await?;
    world.all_arrived(&phone, HARD, &tally).await?;
    phone.close().await
}
