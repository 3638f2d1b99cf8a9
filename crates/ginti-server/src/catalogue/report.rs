//! What became of each row of a file, for the person who has to mend the rest at the source.

use std::{collections::BTreeMap, fmt};

const HANDLE_CHARS_MAX: usize = 60;
const WHAT_CHARS_MAX: usize = 200;

/// Every row accounted for, and everything remarkable about any of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows in the file, without the header: the sum of the four numbers that follow.
    pub rows: u64,
    /// Rows that became a product.
    pub products: u64,
    /// Rows that only add a picture to a product.
    pub image_only: u64,
    /// Rows that repeat a variant of an earlier row.
    pub repeated: u64,
    /// Rows that name nothing that could be counted.
    pub refused: u64,
    /// Remarks, by row.
    pub findings: Vec<Finding>,
}

/// One remark on one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The row as a spreadsheet numbers it: the header is row 1.
    pub row: u64,
    /// The product's handle.
    pub handle: String,
    /// What is the matter.
    pub what: String,
    /// What was done about it.
    pub done: Done,
}

/// What was done about a finding, with a few words on how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The data was put right.
    Mended(String),
    /// The data was taken as it stands.
    Noted(String),
    /// The row, or the cell in question, was left out.
    Refused(String),
}

impl Done {
    fn kind(&self) -> &'static str {
        match self {
            Self::Mended(_) => "mended",
            Self::Noted(_) => "noted",
            Self::Refused(_) => "refused",
        }
    }

    fn how(&self) -> &str {
        match self {
            Self::Mended(how) | Self::Noted(how) | Self::Refused(how) => how,
        }
    }
}

impl Report {
    /// How many rows have findings of each kind: mended, noted, refused.
    fn rows_by_kind(&self) -> BTreeMap<&'static str, u64> {
        let mut last = BTreeMap::new();
        let mut counts = BTreeMap::new();
        for finding in &self.findings {
            let kind = finding.done.kind();
            if last.insert(kind, finding.row) != Some(finding.row) {
                *counts.entry(kind).or_default() += 1;
            }
        }
        counts
    }
}

/// A cell of the table: what a file holds may be of any length, and control characters in it would steer the terminal.
fn cell(text: &str, chars_max: usize) -> String {
    let mut cell: String = text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(chars_max).is_some() {
        cell.pop();
        cell.push('…');
    }
    cell
}

/// The table of findings, then the summary.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self
            .findings
            .iter()
            .map(|Finding { row, handle, what, done }| {
                (row, cell(handle, HANDLE_CHARS_MAX), cell(what, WHAT_CHARS_MAX), done)
            })
            .collect();
        let handles = lines.iter().map(|(_, handle, ..)| handle.chars().count()).max().unwrap_or(0).max("handle".len());
        let whats = lines.iter().map(|(_, _, what, _)| what.chars().count()).max().unwrap_or(0).max("what".len());
        if !lines.is_empty() {
            writeln!(f, "{:>6}  {:handles$}  {:whats$}  done", "row", "handle", "what")?;
        }
        for (row, handle, what, done) in lines {
            let how = cell(done.how(), WHAT_CHARS_MAX);
            writeln!(f, "{row:>6}  {handle:handles$}  {what:whats$}  {}: {how}", done.kind())?;
        }
        let Self { rows, products, image_only, repeated, refused, .. } = self;
        writeln!(
            f,
            "{rows} rows: {products} products, {image_only} with only a picture, {repeated} repeated, {refused} refused."
        )?;
        let kinds = self.rows_by_kind();
        let count = |kind| kinds.get(kind).copied().unwrap_or_default();
        write!(
            f,
            "Remarks: {} rows mended, {} noted and taken as they stand, {} with something refused.",
            count("mended"),
            count("noted"),
            count("refused")
        )
    }
}
