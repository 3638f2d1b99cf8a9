//! One answer, and what must hold for every answer of its kind.

use axum::{http::HeaderMap, response::Response};
use ginti_types::{Code, Problem};
use http_body_util::BodyExt;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(super) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{} {}", self.status, self.text()))
    }

    /// The JSON of a success.
    pub(crate) fn ok(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }

    /// The problem of an error, with all that every problem must have.
    pub(crate) fn problem(&self, code: &str) -> Problem {
        let known = Code::from_name(code).expect("a code of the table");
        assert!(self.status >= 400, "{code} expected, got {} {}", self.status, self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.code, code, "{}", self.text());
        assert_eq!((self.status, problem.status), (known.status(), known.status()));
        assert_eq!(problem.kind, format!("urn:ginti:problem:{code}"));
        assert_eq!(problem.title, known.title());
        assert!(problem.detail.ends_with(['.', ')']), "a sentence: {}", problem.detail);
        match self.status {
            401 => assert!(self.header("www-authenticate").starts_with("Bearer")),
            429 | 503 => assert!(self.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0)),
            _ => {}
        }
        problem
    }

    /// Outcomes of a receipt, wherever it stands.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let json = self.json();
        let receipt = json.get("receipt").unwrap_or(&json);
        let items = receipt["items"].as_array().unwrap_or_else(|| panic!("no receipt in {}", self.text()));
        items.iter().map(|item| item["outcome"].as_str().unwrap().to_owned()).collect()
    }
}
