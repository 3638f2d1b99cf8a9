//! The digest that tells a repeated batch from a reuse of its id: over what was meant, not over the bytes that came.
//!
//! White space, member order, gzip, and the way a number or a time is written make no difference; any value does.

use ginti_types::{
    CountItem, ItemContent, ItemRefusal, LocationSeqId, ParsedBatch, ProductId, ProductIdentifier, Requested,
    Timestamp, UserLoginId,
};
use sha2::{Digest, Sha256};

/// About so many bytes of the form are an item's.
const ITEM_BYTES: usize = 192;

/// The first half of a SHA-256 over the batch's canonical form.
pub(crate) fn digest(batch: &ParsedBatch) -> [u8; 16] {
    let mut form = Form(Vec::with_capacity(ITEM_BYTES * batch.items.len()));
    form.text(batch.device_id.as_str());
    form.text(batch.inventory_count_import_id.as_str());
    for item in &batch.items {
        match item {
            Ok(item) => form.count(item),
            Err(refusal) => form.refusal(refusal),
        }
    }
    let full: [u8; 32] = Sha256::digest(&form.0).into();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

/// Values one after the other, each with its length or a tag before it, so that no two batches share a form.
struct Form(Vec<u8>);

impl Form {
    fn count(&mut self, item: &CountItem) {
        // Destructured so that a new member cannot be forgotten here.
        let CountItem { import_item_seq_id, revision, content } = item;
        let ItemContent {
            product_id,
            product_identifier,
            quantity,
            counted_at,
            counted_by_user_login_id,
            is_requested,
            location_seq_id,
            note,
        } = content;
        self.0.push(b'C');
        self.text(import_item_seq_id.as_str());
        self.0.extend_from_slice(&revision.get().to_be_bytes());
        self.optional(product_id.as_ref().map(ProductId::as_str));
        self.optional(product_identifier.as_ref().map(ProductIdentifier::as_str));
        self.0.extend_from_slice(&quantity.micros().to_be_bytes());
        self.0.extend_from_slice(&counted_at.map_or(-1, Timestamp::unix_ms).to_be_bytes());
        self.optional(counted_by_user_login_id.as_ref().map(UserLoginId::as_str));
        self.0.push(match is_requested {
            None => b'-',
            Some(Requested::Y) => b'Y',
            Some(Requested::N) => b'N',
        });
        self.optional(location_seq_id.as_ref().map(LocationSeqId::as_str));
        // Nothing where there is none: batches from before there were notes keep their digest.
        if let Some(note) = note {
            self.0.push(b'N');
            self.text(note.as_str());
        }
    }

    fn refusal(&mut self, refusal: &ItemRefusal) {
        self.0.push(b'R');
        self.text(&refusal.raw);
    }

    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            None => self.0.push(b'-'),
            Some(text) => {
                self.0.push(b'+');
                self.text(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ginti_types::parse_batch;

    use super::*;

    const BATCH: &str = r#"{"batchId":"019aab7e-0000-7000-8000-000000000000","deviceId":"d","inventoryCountImportId":"s",
        "items":[{"importItemSeqId":"1","productId":"p","quantity":1.50,"revision":7,"countedAt":"2026-11-22T10:00:00+01:00"}]}"#;

    fn of(body: &str) -> [u8; 16] {
        digest(&parse_batch(body.as_bytes()).unwrap())
    }

    #[test]
    fn the_way_it_is_written_makes_no_difference() {
        assert_eq!(of(BATCH), of(&BATCH.replace([' ', '\n'], "")));
        assert_eq!(of(BATCH), of(&BATCH.replace("1.50", "15e-1")));
        assert_eq!(of(BATCH), of(&BATCH.replace("2026-11-22T10:00:00+01:00", "2026-11-22T09:00:00.000Z")));
        assert_eq!(of(BATCH), of(&BATCH.replace("\"revision\":7", "\"revision\":7,\"locationSeqId\":null")));
        assert_eq!(of(BATCH), of(&BATCH.replace("\"revision\":7", "\"revision\":7,\"note\":null")));
        assert_eq!(
            of(&BATCH.replace("\"revision\":7", "\"revision\":7,\"note\":\"torn\"")),
            of(&BATCH.replace("\"revision\":7", "\"revision\":7,\"note\":\" \\u0074orn\\n\""))
        );
        assert_eq!(
            of(BATCH),
            of(&BATCH.replace(r#""productId":"p","quantity":1.50"#, r#""quantity":1.5,"productId":"p""#))
        );
    }

    /// Receipts that servers remember are of batches from before there were notes.
    #[test]
    fn a_batch_without_a_note_has_the_digest_it_always_had() {
        assert_eq!(u128::from_be_bytes(of(BATCH)), 0x4f7d_feca_2d3d_3adc_ecab_fec4_9389_a9f1);
    }

    #[test]
    fn any_value_makes_a_difference() {
        let changes = [
            (r#""deviceId":"d""#, r#""deviceId":"e""#),
            (r#""inventoryCountImportId":"s""#, r#""inventoryCountImportId":"t""#),
            (r#""importItemSeqId":"1""#, r#""importItemSeqId":"2""#),
            (r#""productId":"p""#, r#""productIdentifier":"p""#),
            (r#""productId":"p""#, r#""productId":"p","locationSeqId":"p""#),
            (r#""productId":"p""#, r#""productId":"p","note":"p""#),
            (r#""productId":"p""#, r#""productId":"p","note":"q""#),
            (r#""productId":"p""#, r#""productId":"p","locationSeqId":"p","note":"p""#),
            (r#""productId":"p""#, r#""productId":"p","countedByUserLoginId":"p""#),
            (r#""productId":"p""#, r#""productId":"p","isRequested":"Y""#),
            (r#""productId":"p""#, r#""productId":"p","isRequested":"N""#),
            ("1.50", "1.500001"),
            ("1.50", "-1"),
            (r#""revision":7"#, r#""revision":8"#),
            ("10:00:00+", "10:00:01+"),
        ];
        let mut seen = vec![of(BATCH)];
        for (from, to) in changes {
            let other = of(&BATCH.replace(from, to));
            assert!(!seen.contains(&other), "{from} → {to}");
            seen.push(other);
        }
    }
}
