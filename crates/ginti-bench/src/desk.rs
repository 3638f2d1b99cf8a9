//! `cargo xtask bench desk`: the manager's side over one large run, on both databases, through the real server over HTTP on
//! this machine's own network. Client and server share the process and its processors.

mod client;
mod crowd;
mod table;
mod world;

use std::{fs, path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use ginti_cluster::Cluster;
use ginti_postgres::PostgresStore;
use ginti_sqlite::SqliteStore;
use ginti_store::Store;

use self::{
    client::{Client, Spread},
    crowd::Crowd,
    table::{Goal, Table},
    world::{LIVE, RUN, World},
};
use crate::{machine, report::median};

/// What `bench desk` takes.
#[derive(Args)]
pub(crate) struct DeskArguments {
    /// Sessions of the run, ten in each store
    #[arg(long, default_value_t = 500)]
    pub(crate) sessions: usize,
    /// Items that each session counts; the catalogue has ten times as many products
    #[arg(long, default_value_t = 2_000)]
    pub(crate) items: usize,
    /// Calls of each page
    #[arg(long, default_value_t = 50)]
    calls: usize,
    /// Rows of the planning file
    #[arg(long, default_value_t = 100_000)]
    csv_rows: usize,
    /// Viewers of the progress stream
    #[arg(long, default_value_t = 1_000)]
    viewers: usize,
    /// Rounds of the writer, each without viewers and with them
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that the writer is at it each time
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// On these databases
    #[arg(long, value_delimiter = ',', default_values_t = [Database::Sqlite, Database::Postgres])]
    on: Vec<Database>,
    /// Where the report goes
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

/// A database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Database {
    /// A file.
    Sqlite,
    /// A temporary cluster.
    Postgres,
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// Measures, and writes the table. False: a goal is missed.
pub(crate) fn run(runtime: &tokio::runtime::Runtime, arguments: &DeskArguments) -> Result<bool> {
    ensure!(arguments.sessions > 0 && arguments.items > 0 && arguments.calls > 0, "nothing to measure");
    let mut table = Table::default();
    for on in &arguments.on {
        let folder = tempfile::tempdir()?;
        // Lives until the end of the measurement.
        let cluster = match on {
            Database::Sqlite => None,
            Database::Postgres => Some(Cluster::start("-c shared_buffers=512MB -c max_wal_size=4GB")?),
        };
        runtime.block_on(async {
            let store: Arc<dyn Store> = match &cluster {
                None => Arc::new(SqliteStore::open(folder.path().join("ginti.db"), ginti_sqlite::Options::default())?),
                Some(cluster) => {
                    cluster.create("desk").await?;
                    Arc::new(PostgresStore::connect(&cluster.url("desk"), ginti_postgres::Options::default()).await?)
                }
            };
            measure(store, *on, arguments, &mut table).await
        })?;
    }
    let text = table.text(arguments, &machine::description());
    fs::create_dir_all(&arguments.out)?;
    let file = arguments.out.join("desk.md");
    fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{text}\nWritten to {}.", file.display());
    Ok(table.is_met())
}

async fn measure(store: Arc<dyn Store>, on: Database, arguments: &DeskArguments, table: &mut Table) -> Result<()> {
    let begun = Instant::now();
    let said = |what: &str| eprintln!("{on}: {what} ({:.0} s)", begun.elapsed().as_secs_f64());
    let mut world = World::make(Arc::clone(&store), arguments).await?;
    said("planned and stocked");
    let rate = world.count().await?;
    table.put("counts taken while the run was filled, a second", on, None, rate);
    said("counted");
    let server = client::Server::start(Arc::clone(&store)).await?;
    let client = &server.client;

    let progress = client.timed(&format!("{RUN}/progress"), arguments.calls).await?;
    table.spread("progress page", on, Some(200.0), &progress);
    said("progress");
    viewers(&mut world, client, on, arguments, table).await?;
    said("viewers");

    world.submit().await?;
    let refreshed = Instant::now();
    let tries = client.until_answered(&format!("{RUN}/review?limit=50")).await?;
    table.put("first refresh of the review, s", on, None, refreshed.elapsed().as_secs_f64());
    table.put("first refresh of the review, requests until it answers", on, None, tries);
    said("the first refresh");
    review(client, on, arguments, table).await?;
    said("review");
    world.count_late().await?;
    let refreshed = Instant::now();
    client.until_answered(&format!("{RUN}/review?limit=50")).await?;
    table.put("refresh after a late batch in one session, ms", on, None, refreshed.elapsed().as_secs_f64() * 1_000.0);

    let approved = Instant::now();
    client.post(&format!("{RUN}/approval"), "application/json", "{\"reason\":\"measured\"}".to_owned()).await?;
    let took = approved.elapsed().as_secs_f64();
    table.put("approval of all, s", on, Some(Goal::AtMost(10.0)), took);
    said("approval");

    let file = world.plan_file(arguments.csv_rows);
    let planned = Instant::now();
    client.post("planned/sessions.csv?dryRun=false", "text/csv", file).await?;
    let rate = count(arguments.csv_rows) / planned.elapsed().as_secs_f64();
    // A file takes time before its first row: a small one says nothing about the rate.
    let has_goal = on == Database::Sqlite && arguments.csv_rows >= 100_000;
    table.put("planning file, rows a second", on, has_goal.then_some(Goal::AtLeast(20_000.0)), rate);
    said("planning file");
    server.stop().await
}

/// Every filter in every order, totals, and a page far down.
async fn review(client: &Client, on: Database, arguments: &DeskArguments, table: &mut Table) -> Result<()> {
    for filter in ["all", "undecided", "different", "contested", "late", "notCounted", "unmatched"] {
        for sort in ["attention", "weight", "subject"] {
            let path = format!("{RUN}/review?limit=50&filter={filter}&sort={sort}");
            let spread = client.timed(&path, arguments.calls).await?;
            table.spread(&format!("review: {filter}, by {sort}"), on, Some(300.0), &spread);
        }
    }
    let totals = client.timed(&format!("{RUN}/review/totals"), arguments.calls).await?;
    table.spread("review: totals", on, None, &totals);
    let far = arguments.sessions * arguments.items / 2;
    let far = client.timed(&format!("{RUN}/review?limit=50&offset={far}"), arguments.calls).await?;
    table.spread("review: a page in the middle", on, None, &far);
    Ok(())
}

/// What viewers cost whoever writes: the writer alone and beside them, in turn.
async fn viewers(
    world: &mut World,
    client: &Client,
    on: Database,
    arguments: &DeskArguments,
    table: &mut Table,
) -> Result<()> {
    if arguments.viewers == 0 || arguments.rounds == 0 {
        return Ok(());
    }
    let (mut ratios, mut alone, mut entering, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Once for nothing, so that no side has the cold start.
    world.write(arguments.seconds).await?;
    for round in 0..arguments.rounds {
        let is_alone_first = round % 2 == 0;
        let mut without = 0.0;
        if is_alone_first {
            without = world.write(arguments.seconds).await?;
        }
        let begun = Instant::now();
        let crowd = Crowd::enter(client, &format!("{LIVE}/progress/stream"), arguments.viewers).await?;
        entering.push(begun.elapsed().as_secs_f64());
        let (before, writing) = (crowd.bytes(), Instant::now());
        let with = world.write(arguments.seconds).await?;
        bytes
            .push(count(crowd.bytes() - before) / writing.elapsed().as_secs_f64() / count(arguments.viewers) / 1_000.0);
        crowd.leave().await?;
        if !is_alone_first {
            without = world.write(arguments.seconds).await?;
        }
        eprintln!("{on}: round {}: {without:.0} counts/s alone, {with:.0} beside viewers", round + 1);
        ratios.push(with / without);
        alone.push(without);
    }
    table.put("viewers: all see the first state after, s", on, None, median(entering));
    table.put("viewers: each is sent, KB a second", on, None, median(bytes));
    table.put("viewers: the writer alone, counts a second", on, None, median(alone));
    table.put("viewers: the writer beside them, ratio", on, Some(Goal::AtLeast(0.95)), median(ratios));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "measurements")]
fn count(number: usize) -> f64 {
    number as f64
}

impl Table {
    fn spread(&mut self, what: &str, on: Database, p95_at_most: Option<f64>, spread: &Spread) {
        self.put(&format!("{what}: p50, ms"), on, None, spread.p50_ms);
        self.put(&format!("{what}: p95, ms"), on, p95_at_most.map(Goal::AtMost), spread.p95_ms);
    }
}
