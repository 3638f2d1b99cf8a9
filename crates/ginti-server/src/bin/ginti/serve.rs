//! `ginti serve`: opens the database, listens, and drains when told to stop.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use ginti_server::{
    Config, CrashAfterCommits, Deps, Drain, OidcConfig, add_up_measurements, alerts, app_in, auth::ApiTokens,
    auth::Passwords, auth::TokenKeys, built_app, deliver, os_entropy, serve, system_clock,
};
use ginti_store::Store;
use ipnet::IpNet;
use tokio::{net::TcpListener, signal};

use crate::{
    database::DatabaseArguments,
    demo,
    log::{self, LogFormat},
};

/// How often measurements are added up.
const ADD_UP_EVERY: Duration = Duration::from_secs(5);

/// What `ginti serve` takes.
#[derive(Args)]
pub(crate) struct ServeArguments {
    /// Where to listen; port 0 takes any free port
    #[arg(long, value_name = "ADDR", env = "GINTI_LISTEN", default_value = "127.0.0.1:7788")]
    listen: SocketAddr,

    #[command(flatten)]
    database: DatabaseArguments,

    /// Fill an empty database with a store, people, products and counts to try things with
    ///
    /// Listens on this machine only. The password of all demo users is $GINTI_DEMO_PASSWORD, else one is made up and
    /// printed; it stays the same until the variable says otherwise.
    #[arg(long)]
    demo: bool,

    /// With --demo: take the products from this Shopify product export instead of making some up
    #[arg(long, value_name = "FILE.csv", requires = "demo")]
    products: Option<PathBuf>,

    /// Serve the web app from this folder instead of the one that comes with the program: for a build of your own
    #[arg(long, value_name = "DIR", env = "GINTI_APP")]
    app: Option<PathBuf>,

    /// How long an access token is good for; a change of role or facilities takes effect within this time
    #[arg(long, value_name = "N", env = "GINTI_ACCESS_TOKEN_SECONDS", default_value_t = 600,
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    access_token_seconds: u32,

    /// How long /readyz says "not ready" before the listener closes; give it your load balancer's probe interval
    #[arg(long, value_name = "N", env = "GINTI_DRAIN_NOTICE_SECONDS", default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(0..=300))]
    drain_notice_seconds: u64,

    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT", env = "GINTI_LOG_FORMAT")]
    log_format: Option<LogFormat>,

    /// Let approved results be delivered inside this network too, and without TLS: for an ERP beside this server
    ///
    /// Without it they go to https:// addresses on the internet only, so that nobody who may name a receiver reaches what only
    /// this server can reach.
    #[arg(long, env = "GINTI_PRIVATE_RECEIVERS")]
    private_receivers: bool,

    /// Believe the X-Forwarded-For of this reverse proxy, an address or a network; may be given several times
    ///
    /// Wrong passwords are counted per address. Behind a proxy that is not named here everybody has the proxy's own.
    #[arg(long = "trusted-proxy", value_name = "ADDR", env = "GINTI_TRUSTED_PROXIES", value_delimiter = ',',
        value_parser = network)]
    trusted_proxies: Vec<IpNet>,

    /// Let people sign in with this OpenID Connect provider too; its address as the provider itself writes it
    ///
    /// The client's secret is $GINTI_OIDC_CLIENT_SECRET; people come back to https://YOUR-HOST/auth/oidc/callback. Whom the provider
    /// names (preferred_username, else a verified email) must be a user of Ginti already.
    #[arg(long, value_name = "URL", env = "GINTI_OIDC_ISSUER", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,

    /// The id that the provider knows this server by
    #[arg(long, value_name = "ID", env = "GINTI_OIDC_CLIENT_ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,

    /// For tests: let the provider be on this machine, without TLS
    #[arg(long, requires = "oidc_issuer")]
    oidc_http_on_loopback: bool,

    /// With --demo, for tests: end the process hard after the N-th import is stored and before it is answered
    #[arg(long, value_name = "N", env = "GINTI_CRASH_AFTER_COMMITS",
        value_parser = clap::value_parser!(u64).range(1..))]
    crash_after_commits: Option<u64>,
}

/// Runs until stopped.
pub(crate) async fn run(arguments: ServeArguments) -> Result<()> {
    if arguments.demo && !arguments.listen.ip().is_loopback() {
        bail!(
            "--demo listens on this machine only, because its passwords are known: use --listen 127.0.0.1:{}",
            arguments.listen.port()
        );
    }
    let oidc = oidc(&arguments)?;
    log::begin(arguments.log_format, if arguments.demo { "warn" } else { "info" });
    let store = arguments.database.open().await?;
    if store.demo_mark().await?.is_some() && !arguments.listen.ip().is_loopback() {
        bail!(
            "this database holds demo data and listens on this machine only, because its passwords are known: use \
             --listen 127.0.0.1:{}, or give --database another file",
            arguments.listen.port()
        );
    }
    let demo =
        if arguments.demo { Some(demo::prepare(store.as_ref(), arguments.products.as_deref()).await?) } else { None };
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let url = format!("http://{}", listener.local_addr().context("the listener has no address")?);
    let deps = deps(store, &arguments, oidc).await?;
    let stop = stop_signal()?;

    // Tests and scripts read this line to learn the port; whoever reads it may go away.
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "listening on {url}");
    if let Some(demo) = demo {
        let _ = writeln!(stdout, "{}", demo.welcome(&url));
    }
    let _ = stdout.flush();
    tracing::info!(url, "listening");
    tokio::spawn(deliver(deps.clone()));
    tokio::spawn(alerts(deps.clone()));
    tokio::spawn(add_up_measurements(ADD_UP_EVERY));
    serve(listener, deps, stop).await.context("the server ended with an error")
}

async fn deps(store: Arc<dyn Store>, arguments: &ServeArguments, oidc: Option<OidcConfig>) -> Result<Deps> {
    let entropy = os_entropy();
    let mut fresh_key = [0; 32];
    entropy(&mut fresh_key);
    let tokens = TokenKeys::from_store(store.as_ref(), fresh_key).await.context("cannot read the token key")?;
    let config = Config {
        access_token_seconds: arguments.access_token_seconds,
        drain_notice: Duration::from_secs(arguments.drain_notice_seconds),
        private_receivers: arguments.private_receivers,
        trusted_proxies: arguments.trusted_proxies.clone(),
        oidc,
        crash: arguments.crash_after_commits.filter(|_| arguments.demo).map(CrashAfterCommits::new),
        ..Config::default()
    };
    Ok(Deps {
        store,
        clock: system_clock(),
        entropy,
        tokens: Arc::new(tokens),
        api_tokens: ApiTokens::default(),
        passwords: Passwords::default(),
        drain: Drain::default(),
        app: arguments.app.clone().map_or_else(built_app, app_in),
        config,
    })
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address).ok_or_else(|| "give an address (10.0.0.7) or a network (10.0.0.0/8)".to_owned())
}

/// The external provider, if one is named.
fn oidc(arguments: &ServeArguments) -> Result<Option<OidcConfig>> {
    let (Some(issuer), Some(client)) = (&arguments.oidc_issuer, &arguments.oidc_client_id) else { return Ok(None) };
    let secret = std::env::var("GINTI_OIDC_CLIENT_SECRET").ok();
    let config = OidcConfig::new(issuer, client, secret, arguments.oidc_http_on_loopback);
    config.map(Some).map_err(|why| anyhow!("--oidc-issuer cannot be used. {why}"))
}

/// Done at the first interrupt or SIGTERM. From then on a second one ends the process at once.
///
/// Listens from the call on, not from the first poll: whoever reads that the server listens may stop it at once.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    Ok(async move {
        signals.next().await;
        tokio::spawn(async move {
            signals.next().await;
            eprintln!("ginti: stopped at once");
            std::process::exit(130);
        });
    })
}

#[cfg(unix)]
struct Signals {
    terminate: signal::unix::Signal,
    interrupt: signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "the other systems' signature")]
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = signal::ctrl_c().await;
    }
}
