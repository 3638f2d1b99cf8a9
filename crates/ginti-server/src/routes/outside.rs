//! The parsers of what comes from outside, in one place, for whoever tries them with anything at all (`ginti-fuzz`): the same functions
//! that the routes call, without the routes.

use axum::{
    extract::Query,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
};
use ginti_types::{Problem, Timestamp};

use super::{
    auth as sign_in, desk, invitation,
    items::ItemsQuery,
    products::ProductsQuery,
    standing::{ReportDto, UpdateDto},
};
use crate::{
    auth::{RefreshCookie, TokenError, TokenKeys},
    deliver, layers, oidc,
    problem::Answer,
    request,
};

/// A body as it is after `Content-Encoding: gzip` is undone.
pub fn gunzip(compressed: &[u8], bytes_max: usize) -> Result<Vec<u8>, Box<Problem>> {
    told(request::gunzip(compressed, bytes_max))
}

/// Each small JSON body is read as every route's: what each of them makes of it.
pub fn bodies(bytes: &[u8]) -> Vec<Result<(), Box<Problem>>> {
    vec![
        told(request::parse::<sign_in::LoginDto>(bytes).map(drop)),
        told(request::parse::<sign_in::RefreshDto>(bytes).map(drop)),
        told(request::parse::<invitation::AcceptDto>(bytes).map(drop)),
        told(request::parse::<UpdateDto>(bytes).map(drop)),
        told(request::parse::<ReportDto>(bytes).map(drop)),
        told(request::parse::<desk::runs::NewRunDto>(bytes).map(drop)),
        told(request::parse::<desk::runs::NewSessionsDto>(bytes).map(drop)),
        told(request::parse::<desk::runs::SplitDto>(bytes).map(drop)),
        told(request::parse::<desk::decisions::DecideDto>(bytes).map(drop)),
        told(request::parse::<desk::decisions::ApproveDto>(bytes).map(drop)),
        told(request::parse::<desk::fleet::UpdateDto>(bytes).map(drop)),
        told(request::parse::<desk::users::PutUserDto>(bytes).map(drop)),
        told(request::parse::<desk::api_tokens::NewApiTokenDto>(bytes).map(drop)),
        told(request::parse::<desk::invitations::NewInvitationDto>(bytes).map(drop)),
        told(request::parse::<desk::receivers::NewReceiverDto>(bytes).map(drop)),
    ]
}

/// Whether a query can be read as that of items, of products and of a review's lines.
pub fn queries(query: &str) -> Option<[bool; 3]> {
    let uri: Uri = format!("/?{query}").parse().ok()?;
    Some([
        Query::<ItemsQuery>::try_from_uri(&uri).is_ok(),
        Query::<ProductsQuery>::try_from_uri(&uri).is_ok(),
        Query::<desk::review::LinesQuery>::try_from_uri(&uri).is_ok(),
    ])
}

/// Whether an access token is taken.
pub fn access_token(keys: &TokenKeys, token: &str, now: Timestamp) -> Result<(), TokenError> {
    keys.check(token, now).map(drop)
}

/// Whether a sign-in at an external provider, sealed in a cookie, is taken.
pub fn sealed(keys: &TokenKeys, text: &str) -> bool {
    keys.unseal::<oidc::flow::Flow>(oidc::flow::TYPE, text).is_some()
}

/// What the store knows the refresh token of a `Cookie` header by.
pub fn refresh_cookie(value: &[u8]) -> Option<[u8; 32]> {
    let headers = headers(&header::COOKIE, value)?;
    RefreshCookie::read(&headers).map(|token| token.hash())
}

/// Whether an external provider's ID token is taken, given the keys that it published.
pub fn id_token(token: &str, published: &str, now: Timestamp) -> bool {
    let Ok(published) = serde_json::from_str(published) else { return false };
    oidc::is_believed(token, &published, now)
}

/// Whether an `Accept-Encoding` header admits that encoding.
pub fn accepts_encoding(value: &[u8], name: &str) -> bool {
    headers(&header::ACCEPT_ENCODING, value).is_some_and(|headers| layers::accepts_encoding(&headers, name))
}

/// Whether results may be sent there.
pub fn receiver_address(address: &str) -> Result<(), String> {
    deliver::check_url(address, false)
}

/// Whether a browser may be led there after a sign-in.
pub fn return_to(path: &str) -> bool {
    oidc::flow::is_local(path)
}

/// A number of a file, in millionths.
pub fn number(text: &str) -> Option<i64> {
    desk::micros(text)
}

/// Millionths as a decimal.
pub fn decimal(millionths: i64) -> String {
    desk::decimal(millionths)
}

/// A date of a file.
pub fn date(text: &str) -> Option<Timestamp> {
    desk::plan_file::date(text)
}

/// A text as it stands in an exported file, where no spreadsheet takes it for a formula.
pub fn exported(text: &str) -> String {
    desk::export::safe(text)
}

/// The number of rows and of complaints of a file that says what should lie in a store, and of one that plans.
pub fn files(bytes: &[u8], map: Option<&str>) -> [Result<(usize, usize), Box<Problem>>; 2] {
    [told(desk::stock_file::rehearse(bytes, map)), told(desk::plan_file::rehearse(bytes, map))]
}

fn headers(name: &HeaderName, value: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_bytes(value).ok()?);
    Some(headers)
}

fn told<T>(answer: Answer<T>) -> Result<T, Box<Problem>> {
    answer.map_err(|refused| Box::new(refused.problem().clone()))
}
