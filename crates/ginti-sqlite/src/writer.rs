//! Group commit: what waits together goes into one transaction, and nobody is answered before it is committed.
//!
//! A group that fails as a whole is rolled back and its members are done again one by one, so that a bad one spoils
//! nothing for its neighbours. That is safe because a [`Task`] can be run again: it holds its input.

use ginti_store::StoreError;
use tokio::sync::oneshot;

use crate::{
    core::Core,
    error::{Fallible, Fault},
};

/// A write that waits for its turn.
pub(crate) trait Task: Send {
    /// Items it writes, for the bound on a transaction.
    fn weight(&self) -> usize;
    /// Does it inside the open transaction. Run again if that transaction is rolled back.
    fn run(&mut self, core: &mut Core) -> Result<(), StoreError>;
    /// Takes back its result: the transaction it ran in came to nothing.
    fn fail(&mut self, error: StoreError);
    /// Answers whoever waits.
    fn answer(self: Box<Self>);
}

/// A write and the place its result goes.
pub(crate) struct Call<T, F> {
    weight: usize,
    work: F,
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Call<T, F> {
    pub(crate) fn new(weight: usize, work: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, receiver) = oneshot::channel();
        (Self { weight, work, result: Err(StoreError::Closed), reply }, receiver)
    }
}

impl<T: Send, F: FnMut(&mut Core) -> Fallible<T> + Send> Task for Call<T, F> {
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, core: &mut Core) -> Result<(), StoreError> {
        let value = (self.work)(core).map_err(StoreError::from)?;
        self.result = Ok(value);
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Err(error);
    }

    fn answer(self: Box<Self>) {
        // Whoever asked may have gone away; what was written stays written.
        let _ = self.reply.send(self.result);
    }
}

/// Runs the tasks in one transaction, or else each in its own, and then answers them.
pub(crate) fn commit_group(core: &mut Core, mut group: Vec<Box<dyn Task>>) {
    if let Err(error) = transact(core, |core| group.iter_mut().try_for_each(|task| task.run(core))) {
        if group.len() > 1 {
            tracing::debug!(%error, tasks = group.len(), "a group was rolled back; doing its tasks one by one");
            for task in &mut group {
                if let Err(error) = transact(core, |core| task.run(core)) {
                    task.fail(error);
                }
            }
        } else {
            for task in &mut group {
                task.fail(error.clone());
            }
        }
    }
    group.into_iter().for_each(Task::answer);
}

/// Runs `work` in a transaction of its own: committed if it succeeds, else nothing of it remains.
pub(crate) fn transact<T>(
    core: &mut Core,
    work: impl FnOnce(&mut Core) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let result = begin(core).and_then(|()| {
        let value = work(core)?;
        core.conn.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])).map_err(Fault::from)?;
        Ok(value)
    });
    if result.is_ok() {
        core.committed();
    } else {
        core.forget();
        // SQLite has rolled back by itself after some errors; then there is nothing left to do.
        if !core.conn.is_autocommit()
            && let Err(error) = core.conn.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
    }
    result
}

fn begin(core: &Core) -> Result<(), StoreError> {
    core.conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([])).map_err(Fault::from)?;
    Ok(())
}

#[cfg(test)]
mod tests;
