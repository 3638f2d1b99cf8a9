//! CSV files that people hand in: columns found by name or said by hand, every row answered for.

use csv::{ByteRecord, StringRecord};
use ginti_types::Code;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{Answer, ProblemResponse};

/// A file may be so large.
pub(crate) const FILE_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Rows of a file, at most.
pub(crate) const ROWS_MAX: usize = 100_000;
/// Errors that an answer names one by one.
pub(crate) const ERRORS_MAX: usize = 1_000;
/// Rows that a preview shows.
pub(crate) const PREVIEW_ROWS: usize = 5;

/// Something wrong in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RowError)]
pub(crate) struct RowErrorDto {
    /// As a spreadsheet numbers them: the header is row 1.
    row: usize,
    /// The column's name in the file.
    column: Option<String>,
    /// A stable code.
    code: &'static str,
    /// A sentence.
    detail: String,
}

/// A column of the file and what it is taken for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MappedColumn)]
pub(crate) struct ColumnDto {
    /// Its name in the file.
    header: String,
    /// What it is taken for; null if it is not used.
    field: Option<&'static str>,
}

/// A field that a file may have.
pub(super) struct Field {
    /// Its name with us.
    pub(super) name: &'static str,
    /// Names it goes by elsewhere.
    pub(super) others: &'static [&'static str],
}

/// A file with its columns found.
pub(super) struct File<'a> {
    reader: csv::Reader<&'a [u8]>,
    header: StringRecord,
    fields: &'static [Field],
    at: Vec<Option<usize>>,
    row: usize,
    pub(super) errors: Vec<RowErrorDto>,
    pub(super) error_count: usize,
    pub(super) preview: Vec<Vec<String>>,
}

impl<'a> File<'a> {
    /// Reads the header. `mapping` says by hand which column a field is: `(field, column)`.
    pub(super) fn open(bytes: &'a [u8], fields: &'static [Field], mapping: &[(String, String)]) -> Answer<Self> {
        // A mark that some spreadsheets put before everything.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
        let header = reader.headers().map_err(|_| unreadable())?.clone();
        if header.is_empty() {
            return Err(ProblemResponse::new(
                Code::FieldInvalid,
                "The file is empty. Its first row must name the columns.",
            ));
        }
        let column = |name: &str| header.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
        let mut at: Vec<_> = fields
            .iter()
            .map(|field| std::iter::once(&field.name).chain(field.others).find_map(|name| column(name)))
            .collect();
        for (name, said) in mapping {
            let Some(place) = fields.iter().position(|field| field.name == name) else { continue };
            let found = column(said.trim()).ok_or_else(|| {
                ProblemResponse::new(
                    Code::InvalidParameter,
                    format!("The file has no column \"{said}\" for \"{name}\"."),
                )
            })?;
            at[place] = Some(found);
        }
        Ok(Self { reader, header, fields, at, row: 1, errors: Vec::new(), error_count: 0, preview: Vec::new() })
    }

    /// The columns, each with what it is taken for.
    pub(super) fn columns(&self) -> Vec<ColumnDto> {
        let field = |column: usize| {
            let place = self.at.iter().position(|at| *at == Some(column));
            place.map(|place| self.fields[place].name)
        };
        self.header
            .iter()
            .enumerate()
            .map(|(at, header)| ColumnDto { header: header.to_owned(), field: field(at) })
            .collect()
    }

    /// Complains of the first of these fields that the file lacks.
    pub(super) fn need(&self, any_of: &[&str]) -> Answer<()> {
        if any_of.iter().any(|name| self.place(name).is_some_and(|place| self.at[place].is_some())) {
            return Ok(());
        }
        let detail = format!(
            "The file has no column \"{}\". Name the column so, or say which one it is: ?map={}:COLUMN.",
            any_of.join("\" or \""),
            any_of.first().unwrap_or(&"")
        );
        Err(ProblemResponse::new(Code::FieldInvalid, detail))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// The next row; none at the end. A row that is no text is an error of its own and passed over.
    pub(super) fn next(&mut self) -> Answer<Option<Row>> {
        loop {
            let mut record = ByteRecord::new();
            if !self.reader.read_byte_record(&mut record).map_err(|_| unreadable())? {
                return Ok(None);
            }
            self.row += 1;
            if self.row > ROWS_MAX + 1 {
                let detail = "The file has more than 100,000 rows. Divide it and send the parts one after the other.";
                return Err(ProblemResponse::new(Code::FieldInvalid, detail));
            }
            if record.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace)) {
                continue;
            }
            let Ok(record) = StringRecord::from_byte_record(record) else {
                self.complain(
                    self.row,
                    None,
                    "not-utf8",
                    "This row is not UTF-8 text. Save the file as \"CSV UTF-8\".",
                );
                continue;
            };
            if record.iter().any(|cell| cell.contains('\0')) {
                self.complain(
                    self.row,
                    None,
                    "not-text",
                    "This row holds the character U+0000, which no text may have.",
                );
                continue;
            }
            if self.preview.len() < PREVIEW_ROWS {
                self.preview.push(record.iter().map(str::to_owned).collect());
            }
            return Ok(Some(Row { number: self.row, record }));
        }
    }

    /// A row's cell of a field, trimmed; empty if there is no such column. An apostrophe that a spreadsheet put before it is
    /// left out.
    pub(super) fn cell<'r>(&self, row: &'r Row, name: &str) -> &'r str {
        let column = self.place(name).and_then(|place| self.at[place]);
        let cell = column.and_then(|column| row.record.get(column)).unwrap_or_default().trim();
        cell.strip_prefix('\'').unwrap_or(cell)
    }

    /// Notes what is wrong in a row. `name` is a field's.
    pub(super) fn complain(&mut self, row: usize, name: Option<&str>, code: &'static str, detail: &str) {
        self.error_count += 1;
        if self.errors.len() < ERRORS_MAX {
            let column = name.and_then(|name| self.place(name)).and_then(|place| self.at[place]);
            let column = column.and_then(|column| self.header.get(column)).map(str::to_owned);
            self.errors.push(RowErrorDto { row, column, code, detail: detail.to_owned() });
        }
    }

    /// Rows read.
    pub(super) fn rows(&self) -> usize {
        self.row - 1
    }
}

/// A row with something in it.
pub(super) struct Row {
    pub(super) number: usize,
    record: StringRecord,
}

/// `field:column`, several with commas between.
pub(super) fn mapping(text: Option<&str>) -> Vec<(String, String)> {
    let pairs = text.unwrap_or_default().split(',').filter_map(|pair| pair.split_once(':'));
    pairs.map(|(field, column)| (field.trim().to_owned(), column.trim().to_owned())).collect()
}

fn unreadable() -> ProblemResponse {
    ProblemResponse::new(Code::FieldInvalid, "The file cannot be read as CSV. Export it again as \"CSV UTF-8\".")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] =
        &[Field { name: "productSku", others: &["Variant SKU"] }, Field { name: "quantity", others: &[] }];

    #[test]
    fn columns_are_found_by_their_names_elsewhere_or_said_by_hand() {
        let text = "\u{feff}Variant SKU,On shelf,Else\r\n'A-1, 3 ,x\r\n\r\nB,4\r\n".as_bytes();
        let mut file = File::open(text, FIELDS, &mapping(Some("quantity:On shelf"))).unwrap();
        let fields: Vec<_> = file.columns().iter().map(|column| column.field).collect();
        assert_eq!(fields, [Some("productSku"), Some("quantity"), None]);
        let row = file.next().unwrap().unwrap();
        assert_eq!((row.number, file.cell(&row, "productSku"), file.cell(&row, "quantity")), (2, "A-1", "3"));
        let row = file.next().unwrap().unwrap();
        assert_eq!((file.cell(&row, "productSku"), file.cell(&row, "quantity")), ("B", "4"));
        assert!(file.next().unwrap().is_none());
        assert!(File::open(text, FIELDS, &mapping(Some("quantity:Nowhere"))).is_err());
    }

    #[test]
    fn a_row_that_is_no_text_is_named_and_passed_over() {
        let mut file = File::open(b"productSku,quantity\n\xff,1\nA,2\n", FIELDS, &[]).unwrap();
        let row = file.next().unwrap().unwrap();
        assert_eq!(file.cell(&row, "productSku"), "A");
        assert_eq!((file.errors[0].row, file.errors[0].code), (2, "not-utf8"));
        let mut file = File::open(b"productSku,quantity\nA\0,1\nA,2\n", FIELDS, &[]).unwrap();
        assert_eq!(file.next().unwrap().unwrap().number, 3);
        assert_eq!((file.errors[0].row, file.errors[0].code), (2, "not-text"));
    }
}
