//! The table of contents: every route, and the OpenAPI document that comes from the same table.

mod assignments;
mod auth;
mod desk;
mod health;
mod import;
mod invitation;
mod items;
mod metrics;
mod oidc;
mod openapi;
pub mod outside;
mod page;
mod password;
mod products;
mod sessions;
mod sign_ins;
mod standing;

use axum::{Extension, Router};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Deps, assets, auth::Attempts, layers};

pub(crate) use desk::decimal;
pub use desk::export::{ExportFormat, export_run};
pub use metrics::add_up as add_up_measurements;
pub(crate) use metrics::recorder;
pub use openapi::document as openapi;

/// The whole service.
pub fn router(deps: Deps) -> Router {
    let (router, _) = table().split_for_parts();
    let router = router.layer(Extension(oidc::External::new(&deps)));
    let attempts = Attempts::new(deps.config.tries_per_account, deps.config.tries_per_address);
    let router = router.layer(Extension(attempts));
    let router = router.layer(Extension(desk::rooms::Rooms::default()));
    let router = router.fallback(assets::serve).method_not_allowed_fallback(layers::method_not_allowed);
    layers::around(router, &deps).with_state(deps)
}

fn table() -> OpenApiRouter<Deps> {
    OpenApiRouter::new()
        // /auth
        .routes(routes!(auth::login)) //                       POST /auth/login
        .routes(routes!(auth::refresh)) //                     POST /auth/refresh
        .routes(routes!(auth::logout)) //                      POST /auth/logout
        .routes(routes!(password::change)) //                  POST /auth/password
        .routes(routes!(sign_ins::list)) //                    GET  /auth/sign-ins
        .routes(routes!(sign_ins::end)) //                     POST /auth/sign-ins/{id}/end
        .routes(routes!(auth::me)) //                          GET  /auth/me
        .routes(routes!(oidc::methods)) //                     GET  /auth/methods
        .routes(routes!(oidc::start)) //                       GET  /auth/oidc/start
        .routes(routes!(oidc::callback)) //                    GET  /auth/oidc/callback
        .routes(routes!(invitation::accept)) //                POST /auth/invitation
        // /maarg/poorti/InventoryCountImport
        .routes(routes!(import::import, sessions::list)) //    POST, GET
        .routes(routes!(sessions::one, standing::update)) //   GET, PUT …/{id}
        .routes(routes!(items::list)) //                       GET  …/{id}/items
        .routes(routes!(items::history)) //                    GET  …/{id}/items/{itemId}/history
        .routes(routes!(assignments::list)) //                 GET  …/{id}/assignments
        .routes(routes!(standing::devices)) //                 GET  …/{id}/devices
        .routes(routes!(standing::colleagues)) //              GET  …/{id}/colleagues
        .routes(routes!(standing::events)) //                  GET  …/{id}/events
        // /maarg/poorti/CourierStatus
        .routes(routes!(standing::report)) //                  POST
        // /maarg/poorti/Products
        .routes(routes!(products::list)) //                    GET
        .routes(routes!(desk::stock_file::put)) //             POST /maarg/poorti/Stock
        .routes(routes!(desk::users::facilities)) //           GET  /maarg/poorti/Facilities
        // /maarg/poorti/InventoryCountRun
        .routes(routes!(desk::runs::list, desk::runs::create)) // GET, POST
        .routes(routes!(desk::runs::one)) //                   GET  …/{run}
        .routes(routes!(desk::runs::add)) //                   POST …/{run}/sessions
        .routes(routes!(desk::plan_file::plan)) //             POST …/{run}/sessions.csv
        .routes(routes!(desk::runs::split)) //                 POST /maarg/poorti/InventoryCountImport/{id}/split
        .routes(routes!(desk::progress::get)) //               GET  …/{run}/progress
        .routes(routes!(desk::progress::stream)) //            GET  …/{run}/progress/stream
        .routes(routes!(desk::review::lines)) //               GET  …/{run}/review
        .routes(routes!(desk::review::totals)) //              GET  …/{run}/review/totals
        .routes(routes!(desk::review::detail)) //              GET  …/{run}/review/{facility}/{subject}
        .routes(routes!(desk::decisions::decide)) //           POST …/{run}/decisions
        .routes(routes!(desk::decisions::undo)) //             DELETE …/{run}/decisions/{id}
        .routes(routes!(desk::decisions::approve)) //          POST …/{run}/approval
        .routes(routes!(desk::export::export)) //              GET  …/{run}/export
        // the house
        .routes(routes!(desk::fleet::list)) //                 GET  /maarg/poorti/Devices
        .routes(routes!(desk::fleet::update)) //               PUT  …/{device}
        .routes(routes!(desk::alerts::rules, desk::alerts::put_rules)) // GET, PUT /maarg/poorti/AlertRules
        .routes(routes!(desk::alerts::list)) //                GET  /maarg/poorti/Alerts
        .routes(routes!(desk::alerts::history)) //             GET  /maarg/poorti/FleetHistory
        .routes(routes!(desk::fleet::batch)) //                GET  /maarg/poorti/Batches/{batch}
        .routes(routes!(desk::receivers::list)) //             GET  /maarg/poorti/Receivers
        .routes(routes!(desk::receivers::put, desk::receivers::remove)) // PUT, DELETE …/{receiver}
        .routes(routes!(desk::receivers::messages)) //         GET  /maarg/poorti/Outbox
        .routes(routes!(desk::receivers::retry)) //            POST …/{message}/retry
        .routes(routes!(desk::users::list)) //                 GET  /maarg/poorti/Users
        .routes(routes!(desk::users::put)) //                  PUT  …/{user}
        .routes(routes!(desk::users::set_disabled)) //         PUT  …/{user}/disabled
        .routes(routes!(desk::api_tokens::list, desk::api_tokens::make)) // GET, POST /maarg/poorti/ApiTokens
        .routes(routes!(desk::api_tokens::revoke)) //          DELETE …/{token}
        .routes(routes!(desk::invitations::list, desk::invitations::invite)) // GET, POST /maarg/poorti/Invitations
        .routes(routes!(desk::invitations::withdraw)) //       DELETE …/{invitation}
        .routes(routes!(desk::audit::list)) //                 GET  /maarg/poorti/Audit
        // operators
        .routes(routes!(health::livez)) //                     GET  /livez
        .routes(routes!(health::readyz)) //                    GET  /readyz
        .routes(routes!(metrics::serve)) //                    GET  /metrics
        .routes(routes!(openapi::serve)) //                    GET  /openapi.json
}
