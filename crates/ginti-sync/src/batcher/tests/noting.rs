//! Notes beside counts: written, sent, taken away, and taken over from the server.

use ginti_types::{ItemSeqId, Note, Outcome, UserLoginId};

use super::super::{testkit::*, *};
use crate::record::{ItemRecord, ScanKind, Truth};

fn annotate(page: &mut Page, row: &ItemSeqId, note: Option<&str>) -> Result<(), AnnotateError> {
    let noted = page.machine.annotate(AnnotateIn {
        now: page.now,
        device: page.device.clone(),
        item: page.items[row].clone(),
        note: note.map(str::to_owned),
        noted_by_user_login_id: UserLoginId::new("lead").unwrap(),
    })?;
    page.scans.push(noted.scan);
    page.put(noted.device, vec![noted.item]);
    Ok(())
}

fn note_of(item: &ItemRecord) -> Option<&str> {
    item.note.as_ref().map(Note::as_str)
}

#[test]
fn a_noted_row_keeps_its_count_and_its_counter_and_goes_out_again() {
    let (mut page, mut server) = (Page::new(1), Server::new("e1"));
    let row = page.scan("apple");
    page.flush(&mut server);
    let before = page.items[&row].clone();
    assert_eq!(before.truth, Truth::Confirmed);
    page.now = page.now.plus_ms(5_000);
    annotate(&mut page, &row, Some(" box\ttorn\r\n2 missing ")).unwrap();
    let after = &page.items[&row];
    assert_eq!((note_of(after), after.truth), (Some("box torn\n2 missing"), Truth::Saved));
    assert!(after.revision > before.revision);
    assert_eq!((after.quantity, after.counted_at), (before.quantity, before.counted_at));
    assert_eq!(after.counted_by_user_login_id, before.counted_by_user_login_id);
    let scan = page.scans.last().unwrap();
    assert_eq!((scan.kind, scan.before, scan.after), (ScanKind::Note, before.quantity, before.quantity));
    assert_eq!(scan.counted_by_user_login_id.as_str(), "lead");

    page.flush(&mut server);
    assert_eq!(page.truth("apple"), Truth::Confirmed);
    assert_eq!(server.rows[&row].1, page.items[&row].content());
    page.now = page.now.plus_ms(5_000);
    page.scan("apple");
    assert_eq!(note_of(&page.items[&row]), Some("box torn\n2 missing"), "counting on leaves it there");
    annotate(&mut page, &row, Some(" \n")).unwrap();
    page.flush(&mut server);
    assert_eq!((server.rows[&row].1.note.as_ref(), server.rows[&row].1.quantity), (None, quantity(2)));
}

#[test]
fn a_note_too_long_or_on_somebody_elses_count_is_not_taken() {
    let mut page = Page::new(1);
    let row = page.scan("apple");
    let before = page.items[&row].clone();
    let long = "é".repeat(501);
    assert_eq!(annotate(&mut page, &row, Some(&long)), Err(AnnotateError::TooLong { chars: 501 }));
    assert_eq!(page.items[&row], before);
    page.items.get_mut(&row).unwrap().counted_here = false;
    assert_eq!(annotate(&mut page, &row, None), Err(AnnotateError::CountedElsewhere));
}

#[test]
fn a_row_of_the_server_comes_with_its_note_and_an_older_server_says_none() {
    let mut page = Page::new(1);
    let row = |id: &str, more: &str| -> RemoteItem {
        let text = format!(
            r#"{{"importItemSeqId":"{id}","productId":"pear","productIdentifier":null,"quantity":1,"revision":9,
            "deviceId":"other","countedAt":"2026-11-22T09:00:00Z","countedByUserLoginId":"counter2","isRequested":null,
            "locationSeqId":null,"outcome":"applied"{more}}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    let absorbed = page.machine.absorb(Absorb {
        now: page.now,
        device: page.device.clone(),
        inventory_count_import_id: session(),
        remote: vec![row("1", ""), row("2", r#","note":"torn""#)],
        local: Vec::new(),
    });
    page.put(absorbed.device, absorbed.items);
    let notes: Vec<_> = page.items.values().map(note_of).collect();
    assert_eq!(notes, [None, Some("torn")]);
}

/// A device whose rows were written by an app that knew no notes reads them, and a lost receipt is made good by the row
/// itself only if the note is the same.
#[test]
fn older_records_read_and_a_note_is_part_of_what_is_compared() {
    let mut page = Page::new(1);
    let row = page.scan("apple");
    let mut json = serde_json::to_value(&page.items[&row]).unwrap();
    json.as_object_mut().unwrap().remove("note").expect("written");
    assert_eq!(serde_json::from_value::<ItemRecord>(json).unwrap(), page.items[&row]);

    let item = page.items[&row].clone();
    let remote = |note: Option<&str>| RemoteItem {
        import_item_seq_id: row.clone(),
        product_id: item.product_id.clone(),
        product_identifier: item.product_identifier.clone(),
        quantity: item.quantity,
        revision: item.revision,
        device_id: item.device_id.clone(),
        counted_at: item.counted_at,
        counted_by_user_login_id: item.counted_by_user_login_id.clone(),
        is_requested: item.is_requested,
        location_seq_id: item.location_seq_id.clone(),
        note: note.map(|note| Note::new(note).unwrap()),
        outcome: Outcome::Applied,
    };
    for (note, truth) in [(Some("torn"), Truth::Saved), (None, Truth::Confirmed)] {
        let absorbed = page.machine.absorb(Absorb {
            now: page.now,
            device: page.device.clone(),
            inventory_count_import_id: session(),
            remote: vec![remote(note)],
            local: vec![item.clone()],
        });
        page.put(absorbed.device, absorbed.items);
        assert_eq!(page.truth("apple"), truth);
    }
}
