//! Catalogues from elsewhere: a product export in, products and a report of every row out.
//!
//! `ginti import products` and `ginti serve --demo --products` read files with [`read_shopify`] and put what comes out
//! into the store. A file is never refused for a bad row: what can be mended is mended, what cannot is left out, and the
//! [`Report`] says which, so that the shop can correct its own data.

mod barcode;
mod columns;
pub mod gtin;
mod naming;
mod report;
mod shopify;
#[cfg(test)]
mod tests;

pub use report::{Done, Finding, Report};
pub use shopify::read_shopify;

/// Why a file could not be read as a catalogue at all.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The header lacks columns of a product export.
    #[error(
        "the file is not a Shopify product export: its header lacks {}. Export the products again (Products, Export, \
         plain CSV), or give the columns these names.",
        .missing.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    )]
    NotShopify {
        /// Names of the columns that are missing.
        missing: Vec<&'static str>,
    },
    /// A row is not UTF-8.
    #[error("row {row} (line {line} of the file) is not UTF-8 text. Save the file as \"CSV UTF-8\" and try again.")]
    NotUtf8 {
        /// The row, the header being row 1.
        row: u64,
        /// The line of the file on which the row begins.
        line: u64,
    },
    /// A row has another number of columns than the header.
    #[error(
        "row {row} (line {line} of the file) has {found} columns, the header has {expected}: a quotation mark may be \
         missing there or before. Export the products again."
    )]
    Ragged {
        /// The row, the header being row 1.
        row: u64,
        /// The line of the file on which the row begins.
        line: u64,
        /// Columns in the row.
        found: u64,
        /// Columns in the header.
        expected: u64,
    },
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(csv::Error),
}

impl CatalogueError {
    /// The stable machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotShopify { .. } => "not-shopify",
            Self::NotUtf8 { .. } => "not-utf8",
            Self::Ragged { .. } => "ragged-row",
            Self::Unreadable(_) => "unreadable",
        }
    }
}
