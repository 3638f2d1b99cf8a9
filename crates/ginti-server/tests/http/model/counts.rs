//! Batches in both languages: as text for the server, and as what is meant for the reference.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
};

use flate2::{Compression, write::GzEncoder};
use ginti_store::{ImportItem, Refusal};
use ginti_types::{
    Code, ItemContent, ItemSeqId, LocationSeqId, Note, ProductId, ProductIdentifier, Requested, Revision, Timestamp,
    UserLoginId,
};

use super::story::Name;
use crate::support::{NOW_MS, batch_id};

/// One count, or something that is none.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) row: Name,
    /// When it was stamped, in minutes since the story began.
    pub(super) minute: i64,
    pub(super) quantity: Name,
    pub(super) by: Option<Name>,
    /// With all members there are.
    pub(super) full: bool,
    pub(super) fault: Option<Fault>,
}

/// What makes an item unreadable.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Negative,
    TooPrecise,
    NoRevision,
    UnknownMember,
    NoProduct,
    NoRow,
    LongRow,
    NoObject,
}

/// How a body is written; none of it changes what the batch is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) gzip: bool,
    pub(super) other_words: bool,
    /// With an `Idempotency-Key`.
    pub(super) key: bool,
}

impl Form {
    pub(super) const PLAIN: Self = Self { gzip: false, other_words: false, key: false };
}

/// What makes a whole body unusable.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unusable {
    NotJson,
    NoItems,
    NoDevice,
    OtherKey,
    NotGzip,
    NotSaidToBeJson,
}

/// A batch that was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) number: u32,
    pub(super) device: Name,
    pub(super) session: Name,
    pub(super) items: Vec<Item>,
}

impl Item {
    /// What a reader makes of it.
    pub(super) fn meant(&self) -> ImportItem {
        if let Some(fault) = self.fault {
            let (_, code, detail) = fault.said();
            let row = match fault {
                Fault::NoRow | Fault::NoObject => None,
                Fault::LongRow => Some(long_row()),
                _ => Some(self.row.to_owned()),
            };
            return ImportItem::Refused(Refusal { import_item_seq_id: row, code, detail: detail.to_owned() });
        }
        let full = |text: &'static str| self.full.then_some(text);
        ImportItem::Count {
            item: ItemSeqId::new(self.row).unwrap(),
            revision: self.revision(),
            content: ItemContent {
                product_id: Some(ProductId::new(format!("product-{}", self.row)).unwrap()),
                product_identifier: full("0123").map(|text| ProductIdentifier::new(text).unwrap()),
                quantity: self.quantity.parse().unwrap(),
                counted_at: self.full.then(|| Timestamp::from_unix_ms(NOW_MS - 60_000)),
                counted_by_user_login_id: self.by.map(|name| UserLoginId::new(name).unwrap()),
                is_requested: self.full.then_some(Requested::N),
                location_seq_id: full("AISLE-3").map(|text| LocationSeqId::new(text).unwrap()),
                note: full("torn\nopen").map(|text| Note::new(text).unwrap()),
            },
        }
    }

    fn revision(&self) -> Revision {
        Revision::from_unix_ms(NOW_MS + self.minute * 60_000)
    }

    fn text(&self, other_words: bool) -> String {
        let (row, quantity, revision) = (self.row, self.quantity, self.revision().get());
        let start = format!(r#""importItemSeqId":"{row}","productId":"product-{row}""#);
        match self.fault {
            None => self.good_text(other_words),
            Some(Fault::Negative) => format!(r#"{{{start},"quantity":-0.5,"revision":{revision}}}"#),
            Some(Fault::TooPrecise) => format!(r#"{{{start},"quantity":0.1234567,"revision":{revision}}}"#),
            Some(Fault::NoRevision) => format!(r#"{{{start},"quantity":{quantity},"revision":0}}"#),
            Some(Fault::UnknownMember) => format!(r#"{{{start},"quantity":1,"revision":{revision},"remark":"x"}}"#),
            Some(Fault::NoProduct) => {
                format!(r#"{{"importItemSeqId":"{row}","quantity":{quantity},"revision":{revision}}}"#)
            }
            Some(Fault::NoRow) => format!(r#"{{"productId":"p","quantity":{quantity},"revision":{revision}}}"#),
            Some(Fault::LongRow) => {
                let row = long_row();
                format!(r#"{{"importItemSeqId":"{row}","productId":"p","quantity":1,"revision":{revision}}}"#)
            }
            Some(Fault::NoObject) => "[]".to_owned(),
        }
    }

    fn good_text(&self, other_words: bool) -> String {
        let (row, revision) = (self.row, self.revision().get());
        let mut members = vec![
            format!(r#""importItemSeqId":"{row}""#),
            format!(r#""productId":"product-{row}""#),
            format!(r#""revision":{revision}"#),
        ];
        let point = if self.quantity.contains('.') { "" } else { "." };
        members.push(if other_words {
            format!(r#""quantity" : {}{point}00"#, self.quantity)
        } else {
            format!(r#""quantity":{}"#, self.quantity)
        });
        members.extend(self.by.map(|name| format!(r#""countedByUserLoginId":"{name}""#)));
        if self.full {
            let counted_at = Timestamp::from_unix_ms(NOW_MS - 60_000);
            members.push(format!(r#""productIdentifier":"0123","isRequested":"N","countedAt":"{counted_at}""#));
            members.push(r#""locationSeqId":"AISLE-3""#.to_owned());
            members
                .push(if other_words { r#""note":" t\u006frn\nopen ""# } else { r#""note":"torn\nopen""# }.to_owned());
        } else if other_words {
            members.push(r#""locationSeqId":null,"isRequested":null,"note":null"#.to_owned());
        }
        if other_words {
            members.reverse();
        }
        format!("{{{}}}", members.join(if other_words { ",\n " } else { "," }))
    }
}

fn long_row() -> String {
    "x".repeat(41)
}

impl Fault {
    pub(super) const ALL: &[Self] = &[
        Self::Negative,
        Self::TooPrecise,
        Self::NoRevision,
        Self::UnknownMember,
        Self::NoProduct,
        Self::NoRow,
        Self::LongRow,
        Self::NoObject,
    ];

    /// The member at fault, the code, the sentence.
    pub(super) fn said(self) -> (Option<&'static str>, Code, &'static str) {
        match self {
            Self::Negative => {
                (Some("quantity"), Code::QuantityNegative, "\"quantity\" is below zero; a count is zero or more.")
            }
            Self::TooPrecise => (Some("quantity"), Code::QuantityTooPrecise, "\"quantity\" has more than 6 decimals."),
            Self::NoRevision => (
                Some("revision"),
                Code::RevisionInvalid,
                "\"revision\" must be a whole number from 1 to 9007199254740991.",
            ),
            Self::UnknownMember => (Some("remark"), Code::FieldUnknown, "\"remark\" is not a member of this format."),
            Self::NoProduct => (
                Some("productId"),
                Code::ProductMissing,
                "The item names no product: give \"productId\", or \"productIdentifier\" for a barcode that matches none.",
            ),
            Self::NoRow => (Some("importItemSeqId"), Code::FieldMissing, "\"importItemSeqId\" is missing."),
            Self::LongRow => (
                Some("importItemSeqId"),
                Code::IdInvalid,
                "\"importItemSeqId\" has 41 characters; at most 40 are allowed.",
            ),
            Self::NoObject => (None, Code::FieldInvalid, "The item is not a JSON object."),
        }
    }
}

impl Unusable {
    pub(super) const ALL: &[Self] =
        &[Self::NotJson, Self::NoItems, Self::NoDevice, Self::OtherKey, Self::NotGzip, Self::NotSaidToBeJson];

    pub(super) fn code(self) -> Code {
        match self {
            Self::NotJson => Code::MalformedJson,
            Self::NoItems => Code::NoItems,
            Self::NoDevice => Code::BatchInvalid,
            Self::OtherKey => Code::InvalidParameter,
            Self::NotGzip => Code::UnsupportedEncoding,
            Self::NotSaidToBeJson => Code::UnsupportedMediaType,
        }
    }
}

impl Sent {
    pub(super) fn text(&self, other_words: bool) -> String {
        let items: Vec<_> = self.items.iter().map(|item| item.text(other_words)).collect();
        format!(
            r#"{{"batchId":"{}","deviceId":"{}","inventoryCountImportId":"{}","items":[{}]}}"#,
            batch_id(self.number),
            self.device,
            self.session,
            items.join(if other_words { " ,\n" } else { "," })
        )
    }

    /// Stands for what is meant, not for the words; for those only where nothing can be understood.
    pub(super) fn digest(&self) -> [u8; 16] {
        let mut hasher = DefaultHasher::new();
        (self.device, self.session).hash(&mut hasher);
        for item in &self.items {
            item.fault.map_or_else(|| format!("{:?}", item.meant()), |_| item.text(false)).hash(&mut hasher);
        }
        u128::from(hasher.finish()).to_be_bytes()
    }
}

pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
