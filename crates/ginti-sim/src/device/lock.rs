//! Follows `lock.ts`: one holder at a time across tabs and the worker, with every wait bounded.

use std::{cell::RefCell, collections::BTreeMap, future::Future, sync::Arc};

use futures_util::future::{Either, select};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Host;
use crate::scenario::Kind;

/// Runs `work` under the lock; none when it was not free within `wait_ms`.
pub async fn with_lock<T>(host: &Host, name: &str, wait_ms: i64, work: impl Future<Output = T>) -> Option<T> {
    // Where Web Locks are missing, a lock holds within one host only.
    let name = if host.device.kind == Kind::NoWorker { format!("{name} {}", host.number) } else { name.to_owned() };
    host.step().await;
    let locks = &host.device.locks;
    let mutex = Arc::clone(locks.mutexes.borrow_mut().entry(name.clone()).or_default());
    let waiting = std::pin::pin!(mutex.lock_owned());
    match select(waiting, host.device.world.kernel.sleep(wait_ms)).await {
        Either::Left((guard, _)) => locks.held.borrow_mut().insert((name.clone(), host.number), guard),
        Either::Right(((), _)) => return None,
    };
    let value = work.await;
    locks.held.borrow_mut().remove(&(name, host.number));
    host.step().await;
    Some(value)
}

/// The browser's locks, by name. Who ends lets go of what it held, whatever its tasks were at.
#[derive(Default)]
pub struct Locks {
    mutexes: RefCell<BTreeMap<String, Arc<Mutex<()>>>>,
    held: RefCell<BTreeMap<(String, u64), OwnedMutexGuard<()>>>,
}

impl Locks {
    /// That host has ended. Some browsers forget to give its locks back; they stay taken until the browser is started anew.
    pub fn host_ended(&self, number: u64, is_leaking: bool) {
        let mut held = self.held.borrow_mut();
        let theirs: Vec<_> = held.keys().filter(|(_, holder)| *holder == number).cloned().collect();
        for key in theirs {
            if let Some(guard) = held.remove(&key).filter(|_| is_leaking) {
                held.insert((key.0, u64::MAX), guard);
            }
        }
    }

    /// The browser starts anew.
    pub fn clear(&self) {
        self.held.borrow_mut().clear();
        self.mutexes.borrow_mut().clear();
    }
}
