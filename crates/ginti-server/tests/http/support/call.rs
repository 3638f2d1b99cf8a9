//! One request to the router.

use axum::{
    body::Body,
    http::{Request, request::Builder},
};
use tower::ServiceExt;

use super::{Answer, World};

pub(crate) struct Call<'w> {
    world: &'w World,
    request: Builder,
    body: Body,
}

impl<'w> Call<'w> {
    pub(super) fn new(world: &'w World, method: &str, path: &str) -> Self {
        Self { world, request: Request::builder().method(method).uri(path), body: Body::empty() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, value: &serde_json::Value) -> Self {
        self.text(value.to_string())
    }

    /// A body that says it is JSON.
    pub(crate) fn text(self, text: impl Into<String>) -> Self {
        self.header("content-type", "application/json").body(Body::from(text.into()))
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let request = self.request.body(self.body).unwrap();
        Answer::read(self.world.router.clone().oneshot(request).await.unwrap()).await
    }
}
