//! Ginti's embedded store: SQLite, one writer, group commit.
