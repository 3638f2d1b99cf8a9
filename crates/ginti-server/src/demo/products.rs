//! The generated catalogue: the same 400 products every time.

use ginti_store::{Catalogue, Product};
use ginti_types::ProductId;

use crate::catalogue::gtin;

/// A shelf: prefix of its SKUs, what stands on it, and in which kinds and sizes.
struct Shelf {
    prefix: &'static str,
    makers: [&'static str; 2],
    things: [&'static str; 20],
    sizes: [&'static str; 5],
}

const SHELVES: [Shelf; 4] = [
    Shelf {
        prefix: "GRO",
        makers: ["Morrowfield", "Tansy Lane"],
        things: [
            "Basmati Rice",
            "Red Lentils",
            "Chickpeas",
            "Rolled Oats",
            "Wholemeal Flour",
            "Cane Sugar",
            "Sea Salt",
            "Black Pepper",
            "Turmeric",
            "Cumin Seeds",
            "Assam Tea",
            "Ground Coffee",
            "Honey",
            "Peanut Butter",
            "Apricot Jam",
            "Sunflower Oil",
            "Tomato Passata",
            "Penne",
            "Corn Flakes",
            "Dark Chocolate",
        ],
        sizes: ["100 g", "250 g", "500 g", "1 kg", "2 kg"],
    },
    Shelf {
        prefix: "HOM",
        makers: ["Brightwell", "Oriel & Reed"],
        things: [
            "Dish Soap",
            "Laundry Liquid",
            "Fabric Softener",
            "Glass Cleaner",
            "Floor Cleaner",
            "Bath Cleaner",
            "Hand Wash",
            "Descaler",
            "Stain Remover",
            "Furniture Polish",
            "Oven Cleaner",
            "Drain Cleaner",
            "Air Freshener",
            "Toilet Cleaner",
            "Starch Spray",
            "Wool Wash",
            "Rinse Aid",
            "Shower Spray",
            "Kitchen Degreaser",
            "Surface Wipes Refill",
        ],
        sizes: ["250 ml", "500 ml", "750 ml", "1 l", "2 l"],
    },
    Shelf {
        prefix: "STA",
        makers: ["Inkwood", "Paper Kite"],
        things: [
            "Ballpoint Pens",
            "Gel Pens",
            "Pencils",
            "Coloured Pencils",
            "Felt Tips",
            "Highlighters",
            "Erasers",
            "Glue Sticks",
            "Paper Clips",
            "Drawing Pins",
            "Rubber Bands",
            "Sticky Notes",
            "Index Cards",
            "Envelopes",
            "Notebooks",
            "Exercise Books",
            "Folders",
            "Dividers",
            "Staples",
            "Chalk Sticks",
        ],
        sizes: ["2 pack", "5 pack", "10 pack", "20 pack", "50 pack"],
    },
    Shelf {
        prefix: "HSE",
        makers: ["Hearthside", "Plumb Line"],
        things: [
            "Tea Towel",
            "Storage Jar",
            "Mixing Bowl",
            "Chopping Board",
            "Candle",
            "Picture Frame",
            "Basket",
            "Mug",
            "Plate",
            "Soup Bowl",
            "Water Bottle",
            "Lunch Box",
            "Cushion Cover",
            "Bath Towel",
            "Hand Towel",
            "Doormat",
            "Coat Hook",
            "Lamp Shade",
            "Plant Pot",
            "Watering Can",
        ],
        sizes: ["Sand", "Slate", "Moss", "Terracotta", "Indigo"],
    },
];

/// About 400 products of groceries, cleaning, stationery and household. Most have an EAN-13; every tenth has a GTIN-8,
/// some a UPC-A, and a few no barcode at all, as in any real store.
pub fn generated_catalogue() -> Catalogue {
    let names = SHELVES.iter().flat_map(|shelf| {
        shelf.things.iter().enumerate().flat_map(move |(at, thing)| {
            let maker = shelf.makers[at % shelf.makers.len()];
            shelf.sizes.iter().map(move |size| (shelf.prefix, format!("{maker} {thing}, {size}")))
        })
    });
    let products = (1..).zip(names).filter_map(|(number, (prefix, name))| {
        Some(Product {
            id: ProductId::new(format!("{}", 10_000 + number)).ok()?,
            name,
            sku: Some(format!("{prefix}-{number:04}")),
            barcodes: barcode(number).into_iter().collect(),
        })
    });
    Catalogue { products: products.collect() }
}

/// A barcode of a range for use inside a company: prefixes 20–29 of GTIN-13 and 2 of GTIN-8, number system 4 of UPC-A.
fn barcode(number: u64) -> Option<String> {
    // Spread, as real numbers are: neighbours on the shelf differ in more than their last digits.
    let spread = number * 7_919 % 1_000_000;
    match number {
        _ if number.is_multiple_of(50) => None,
        _ if number % 10 == 3 => gtin::complete(&format!("2{spread:06}")),
        _ if number % 15 == 7 => gtin::complete(&format!("4{spread:010}")),
        _ => gtin::complete(&format!("{}{spread:010}", 20 + number % 10)),
    }
}
