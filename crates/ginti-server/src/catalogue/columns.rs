//! Where an export's columns are: by name, in any order, in the export's classic and newer wording.

use csv::StringRecord;

use super::CatalogueError;

/// Positions of the columns that are read.
#[derive(Debug)]
pub(super) struct Columns {
    handle: usize,
    title: usize,
    options: [Option<usize>; 3],
    sku: usize,
    barcode: usize,
    quantity: Option<usize>,
    price: Option<usize>,
    image: Option<usize>,
}

/// One row's cells, trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cells<'a> {
    pub(super) handle: &'a str,
    pub(super) title: &'a str,
    pub(super) options: [&'a str; 3],
    pub(super) sku: &'a str,
    pub(super) barcode: &'a str,
    pub(super) quantity: &'a str,
    pub(super) price: &'a str,
    pub(super) image: &'a str,
}

impl Columns {
    /// Finds them in the header.
    pub(super) fn find(header: &StringRecord) -> Result<Self, CatalogueError> {
        let mut missing = Vec::new();
        let at = |names: &[&str]| {
            header.iter().position(|cell| names.iter().any(|name| name.eq_ignore_ascii_case(cell.trim())))
        };
        let mut need = |names: &[&'static str]| {
            at(names).unwrap_or_else(|| {
                missing.push(names[0]);
                0
            })
        };
        let columns = Self {
            handle: need(&["Handle", "URL handle"]),
            title: need(&["Title"]),
            options: [Some(need(&["Option1 Value"])), at(&["Option2 Value"]), at(&["Option3 Value"])],
            sku: need(&["Variant SKU", "SKU"]),
            barcode: need(&["Variant Barcode", "Barcode"]),
            quantity: at(&["Variant Inventory Qty", "Inventory quantity"]),
            price: at(&["Variant Price", "Price"]),
            image: at(&["Image Src", "Product image URL"]),
        };
        if missing.is_empty() { Ok(columns) } else { Err(CatalogueError::NotShopify { missing }) }
    }

    /// A row's cells.
    pub(super) fn cells<'a>(&self, row: &'a StringRecord) -> Cells<'a> {
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        let optional = |at: Option<usize>| at.map(cell).unwrap_or_default();
        Cells {
            handle: cell(self.handle),
            title: cell(self.title),
            options: self.options.map(optional),
            sku: cell(self.sku),
            barcode: cell(self.barcode),
            quantity: optional(self.quantity),
            price: optional(self.price),
            image: optional(self.image),
        }
    }
}

impl Cells<'_> {
    /// Whether the row is of a variant; otherwise it only adds a picture to the rows before it.
    pub(super) fn is_variant(&self) -> bool {
        let variant = [self.title, self.sku, self.barcode, self.price];
        variant.iter().chain(&self.options).any(|cell| !cell.is_empty())
    }
}
