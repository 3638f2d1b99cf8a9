//! Counting as people do it: off a list, and two people in one count.

use anyhow::{Context, Result, ensure};
use ginti_e2e::{DIRECTED, HARD, ServerOptions, Tally, World, counted, eventually, pictures};

#[tokio::test(flavor = "multi_thread")]
async fn a_directed_count_works_off_its_list_and_takes_what_is_found_besides() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let mut device = world.device("phone").await?;
    device.begin("counter", DIRECTED).await?;
    let api = world.api().await?;
    let list = api.get(&format!("/maarg/poorti/InventoryCountImport/{DIRECTED}/assignments")).await?;
    let asked: Vec<_> =
        list["items"].as_array().context("no list")?.iter().filter_map(|line| line["productId"].as_str()).collect();
    let codes = api.barcodes().await?;
    let on_list: Vec<_> = codes.iter().filter(|(product, _)| asked.contains(&product.as_str())).take(3).collect();
    let besides =
        codes.iter().find(|(product, _)| !asked.contains(&product.as_str())).context("all are on the list")?;

    device.press("to-count").await?;
    let first = on_list[0].0.clone();
    eventually("the list is shown", || async { Ok(device.shows(&format!("asked-{first}")).await?.then_some(())) })
        .await?;
    pictures(&device, "to-count").await?;
    let mut tally = Tally::new();
    for (product, code) in on_list.iter().copied().chain([besides]) {
        device.scan(code).await?;
        tally.insert(product.clone(), 1.0);
    }
    counted(&device, DIRECTED, &tally).await?;
    eventually("what is counted has left the list", || async {
        Ok((!device.shows(&format!("asked-{first}")).await?).then_some(()))
    })
    .await?;
    device.press("counted").await?;
    world.all_arrived(&device, DIRECTED, &tally).await?;

    let rows = api.rows(DIRECTED).await?;
    let requested = |product: &str| {
        rows.values().find(|row| row.product_id.as_deref() == Some(product)).and_then(|row| row.is_requested.clone())
    };
    ensure!(on_list.iter().all(|(product, _)| requested(product).as_deref() == Some("Y")));
    ensure!(requested(&besides.0).as_deref() == Some("N"), "what was not on the list says so");
    device.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_in_one_count_add_up_and_each_count_keeps_its_counter() -> Result<()> {
    let world = World::new(ServerOptions::default()).await?;
    let codes = world.api().await?.barcodes().await?;
    let (product, code) = &codes[7];
    for (name, user, times) in [("hers", "counter", 5), ("his", "counter2", 3)] {
        let mut device = world.device(name).await?;
        device.begin(user, HARD).await?;
        for _ in 0..times {
            device.scan(code).await?;
        }
        device.press("send-now").await?;
        let confirmed = eventually("the own row is confirmed", || async {
            let rows = device.rows(HARD).await?;
            let own = rows.values().find(|row| row.own).filter(|row| row.truth == "confirmed");
            Ok(own.map(|row| row.quantity))
        })
        .await?;
        ensure!((confirmed - f64::from(times)).abs() < 1e-9, "{name}: {confirmed}");
        if user == "counter2" {
            // He sees what she counted, and the sum.
            eventually("both shelves are added up on the screen", || async {
                Ok((device.text("last-total").await?.trim() == "8").then_some(()))
            })
            .await?;
            pictures(&device, "counted-elsewhere").await?;
        }
        device.close().await?;
    }
    let rows = world.api().await?.rows(HARD).await?;
    let mut held: Vec<_> = rows
        .values()
        .filter(|row| row.product_id.as_deref() == Some(product))
        .map(|row| (row.counted_by_user_login_id.as_str(), row.quantity))
        .collect();
    held.sort_by(|a, b| a.0.cmp(b.0));
    ensure!(held == [("counter", 5.0), ("counter2", 3.0)], "{held:?}");
    Ok(())
}
