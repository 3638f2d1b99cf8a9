//! Shopify's product export: one row per variant, and continuation rows that leave out what the first row of a product said.

use std::{collections::BTreeMap, io::Read};

use csv::{ReaderBuilder, StringRecord};
use ginti_store::{Catalogue, Product};
use ginti_types::ProductId;

use super::{
    CatalogueError, barcode,
    columns::{Cells, Columns},
    gtin, naming,
    report::{Done, Finding, Report},
};

/// Rows that a remark on a shared SKU or barcode names; a file that writes one text into all its rows has thousands.
const OTHERS_NAMED_MAX: usize = 5;

/// Reads an export. Every row is accounted for in the report, whatever is in it.
pub fn read_shopify(reader: impl Read) -> Result<(Catalogue, Report), CatalogueError> {
    let mut reader = ReaderBuilder::new().from_reader(reader);
    let header = reader.headers().map_err(|error| unreadable(error, 1))?.clone();
    let columns = Columns::find(&header)?;
    let mut taking = Taking::default();
    let mut row = StringRecord::new();
    let mut number = 1;
    loop {
        number += 1;
        if !reader.read_record(&mut row).map_err(|error| unreadable(error, number))? {
            break;
        }
        taking.row(number, columns.cells(&row));
    }
    Ok(taking.finish())
}

fn unreadable(error: csv::Error, row: u64) -> CatalogueError {
    match *error.kind() {
        csv::ErrorKind::Utf8 { ref pos, .. } => {
            CatalogueError::NotUtf8 { row, line: pos.as_ref().map_or(row, csv::Position::line) }
        }
        csv::ErrorKind::UnequalLengths { ref pos, expected_len, len } => CatalogueError::Ragged {
            row,
            line: pos.as_ref().map_or(row, csv::Position::line),
            found: len,
            expected: expected_len,
        },
        _ => CatalogueError::Unreadable(error),
    }
}

/// A file on its way in.
#[derive(Default)]
struct Taking {
    /// Titles by handle: only a product's first row has it.
    titles: BTreeMap<String, String>,
    taken: Vec<Taken>,
    /// Where in `taken` a variant is.
    places: BTreeMap<ProductId, usize>,
    report: Report,
}

/// A product and the row it came from.
struct Taken {
    row: u64,
    handle: String,
    product: Product,
}

impl Taking {
    fn row(&mut self, row: u64, cells: Cells<'_>) {
        self.report.rows += 1;
        if !cells.title.is_empty() {
            self.titles.insert(cells.handle.to_owned(), cells.title.to_owned());
        }
        if !cells.is_variant() && !cells.image.is_empty() {
            self.report.image_only += 1;
            return;
        }
        let barcode = barcode::read(cells.barcode);
        let sku = naming::one_line(cells.sku.trim_start_matches('\''));
        let sku = sku.trim();
        let title = match cells.title {
            "" => self.titles.get(cells.handle).filter(|_| !cells.handle.is_empty()).map(String::as_str),
            title => Some(title),
        };
        // What the product is called, and what its id begins with if it has no handle.
        let called = title.or(Some(sku).filter(|sku| !sku.is_empty())).or(barcode.codes.first().map(String::as_str));
        let base = Some(cells.handle).filter(|handle| !handle.is_empty()).or(called);
        let id = base.and_then(|base| naming::product_id(base, cells.options));
        let (Some(called), Some(id)) = (called, id) else {
            self.report.refused += 1;
            let done = Done::Refused("left out".to_owned());
            self.find(row, &cells, "neither title nor SKU nor barcode".to_owned(), done);
            return;
        };
        let name = naming::name(called, cells.options);
        if let Some(&place) = self.places.get(&id) {
            self.report.repeated += 1;
            self.again(row, &cells, place, &barcode.codes);
            return;
        }
        self.report.products += 1;
        self.remark(row, &cells, sku, barcode.findings);
        let sku = Some(sku.to_owned()).filter(|sku| !sku.is_empty());
        self.places.insert(id.clone(), self.taken.len());
        let product = Product { id, name, sku, barcodes: barcode.codes };
        self.taken.push(Taken { row, handle: cells.handle.to_owned(), product });
    }

    /// A variant that an earlier row has already: only a barcode of its own is worth keeping.
    fn again(&mut self, row: u64, cells: &Cells<'_>, place: usize, codes: &[String]) {
        let first = &mut self.taken[place];
        let new: Vec<_> = codes.iter().filter(|code| !first.product.barcodes.contains(code)).cloned().collect();
        let what = format!("the same variant as row {}", first.row);
        let done = if new.is_empty() {
            Done::Refused("left out".to_owned())
        } else {
            first.product.barcodes.extend(new.iter().cloned());
            Done::Mended(format!("its barcode {} was added to that row's product", new.join(", ")))
        };
        self.find(row, cells, what, done);
    }

    /// Everything remarkable in a row that is taken.
    fn remark(&mut self, row: u64, cells: &Cells<'_>, sku: &str, barcode: Vec<(String, Done)>) {
        for (what, done) in barcode {
            self.find(row, cells, what, done);
        }
        if sku.is_empty() {
            self.find(row, cells, "no SKU".to_owned(), Done::Noted("taken without".to_owned()));
        } else if sku.len() < cells.sku.len() {
            let done = Done::Mended("apostrophe removed".to_owned());
            self.find(row, cells, "the SKU stands behind an apostrophe".to_owned(), done);
        }
        if cells.quantity.starts_with('-') {
            let what = format!("a stock of {}, which is below zero", cells.quantity);
            self.find(row, cells, what, Done::Noted("taken; stock is not read from this file".to_owned()));
        }
    }

    fn find(&mut self, row: u64, cells: &Cells<'_>, what: String, done: Done) {
        self.report.findings.push(Finding { row, handle: cells.handle.to_owned(), what, done });
    }

    fn finish(mut self) -> (Catalogue, Report) {
        let skus = shared(&self.taken, |product| product.sku.clone().into_iter().collect());
        for (at, sku, others) in skus {
            self.note(at, format!("the SKU \"{sku}\" is also in {others}"), "taken; each keeps it");
        }
        let codes = shared(&self.taken, |product| product.barcodes.iter().map(|code| scanned(code)).collect());
        for (at, key, others) in codes {
            let own = self.taken[at].product.barcodes.iter().find(|code| scanned(code) == key);
            let what = format!("the barcode {} is also in {others}", own.unwrap_or(&key));
            self.note(at, what, "taken; the app asks which of them it is");
        }
        self.report.findings.sort_by_key(|finding| finding.row);
        let products = self.taken.into_iter().map(|taken| taken.product).collect();
        (Catalogue { products }, self.report)
    }

    fn note(&mut self, at: usize, what: String, how: &str) {
        let Taken { row, handle, .. } = &self.taken[at];
        let (row, handle, done) = (*row, handle.clone(), Done::Noted(how.to_owned()));
        self.report.findings.push(Finding { row, handle, what, done });
    }
}

/// What tells barcodes apart: a UPC is the same code with and without the zero that makes it an EAN.
fn scanned(code: &str) -> String {
    if gtin::is_valid(code) { format!("{code:0>14}") } else { code.to_owned() }
}

/// Products that share a key with others: which one, the key, and the others' rows in words.
fn shared(taken: &[Taken], keys: impl Fn(&Product) -> Vec<String>) -> Vec<(usize, String, String)> {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, taken) in taken.iter().enumerate() {
        for key in keys(&taken.product) {
            let places = places.entry(key).or_default();
            if places.last() != Some(&at) {
                places.push(at);
            }
        }
    }
    let mut found = Vec::new();
    for (key, places) in places.into_iter().filter(|(_, places)| places.len() > 1) {
        for &at in &places {
            let named = places.iter().filter(|&&other| other != at).take(OTHERS_NAMED_MAX);
            let mut others = named.map(|&other| taken[other].row.to_string()).collect::<Vec<_>>().join(", ");
            if let Some(more) = (places.len() - 1).checked_sub(OTHERS_NAMED_MAX).filter(|&more| more > 0) {
                others = format!("{others} and {more} more");
            }
            let word = if places.len() == 2 { "row" } else { "rows" };
            found.push((at, key.clone(), format!("{word} {others}")));
        }
    }
    found
}
