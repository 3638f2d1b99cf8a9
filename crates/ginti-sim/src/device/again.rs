//! Follows `again.ts`: what could not be fetched is fetched again unasked.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::Host;

const FIRST_MS: i64 = 15_000;
const LAST_MS: i64 = 5 * 60_000;

/// Whether something is missing, and when it is asked for next.
pub struct Again {
    host: Host,
    what: RefCell<Option<Rc<dyn Fn()>>>,
    /// The number of the timer that counts; older ones find another.
    timer: Cell<u64>,
    wait_ms: Cell<i64>,
    is_missing: Cell<bool>,
}

impl Again {
    /// For one tab.
    pub fn new(host: &Host) -> Rc<Self> {
        Rc::new(Self {
            host: host.clone(),
            what: RefCell::default(),
            timer: Cell::new(0),
            wait_ms: Cell::new(FIRST_MS),
            is_missing: Cell::new(false),
        })
    }

    /// What to do when it is time.
    pub fn does(&self, what: Rc<dyn Fn()>) {
        *self.what.borrow_mut() = Some(what);
    }

    /// It did not arrive: there will be another try.
    pub fn failed(self: &Rc<Self>) {
        self.is_missing.set(true);
        let number = self.another_timer();
        let wait_ms = self.wait_ms.get();
        self.wait_ms.set((wait_ms * 2).min(LAST_MS));
        let again = Rc::clone(self);
        self.host.spawn(async move {
            again.host.sleep(wait_ms).await;
            if again.timer.get() == number {
                again.now();
            }
        });
    }

    /// It is there, or nobody wants it any more.
    pub fn settled(&self) {
        self.is_missing.set(false);
        self.another_timer();
        self.wait_ms.set(FIRST_MS);
    }

    /// It may be worth another try.
    pub fn now(&self) {
        if !self.is_missing.replace(false) {
            return;
        }
        self.another_timer();
        let what = self.what.borrow().clone();
        if let Some(what) = what {
            what();
        }
    }

    fn another_timer(&self) -> u64 {
        self.timer.set(self.timer.get() + 1);
        self.timer.get()
    }
}
