//! What was measured, as a table with a column for each database.

use std::{collections::BTreeMap, fmt::Write};

use super::{Database, DeskArguments};

/// What is enough.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

#[derive(Default)]
struct Row {
    goal: Option<Goal>,
    values: BTreeMap<Database, (f64, bool)>,
}

/// All that was measured, in its order.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<(String, Row)>,
}

impl Table {
    pub(super) fn put(&mut self, what: &str, on: Database, goal: Option<Goal>, value: f64) {
        let at = self.rows.iter().position(|(name, _)| name == what).unwrap_or_else(|| {
            self.rows.push((what.to_owned(), Row::default()));
            self.rows.len() - 1
        });
        let row = &mut self.rows[at].1;
        let is_met = goal.is_none_or(|goal| goal.is_met(value));
        row.goal = row.goal.or(goal);
        row.values.insert(on, (value, is_met));
        eprintln!("{on}: {what}: {}{}", shown(value), if is_met { "" } else { ", missed" });
    }

    pub(super) fn is_met(&self) -> bool {
        self.rows.iter().all(|(_, row)| row.values.values().all(|(_, is_met)| *is_met))
    }

    pub(super) fn text(&self, arguments: &DeskArguments, machine: &str) -> String {
        let mut text = format!(
            "# The manager's side\n\n{machine}. A run of {} sessions with {} items each. Over HTTP, client and server in one \
             process on the same cores.\n\n| | goal | SQLite | PostgreSQL |\n|---|---|---|---|\n",
            arguments.sessions, arguments.items
        );
        for (what, row) in &self.rows {
            let goal = match row.goal {
                None => String::new(),
                Some(Goal::AtMost(bound)) => format!("≤ {bound}"),
                Some(Goal::AtLeast(bound)) => format!("≥ {bound}"),
            };
            let value = |on| match row.values.get(&on) {
                None => "–".to_owned(),
                Some((value, true)) => shown(*value),
                Some((value, false)) => format!("**{}**, missed", shown(*value)),
            };
            let (sqlite, postgres) = (value(Database::Sqlite), value(Database::Postgres));
            let _ = writeln!(text, "| {what} | {goal} | {sqlite} | {postgres} |");
        }
        text
    }
}

/// As exact as a measurement is.
fn shown(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
