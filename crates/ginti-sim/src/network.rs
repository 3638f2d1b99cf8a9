//! The way between devices and server, and everything that can happen on it: lost, repeated, delayed, answered by
//! somebody else, hung for ever.

use ginti_types::{Code, Problem};

use crate::{chance::Chance, device::Host, scenario::Bad};

/// A request as it leaves a browser.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// The bearer token.
    pub token: Option<String>,
    /// The refresh cookie as the header has it.
    pub cookie: Option<String>,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// JSON, or empty.
    pub body: String,
}

/// The endpoint for batches, and the list of sessions.
pub const IMPORTS: &str = "/maarg/poorti/InventoryCountImport";

impl Request {
    /// A `GET`.
    pub fn get(path: String, token: Option<String>) -> Self {
        Self { method: "GET", path, token, cookie: None, idempotency_key: None, body: String::new() }
    }

    /// A `POST`.
    pub fn post(path: &str, body: String) -> Self {
        Self { method: "POST", path: path.to_owned(), token: None, cookie: None, idempotency_key: None, body }
    }

    /// Whether it carries a batch.
    pub fn is_import(&self) -> bool {
        self.method == "POST" && self.path == IMPORTS
    }
}

/// An answer as it comes to a browser.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The header `Idempotency-Replayed`.
    pub replayed: bool,
    /// The header `Set-Cookie`.
    pub set_cookie: Option<String>,
    /// The body.
    pub body: String,
}

/// No answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The connection could not be made or broke.
    Network,
    /// The sender gave up waiting.
    Timeout,
}

/// What becomes of one request.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that can happen by itself")]
struct Fate {
    /// Nobody there: an error after a moment.
    refused: bool,
    /// Neither answer nor error, for ever.
    hangs: bool,
    /// The request does not arrive.
    request_lost: bool,
    /// The answer does not come back.
    answer_lost: bool,
    /// A second copy arrives so much later.
    repeated_after_ms: Option<i64>,
    up_ms: i64,
    down_ms: i64,
    /// Somebody in between answers.
    answered_by_proxy: Option<Response>,
}

/// Sends a request and waits for its answer, as `fetch` does. Without a timeout it may wait for ever.
pub async fn fetch(host: &Host, mut request: Request, timeout_ms: Option<i64>) -> Result<Response, Broken> {
    host.step().await;
    let device = &host.device;
    let world = &device.world;
    if request.path.starts_with("/auth/") {
        request.cookie.clone_from(&device.cookie.borrow());
    }
    world.oracle.sending(world, device, &request);
    let fate = draw(host, &request);
    let (reply, answered) = tokio::sync::oneshot::channel::<Result<Response, Broken>>();
    carry(host, request, fate, reply);
    let answer = async { answered.await.unwrap_or(Err(Broken::Network)) };
    let result = match timeout_ms {
        None => answer.await,
        Some(ms) => {
            let timeout = world.kernel.sleep(ms);
            match futures_util::future::select(std::pin::pin!(answer), timeout).await {
                futures_util::future::Either::Left((result, _)) => result,
                futures_util::future::Either::Right(((), _)) => Err(Broken::Timeout),
            }
        }
    };
    host.step().await;
    device.say(|| match &result {
        Ok(response) => format!("is answered {}", response.status),
        Err(broken) => format!("gets no answer: {broken:?}"),
    });
    if let Ok(response) = &result {
        device.take_cookie(response);
    }
    result
}

/// The request goes its way whatever becomes of its sender.
fn carry(host: &Host, request: Request, fate: Fate, reply: tokio::sync::oneshot::Sender<Result<Response, Broken>>) {
    let (device, world) = (host.device.clone(), host.device.world.clone());
    let kernel = world.kernel.clone();
    if fate.hangs {
        // The reply's end is kept and never used.
        world.hung.borrow_mut().push(Box::new(reply));
        return;
    }
    if let Some(after_ms) = fate.repeated_after_ms {
        let (world, kernel, device, request) = (world.clone(), kernel.clone(), device.clone(), request.clone());
        world.clone().life.spawn(async move {
            kernel.sleep(fate.up_ms + after_ms).await;
            world.trace.say(kernel.now_ms(), || format!("{}: a copy of a request arrives", device.name()));
            world.serve(&device, &request);
        });
    }
    world.clone().life.spawn(async move {
        if fate.refused {
            kernel.sleep(fate.up_ms).await;
            let _ = reply.send(Err(Broken::Network));
            return;
        }
        kernel.sleep(fate.up_ms).await;
        if let Some(response) = fate.answered_by_proxy {
            kernel.sleep(fate.down_ms).await;
            let _ = reply.send(Ok(response));
            return;
        }
        if fate.request_lost {
            kernel.sleep(fate.down_ms * 20).await;
            let _ = reply.send(Err(Broken::Network));
            return;
        }
        let response = world.serve(&device, &request);
        kernel.sleep(fate.down_ms).await;
        let result = if fate.answer_lost { None } else { response };
        let _ = reply.send(result.ok_or(Broken::Network));
    });
}

/// Decides by what is wrong with the network at the moment.
fn draw(host: &Host, request: &Request) -> Fate {
    let device = &host.device;
    let mut chance = device.network_chance.borrow_mut();
    let mut fate = Fate {
        refused: !device.is_linked(),
        hangs: false,
        request_lost: false,
        answer_lost: false,
        repeated_after_ms: None,
        up_ms: chance.within(5, 120),
        down_ms: chance.within(5, 120),
        answered_by_proxy: None,
    };
    for bad in device.world.bad_for(device.index) {
        // Always the same number of draws for one trouble, so that a trouble taken out leaves the others as they were.
        let (hit, amount) = (chance.below(100), chance.any());
        apply(&mut fate, bad, hit, amount, request, &mut chance);
    }
    fate
}

fn apply(fate: &mut Fate, bad: Bad, hit: u64, amount: u64, request: &Request, chance: &mut Chance) {
    let amount_of =
        |low: i64, high: i64| low + i64::try_from(amount % u64::try_from(high - low + 1).unwrap_or(1)).unwrap_or(0);
    match bad {
        Bad::RequestsLost(percent) if hit < percent => fate.request_lost = true,
        Bad::AnswersLost(percent) if hit < percent => fate.answer_lost = true,
        Bad::Repeated(percent) if hit < percent => fate.repeated_after_ms = Some(amount_of(1, 1_800_000)),
        Bad::Slow(percent) if hit < percent => {
            fate.up_ms += amount_of(0, 50_000);
            fate.down_ms += chance.within(0, 10_000);
        }
        Bad::Hangs(percent) if hit < percent => fate.hangs = true,
        Bad::Proxy { percent, status, retry_after_s } if hit < percent => {
            fate.answered_by_proxy = Some(proxy_answer(status, retry_after_s, amount));
        }
        Bad::Portal(percent) if hit < percent => {
            fate.answered_by_proxy = Some(Response {
                status: 200,
                retry_after: None,
                replayed: false,
                set_cookie: None,
                body: "<html><title>Welcome to our network</title></html>".to_owned(),
            });
        }
        Bad::Unauthorized(percent) if hit < percent && request.is_import() => {
            let problem = Problem::new(Code::TokenExpired, "The sign-in has expired.");
            let body = serde_json::to_string(&problem).unwrap_or_default();
            fate.answered_by_proxy =
                Some(Response { status: 401, retry_after: None, replayed: false, set_cookie: None, body });
        }
        _ => {}
    }
}

fn proxy_answer(status: u16, retry_after_s: Option<u32>, amount: u64) -> Response {
    let code = match status {
        429 => Code::TooManyRequests,
        503 => Code::Busy,
        _ => Code::InternalError,
    };
    // Half of them in Ginti's words, half in those of some proxy.
    let body = if amount.is_multiple_of(2) {
        serde_json::to_string(&Problem::new(code, "Not now. Send it again later.")).unwrap_or_default()
    } else {
        "<html>upstream error</html>".to_owned()
    };
    Response {
        status,
        retry_after: retry_after_s.map(|seconds| seconds.to_string()),
        replayed: false,
        set_cookie: None,
        body,
    }
}
