//! Many rows with few statements.

use ginti_store::{Sql, StoreError, Value};

/// Rows a statement takes. Few lengths, so that few statements are planned and kept.
const LENGTHS: [usize; 3] = [100, 10, 1];

/// Puts rows: `INSERT INTO {into} VALUES (…), (…) {conflict}`. All rows have as many values.
pub(crate) async fn put(
    sql: &mut dyn Sql,
    into: &str,
    conflict: &str,
    mut rows: Vec<Vec<Value>>,
) -> Result<(), StoreError> {
    rows.reverse();
    while let Some(columns) = rows.last().map(Vec::len) {
        let length = LENGTHS.into_iter().find(|length| *length <= rows.len()).unwrap_or(1);
        let mut values = Vec::with_capacity(length * columns);
        for _ in 0..length {
            values.extend(rows.pop().unwrap_or_default());
        }
        let text = format!("INSERT INTO {into} VALUES {} {conflict}", places(length, columns));
        sql.execute(&text, values).await?;
    }
    Ok(())
}

fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<_> = (1..=columns).map(|column| format!("?{}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `?1, ?2, …` for a list of so many.
pub(crate) fn places_of(length: usize) -> String {
    (1..=length).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ")
}

/// A list's values, filled up with nothing: so that lists of any length are one statement.
pub(crate) fn padded(values: &[i64], length: usize) -> Vec<Value> {
    let mut padded: Vec<Value> = values.iter().map(|value| Value::Int(*value)).collect();
    padded.resize(length, Value::Null);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_row_by_row() {
        assert_eq!(places(2, 3), "(?1, ?2, ?3), (?4, ?5, ?6)");
    }
}
