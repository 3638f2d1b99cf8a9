//! `/metrics`: numbers for Prometheus. They are the process's own; what devices say of themselves is asked of the database, seldom.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use axum::{extract::State, http::header, response::IntoResponse};
use ginti_desk::{FleetNumbers, run_on};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Deps;

/// How long numbers from the database are shown.
const KEPT: Duration = Duration::from_secs(15);
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// From the hand to the disk: a second, ten, a minute, ten, an hour, a shift, a day.
const LAG_SECONDS: [f64; 7] = [1.0, 10.0, 60.0, 600.0, 3_600.0, 28_800.0, 86_400.0];

/// Where numbers are collected; the first call begins it.
pub(crate) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_request_seconds".to_owned()), &SECONDS)
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Suffix("_lag_seconds".to_owned()), &LAG_SECONDS)
            })
            .expect("the buckets are not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Somebody else's recorder stays: then ours shows nothing, and the service goes on.
        let _ = metrics::set_global_recorder(recorder);
        describe();
        handle
    })
}

/// Adds up measurements, so often, for as long as it runs. Each is kept by itself until somebody does, and in a server that nobody asks for its
/// numbers, nobody would: they took memory without end.
pub async fn add_up(every: Duration) {
    let mut tick = tokio::time::interval(every);
    loop {
        tick.tick().await;
        recorder().run_upkeep();
    }
}

fn describe() {
    metrics::describe_counter!("ginti_requests_total", "Requests answered, by method and status.");
    metrics::describe_histogram!("ginti_request_seconds", "How long requests took, by method.");
    metrics::describe_counter!("ginti_counts_total", "Counts decided, by outcome.");
    metrics::describe_counter!("ginti_refusals_total", "Counts refused, by code.");
    metrics::describe_histogram!("ginti_count_lag_seconds", "From counted to durable.");
    metrics::describe_gauge!("ginti_ledger_length", "Entries in the ledger.");
    metrics::describe_gauge!("ginti_devices", "Devices that counted or reported.");
    metrics::describe_gauge!("ginti_devices_unsent", "Devices that said they have counts that have not arrived.");
    metrics::describe_gauge!(
        "ginti_devices_unsent_for_long",
        "Of these, those whose oldest has waited for longer than their tenant's rule allows."
    );
    metrics::describe_gauge!("ginti_alerts", "Alerts that last.");
    metrics::describe_gauge!("ginti_deliveries_waiting", "Messages on their way to receivers.");
    metrics::describe_gauge!("ginti_deliveries_dead", "Messages to receivers that wait for a person.");
}

/// Numbers for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operators",
    responses((status = 200, description = "Prometheus' text format.", content_type = "text/plain"))
)]
pub(super) async fn serve(State(deps): State<Deps>) -> impl IntoResponse {
    let recorder = recorder();
    look(&deps).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render())
}

/// What the database says. When it does not answer, the numbers of before stay.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
async fn look(deps: &Deps) {
    static LOOKED: Mutex<Option<Instant>> = Mutex::new(None);
    {
        let mut looked = LOOKED.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|at| at.elapsed() < KEPT) {
            return;
        }
        *looked = Some(Instant::now());
    }
    if let Ok(ledger) = deps.store.ledger().await {
        metrics::gauge!("ginti_ledger_length").set(ledger.ledger_seq as f64);
    }
    if let Ok(numbers) = run_on(&*deps.store, FleetNumbers { now: deps.now() }).await {
        metrics::gauge!("ginti_devices").set(numbers.devices as f64);
        metrics::gauge!("ginti_devices_unsent").set(numbers.unsent as f64);
        metrics::gauge!("ginti_devices_unsent_for_long").set(numbers.unsent_for_long as f64);
        metrics::gauge!("ginti_deliveries_waiting").set(numbers.deliveries_waiting as f64);
        metrics::gauge!("ginti_alerts").set(numbers.alerts as f64);
        metrics::gauge!("ginti_deliveries_dead").set(numbers.deliveries_dead as f64);
    }
}
