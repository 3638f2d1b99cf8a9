//! The web app's files and their headers.

use crate::support::World;

const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'self'; object-src 'none'; \
    require-trusted-types-for 'script'; trusted-types vue ginti";

#[tokio::test]
async fn every_file_says_what_it_is_and_how_long_it_holds() {
    let world = World::new().await;
    let immutable = "public, max-age=31536000, immutable";
    for (path, media, caching) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/sw.js", "text/javascript", "no-cache"),
        ("/manifest.webmanifest", "application/manifest+json", "no-cache"),
        ("/assets/main-1a2b.js", "text/javascript", immutable),
        ("/assets/core-3c4d.wasm", "application/wasm", immutable),
    ] {
        let answer = world.get(path).send().await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!((answer.header("content-type"), answer.header("cache-control")), (media, caching), "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            POLICY,
            "{path}: a page's policy does not cover its worker"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert!(!answer.body.is_empty());
    }
}

#[tokio::test]
async fn paths_of_the_apps_own_routing_get_its_page() {
    let world = World::new().await;
    let page = world.get("/").send().await.body;
    for path in ["/sessions/M1", "/login", "/sessions/M1?row=a.b", "/a/b/c"] {
        let answer = world.get(path).send().await;
        assert_eq!((answer.status, &answer.body), (200, &page), "{path}");
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
    for path in [
        "/missing.js",
        "/assets/main-old.js",
        "/auth/nothing",
        "/maarg/poorti/Nothing",
        "/maarg",
        "/livez/x",
        "/../Cargo.toml",
    ] {
        world.get(path).send().await.problem("not-found");
    }
}

#[tokio::test]
async fn a_file_unchanged_is_not_sent_again() {
    let world = World::new().await;
    let first = world.get("/sw.js").send().await;
    let etag = first.header("etag").to_owned();
    let again = world.get("/sw.js").header("if-none-match", &etag).send().await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag.as_str()));
    let weak = world.get("/sw.js").header("if-none-match", &format!("\"other\", W/{etag}")).send().await;
    assert_eq!(weak.status, 304);
    let other = world.get("/sw.js").header("if-none-match", "\"other\"").send().await;
    assert_eq!((other.status, other.body), (200, first.body));
}

#[tokio::test]
async fn a_sibling_compressed_ahead_of_time_is_preferred() {
    let world = World::new().await;
    let ask = |accepted: &'static str| world.get("/assets/core-3c4d.wasm").header("accept-encoding", accepted).send();
    let brotli = ask("gzip, deflate, br").await;
    assert_eq!((brotli.header("content-encoding"), brotli.text()), ("br", "stands for brotli\n"));
    assert_eq!((brotli.header("content-type"), brotli.header("vary")), ("application/wasm", "accept-encoding"));
    let plain = ask("gzip, br;q=0").await;
    assert_eq!(plain.header("content-encoding"), "", "there is no gzip sibling, and the file is small");
    assert_ne!(brotli.header("etag"), plain.header("etag"));
}

#[tokio::test]
async fn large_answers_are_compressed_on_the_way_and_small_ones_are_not() {
    let world = World::new().await;
    let large = world.get("/openapi.json").header("accept-encoding", "gzip").send().await;
    assert_eq!(large.header("content-encoding"), "gzip");
    let small = world.get("/livez").header("accept-encoding", "gzip, br").send().await;
    assert_eq!(small.header("content-encoding"), "");
}

#[tokio::test]
async fn files_are_only_read() {
    let world = World::new().await;
    let answer = world.post("/index.html").text("{}").send().await;
    answer.problem("method-not-allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    world.post("/nothing").text("{}").send().await.problem("not-found");
    let head = world.call("HEAD", "/").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_server_without_the_app_says_so() {
    let world =
        World::with(ginti_sqlite::Options::default(), |deps| deps.app = std::sync::Arc::new(|_: &str| None)).await;
    let page = world.get("/").header("accept", "text/html,application/xhtml+xml").send().await;
    assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"));
    assert!(page.text().contains("cargo xtask web"));
    let problem = world.get("/").send().await.problem("not-found");
    assert!(problem.detail.contains("without the web app"));
}
