//! Both ways of reading a body, and that they agree.

use proptest::prelude::*;

use super::*;
use crate::{
    Batch, ItemContent, ItemSeqId, Note, ProductId, ProductIdentifier, Quantity, Requested, Revision, Timestamp,
};

const BATCH_ID: &str = "019aab7e-1111-7222-8333-444455556666";

fn body(items: &str) -> String {
    format!(r#"{{"batchId":"{BATCH_ID}","deviceId":"6f0c","inventoryCountImportId":"M101428","items":[{items}]}}"#)
}

fn refusal(item: &str) -> (Code, Option<String>) {
    let good = r#"{"importItemSeqId":"1","productId":"p","quantity":1,"revision":1}"#;
    let batch = parse_batch(body(&format!("{good},{item}")).as_bytes()).expect("the frame is good");
    assert!(batch.items[0].is_ok(), "the good item is not harmed by its neighbour");
    let refusal = batch.items[1].clone().unwrap_err();
    assert!(refusal.detail.ends_with('.'), "{}", refusal.detail);
    (refusal.code, refusal.member)
}

fn problem(body: &str) -> Code {
    Code::from_name(&parse_batch(body.as_bytes()).unwrap_err().code).unwrap()
}

#[test]
fn the_smallest_useful_body() {
    let batch =
        parse_batch(body(r#"{"importItemSeqId":"1","productId":"p","quantity":2.5,"revision":1}"#).as_bytes()).unwrap();
    let item = batch.items[0].as_ref().unwrap();
    assert_eq!(item.content.quantity.micros(), 2_500_000);
    assert_eq!(item.content.counted_at, None);
}

#[test]
fn every_bad_member_has_its_own_code() {
    let item = |members: &str| format!(r#"{{"importItemSeqId":"2","productId":"p",{members}}}"#);
    let cases = [
        (item(r#""quantity":-1,"revision":1"#), Code::QuantityNegative, "quantity"),
        (item(r#""quantity":0.1234567,"revision":1"#), Code::QuantityTooPrecise, "quantity"),
        (item(r#""quantity":1e400,"revision":1"#), Code::QuantityTooLarge, "quantity"),
        (item(r#""quantity":"12","revision":1"#), Code::QuantityInvalid, "quantity"),
        (item(r#""quantity":null,"revision":1"#), Code::FieldMissing, "quantity"),
        (item(r#""quantity":1"#), Code::FieldMissing, "revision"),
        (item(r#""quantity":1,"revision":0"#), Code::RevisionInvalid, "revision"),
        (item(r#""quantity":1,"revision":9007199254740992"#), Code::RevisionInvalid, "revision"),
        (item(r#""quantity":1,"revision":1.5"#), Code::RevisionInvalid, "revision"),
        (item(r#""quantity":1,"revision":1,"qty":3"#), Code::FieldUnknown, "qty"),
        (item(r#""quantity":1,"quantity":2,"revision":1"#), Code::FieldDuplicate, "quantity"),
        (item(r#""quantity":1,"revision":1,"isRequested":"yes""#), Code::FieldInvalid, "isRequested"),
        (item(r#""quantity":1,"revision":1,"countedAt":"noon""#), Code::FieldInvalid, "countedAt"),
        (item(r#""quantity":1,"revision":1,"locationSeqId":7"#), Code::FieldInvalid, "locationSeqId"),
        (item(r#""quantity":1,"revision":1,"note":7"#), Code::FieldInvalid, "note"),
        (item(r#""quantity":1,"revision":1,"note":"""#), Code::FieldInvalid, "note"),
        (item(r#""quantity":1,"revision":1,"note":" \n""#), Code::FieldInvalid, "note"),
        (item(r#""quantity":1,"revision":1,"note":"a\tb""#), Code::FieldInvalid, "note"),
        (item(&format!(r#""quantity":1,"revision":1,"note":"{}""#, "x".repeat(501))), Code::FieldInvalid, "note"),
        (item(r#""quantity":1,"revision":1,"note":"a","note":"a""#), Code::FieldDuplicate, "note"),
        (r#"{"importItemSeqId":"2","quantity":1,"revision":1}"#.to_owned(), Code::ProductMissing, "productId"),
        (
            r#"{"importItemSeqId":"","productId":"p","quantity":1,"revision":1}"#.to_owned(),
            Code::IdInvalid,
            "importItemSeqId",
        ),
    ];
    for (item, code, member) in cases {
        assert_eq!(refusal(&item), (code, Some(member.to_owned())), "{item}");
    }
    assert_eq!(refusal("7"), (Code::FieldInvalid, None));
}

#[test]
fn a_note_is_taken_without_the_space_around_it_and_null_is_none() {
    let read = |note: &str| {
        let item = format!(r#"{{"importItemSeqId":"1","productId":"p","quantity":1,"revision":1,"note":{note}}}"#);
        parse_batch(body(&item).as_bytes()).unwrap().items[0].clone().unwrap().content.note
    };
    assert_eq!(read("null"), None);
    assert_eq!(read(r#"" box torn\nsecond line ""#), Some(Note::new("box torn\nsecond line").unwrap()));
    assert!(read(&format!(r#""{}""#, "é".repeat(500))).is_some());
}

/// Batches that wait in a queue were written before there were notes; their text must not change.
#[test]
fn a_count_without_a_note_is_written_as_it_always_was() {
    let text = r#"{"importItemSeqId":"1","productId":"p","quantity":1,"revision":1}"#;
    let batch = parse_batch(body(text).as_bytes()).unwrap();
    let mut item = batch.items[0].clone().unwrap();
    let written = concat!(
        r#"{"importItemSeqId":"1","revision":1,"productId":"p","productIdentifier":null,"quantity":1,"#,
        r#""countedAt":null,"countedByUserLoginId":null,"isRequested":null,"locationSeqId":null}"#
    );
    assert_eq!(serde_json::to_string(&item).unwrap(), written);
    item.content.note = Some(Note::new("torn").unwrap());
    assert_eq!(serde_json::to_string(&item).unwrap(), written.replace('}', r#","note":"torn"}"#));
}

/// What is said about a body must not be larger than the body, however much is wrong with it.
#[test]
fn a_body_full_of_faults_is_answered_in_few_words() {
    let strays = (0..60_000).map(|number| format!(r#""stray{number}":1,"#)).collect::<Vec<_>>().concat();
    let repeated = r#""items":1,"#.repeat(40_000);
    let long = format!(r#""{}":1,"#, "y".repeat(500_000));
    for members in [&strays, &repeated, &long] {
        let problem = parse_batch(body("").replacen('{', &format!("{{{members}"), 1).as_bytes()).unwrap_err();
        assert_eq!(problem.code, "batch-invalid");
        let said = serde_json::to_string(&problem).unwrap();
        assert!(said.len() < 4_000, "{} bytes", said.len());
        assert!(problem.detail.ends_with('.') && !problem.errors.is_empty());
    }
    let long = "y".repeat(500_000);
    let good = r#""importItemSeqId":"2","productId":"p","quantity":1,"revision":1"#;
    for (item, code, row) in [
        (format!(r#"{{{good},"{long}":1}}"#), Code::FieldUnknown, "2".to_owned()),
        (
            format!("{{{}}}", good.replace(":\"2\"", &format!(":\"{long}\""))),
            Code::IdInvalid,
            format!("{}…", &long[..199]),
        ),
    ] {
        let batch = parse_batch(body(&item).as_bytes()).unwrap();
        let refusal = batch.items[0].clone().unwrap_err();
        assert_eq!((refusal.code, refusal.import_item_seq_id), (code, Some(row)));
        assert!(refusal.detail.len() < 500 && refusal.member.is_some_and(|member| member.len() < 500));
    }
}

#[test]
fn an_array_is_neither_a_batch_nor_an_item_and_an_object_is_no_indicator() {
    let item = r#"["1","p",null,1,1]"#;
    assert_eq!(problem(&format!(r#"["{BATCH_ID}","6f0c","M101428",[{item}]]"#)), Code::MalformedJson);
    assert_eq!(refusal(item), (Code::FieldInvalid, None));
    let item = r#"{"importItemSeqId":"1","productId":"p","quantity":1,"revision":1,"isRequested":{"Y":null}}"#;
    assert_eq!(refusal(item), (Code::FieldInvalid, Some("isRequested".to_owned())));
}

#[test]
fn the_whole_batch_is_refused_when_its_frame_is_broken() {
    assert_eq!(problem(""), Code::MalformedJson);
    assert_eq!(problem("[]"), Code::MalformedJson);
    assert_eq!(problem(&body("")[..40]), Code::MalformedJson);
    assert_eq!(problem(&(body("") + "x")), Code::MalformedJson);
    assert_eq!(problem("{}"), Code::BatchInvalid);
    assert_eq!(problem(&body("").replace("6f0c", &"x".repeat(41))), Code::BatchInvalid);
    assert_eq!(problem(&body("").replace("\"deviceId\"", "\"device\"")), Code::BatchInvalid);
    assert_eq!(problem(&body("").replacen('{', "{\"deviceId\":\"x\",", 1)), Code::BatchInvalid);
    assert_eq!(problem(&body("")), Code::NoItems);
    let item = r#"{"importItemSeqId":"1","productId":"p","quantity":1,"revision":1}"#;
    assert_eq!(parse_batch(body(&vec![item; 1000].join(",")).as_bytes()).unwrap().items.len(), 1000);
    assert_eq!(problem(&body(&vec![item; 1001].join(","))), Code::TooManyItems);
}

#[test]
fn a_pointer_names_each_broken_member_of_the_frame() {
    let problem = parse_batch(br#"{"batchId":"7","items":{}}"#).unwrap_err();
    let pointers: Vec<_> = problem.errors.iter().map(|error| (error.pointer.as_str(), error.code.as_str())).collect();
    assert_eq!(
        pointers,
        [
            ("/batchId", "id-invalid"),
            ("/deviceId", "field-missing"),
            ("/inventoryCountImportId", "field-missing"),
            ("/items", "field-invalid")
        ]
    );
}

fn item() -> impl Strategy<Value = CountItem> {
    let text = "[a-zA-Z0-9é\"\\\\ ]{1,20}";
    (
        (text, 1..(1_u64 << 53), 0..=Quantity::MAX.micros()),
        (text, proptest::option::of(text), proptest::option::of(0..4_000_000_000_000_i64), any::<Option<bool>>()),
        proptest::option::of("[a-zé\"\\\\\n]{0,20}x"),
    )
        .prop_map(|((row, revision, micros), (product, identifier, at, requested), note)| CountItem {
            import_item_seq_id: ItemSeqId::new(row).unwrap(),
            revision: Revision::new(revision).unwrap(),
            content: ItemContent {
                product_id: Some(ProductId::new(product).unwrap()),
                product_identifier: identifier.map(|text| ProductIdentifier::new(text).unwrap()),
                quantity: Quantity::from_micros(micros).unwrap(),
                counted_at: at.map(Timestamp::from_unix_ms),
                counted_by_user_login_id: None,
                is_requested: requested.map(|yes| if yes { Requested::Y } else { Requested::N }),
                location_seq_id: None,
                note: note.map(|text| Note::new(text).unwrap()),
            },
        })
}

proptest! {
    #[test]
    fn both_ways_read_the_same_and_it_is_what_was_written(items in proptest::collection::vec(item(), 1..5)) {
        let batch = Batch {
            batch_id: BatchId::parse(BATCH_ID).unwrap(),
            device_id: DeviceId::new("d").unwrap(),
            inventory_count_import_id: SessionId::new("s").unwrap(),
            items,
        };
        let body = serde_json::to_vec(&batch).unwrap();
        let strict = strict::parse(&body).expect("a well-formed body takes the fast way");
        prop_assert_eq!(&diagnose::parse(&body).unwrap(), &strict);
        let items: Vec<_> = strict.items.into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(items, batch.items);
    }

    #[test]
    fn a_body_cut_or_bent_anywhere_never_panics(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let item = r#"{"importItemSeqId":"1","productId":"p","quantity":1.5,"revision":1}"#;
        let mut bytes = body(item).into_bytes();
        let at = at.index(bytes.len());
        let _ = parse_batch(&bytes[..at]);
        bytes[at] = byte;
        // What the fast way takes, the patient way takes too, and alike.
        if let Some(strict) = strict::parse(&bytes) {
            prop_assert_eq!(diagnose::parse(&bytes).unwrap(), strict);
        }
    }
}
