//! Every text that the API takes, as its own description lists them, and which of them were written with markup in it. A field that is
//! new in the description and written by nobody is found missing; no list of fields is kept by hand.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;

/// What would run, each in its way, if a page took it for markup. The second fits into an id.
pub(crate) const SCRIPT: &str = "<img src=x onerror=ran=1><script>ran=1</script>";
pub(crate) const ID: &str = "<img src=x onerror=ran=1>";

/// A client of the API that notes what it wrote.
pub(crate) struct Writer {
    client: reqwest::Client,
    origin: String,
    document: Value,
    written: BTreeSet<String>,
}

/// An answer as far as the test needs it.
pub(crate) struct Written {
    pub(crate) json: Value,
    pub(crate) cookie: Option<String>,
}

/// Who writes.
pub(crate) enum As<'a> {
    Nobody,
    Token(&'a str),
    Cookie(&'a str),
}

impl Writer {
    pub(crate) async fn new(origin: String) -> Result<Self> {
        let client = reqwest::Client::new();
        let document = client.get(format!("{origin}/openapi.json")).send().await?.error_for_status()?.json().await?;
        Ok(Self { client, origin, document, written: BTreeSet::new() })
    }

    /// Sends it and notes each text of it that has markup; the answer must be of that status.
    pub(crate) async fn send(&mut self, who: As<'_>, call: (&str, &str), body: &Value, status: u16) -> Result<Written> {
        let operation = self.operation(call)?;
        note(body, &operation, &mut self.written);
        let request = self.request(call)?.json(body);
        self.answer(who, request, call, status).await
    }

    /// The same with a file, by its rows.
    pub(crate) async fn send_file(&mut self, token: &str, path: &str, rows: &[Vec<&str>]) -> Result<Value> {
        let call = ("POST", path);
        let operation = self.operation(call)?;
        for row in &rows[1..] {
            let columns = rows[0].iter().zip(row).filter(|(_, cell)| cell.contains('<'));
            self.written.extend(columns.map(|(column, _)| format!("{operation} {column}")));
        }
        let request = self.request(call)?.header("content-type", "text/csv").body(csv(rows));
        Ok(self.answer(As::Token(token), request, call, 200).await?.json)
    }

    /// Looks, so that what follows from what was written is there.
    pub(crate) async fn look(&self, token: &str, path: &str) -> Result<Value> {
        let call = ("GET", path);
        Ok(self.answer(As::Token(token), self.request(call)?, call, 200).await?.json)
    }

    /// Texts that could hold markup and that nothing was sent for.
    pub(crate) fn missing(&self) -> Vec<String> {
        all(&self.document).difference(&self.written).cloned().collect()
    }

    fn request(&self, (method, path): (&str, &str)) -> Result<reqwest::RequestBuilder> {
        Ok(self.client.request(Method::from_bytes(method.as_bytes())?, format!("{}{path}", self.origin)))
    }

    async fn answer(
        &self,
        who: As<'_>,
        request: reqwest::RequestBuilder,
        call: (&str, &str),
        status: u16,
    ) -> Result<Written> {
        let request = match who {
            As::Nobody => request,
            As::Token(token) => request.bearer_auth(token),
            As::Cookie(cookie) => request.header("cookie", cookie),
        };
        let answer = request.send().await?;
        let found = answer.status().as_u16();
        let cookie = answer.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| Some(cookie.split_once(';')?.0.to_owned()));
        let text = answer.text().await?;
        ensure!(found == status, "{call:?} answered {found} instead of {status}: {text}");
        Ok(Written { json: serde_json::from_str(&text).unwrap_or_default(), cookie })
    }

    /// The operation of a method and path.
    fn operation(&self, (method, path): (&str, &str)) -> Result<String> {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |template: &str| {
            let (given, described) = (path.split('/'), template.split('/'));
            given.clone().count() == described.clone().count()
                && given.zip(described).all(|(this, that)| this == that || that.starts_with('{'))
        };
        let mut paths = self.document["paths"].as_object().context("no paths")?.iter();
        let (_, methods) = paths.find(|(template, _)| fits(template)).with_context(|| format!("no route {path}"))?;
        let operation = &methods[method.to_lowercase()]["operationId"];
        Ok(operation.as_str().with_context(|| format!("no {method} {path}"))?.to_owned())
    }
}

/// In the place of an id in a path.
pub(crate) fn segment(id: &str) -> String {
    id.bytes().flat_map(|byte| ['%', digit(byte / 16), digit(byte % 16)]).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

pub(crate) fn csv(rows: &[Vec<&str>]) -> String {
    let quoted = |cell: &&str| format!("\"{}\"", cell.replace('"', "\"\""));
    let lines = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(","));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Notes where a body has markup, and all that it lies in. Whether it has any.
fn note(value: &Value, name: &str, written: &mut BTreeSet<String>) -> bool {
    let parts: Vec<(String, &Value)> = match value {
        Value::Array(all) => all.iter().map(|one| (format!("{name}[]"), one)).collect(),
        Value::Object(all) => all.iter().map(|(member, one)| (format!("{name} {member}"), one)).collect(),
        _ => Vec::new(),
    };
    let mut has_markup = value.as_str().is_some_and(|text| text.contains('<'));
    for (name, part) in parts {
        has_markup |= note(part, &name, written);
    }
    if has_markup {
        written.insert(name.to_owned());
    }
    has_markup
}

fn all(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let methods = document["paths"].as_object().into_iter().flatten().filter_map(|(_, methods)| methods.as_object());
    for (_, operation) in methods.flatten() {
        let Some(name) = operation["operationId"].as_str() else { continue };
        for (kind, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
            if kind == "application/json" {
                fields(document, &content["schema"], name, &mut found);
            }
        }
        let columns = operation["x-columns"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(columns.map(|column| format!("{name} {column}")));
    }
    found
}

fn fields(document: &Value, schema: &Value, name: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return fields(document, document.pointer(&reference[1..]).unwrap_or(&Value::Null), name, found);
    }
    for kind in ["oneOf", "anyOf", "allOf"] {
        for one in schema[kind].as_array().into_iter().flatten() {
            fields(document, one, name, found);
        }
    }
    let is =
        |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.contains(&kind.into()));
    if is("string") && may_hold_markup(schema) {
        found.insert(name.to_owned());
    }
    if is("array") {
        fields(document, &schema["items"], &format!("{name}[]"), found);
    }
    match schema["properties"].as_object() {
        Some(members) => {
            for (member, schema) in members {
                fields(document, schema, &format!("{name} {member}"), found);
            }
        }
        // Anything at all may stand in it.
        None if is("object") => drop(found.insert(name.to_owned())),
        None => {}
    }
}

/// Neither one of a few words, nor a time, nor hexadecimal digits.
fn may_hold_markup(schema: &Value) -> bool {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    schema["enum"].is_null() && schema["format"] != "date-time" && !pattern.starts_with("^[0-9a-fA-F]{")
}
