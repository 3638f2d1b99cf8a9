//! `docs/bad-inputs.md`: bad inputs with the answer that each gets, written from the answers themselves. Every code of the server has
//! at least one row.
//!
//! `GINTI_UPDATE=1 cargo test -p ginti-server --test http bad_inputs` writes the file anew.

mod items;
mod requests;
mod states;

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use ginti_types::Code;

use crate::support::Answer;

/// A bad input and its answer.
struct Row {
    what: &'static str,
    status: u16,
    code: Code,
    said: String,
}

/// The row of a request that was refused as a whole.
fn whole(what: &'static str, code: Code, answer: &Answer) -> Row {
    let problem = answer.problem(code.as_str());
    Row { what, status: answer.status, code, said: problem.detail }
}

fn table(title: &str, rows: &[Row]) -> String {
    let mut text = format!("\n## {title}\n\n| what comes in | status | code | what is said |\n|---|---|---|---|\n");
    for Row { what, status, code, said } in rows {
        let said = said.replace('|', "\\|");
        writeln!(text, "| {what} | {status} | `{}` | {said} |", code.as_str()).unwrap();
    }
    text
}

#[tokio::test]
async fn the_table_in_the_documents_is_what_the_server_answers() {
    let parts = [
        ("Requests of which nothing is done", requests::rows().await),
        ("Counts that are refused one by one", items::rows().await),
        ("Not as things stand", states::rows().await),
    ];
    let mut text = "# Bad inputs, and what is answered\n\n\
        Every answer that is an error is `application/problem+json` (RFC 9457) with a stable `code` and a sentence. This table is written \
        from the server's own answers by a test (`crates/ginti-server/tests/http/bad_inputs.rs`), which fails when an answer changes or a \
        code has no row. Of what is refused nothing is stored; of a batch, the counts beside a refused one are.\n"
        .to_owned();
    for (title, rows) in &parts {
        text += &table(title, rows);
    }
    let answered: BTreeSet<_> = parts.iter().flat_map(|(_, rows)| rows).map(|row| row.code.as_str()).collect();
    for code in Code::ALL {
        assert!(answered.contains(code.as_str()), "{} needs a row", code.as_str());
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bad-inputs.md");
    if std::env::var_os("GINTI_UPDATE").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "docs/bad-inputs.md is not what the server answers; write it anew with \
         GINTI_UPDATE=1 cargo test -p ginti-server --test http bad_inputs\n{text}"
    );
}
