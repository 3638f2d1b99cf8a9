//! The patient way: member by member, keeping duplicates and unknown members in sight, with a reason for each fault.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::{ItemRefusal, ParsedBatch, ParsedItem};
use crate::{
    BatchId, Code, CountItem, DeviceId, FieldError, IdError, ItemContent, ItemSeqId, Note, Problem, Quantity,
    QuantityError, Revision, SessionId, Timestamp,
};

/// Stray members named in an answer, at most.
const STRAYS_SAID_MAX: usize = 8;
/// Characters of a text from the body repeated in an answer, at most.
const TEXT_CHARS_SAID_MAX: usize = 200;

pub(super) fn parse(body: &[u8]) -> Result<ParsedBatch, Box<Problem>> {
    let Members(members) = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let mut errors = Vec::new();
    let frame = Frame {
        batch_id: read(&members, "batchId", &mut errors, BatchId::parse),
        device_id: read(&members, "deviceId", &mut errors, |text| DeviceId::new(text)),
        session_id: read(&members, "inventoryCountImportId", &mut errors, |text| SessionId::new(text)),
        items: items(&members, &mut errors),
    };
    for fault in stray_members(&members, &["batchId", "deviceId", "inventoryCountImportId", "items"]) {
        errors.push(FieldError {
            pointer: pointer(&fault.name),
            code: fault.code.as_str().to_owned(),
            detail: fault.sentence(),
        });
    }
    match frame {
        Frame {
            batch_id: Some(batch_id),
            device_id: Some(device_id),
            session_id: Some(session_id),
            items: Some(items),
        } if errors.is_empty() => {
            // Before any item is looked at: what is said about one is many times larger than the item may be.
            super::check_count(items.len())?;
            Ok(ParsedBatch {
                batch_id,
                device_id,
                inventory_count_import_id: session_id,
                items: items.into_iter().map(item).collect(),
            })
        }
        _ => {
            let reasons: Vec<_> = errors.iter().map(|error| error.detail.as_str()).collect();
            let detail = format!("Nothing of the batch was stored. {}", reasons.join(" "));
            Err(Box::new(Problem::new(Code::BatchInvalid, detail).with_errors(errors)))
        }
    }
}

struct Frame<'a> {
    batch_id: Option<BatchId>,
    device_id: Option<DeviceId>,
    session_id: Option<SessionId>,
    items: Option<Vec<&'a RawValue>>,
}

/// An object's members in order, duplicates included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

fn malformed(error: &serde_json::Error) -> Box<Problem> {
    Box::new(Problem::new(
        Code::MalformedJson,
        format!("The body is not a JSON object with a batch ({error}). Nothing was stored; send it again complete."),
    ))
}

fn find<'a>(members: &[(String, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    members.iter().find(|(member, _)| member == name).map(|(_, value)| *value)
}

/// A required text member of the batch, or an error noted.
fn read<T>(
    members: &[(String, &RawValue)],
    name: &str,
    errors: &mut Vec<FieldError>,
    parse: impl FnOnce(&str) -> Result<T, IdError>,
) -> Option<T> {
    let (code, detail) = match find(members, name) {
        None => (Code::FieldMissing, format!("\"{name}\" is missing.")),
        Some(raw) => match serde_json::from_str::<String>(raw.get()) {
            Err(_) => (Code::FieldInvalid, format!("\"{name}\" must be a text.")),
            Ok(text) => match parse(&text) {
                Ok(value) => return Some(value),
                Err(error) => (Code::IdInvalid, format!("\"{name}\" {error}.")),
            },
        },
    };
    errors.push(FieldError { pointer: pointer(name), code: code.as_str().to_owned(), detail });
    None
}

fn items<'a>(members: &[(String, &'a RawValue)], errors: &mut Vec<FieldError>) -> Option<Vec<&'a RawValue>> {
    let (code, detail) = match find(members, "items") {
        None => (Code::FieldMissing, "\"items\" is missing."),
        Some(raw) => match serde_json::from_str(raw.get()) {
            Ok(items) => return Some(items),
            Err(_) => (Code::FieldInvalid, "\"items\" must be an array of counts."),
        },
    };
    errors.push(FieldError { pointer: pointer("items"), code: code.as_str().to_owned(), detail: detail.to_owned() });
    None
}

struct Fault {
    name: String,
    code: Code,
}

impl Fault {
    fn sentence(&self) -> String {
        let name = &self.name;
        if self.code == Code::FieldDuplicate {
            format!("\"{name}\" stands more than once; which of its values counts is anyone's guess.")
        } else {
            format!("\"{name}\" is not a member of this format.")
        }
    }
}

/// Members that do not belong, or stand there again. As many as are worth saying: a body has room for a hundred thousand.
fn stray_members(members: &[(String, &RawValue)], known: &[&str]) -> Vec<Fault> {
    let mut seen = vec![false; known.len()];
    let faults = members.iter().filter_map(|(name, _)| {
        let code = match known.iter().position(|known| known == name) {
            None => Code::FieldUnknown,
            Some(at) if std::mem::replace(&mut seen[at], true) => Code::FieldDuplicate,
            Some(_) => return None,
        };
        Some(Fault { name: beginning(name), code })
    });
    faults.take(STRAYS_SAID_MAX).collect()
}

/// A text of the body as it is said in an answer.
fn beginning(text: &str) -> String {
    let mut said: String = text.chars().take(TEXT_CHARS_SAID_MAX).collect();
    if said.len() < text.len() {
        said.pop();
        said.push('…');
    }
    said
}

fn pointer(member: &str) -> String {
    format!("/{}", member.replace('~', "~0").replace('/', "~1"))
}

const ITEM_MEMBERS: [&str; 10] = [
    "importItemSeqId",
    "productId",
    "productIdentifier",
    "quantity",
    "revision",
    "countedAt",
    "countedByUserLoginId",
    "isRequested",
    "locationSeqId",
    "note",
];

fn item(raw: &RawValue) -> ParsedItem {
    let refuse = |row: Option<String>, member: Option<&str>, code, detail| ItemRefusal {
        import_item_seq_id: row,
        member: member.map(str::to_owned),
        code,
        detail,
        raw: raw.get().to_owned(),
    };
    let Ok(Members(members)) = serde_json::from_str(raw.get()) else {
        return Err(refuse(None, None, Code::FieldInvalid, "The item is not a JSON object.".to_owned()));
    };
    let row = find(&members, "importItemSeqId").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let row = row.map(|row| beginning(&row));
    let item = ItemMembers { members: &members };
    item.read().map_err(|fault| refuse(row, fault.0.as_deref(), fault.1, fault.2))
}

/// The member at fault, the code, the sentence.
type ItemFault = (Option<String>, Code, String);

struct ItemMembers<'m, 'a> {
    members: &'m [(String, &'a RawValue)],
}

impl ItemMembers<'_, '_> {
    fn read(&self) -> Result<CountItem, ItemFault> {
        if let Some(fault) = stray_members(self.members, &ITEM_MEMBERS).into_iter().next() {
            let sentence = fault.sentence();
            return Err((Some(fault.name), fault.code, sentence));
        }
        let import_item_seq_id = self.id("importItemSeqId", |text| ItemSeqId::new(text))?;
        let import_item_seq_id = import_item_seq_id.ok_or_else(|| missing("importItemSeqId"))?;
        let content = ItemContent {
            product_id: self.id("productId", |text| crate::ProductId::new(text))?,
            product_identifier: self.id("productIdentifier", |text| crate::ProductIdentifier::new(text))?,
            quantity: self.quantity()?,
            counted_at: self
                .text("countedAt", "a time such as 2026-11-22T09:14:03.120Z", |text| Timestamp::parse(text).ok())?,
            counted_by_user_login_id: self.id("countedByUserLoginId", |text| crate::UserLoginId::new(text))?,
            is_requested: self
                .text("isRequested", "\"Y\" or \"N\"", |text| serde_json::from_value(text.to_owned().into()).ok())?,
            location_seq_id: self.id("locationSeqId", |text| crate::LocationSeqId::new(text))?,
            note: self.checked("note", Code::FieldInvalid, |text| Note::new(text))?,
        };
        let revision = self.revision()?;
        if content.product_id.is_none() && content.product_identifier.is_none() {
            let detail = "The item names no product: give \"productId\", or \"productIdentifier\" for a barcode that matches none.";
            return Err((Some("productId".to_owned()), Code::ProductMissing, detail.to_owned()));
        }
        Ok(CountItem { import_item_seq_id, revision, content })
    }

    /// A member that is there and not null.
    fn get(&self, name: &str) -> Option<&str> {
        find(self.members, name).map(RawValue::get).filter(|text| *text != "null")
    }

    fn id<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T, IdError>) -> Result<Option<T>, ItemFault> {
        self.checked(name, Code::IdInvalid, parse)
    }

    /// A text that is refused with `code` and its own reason.
    fn checked<T, E: fmt::Display>(
        &self,
        name: &str,
        code: Code,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ItemFault> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        let Ok(text) = serde_json::from_str::<String>(raw) else {
            return Err(fault(name, Code::FieldInvalid, "must be a text"));
        };
        parse(&text).map(Some).map_err(|error| fault(name, code, &error.to_string()))
    }

    fn text<T>(&self, name: &str, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ItemFault> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        let value = serde_json::from_str::<String>(raw).ok().and_then(|text| parse(&text));
        value.map(Some).ok_or_else(|| fault(name, Code::FieldInvalid, &format!("must be {what}")))
    }

    fn quantity(&self) -> Result<Quantity, ItemFault> {
        let raw = self.get("quantity").ok_or_else(|| missing("quantity"))?;
        raw.parse().map_err(|error: QuantityError| {
            let code = match error {
                QuantityError::NotANumber => Code::QuantityInvalid,
                QuantityError::Negative => Code::QuantityNegative,
                QuantityError::TooPrecise => Code::QuantityTooPrecise,
                QuantityError::TooLarge => Code::QuantityTooLarge,
            };
            fault("quantity", code, &error.to_string())
        })
    }

    fn revision(&self) -> Result<Revision, ItemFault> {
        let raw = self.get("revision").ok_or_else(|| missing("revision"))?;
        serde_json::from_str(raw)
            .map_err(|_| fault("revision", Code::RevisionInvalid, "must be a whole number from 1 to 9007199254740991"))
    }
}

fn missing(name: &str) -> ItemFault {
    fault(name, Code::FieldMissing, "is missing")
}

fn fault(name: &str, code: Code, what: &str) -> ItemFault {
    (Some(name.to_owned()), code, format!("\"{name}\" {what}."))
}
