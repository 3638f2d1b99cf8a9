//! `/openapi.json`: the document that follows from the route table, and the answers that many routes share.

use std::{collections::BTreeMap, sync::OnceLock};

use axum::{http::header, response::IntoResponse};
use utoipa::{
    IntoResponses, OpenApi, ToSchema,
    openapi::{
        ContentBuilder, Ref, RefOr, Response, ResponseBuilder,
        extensions::ExtensionsBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::schema;

/// What the table does not say.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ginti",
        description = "Offline-first inventory counting: every count reaches the server exactly once in effect. \
                       Every error is `application/problem+json` (RFC 9457) with a stable `code`.",
    ),
    // Those that are only named in parameters are not found by themselves.
    components(schemas(
        schema::Problem, schema::FieldError, schema::Receipt, schema::ReceiptItem, schema::Id, schema::Plain, schema::Line,
        schema::LineFilter, schema::LineOrder, schema::FileFormat,
    )),
    tags(
        (name = "auth", description = "Signing in and out"),
        (name = "counts", description = "Sending counts"),
        (name = "sessions", description = "Counting sessions and what was counted in them"),
        (name = "catalogue", description = "Products"),
        (name = "plan", description = "Planning: runs, sessions, lists, stock"),
        (name = "watch", description = "How far a run is"),
        (name = "decide", description = "Review and decisions"),
        (name = "fleet", description = "The devices"),
        (name = "downstream", description = "Where approved results go"),
        (name = "people", description = "People, and who decided what"),
        (name = "operators", description = "For whatever watches the process"),
    )
)]
struct Frame;

/// What to call with.
const BEARER: &str =
    "An access token from /auth/login, good for minutes; or an API token (`gt_…`) that an admin made for a program.";

/// The OpenAPI document as JSON text.
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut document = Frame::openapi();
        document.merge(super::table().into_openapi());
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT or API token");
        let bearer = bearer.description(Some(BEARER)).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        for (path, columns) in super::desk::csv_columns() {
            let operation = document.paths.paths.get_mut(path).and_then(|item| item.post.as_mut());
            let operation = operation.expect("a file is handed in by POST to a path of the table");
            operation.extensions = Some(ExtensionsBuilder::new().add("x-columns", columns).build());
        }
        document.to_pretty_json().expect("the document is always JSON") + "\n"
    })
}

/// This description
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "operators",
    responses((status = 200, description = "The OpenAPI document.", content_type = "application/json"))
)]
pub(super) async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document())
}

/// Answers of every route that needs a signed-in person.
pub(super) struct SignedInErrors;

impl IntoResponses for SignedInErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([
            ("401".to_owned(), problem("`token-missing`, `token-expired` (renew at /auth/refresh), `token-invalid`.")),
            ("503".to_owned(), problem("`busy`, `draining`, `storage-unavailable`: come back after `Retry-After`.")),
        ])
    }
}

/// Answers of every route that takes a small JSON body.
pub(super) struct BodyErrors;

impl IntoResponses for BodyErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([
            ("400".to_owned(), problem("`malformed-json`, `invalid-parameter`.")),
            ("408".to_owned(), problem("`body-incomplete`: the connection broke. Send it again.")),
            ("413".to_owned(), problem("`body-too-large`.")),
            ("415".to_owned(), problem("`unsupported-media-type`, `unsupported-encoding`.")),
            ("422".to_owned(), problem("`field-invalid`: the sentence says which and why.")),
        ])
    }
}

/// Answers of every route that asks a signed-in person for the own password.
pub(super) struct PasswordErrors;

impl IntoResponses for PasswordErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = SignedInErrors::responses();
        all.extend(BodyErrors::responses());
        all.extend([
            (
                "403".to_owned(),
                problem(
                    "`password-wrong`: the current password is another one. `account-disabled`. `not-allowed`: asked for by another \
                     site's page, or by a program.",
                ),
            ),
            (
                "409".to_owned(),
                problem("`status-not-allowed`: you were invited, and have not chosen a password yet."),
            ),
            ("429".to_owned(), problem("`too-many-requests`: too many wrong passwords, as at /auth/login.")),
        ]);
        all
    }
}

/// Answers of every route with something of the caller's in its path.
pub(super) struct PathErrors;

impl IntoResponses for PathErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        BTreeMap::from([("400".to_owned(), problem("`invalid-parameter`: the path is no text."))])
    }
}

/// Answers of every route of the manager's side.
pub(super) struct ManagerErrors;

impl IntoResponses for ManagerErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = SignedInErrors::responses();
        all.extend([
            ("400".to_owned(), problem("`invalid-parameter`, `malformed-json`.")),
            (
                "403".to_owned(),
                problem(
                    "`not-allowed`: your role may not do this. `account-disabled`: an admin has disabled your account.",
                ),
            ),
            ("404".to_owned(), problem("`not-found`: unknown, or not yours to see.")),
            ("409".to_owned(), problem("`status-not-allowed`: not as it stands now.")),
            ("408".to_owned(), problem("`body-incomplete`: the connection broke. Send it again.")),
            ("413".to_owned(), problem("`body-too-large`.")),
            ("415".to_owned(), problem("`unsupported-media-type`, `unsupported-encoding`.")),
            ("422".to_owned(), problem("`field-invalid`: the sentence says which and why.")),
        ]);
        all
    }
}

fn problem(description: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name(schema::Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build().into()
}
