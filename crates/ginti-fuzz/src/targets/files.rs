//! Files that people hand in: what should lie in a store, plans, and Shopify's product exports.

use ginti_server::{catalogue, outside};

use super::{said, text};
use crate::Target;

const WORDS: &[&str] = &[
    "productSku",
    "sku",
    "productId",
    "barcode",
    "quantityOnHand",
    "unitCost",
    "countImportName",
    "purposeType",
    "facility",
    "estimatedCompletionDate",
    ",",
    "\n",
    "\r\n",
    "\"",
    "\"\"",
    "'",
    "\u{feff}",
    "=1+1",
    "-1",
    "1.5",
    "0.0000001",
    "P1",
    "A-1",
    "STORE_1",
    "HARD_COUNT",
    "DIRECTED_COUNT",
    "11-30-2026 18:05:00",
    "2026-11-30T18:05:00Z",
    "\0",
    ";",
];

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "files",
        holds: "A file of stock or of a plan is read or refused with a code and a sentence; every complaint is of one of its rows; no planned \
                session has a name that the page could not give it.",
        check: files,
        bytes_max: 2_048,
        words: WORDS,
    },
    Target {
        name: "shopify",
        holds: "Every row of an export is accounted for, and what comes out are products: unlike ids, names of one line, barcodes that are codes.",
        check: shopify,
        bytes_max: 2_048,
        words: &[
            "Handle,Title,Option1 Value,Option2 Value,Option3 Value,Variant SKU,Variant Barcode,Image Src\n",
            "rice,Rice,1 kg,,,A-1,'4006381333931,\n",
            ",",
            "\n",
            "\"",
            "4006381333931",
            "036000291452",
            "4.00638E+12",
            "'",
            "https://",
            "\u{feff}",
            "\0",
            "é",
            ";",
        ],
    },
    Target {
        name: "cells",
        holds: "A number of a file is exact both ways, a date lies within the years that can be written, and an exported text is no formula to any \
                spreadsheet and the same text again when it comes back.",
        check: cells,
        bytes_max: 64,
        words: &[
            "=",
            "+",
            "-",
            "@",
            "|",
            "%",
            "\t",
            "\r",
            "\n",
            "'",
            "1.5",
            "999999999.999999",
            "11-30-2026 18:05:00",
            "2026-11-30T18:05:00Z",
            " ",
        ],
    },
];

/// The first line may say which column is which.
fn files(bytes: &[u8]) {
    let map = bytes.strip_prefix(b"?").and_then(|rest| {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        Some((text(&rest[..end])?, &rest[end + 1..]))
    });
    let (map, file) = map.map_or((None, bytes), |(map, file)| (Some(map), file));
    for read in outside::files(file, map) {
        match read {
            Ok((rows, complaints)) => assert!(complaints <= rows, "{complaints} complaints of {rows} rows"),
            Err(problem) => said::problem(&problem),
        }
    }
}

fn shopify(bytes: &[u8]) {
    match catalogue::read_shopify(bytes) {
        Ok((catalogue, report)) => {
            assert_eq!(report.rows, report.products + report.image_only + report.repeated + report.refused);
            assert_eq!(u64::try_from(catalogue.products.len()), Ok(report.products));
            let mut ids: Vec<_> = catalogue.products.iter().map(|product| &product.id).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), catalogue.products.len(), "every product has an id of its own");
            for product in &catalogue.products {
                assert!(!product.name.is_empty());
                for text in product.barcodes.iter().chain(&product.sku).chain([&product.name]) {
                    assert!(!text.contains('\0'), "{text:?} cannot be kept by every database");
                }
            }
            assert!(!report.to_string().contains('\0'));
        }
        Err(error) => said::sentence(&error.to_string()),
    }
}

fn cells(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Some(number) = outside::number(text) {
        assert_eq!(outside::number(&outside::decimal(number)), Some(number));
    }
    if let Some(date) = outside::date(text) {
        assert_eq!(outside::date(&date.to_string()), Some(date));
    }
    let exported = outside::exported(text);
    let first = exported.trim_start().chars().next();
    assert!(!first.is_some_and(|first| "=+-@|%".contains(first)), "{exported:?} is a formula");
    assert_eq!(exported.strip_prefix('\'').filter(|_| exported != text).unwrap_or(&exported), text);
}
