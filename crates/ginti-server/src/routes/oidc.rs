//! `/auth/methods` and `/auth/oidc`: which ways to sign in there are, and the one that leads to an external provider and back.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use ginti_desk::{Desk, IsOnlyInvited};
use ginti_store::{Login, NewRefreshToken, StoreError, User};
use ginti_types::{Timestamp, UserLoginId};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Deps,
    auth::{ClientAddress, Place, RefreshCookie, RefreshToken, Way},
    oidc::{
        Provider, Refused,
        flow::{Flow, is_local},
    },
    request::Params,
    schema,
};

/// The provider, if there is one.
#[derive(Clone)]
pub(super) struct External(Option<Arc<Provider>>);

impl External {
    pub(super) fn new(deps: &Deps) -> Self {
        Self(deps.config.oidc.clone().and_then(Provider::new).map(Arc::new))
    }

    fn provider(&self) -> Result<&Provider, Refused> {
        self.0.as_deref().ok_or_else(|| Refused::new("oidc-off", "there is no --oidc-issuer"))
    }
}

/// The ways to sign in.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInMethods)]
pub(super) struct MethodsDto {
    /// With a user name and a password, at /auth/login.
    password: bool,
    /// With an external provider, by way of /auth/oidc/start.
    oidc: bool,
}

/// The ways to sign in
#[utoipa::path(
    get,
    path = "/auth/methods",
    operation_id = "signInMethods",
    tag = "auth",
    responses((status = 200, body = MethodsDto, description = "As the operator has set it up."))
)]
pub(super) async fn methods(Extension(external): Extension<External>) -> Json<MethodsDto> {
    Json(MethodsDto { password: true, oidc: external.0.is_some() })
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct StartQuery {
    /// Where in the app to go afterwards: a path of this server, `/` if left out.
    #[param(value_type = Option<schema::Plain>)]
    return_to: Option<String>,
}

/// Sign in with the external provider
///
/// For a browser to go to, not for a script to fetch. Leads to the provider; from there the person comes back to /auth/oidc/callback.
/// What goes wrong leads to `/?signInError=CODE`.
#[utoipa::path(
    get,
    path = "/auth/oidc/start",
    operation_id = "startExternalSignIn",
    tag = "auth",
    params(StartQuery),
    responses(
        (status = 303, description = "To the provider, with a cookie (`__Host-ginti-oidc`) that is good for ten minutes."),
        (status = 400, body = schema::Problem, content_type = "application/problem+json", description = "`invalid-parameter`."),
    )
)]
pub(super) async fn start(
    State(deps): State<Deps>,
    Extension(external): Extension<External>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Params(query): Params<StartQuery>,
) -> Response {
    let to = query.return_to.unwrap_or_else(|| "/".to_owned());
    match begin(&deps, &external, &headers, to).await {
        Ok((url, cookie)) => redirect(&url, [cookie]),
        Err(refused) => failed(&refused, address),
    }
}

async fn begin(
    deps: &Deps,
    external: &External,
    headers: &HeaderMap,
    to: String,
) -> Result<(String, HeaderValue), Refused> {
    let provider = external.provider()?;
    if !is_local(&to) {
        return Err(Refused::new("return-to-invalid", "returnTo is not a path of this server"));
    }
    // Where the provider sends the person back from its own site, browsers keep the cookie to themselves.
    let replaces = RefreshCookie::read(headers).as_ref().map(RefreshToken::hash);
    let flow = Flow::begin(deps, to, replaces);
    let url = provider.sign_in_url(&flow, &callback_url(headers)?, deps.now()).await?;
    Ok((url, flow.set(deps)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CallbackQuery {
    /// What the provider gave the person to be exchanged.
    #[param(value_type = Option<schema::Plain>)]
    code: Option<String>,
    /// As it was sent along.
    #[param(value_type = Option<schema::Plain>)]
    state: Option<String>,
    /// Why there is no code.
    #[param(value_type = Option<schema::Plain>)]
    error: Option<String>,
    /// Who the provider is (RFC 9207).
    #[param(value_type = Option<schema::Plain>)]
    iss: Option<String>,
}

/// Back from the external provider
///
/// Sets the refresh cookie as /auth/login does and leads on to where the sign-in was begun; the app gets its access token at
/// /auth/refresh. What goes wrong leads to `/?signInError=CODE`.
#[utoipa::path(
    get,
    path = "/auth/oidc/callback",
    operation_id = "finishExternalSignIn",
    tag = "auth",
    params(CallbackQuery),
    responses(
        (status = 303, description = "Into the app."),
        (status = 400, body = schema::Problem, content_type = "application/problem+json", description = "`invalid-parameter`."),
    )
)]
pub(super) async fn callback(
    State(deps): State<Deps>,
    Extension(external): Extension<External>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Params(query): Params<CallbackQuery>,
) -> Response {
    match finish(&deps, &external, &headers, query).await {
        Ok((to, cookie, user)) => {
            Place { device: None, address }.signed_in(Way::Provider, &user);
            redirect(&to, [cookie, Flow::clear()])
        }
        Err(refused) => failed(&refused, address),
    }
}

async fn finish(
    deps: &Deps,
    external: &External,
    headers: &HeaderMap,
    query: CallbackQuery,
) -> Result<(String, HeaderValue, User), Refused> {
    let provider = external.provider()?;
    let flow = Flow::read(deps, headers, deps.now());
    let flow =
        flow.ok_or_else(|| Refused::new("sign-in-expired", "the cookie is missing, too old, or not of this server"))?;
    if query.state.as_deref() != Some(&flow.state) {
        return Err(Refused::new("state-wrong", "the state is not that of this browser's sign-in"));
    }
    if let Some(error) = query.error {
        let code = if error == "access_denied" { "sign-in-cancelled" } else { "provider-refused" };
        return Err(Refused::new(code, format!("the provider says {error:?}")));
    }
    let code = query.code.ok_or_else(|| Refused::new("provider-refused", "there is neither a code nor an error"))?;
    let answer = (code.as_str(), query.iss.as_deref());
    let name = provider.name_of(answer, &flow, &callback_url(headers)?, deps.now()).await?;
    let user = known(deps, &name).await?;
    let cookie = refresh_cookie(deps, &user, flow.replaces()).await?;
    Ok((flow.return_to, cookie, user))
}

/// The person of that name, whom an admin has added.
async fn known(deps: &Deps, name: &str) -> Result<User, Refused> {
    let unknown = || Refused::new("user-unknown", format!("there is no user {name:?}; an admin adds people"));
    let id = UserLoginId::new(name).map_err(|_| unknown())?;
    let login = deps.store.login(&id).await.map_err(|error| storage(&error))?;
    let Login { user, is_disabled, .. } = login.ok_or_else(unknown)?;
    if is_disabled {
        return Err(disabled(name));
    }
    let invited = IsOnlyInvited { tenant: user.tenant.clone(), user: user.id.clone() };
    if Desk::new(deps.store.clone()).run(invited).await.map_err(|error| storage(&error))? {
        return Err(Refused::new("invitation-open", format!("{name:?} was invited and has not accepted yet")));
    }
    Ok(user)
}

fn disabled(name: &str) -> Refused {
    Refused::new("account-disabled", format!("the account of {name:?} is disabled"))
}

async fn refresh_cookie(deps: &Deps, user: &User, replaces: Option<[u8; 32]>) -> Result<HeaderValue, Refused> {
    let token = RefreshToken::new(deps.random());
    let expires = Timestamp::from_unix_ms(deps.now().unix_ms() + deps.config.refresh_family_ms);
    let family = NewRefreshToken {
        hash: token.hash(),
        tenant: user.tenant.clone(),
        user: user.id.clone(),
        password_hash: None,
        expires,
        replaces,
    };
    if deps.store.add_refresh_token(family).await.map_err(|error| storage(&error))? {
        return Ok(RefreshCookie::set(&token, deps.config.refresh_family_ms));
    }
    Err(disabled(user.id.as_str()))
}

fn storage(error: &StoreError) -> Refused {
    Refused::new("server-busy", format!("the store refused: {error}"))
}

/// Where the provider sends people back to: the host that the browser itself named. Whether the proxy in front has TLS cannot be
/// seen from here; browsers keep the cookies only if it has, or on their own machine.
fn callback_url(headers: &HeaderMap) -> Result<String, Refused> {
    let unusable = || Refused::new("host-unknown", "the request's Host cannot be used; let the proxy pass it through");
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).ok_or_else(unusable)?;
    let mut url: Url = format!("https://{host}/auth/oidc/callback").parse().map_err(|_| unusable())?;
    if url.path() != "/auth/oidc/callback" || !url.username().is_empty() || url.query().is_some() {
        return Err(unusable());
    }
    if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        url.set_scheme("http").map_err(|()| unusable())?;
    }
    Ok(url.into())
}

fn failed(refused: &Refused, address: Option<IpAddr>) -> Response {
    let Refused { code, reason } = refused;
    tracing::warn!(code, reason, address = address.map(tracing::field::display), "an external sign-in failed");
    redirect(&format!("/?signInError={}", refused.code), [Flow::clear()])
}

fn redirect<const N: usize>(to: &str, cookies: [HeaderValue; N]) -> Response {
    let Ok(location) = HeaderValue::try_from(to) else {
        return (StatusCode::SEE_OTHER, [(header::LOCATION, HeaderValue::from_static("/"))]).into_response();
    };
    let cookies = AppendHeaders(cookies.map(|cookie| (header::SET_COOKIE, cookie)));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)], cookies).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_back_to_the_host_that_their_browser_named() {
        let of = |host: &'static str| {
            callback_url(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))])).ok()
        };
        assert_eq!(of("ginti.example").as_deref(), Some("https://ginti.example/auth/oidc/callback"));
        assert_eq!(of("ginti.example:8443").as_deref(), Some("https://ginti.example:8443/auth/oidc/callback"));
        assert_eq!(of("localhost:7788").as_deref(), Some("http://localhost:7788/auth/oidc/callback"));
        assert_eq!(of("127.0.0.1").as_deref(), Some("http://127.0.0.1/auth/oidc/callback"));
        for bad in ["", "evil.example/x", "me@evil.example", "evil.example/?", "evil.example#", "a b"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert!(callback_url(&HeaderMap::new()).is_err());
    }
}
