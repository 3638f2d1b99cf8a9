//! The table of contents: every route, and the OpenAPI document that comes from the same table.

mod assignments;
mod auth;
mod health;
mod import;
mod items;
mod openapi;
mod page;
mod products;
mod sessions;
mod standing;

use axum::Router;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Deps, assets, layers};

pub use openapi::document as openapi;

/// The whole service.
pub fn router(deps: Deps) -> Router {
    let (router, _) = table().split_for_parts();
    let router = router.fallback(assets::serve).method_not_allowed_fallback(layers::method_not_allowed);
    layers::around(router, &deps).with_state(deps)
}

fn table() -> OpenApiRouter<Deps> {
    OpenApiRouter::new()
        // /auth
        .routes(routes!(auth::login)) //                       POST /auth/login
        .routes(routes!(auth::refresh)) //                     POST /auth/refresh
        .routes(routes!(auth::logout)) //                      POST /auth/logout
        .routes(routes!(auth::me)) //                          GET  /auth/me
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
        // operators
        .routes(routes!(health::livez)) //                     GET  /livez
        .routes(routes!(health::readyz)) //                    GET  /readyz
        .routes(routes!(openapi::serve)) //                    GET  /openapi.json
}
