//! Each kind of row by itself, then the exports of real shops where they are at hand.

use std::{collections::BTreeSet, fmt::Write, fs::File, path::PathBuf};

use ginti_store::{Catalogue, Product};

use super::*;

const HEADER: &str = "Handle,Title,Option1 Name,Option1 Value,Option2 Value,Option3 Value,Variant SKU,Variant Barcode,\
                      Variant Inventory Qty,Variant Price,Image Src";

/// Reads rows under the usual header; the columns are in the order handle, title, three options, SKU, barcode, stock.
fn read(rows: &[[&str; 8]]) -> (Catalogue, Report) {
    let mut file = HEADER.to_owned();
    for [handle, title, one, two, three, sku, barcode, stock] in rows {
        write!(file, "\n{handle},{title},Option,{one},{two},{three},{sku},{barcode},{stock},1.00,").unwrap();
    }
    let (catalogue, report) = read_shopify(file.as_bytes()).unwrap();
    accounted(&catalogue, &report);
    (catalogue, report)
}

/// Every row exactly once, every product id exactly once.
fn accounted(catalogue: &Catalogue, report: &Report) {
    assert_eq!(report.rows, report.products + report.image_only + report.repeated + report.refused);
    assert_eq!(report.products, catalogue.products.len() as u64);
    let ids: BTreeSet<_> = catalogue.products.iter().map(|product| &product.id).collect();
    assert_eq!(ids.len(), catalogue.products.len());
}

fn findings(report: &Report) -> Vec<(u64, &str, &Done)> {
    report.findings.iter().map(|finding| (finding.row, finding.what.as_str(), &finding.done)).collect()
}

fn names(catalogue: &Catalogue) -> Vec<(&str, &str)> {
    catalogue.products.iter().map(|product| (product.id.as_str(), product.name.as_str())).collect()
}

/// A shop that writes the same SKU into every row, and a cell that is no cell any more: the report stays readable.
#[test]
fn a_report_stays_short_whatever_stands_in_the_cells() {
    let handles: Vec<_> = (0..2_000).map(|number| format!("product-{number}")).collect();
    let rows: Vec<_> = handles.iter().map(|handle| [handle, "Tea", "", "", "", "NONE", "4006381333931", ""]).collect();
    let (catalogue, report) = read(&rows);
    assert_eq!(catalogue.products.len(), 2_000);
    assert_eq!(report.findings.len(), 4_000);
    assert_eq!(report.findings[0].what, "the SKU \"NONE\" is also in rows 3, 4, 5, 6, 7 and 1994 more");
    assert!(report.findings.iter().all(|finding| finding.what.len() < 200));

    let long = "x".repeat(70_000);
    let (catalogue, report) =
        read(&[[&long, "Tea", "", "", "", "", &long, ""], ["\"\u{1b}[31m\na\"", "Cup", "", "", "", "", "", ""]]);
    assert_eq!(catalogue.products.len(), 2);
    let text = report.to_string();
    assert!(text.len() < 4_000, "{} bytes", text.len());
    assert!(text.contains(&format!("  {}…  ", "x".repeat(59))), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && text.contains(" [31m a "), "{text}");
}

/// A database that does not keep NUL would refuse the whole catalogue.
#[test]
fn control_characters_come_into_no_product() {
    let (catalogue, _) = read(&[["rice", "Ri\0ce", "", "", "", "'S\0KU\t", "4\0", ""]]);
    let product = &catalogue.products[0];
    assert_eq!((product.name.as_str(), product.sku.as_deref()), ("Ri ce", Some("S KU")));
    assert!(product.barcodes.is_empty());
}

#[test]
fn variants_take_the_title_of_their_product() {
    let (catalogue, report) = read(&[
        ["tea", "Tea", "Green", "20 g", "", "T1", "4006381333931", "5"],
        ["cup", "Cup", "Default Title", "", "", "C1", "036000291452", "5"],
        ["tea", "", "Black", "20 g", "", "T2", "96385074", "5"],
    ]);
    assert_eq!(
        names(&catalogue),
        [("tea:Green:20 g", "Tea – Green / 20 g"), ("cup", "Cup"), ("tea:Black:20 g", "Tea – Black / 20 g")]
    );
    let Product { sku, barcodes, .. } = &catalogue.products[2];
    assert_eq!((sku.as_deref(), barcodes.as_slice()), (Some("T2"), &["96385074".to_owned()][..]));
    assert_eq!(report, Report { rows: 3, products: 3, ..Report::default() });
    assert!(report.to_string().starts_with("3 rows: 3 products, 0 with only a picture, 0 repeated, 0 refused."));
}

#[test]
fn barcodes_are_mended_noted_or_refused_and_the_product_is_taken() {
    let (catalogue, report) = read(&[
        ["a", "A", "", "", "", "S1", "'4006381333931", ""],
        ["b", "B", "", "", "", "S2", "'36000291452", ""],
        ["c", "C", "", "", "", "S3", "4006381333932", ""],
        ["d", "D", "", "", "", "S4", "9.00952E+12", ""],
        ["e", "E", "", "", "", "S5", "", ""],
    ]);
    let codes: Vec<_> = catalogue.products.iter().map(|product| product.barcodes.join("+")).collect();
    assert_eq!(codes, ["4006381333931", "036000291452", "4006381333932", "", ""]);
    let mended = |how: &str| Done::Mended(how.to_owned());
    let found = findings(&report);
    assert_eq!(found[0], (2, "the barcode stands behind an apostrophe", &mended("apostrophe removed")));
    assert_eq!(found[2], (3, "the barcode 36000291452 has lost its leading zeros", &mended("taken as 036000291452")));
    assert_eq!((found[3].0, found[3].1), (4, "the check digit of the barcode 4006381333932 is wrong"));
    assert!(matches!(found[4], (5, _, Done::Refused(_))));
    assert!(matches!(found[5], (6, "no barcode", Done::Noted(_))));
    assert_eq!(found.len(), 6);
    assert_eq!((report.products, report.refused), (5, 0));
}

#[test]
fn a_barcode_on_two_products_stays_on_both() {
    let (catalogue, report) = read(&[
        ["a", "A", "", "", "", "S1", "036000291452", ""],
        ["b", "B", "", "", "", "S2", "96385074", ""],
        ["c", "C", "", "", "", "S3", "0036000291452", ""],
    ]);
    assert!(catalogue.products.iter().all(|product| product.barcodes.len() == 1));
    let found = findings(&report);
    assert_eq!((found[0].0, found[0].1), (2, "the barcode 036000291452 is also in row 4"));
    assert_eq!((found[1].0, found[1].1), (4, "the barcode 0036000291452 is also in row 2"));
    assert!(matches!(found[..], [(_, _, Done::Noted(_)), (_, _, Done::Noted(_))]));
}

#[test]
fn skus_may_be_missing_or_shared() {
    let (catalogue, report) = read(&[
        ["a", "A", "", "", "", "", "036000291452", ""],
        ["b", "B", "", "", "", "S", "96385074", ""],
        ["c", "C", "", "", "", "S", "4006381333931", ""],
        ["d", "D", "", "", "", "'0012", "10614141000415", ""],
    ]);
    let skus: Vec<_> = catalogue.products.iter().map(|product| product.sku.as_deref()).collect();
    assert_eq!(skus, [None, Some("S"), Some("S"), Some("0012")]);
    let whats: Vec<_> = findings(&report).iter().map(|found| (found.0, found.1)).collect();
    assert_eq!(
        whats,
        [
            (2, "no SKU"),
            (3, "the SKU \"S\" is also in row 4"),
            (4, "the SKU \"S\" is also in row 3"),
            (5, "the SKU stands behind an apostrophe")
        ]
    );
}

#[test]
fn rows_that_are_no_product_are_counted() {
    let file = format!(
        "{HEADER}\n\
         tea,Tea,Title,Default Title,,,T1,96385074,-3,1.00,https://example.com/1.jpg\n\
         tea,,,,,,,,,,https://example.com/2.jpg\n\
         nothing,,Size,Large,,,,,4,1.00,\n\
         ,,,,,,,,,,\n"
    );
    let (catalogue, report) = read_shopify(file.as_bytes()).unwrap();
    accounted(&catalogue, &report);
    assert_eq!((report.rows, report.products, report.image_only, report.refused), (4, 1, 1, 2));
    let found = findings(&report);
    assert_eq!((found[0].0, found[0].1), (2, "a stock of -3, which is below zero"));
    for (found, row) in found[1..].iter().zip([4, 5]) {
        assert_eq!((found.0, found.1), (row, "neither title nor SKU nor barcode"));
        assert!(matches!(found.2, Done::Refused(_)));
    }
}

#[test]
fn a_repeated_variant_is_taken_once() {
    let (catalogue, report) = read(&[
        ["tea", "Tea", "Green", "", "", "T1", "96385074", ""],
        ["tea", "", "Green", "", "", "T1", "96385074", ""],
        ["tea", "", "Green", "", "", "T1", "4006381333931", ""],
    ]);
    assert_eq!(names(&catalogue), [("tea:Green", "Tea – Green")]);
    assert_eq!(catalogue.products[0].barcodes, ["96385074", "4006381333931"]);
    assert_eq!(report.repeated, 2);
    let found = findings(&report);
    assert_eq!(found[0], (3, "the same variant as row 2", &Done::Refused("left out".to_owned())));
    assert!(matches!(found[1], (4, "the same variant as row 2", Done::Mended(_))));
}

#[test]
fn a_product_without_handle_or_title_goes_by_what_it_has() {
    let (catalogue, _) = read(&[
        ["", "", "", "", "", "S1", "96385074", ""],
        ["", "Loose tea", "", "", "", "", "4006381333931", ""],
        ["", "", "", "", "", "", "036000291452", ""],
        ["mug", "", "Blue", "", "", "M1", "10614141000415", ""],
    ]);
    assert_eq!(
        names(&catalogue),
        [("S1", "S1"), ("Loose tea", "Loose tea"), ("036000291452", "036000291452"), ("mug:Blue", "M1 – Blue")]
    );
}

#[test]
fn the_same_file_gives_the_same_products() {
    let rows = [["tea", "Tea", "Green", "", "", "T1", "96385074", ""], ["tea", "", "Black", "", "", "", "", ""]];
    let (once, again) = (read(&rows), read(&rows));
    assert_eq!(once.0.products, again.0.products);
    let (edited, _) = read(&[["tea", "Tea, loose", "Black", "", "", "T9", "", ""]
        .map(|cell| if cell.contains(',') { "Tea loose" } else { cell })]);
    assert_eq!(edited.products[0].id, once.0.products[1].id, "a new SKU or title is the same product");
}

#[test]
fn a_mark_at_the_beginning_and_the_newer_column_names_are_understood() {
    let file = "\u{feff}Title,URL handle,SKU,Barcode,Option1 name,Option1 value,Inventory quantity,Product image URL\r\n\
                Tee grün,tea,T1,96385074,Title,Default Title,3,\r\n";
    let (catalogue, report) = read_shopify(file.as_bytes()).unwrap();
    assert_eq!(names(&catalogue), [("tea", "Tee grün")]);
    assert_eq!(report, Report { rows: 1, products: 1, ..Report::default() });
    let marked = format!("\u{feff}{HEADER}\ntea,Tea,,,,,T1,96385074,,,");
    assert_eq!(read_shopify(marked.as_bytes()).unwrap().0.products.len(), 1);
}

#[test]
fn a_file_that_is_no_export_says_why() {
    let error = read_shopify("Handle,Title,Variant SKU\na,b,c".as_bytes()).unwrap_err();
    assert_eq!(error.code(), "not-shopify");
    assert!(error.to_string().contains("lacks \"Option1 Value\", \"Variant Barcode\"."), "{error}");
    assert_eq!(read_shopify(&b""[..]).unwrap_err().code(), "not-shopify");

    let mut latin = format!("{HEADER}\na,A,,,,,S1,,,,\nb,\"Two\nlines\",,,,,S2,,,,\nc,").into_bytes();
    latin.extend_from_slice(b"Caf\xe9,,,,,S3,,,,");
    let error = read_shopify(&latin[..]).unwrap_err();
    assert!(matches!(error, CatalogueError::NotUtf8 { row: 4, line: 5 }), "{error}");
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(HEADER.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert!(matches!(read_shopify(&utf16[..]).unwrap_err(), CatalogueError::NotUtf8 { row: 1, .. }));

    let ragged = format!("{HEADER}\na,A,,,,,S1,,,,\nb,B,,,,,S2");
    let error = read_shopify(ragged.as_bytes()).unwrap_err();
    assert!(matches!(error, CatalogueError::Ragged { row: 3, line: 3, found: 7, expected: 11 }), "{error}");
}

#[test]
fn the_report_reads_as_a_table() {
    let (_, report) = read(&[["tea", "Tea", "", "", "", "T1", "'96385074", ""], ["x", "", "", "", "", "", "", ""]]);
    let text = report.to_string();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "   row  handle  what                                     done",
            "     2  tea     the barcode stands behind an apostrophe  mended: apostrophe removed",
            "     3  x       neither title nor SKU nor barcode        refused: left out",
            "2 rows: 1 products, 0 with only a picture, 0 repeated, 1 refused.",
            "Remarks: 1 rows mended, 0 noted and taken as they stand, 1 with something refused.",
        ]
    );
}

/// A real shop's export, if this checkout has the shared test data beside it (or where `GINTI_SHARED_DATA` says).
fn export(name: &str) -> Option<File> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("GINTI_SHARED_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let file = File::open(folder.join(name)).ok();
    if file.is_none() {
        eprintln!("{name} is not at hand: set GINTI_SHARED_DATA to the folder that has it");
    }
    file
}

#[test]
fn a_bicycle_shop_goes_in_whole() {
    let Some(file) = export("bicycles.csv") else { return };
    let (catalogue, report) = read_shopify(file).unwrap();
    accounted(&catalogue, &report);
    assert_eq!((report.rows, report.products, report.image_only), (1399, 1121, 278));
    let with_code = |code: &str| catalogue.products.iter().filter(|p| p.barcodes.iter().any(|c| c == code)).count();
    let mended = report.findings.iter().filter(|finding| finding.what.contains("leading zeros")).count();
    assert_eq!(mended, 58);
    assert_eq!(report.findings.iter().filter(|finding| finding.what == "no barcode").count(), 745);
    assert_eq!(report.findings.iter().filter(|finding| finding.what == "no SKU").count(), 3);
    assert_eq!(report.findings.iter().filter(|finding| finding.what.contains("below zero")).count(), 23);
    assert_eq!(with_code("63810-1000"), 1);
}

#[test]
fn a_winter_sports_shop_goes_in_whole() {
    let Some(file) = export("snowdevil.csv") else { return };
    let (catalogue, report) = read_shopify(file).unwrap();
    accounted(&catalogue, &report);
    assert_eq!((report.rows, report.products, report.image_only), (636, 622, 14));
    assert_eq!(report.findings.iter().filter(|finding| finding.what.contains("check digit")).count(), 1);
    assert_eq!(report.findings.iter().filter(|finding| finding.what == "no SKU").count(), 619);
    let glove = catalogue.products.iter().find(|p| p.barcodes.iter().any(|c| c == "9009518582030")).unwrap();
    assert_eq!(glove.name, "Approach Under Glove – Medium / True Black");
}
