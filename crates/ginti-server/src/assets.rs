//! The web app: its files come with the binary (from the disk in debug builds), every other path of the app's own
//! routing is answered with its page, and everything that is neither is a `404` problem.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ginti_types::Code;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::{Deps, ProblemResponse, layers::accepts_encoding};

/// Finds a file of the web app by its path, such as `assets/main-3f2a.js`.
pub type AppFiles = Arc<dyn Fn(&str) -> Option<EmbeddedFile> + Send + Sync>;

/// The app as the web build left it.
pub fn built_app() -> AppFiles {
    Arc::new(BuiltApp::get)
}

/// An app of one's own, read from a folder each time it is asked for.
pub fn app_in(folder: PathBuf) -> AppFiles {
    Arc::new(move |path| {
        // Names only: nothing that leads out of the folder.
        let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if is_inside { rust_embed::utils::read_file_from_fs(&folder.join(path)).ok() } else { None }
    })
}

#[derive(RustEmbed)]
#[folder = "../../web/app/dist"]
#[allow_missing = true]
struct BuiltApp;

const PAGE: &str = "index.html";
/// The first segments of paths that are never the app's.
const API: [&str; 6] = ["auth", "maarg", "livez", "readyz", "openapi.json", "metrics"];

/// Paths that no route takes.
pub(crate) async fn serve(State(deps): State<Deps>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let file = if path.is_empty() { PAGE } else { path };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(found) = find(&deps.app, file, request.headers()) {
        return if reads { found.answer(file, request.headers()) } else { only_reads(&request) };
    }
    if !reads || !is_page(path) {
        return ProblemResponse::new(Code::NotFound, "There is nothing at this address.").into_response();
    }
    match find(&deps.app, PAGE, request.headers()) {
        Some(page) => page.answer(PAGE, request.headers()),
        None => not_built(request.headers()),
    }
}

struct Found {
    file: EmbeddedFile,
    encoding: Option<&'static str>,
}

/// The file in the best form that the client takes: compressed ahead of time if there is such a sibling.
fn find(app: &AppFiles, path: &str, headers: &HeaderMap) -> Option<Found> {
    let file = app(path)?;
    let sibling = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(encoding, _)| accepts_encoding(headers, encoding))
        .find_map(|(encoding, suffix)| {
            Some(Found { file: app(&format!("{path}{suffix}"))?, encoding: Some(encoding) })
        });
    Some(sibling.unwrap_or(Found { file, encoding: None }))
}

impl Found {
    fn answer(self, path: &str, asked: &HeaderMap) -> Response {
        let hash = URL_SAFE_NO_PAD.encode(&self.file.metadata.sha256_hash()[..16]);
        let etag = HeaderValue::try_from(format!("\"{hash}\"")).expect("base64url is a header value");
        let mut response = if matches(asked, &etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Body::from(self.file.data).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, etag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching(path)));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(encoding) = self.encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

fn matches(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|known| known.trim().trim_start_matches("W/").as_bytes() == etag.as_bytes())
}

/// Files under `assets/` carry a hash of their content in their name; all others may change under the same name.
fn caching(path: &str) -> &'static str {
    if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("webmanifest") => "application/manifest+json",
        _ => mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream"),
    }
}

/// Whether the app's own routing may know that path.
fn is_page(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    !API.contains(&first) && !last.contains('.')
}

fn only_reads(request: &Request) -> Response {
    let detail = format!("{} is not allowed here. The header Allow says what is.", request.method());
    let mut response = ProblemResponse::new(Code::MethodNotAllowed, detail).into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
    response
}

fn not_built(headers: &HeaderMap) -> Response {
    const SENTENCE: &str = "This server was built without the web app. Build it with \"cargo xtask web\" and start the \
                            server again. The endpoints work without it: see /openapi.json.";
    let browser = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    if !browser {
        return ProblemResponse::new(Code::NotFound, SENTENCE).into_response();
    }
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Ginti</title><h1>Ginti</h1><p>{SENTENCE}</p></html>"
    );
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_shows_its_files_and_nothing_beside_it() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("app");
        std::fs::create_dir_all(folder.join("assets")).unwrap();
        std::fs::write(outside.path().join("secret"), "no").unwrap();
        std::fs::write(folder.join("assets/a.js"), "yes").unwrap();
        let app = app_in(folder);
        assert_eq!(&*app("assets/a.js").expect("the file").data, b"yes");
        for outside in ["../secret", "assets/../../secret", "/etc/hostname", "assets", "none"] {
            assert!(app(outside).is_none(), "{outside}");
        }
    }
}
