//! `GET /maarg/poorti/Products`: the tenant's catalogue, for devices to take along.

use axum::{Json, extract::State};
use ginti_store::Product;
use ginti_types::ProductId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{openapi::SignedInErrors, page::limit_or};
use crate::{Deps, auth::Caller, problem::Answer, request::Params, schema};

/// A product of the catalogue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Product)]
pub(super) struct ProductDto {
    #[schema(value_type = schema::Id, example = "10440")]
    product_id: ProductId,
    product_name: String,
    sku: Option<String>,
    /// As scanners read them. Two products may share one.
    barcodes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ProductList)]
pub(super) struct ProductListDto {
    items: Vec<ProductDto>,
    /// Products the tenant has in all.
    total: u64,
    /// `after` for the next call; null when there are no more.
    #[schema(value_type = Option<schema::Id>)]
    next: Option<ProductId>,
}

impl From<Product> for ProductDto {
    fn from(product: Product) -> Self {
        Self { product_id: product.id, product_name: product.name, sku: product.sku, barcodes: product.barcodes }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ProductsQuery {
    /// `next` of the previous answer; left out to begin.
    #[serde(default)]
    #[param(value_type = schema::Plain)]
    after: String,
    /// Products per answer, 1 to 1,000; 1,000 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The catalogue
#[utoipa::path(
    get,
    path = "/maarg/poorti/Products",
    operation_id = "listProducts",
    tag = "catalogue",
    params(ProductsQuery),
    responses(
        (status = 200, body = ProductListDto, description = "By product id."),
        (status = 400, body = schema::Problem, content_type = "application/problem+json", description = "`invalid-parameter`."),
        SignedInErrors,
    ),
    security(("bearer" = []))
)]
pub(super) async fn list(
    State(deps): State<Deps>,
    caller: Caller,
    Params(query): Params<ProductsQuery>,
) -> Answer<Json<ProductListDto>> {
    let limit = limit_or(query.limit, 1_000)?;
    // One more than asked for tells whether there is a next page.
    let mut page = deps.store.products(&caller.access.tenant, &query.after, limit + 1).await?;
    let more = page.products.len() > limit;
    page.products.truncate(limit);
    let next = page.products.last().filter(|_| more).map(|product| product.id.clone());
    Ok(Json(ProductListDto {
        items: page.products.into_iter().map(ProductDto::from).collect(),
        total: page.total,
        next,
    }))
}
