//! Two tabs whose tokens have run out ask for new ones at once, with the same cookie: nobody is signed out, the sign-in stays one,
//! and what each tab counted arrives. Once as the tabs take turns, once where the browser has no Web Locks and both go ahead.

use std::{any::Any, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use ginti_e2e::{Device, HARD, ServerOptions, Tally, World, counted, eventually};
use ginti_store::{Job, Scope, Sql, Store, StoreError};
use serde_json::{Value, json};
use thirtyfour::WindowHandle;

/// In each tab from its beginning. Both load again at a word of one. Then a refresh is held back until the other tab wants one too:
/// is waiting for the lock, or, where there are no locks, is about to send its own. Notes how often the tab asked, and whether it met
/// the other.
const MEET: &str = "
  const withoutLocks = WITHOUT_LOCKS;
  if (withoutLocks) Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined });
  const add = (name) => sessionStorage.setItem(name, String(Number(sessionStorage.getItem(name)) + 1));
  const pause = () => new Promise((done) => setTimeout(done, 50));
  const hall = new BroadcastChannel('two-tabs');
  let isHere = false, isOtherHere = false;
  const go = () => { sessionStorage.setItem('meets', 'yes'); location.reload(); };
  globalThis.goTogether = () => { hall.postMessage('go'); setTimeout(go, 0); };
  hall.onmessage = ({ data }) => {
    if (data === 'go') return go();
    isOtherHere = true;
    if (data === 'here' && isHere) hall.postMessage('here too');
  };
  const other = async () => {
    if (withoutLocks) return isOtherHere;
    const { pending } = await navigator.locks.query();
    return pending.some(({ name }) => name === 'ginti-auth');
  };
  const plain = globalThis.fetch;
  globalThis.fetch = async (...asked) => {
    if (!String(asked[0]).endsWith('/auth/refresh') || !sessionStorage.getItem('meets')) return plain(...asked);
    add('asked');
    isHere = true;
    hall.postMessage('here');
    for (let tries = 0; tries < 200; tries += 1) {
      if (await other()) { add('met'); break; }
      await pause();
    }
    sessionStorage.removeItem('meets');
    return plain(...asked);
  };";

/// How many sign-ins of the person there are, and how many of them have been ended.
struct SignIns;

#[async_trait]
impl Job for SignIns {
    fn scope(&self) -> Scope<'_> {
        Scope::House
    }

    fn writes(&self) -> bool {
        false
    }

    fn weight(&self) -> usize {
        1
    }

    async fn run(&self, sql: &mut dyn Sql) -> Result<Box<dyn Any + Send>, StoreError> {
        let text = "SELECT count(*), coalesce(sum(revoked), 0) FROM refresh_family WHERE user_login_id = 'counter'";
        let rows = sql.query(text, vec![]).await?;
        let row = rows.first().ok_or(StoreError::Closed)?;
        Ok(Box::new((row.int(0)?, row.int(1)?)))
    }
}

/// A tab at the counting screen that will meet the other.
async fn prepare(device: &Device, without_locks: bool) -> Result<()> {
    let script = MEET.replace("WITHOUT_LOCKS", if without_locks { "true" } else { "false" });
    device.browser().devtools("Page.enable", json!({})).await?;
    device.browser().devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await?;
    device.open(&format!("/sessions/{HARD}")).await?;
    device.find("scan-field").await.map(drop)
}

async fn race(without_locks: bool) -> Result<()> {
    let options = ServerOptions { access_token_seconds: Some(3), ..ServerOptions::default() };
    let mut world = World::new(options).await?;
    let codes = world.api().await?.barcodes().await?;
    let mut device = world.device("hers").await?;
    device.begin("counter", HARD).await?;
    let driver = device.browser().driver();
    let first = driver.window().await?;
    prepare(&device, without_locks).await?;
    let second = driver.new_tab().await?;
    let tabs: [WindowHandle; 2] = [first, second.clone()];
    driver.switch_to_window(second).await?;
    prepare(&device, without_locks).await?;

    // Both tokens have run out; loaded again, neither tab holds one any more.
    tokio::time::sleep(Duration::from_secs(4)).await;
    device.browser().run("goTogether();", vec![]).await?;
    let (mut asked, mut met) = (0, 0);
    for tab in &tabs {
        driver.switch_to_window(tab.clone()).await?;
        device.find("scan-field").await?;
        let noted = eventually("the tab has a token or has taken over the other's", || async {
            let script = "const number = (name) => Number(sessionStorage.getItem(name));
                 return [number('asked'), number('met'), sessionStorage.getItem('meets')];";
            let noted = device.browser().run(script, vec![]).await?;
            let waits = without_locks && !noted[2].is_null();
            Ok((!waits).then_some(noted))
        })
        .await?;
        let number = |at: usize| noted[at].as_u64().context("no number");
        asked += number(0)?;
        met += number(1)?;
    }
    if without_locks {
        ensure!((asked, met) == (2, 2), "both sent a refresh while the other's was on its way: {asked}, {met}");
    }

    let mut tally = Tally::new();
    for (tab, chosen) in tabs.iter().zip([&codes[..3], &codes[2..5]]) {
        driver.switch_to_window(tab.clone()).await?;
        for (product, code) in chosen {
            device.scan_at_once(code).await?;
            *tally.entry(product.clone()).or_default() += 1.0;
        }
        counted(&device, HARD, &tally).await?;
        device.press("send-now").await?;
    }
    for tab in &tabs {
        driver.switch_to_window(tab.clone()).await?;
        world.all_arrived(&device, HARD, &tally).await?;
        ensure!(!device.shows("reauth-banner").await?, "nobody has to sign in again");
        if !without_locks {
            let seen: Value = device.browser().run("return sessionStorage.getItem('met');", vec![]).await?;
            met += u64::from(!seen.is_null());
        }
    }
    ensure!(met > 0, "the tabs never wanted a token at once");
    device.close().await?;
    world.kill_server().await?;
    let store = world.store()?;
    let found = store.work(Arc::new(SignIns)).await?;
    let found = found.downcast_ref::<(i64, i64)>().context("another answer")?;
    ensure!(*found == (1, 0), "one sign-in, and it lasts: {found:?}");
    Ok(store.close().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_that_want_a_token_at_once_take_turns_and_stay_signed_in() -> Result<()> {
    race(false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_that_refresh_with_the_same_cookie_at_once_stay_signed_in() -> Result<()> {
    race(true).await
}
