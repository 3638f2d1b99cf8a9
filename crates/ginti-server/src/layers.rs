//! Everything that lies around the routes, in one function, outermost first.

use std::{any::Any, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use ginti_types::Code;
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, Predicate, SizeAbove},
    },
};
use tracing::{Instrument, field::Empty};

use crate::{
    Deps, ProblemResponse,
    auth::{Peer, client_address, held_off},
};

/// Compressing less than a network packet gains nothing.
const COMPRESS_BYTES_MIN: u64 = 1_024;

/// The policy for the pages. No text becomes markup or code but by Vue's own policy, for its templates, and by the app's, which knows
/// one address, its worker's. Because a page's policy does not cover its worker, it goes with every other answer too.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'; \
    require-trusted-types-for 'script'; trusted-types vue ginti";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the layers around the routes.
pub(crate) fn around(router: Router<Deps>, deps: &Deps) -> Router<Deps> {
    let in_flight = Arc::new(Semaphore::new(deps.config.requests_in_flight_max));
    router.layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(deps.clone(), observe))
            .layer(from_fn(secure))
            .layer(
                CompressionLayer::new().compress_when(DefaultPredicate::new().and(SizeAbove::new(COMPRESS_BYTES_MIN))),
            )
            .layer(from_fn_with_state(in_flight, shed))
            .layer(from_fn_with_state(deps.clone(), bound_time))
            .layer(CatchPanicLayer::custom(panicked)),
    )
}

/// The answer where the path exists and the method does not.
pub(crate) async fn method_not_allowed(request: Request) -> ProblemResponse {
    let detail = format!("{} is not allowed here. The header Allow says what is.", request.method());
    ProblemResponse::new(Code::MethodNotAllowed, detail)
}

/// Gives the request an id and a span, and logs how it ended; what somebody was not allowed in a line of its own. Paths are logged,
/// queries, headers and bodies are not.
async fn observe(State(deps): State<Deps>, request: Request, next: Next) -> Response {
    let id = request_id(&request, &deps);
    let span = tracing::info_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method = %request.method(),
        path = request.uri().path(),
        tenant = Empty,
        user = Empty,
    );
    let peer = request.extensions().get::<Peer>().copied();
    let address = client_address(peer, request.headers(), &deps.config.trusted_proxies);
    // Only known methods: a stranger could invent others without end.
    let method = if matches!(request.method().as_str(), "GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS") {
        request.method().as_str().to_owned()
    } else {
        "other".to_owned()
    };
    async move {
        let begun = Instant::now();
        let mut response = next.run(request).await;
        let seconds = begun.elapsed().as_secs_f64();
        let status = response.status().as_u16();
        let code = response.extensions().get::<Code>().copied();
        held_off(response.status(), code, address);
        let code = code.map(Code::as_str);
        tracing::info!(status, seconds, code, "answered");
        metrics::counter!("ginti_requests_total", "method" => method.clone(), "status" => status.to_string())
            .increment(1);
        metrics::histogram!("ginti_request_seconds", "method" => method).record(seconds);
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }
    .instrument(span)
    .await
}

/// The caller's own id if it is a short plain one, so that logs on both sides can be joined; else a fresh one.
fn request_id(request: &Request, deps: &Deps) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    match request.headers().get(REQUEST_ID) {
        Some(id) if (1..=64).contains(&id.len()) && id.as_bytes().iter().all(plain) => id.clone(),
        _ => {
            let id = format!("{:016x}", u64::from_be_bytes(deps.random()));
            HeaderValue::try_from(id).expect("hexadecimal digits are a header value")
        }
    }
}

/// Headers that tell browsers what not to do with an answer. What says nothing about caching is not cached.
async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    response
}

/// Turns away what is more than the server takes on at once. Health checks always get through.
async fn shed(State(in_flight): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    if matches!(request.uri().path(), "/livez" | "/readyz") {
        return next.run(request).await;
    }
    match in_flight.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => ProblemResponse::new(
            Code::Busy,
            "The server has as many requests as it can take. Send it again in a moment.",
        )
        .into_response(),
    }
}

/// Ends what takes too long. A write that was under way may still become durable: deliver it again and find out.
async fn bound_time(State(deps): State<Deps>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(deps.config.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ProblemResponse::new(
            Code::Busy,
            "The server did not finish in time, and may or may not have stored this. Send it again: nothing is counted twice.",
        )
        .into_response(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = ?said.unwrap_or("no message"), "a handler panicked");
    ProblemResponse::new(
        Code::InternalError,
        "The server failed while it worked on this. Send it again; the operator's log says more.",
    )
    .into_response()
}

/// Whether an `Accept-Encoding` admits that encoding.
pub(crate) fn accepts_encoding(headers: &HeaderMap, name: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let (encoding, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        encoding.trim().eq_ignore_ascii_case(name) && !refused
    })
}
