//! A group commits together, answers after that, and is not spoilt by one of its members.

use std::time::Duration;

use ginti_store::StoreError;
use tokio::sync::oneshot::{Receiver, error::TryRecvError};

use super::*;
use crate::schema;

type Reply = Receiver<Result<i64, StoreError>>;

fn core(folder: &tempfile::TempDir) -> Core {
    let mut conn = schema::open_writer(&folder.path().join("ginti.db"), 1_024, None).unwrap();
    schema::migrate(&mut conn).unwrap();
    Core::new(conn, Duration::from_secs(1))
}

/// Adds a secret of that name, unless it is "bad"; tells how many there are then.
fn task(name: &'static str) -> (Box<dyn Task>, Reply) {
    let (call, reply) = Call::new(1, move |core: &mut Core| {
        core.secret(name, b"value")?;
        match name {
            "bad" => Err(StoreError::Exists("it".to_owned()).into()),
            _ => Ok(core.conn.query_row("SELECT count(*) FROM secret", [], |row| row.get(0))?),
        }
    });
    (Box::new(call), reply)
}

fn names(core: &Core) -> Vec<String> {
    let mut statement = core.conn.prepare("SELECT name FROM secret ORDER BY name").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_group_is_one_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let mut core = core(&folder);

    let other = schema::open_reader(&folder.path().join("ginti.db"), 1_024).unwrap();
    let seen = || -> i64 { other.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap() };
    let (tasks, mut replies): (Vec<_>, Vec<_>) = ["a", "b", "c"].map(task).into_iter().unzip();
    let before = seen();
    assert_eq!(replies[0].try_recv(), Err(TryRecvError::Empty));
    commit_group(&mut core, tasks);
    let counts: Vec<_> = replies.iter_mut().map(|reply| reply.try_recv().unwrap().unwrap()).collect();
    assert_eq!(counts, [1, 2, 3]);
    assert_eq!(seen(), before + 1, "another connection saw one change");
    assert_eq!(names(&core), ["a", "b", "c"]);
}

#[test]
fn a_bad_task_spoils_nothing_for_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let mut core = core(&folder);
    let (tasks, mut replies): (Vec<_>, Vec<_>) = ["a", "bad", "c"].map(task).into_iter().unzip();
    commit_group(&mut core, tasks);
    let answers: Vec<_> = replies.iter_mut().map(|reply| reply.try_recv().unwrap()).collect();
    assert_eq!(answers, [Ok(1), Err(StoreError::Exists("it".to_owned())), Ok(2)]);
    assert_eq!(names(&core), ["a", "c"], "the bad one left nothing behind");
    assert!(core.conn.is_autocommit());
}

#[test]
fn someone_who_no_longer_waits_is_served_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut core = core(&folder);
    let (task, reply) = task("a");
    drop(reply);
    commit_group(&mut core, vec![task]);
    assert_eq!(names(&core), ["a"]);
}
