//! `ginti serve --demo`: what a stranger needs to know to try things.

use std::path::Path;

use anyhow::Result;
use ginti_store::Store;

/// A database filled with demo data.
pub(crate) struct Demo {}

pub(crate) async fn prepare(_store: &dyn Store, _products: Option<&Path>) -> Result<Demo> {
    Ok(Demo {})
}

impl Demo {
    pub(crate) fn welcome(&self, url: &str) -> String {
        url.to_owned()
    }
}
