//! A browser as far as signing in needs one: follows redirects, keeps cookies, fills in forms.

use axum::{Router, body::Body, http::Request};
use http_body_util::BodyExt;
use reqwest::{Client, Url, redirect::Policy};
use tower::ServiceExt;

/// Where Ginti is, to the browser. Requests go straight to its router.
pub(crate) const GINTI: &str = "http://127.0.0.1:7788";

pub(crate) struct Browser {
    ginti: Router,
    client: Client,
    pub(crate) cookies: Vec<Cookie>,
}

#[derive(Clone, Debug)]
pub(crate) struct Cookie {
    origin: String,
    pub(crate) name: String,
    path: String,
    value: String,
    pub(crate) attributes: String,
}

pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: u16,
    location: Option<String>,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(ginti: Router) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0).build().unwrap();
        Self { ginti, client, cookies: Vec::new() }
    }

    /// One request, without following where it leads.
    pub(crate) async fn fetch(&mut self, method: &str, url: &Url, body: Option<&str>) -> Page {
        let origin = url.origin().ascii_serialization();
        let here = |cookie: &&Cookie| cookie.origin == origin && url.path().starts_with(&cookie.path);
        let cookies: Vec<_> =
            self.cookies.iter().filter(here).map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        let mut request = Request::builder().method(method).header("cookie", cookies.join("; "));
        if let Some(body) = body {
            let is_form = !body.starts_with('{');
            let kind = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
            request = request.header("content-type", kind);
        }
        let body = body.unwrap_or_default().to_owned();
        let (status, headers, text) = if origin == GINTI {
            let path = url.as_str().strip_prefix(GINTI).unwrap();
            let request = request.uri(path).header("host", "127.0.0.1:7788").body(Body::from(body)).unwrap();
            let (parts, body) = self.ginti.clone().oneshot(request).await.unwrap().into_parts();
            (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
        } else {
            let request = request.uri(url.as_str()).body(body).unwrap();
            let answer = self.client.execute(request.try_into().unwrap()).await.unwrap();
            (answer.status(), answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
        };
        for line in headers.get_all("set-cookie") {
            self.keep(&origin, line.to_str().unwrap());
        }
        let location = headers.get("location").map(|value| value.to_str().unwrap().to_owned());
        Page { url: url.clone(), status: status.as_u16(), location, text: String::from_utf8(text).unwrap() }
    }

    fn keep(&mut self, origin: &str, line: &str) {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=').unwrap();
        let path = attributes.split(';').find_map(|attribute| {
            attribute.trim().strip_prefix("Path=").or_else(|| attribute.trim().strip_prefix("path="))
        });
        let path = path.unwrap_or("/").to_owned();
        self.cookies
            .retain(|cookie| (cookie.origin.as_str(), cookie.name.as_str(), &cookie.path) != (origin, name, &path));
        if !value.is_empty() {
            let (origin, name, value) = (origin.to_owned(), name.to_owned(), value.to_owned());
            self.cookies.push(Cookie { origin, name, path, value, attributes: attributes.to_owned() });
        }
    }

    pub(crate) async fn get(&mut self, url: &str) -> Page {
        self.fetch("GET", &url.parse().unwrap(), None).await
    }

    /// Follows redirects until there is a page, or until the next address is `stop`'s.
    pub(crate) async fn follow(&mut self, mut page: Page, stop: impl Fn(&Url) -> bool) -> Result<Page, Url> {
        while let Some(next) = page.leads_to() {
            if stop(&next) {
                return Err(next);
            }
            page = self.fetch("GET", &next, None).await;
        }
        Ok(page)
    }

    /// Sends the page's form with these fields.
    pub(crate) async fn submit(&mut self, page: &Page, fields: &str) -> Page {
        let action = page.text.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
        let action = action.unwrap_or_else(|| panic!("no form at {}: {}", page.url, page.text));
        let url = page.url.join(action).unwrap();
        self.fetch("POST", &url, Some(fields)).await
    }
}

impl Page {
    /// The address that it redirects to.
    pub(crate) fn leads_to(&self) -> Option<Url> {
        self.location.as_deref().map(|location| self.url.join(location).unwrap())
    }
}
