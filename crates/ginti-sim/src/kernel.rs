//! One thread, virtual time: runs every tab, worker, request and person as a task, in an order that the seed alone decides.
//!
//! A task belongs to a [`Life`]: a tab, a worker, a device, the world. When a life ends its tasks are dropped where they
//! stand, at whichever `await` that is; while it is frozen they are not run. Nothing passes but virtual time, and that
//! only when nobody can run.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Runs of tasks at one instant, at most: more is a loop that waits for nothing.
const RUNS_AT_ONCE_MAX: u32 = 200_000;

/// The scheduler. Clones are the same one.
#[derive(Clone, Default)]
pub struct Kernel(Rc<Inner>);

#[derive(Default)]
struct Inner {
    now_ms: Cell<i64>,
    timers: RefCell<BTreeMap<(i64, u64), Waker>>,
    timers_made: Cell<u64>,
    tasks: RefCell<Vec<Slot>>,
    free: RefCell<Vec<usize>>,
    ready: Ready,
    lives: RefCell<Vec<LifeState>>,
    runs: Cell<u64>,
}

type Ready = Arc<Mutex<VecDeque<Arc<Handle>>>>;

#[derive(Default)]
struct Slot {
    task: Option<Task>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    life: usize,
    handle: Arc<Handle>,
}

/// What wakes a task. A slot is used again; its former task's handle then finds somebody else there.
struct Handle {
    slot: usize,
    queued: AtomicBool,
    ready: Ready,
}

impl Wake for Handle {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            let ready = Arc::clone(&self.ready);
            lock(&ready).push_back(self);
        }
    }
}

#[derive(Default)]
struct LifeState {
    ended: bool,
    frozen: bool,
    /// Woken while frozen.
    parked: Vec<Arc<Handle>>,
}

/// Why the kernel stopped running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The time has come.
    Time,
    /// Tasks wake each other without end and time does not pass.
    Livelock,
}

impl Kernel {
    /// Begins at that time, in milliseconds since 1970.
    pub fn starting_at(now_ms: i64) -> Self {
        let kernel = Self::default();
        kernel.0.now_ms.set(now_ms);
        kernel
    }

    /// The true time, in milliseconds since 1970: the one that no device knows.
    pub fn now_ms(&self) -> i64 {
        self.0.now_ms.get()
    }

    /// How often a task was run so far.
    pub fn runs(&self) -> u64 {
        self.0.runs.get()
    }

    /// Begins a life.
    pub fn life(&self) -> Life {
        let mut lives = self.0.lives.borrow_mut();
        lives.push(LifeState::default());
        Life { kernel: self.clone(), id: lives.len() - 1 }
    }

    /// Waits.
    pub fn sleep(&self, ms: i64) -> Sleep {
        Sleep { kernel: self.clone(), at_ms: self.now_ms() + ms.max(0), timer: None }
    }

    /// Runs until that time, or until `is_over` says so (asked whenever time is about to pass).
    pub fn run_until(&self, until_ms: i64, is_over: impl Fn() -> bool) -> Stop {
        loop {
            if !self.run_ready() {
                return Stop::Livelock;
            }
            if is_over() {
                return Stop::Time;
            }
            let next = self.0.timers.borrow_mut().first_entry().map(|timer| timer.key().0);
            match next {
                Some(at_ms) if at_ms <= until_ms => {
                    self.0.now_ms.set(at_ms.max(self.now_ms()));
                    let waker = self.0.timers.borrow_mut().pop_first().map(|(_, waker)| waker);
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
                _ => {
                    self.0.now_ms.set(until_ms.max(self.now_ms()));
                    return Stop::Time;
                }
            }
        }
    }

    fn run_ready(&self) -> bool {
        for _ in 0..RUNS_AT_ONCE_MAX {
            let next = lock(&self.0.ready).pop_front();
            let Some(handle) = next else { return true };
            self.run(&handle);
        }
        false
    }

    fn run(&self, handle: &Arc<Handle>) {
        handle.queued.store(false, Ordering::Relaxed);
        let Some(mut task) = self.take(handle) else { return };
        {
            let mut lives = self.0.lives.borrow_mut();
            let life = &mut lives[task.life];
            if life.frozen && !life.ended {
                handle.queued.store(true, Ordering::Relaxed);
                life.parked.push(Arc::clone(handle));
                self.0.tasks.borrow_mut()[handle.slot].task = Some(task);
                return;
            }
        }
        self.0.runs.set(self.0.runs.get() + 1);
        let waker = Waker::from(Arc::clone(handle));
        let done = task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        // A task may have ended its own life while it ran.
        let ended = self.0.lives.borrow()[task.life].ended;
        if done || ended {
            drop(task);
            self.0.free.borrow_mut().push(handle.slot);
        } else {
            self.0.tasks.borrow_mut()[handle.slot].task = Some(task);
        }
    }

    fn take(&self, handle: &Arc<Handle>) -> Option<Task> {
        let mut tasks = self.0.tasks.borrow_mut();
        let slot = &mut tasks[handle.slot];
        let is_theirs = slot.task.as_ref().is_some_and(|task| Arc::ptr_eq(&task.handle, handle));
        if is_theirs { slot.task.take() } else { None }
    }

    fn spawn(&self, life: usize, future: Pin<Box<dyn Future<Output = ()>>>) {
        let slot = self.0.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut tasks = self.0.tasks.borrow_mut();
            tasks.push(Slot::default());
            tasks.len() - 1
        });
        let handle = Arc::new(Handle { slot, queued: AtomicBool::new(false), ready: Arc::clone(&self.0.ready) });
        self.0.tasks.borrow_mut()[slot].task = Some(Task { future, life, handle: Arc::clone(&handle) });
        handle.wake();
    }

    fn end(&self, life: usize) {
        let parked = {
            let mut lives = self.0.lives.borrow_mut();
            let state = &mut lives[life];
            if std::mem::replace(&mut state.ended, true) {
                return;
            }
            std::mem::take(&mut state.parked)
        };
        drop(parked);
        let theirs = |slot: &Slot| slot.task.as_ref().is_some_and(|task| task.life == life);
        let slots: Vec<_> =
            self.0.tasks.borrow().iter().enumerate().filter(|(_, slot)| theirs(slot)).map(|(at, _)| at).collect();
        for slot in slots {
            // Dropped with nothing borrowed: what it held (a lock, a reply's other end) may wake others.
            let task = self.0.tasks.borrow_mut()[slot].task.take();
            if task.is_some() {
                drop(task);
                self.0.free.borrow_mut().push(slot);
            }
        }
    }
}

/// Whose tasks these are.
#[derive(Clone)]
pub struct Life {
    kernel: Kernel,
    id: usize,
}

impl Life {
    /// Begins a task.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        if !self.has_ended() {
            self.kernel.spawn(self.id, Box::pin(future));
        }
    }

    /// Ends it: all of its tasks stop where they are.
    pub fn end(&self) {
        self.kernel.end(self.id);
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.kernel.0.lives.borrow()[self.id].ended
    }

    /// Its tasks are not run until it is thawed; what they wait for may come meanwhile.
    pub fn freeze(&self) {
        self.kernel.0.lives.borrow_mut()[self.id].frozen = true;
    }

    /// Runs on.
    pub fn thaw(&self) {
        let parked = {
            let mut lives = self.kernel.0.lives.borrow_mut();
            lives[self.id].frozen = false;
            std::mem::take(&mut lives[self.id].parked)
        };
        for handle in parked {
            handle.queued.store(false, Ordering::Relaxed);
            handle.wake();
        }
    }

    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.kernel.0.lives.borrow()[self.id].frozen
    }
}

/// A wait in virtual time.
pub struct Sleep {
    kernel: Kernel,
    at_ms: i64,
    timer: Option<(i64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let inner = Rc::clone(&self.kernel.0);
        if let Some(timer) = self.timer {
            let mut timers = inner.timers.borrow_mut();
            return match timers.get_mut(&timer) {
                Some(waker) => {
                    waker.clone_from(context.waker());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            };
        }
        let number = inner.timers_made.get();
        inner.timers_made.set(number + 1);
        let timer = (self.at_ms, number);
        inner.timers.borrow_mut().insert(timer, context.waker().clone());
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.kernel.0.timers.borrow_mut().remove(&timer);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_when_nobody_can_run() {
        let kernel = Kernel::starting_at(1_000);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let life = kernel.life();
        for ms in [30, 10, 20] {
            let (kernel, seen) = (kernel.clone(), Rc::clone(&seen));
            life.spawn(async move {
                kernel.clone().sleep(ms).await;
                seen.borrow_mut().push(kernel.now_ms());
            });
        }
        assert_eq!(kernel.run_until(1_025, || false), Stop::Time);
        assert_eq!(*seen.borrow(), [1_010, 1_020]);
        assert_eq!(kernel.now_ms(), 1_025);
    }

    #[test]
    fn a_life_ends_at_an_await_and_what_it_held_is_free() {
        let kernel = Kernel::default();
        let held = Rc::new(tokio::sync::Mutex::new(()));
        let (first, second) = (kernel.life(), kernel.life());
        let (lock, clock) = (Rc::clone(&held), kernel.clone());
        first.spawn(async move {
            let _guard = lock.lock().await;
            clock.sleep(1_000_000).await;
        });
        let taken = Rc::new(Cell::new(0));
        let (lock, clock, at) = (Rc::clone(&held), kernel.clone(), Rc::clone(&taken));
        second.spawn(async move {
            let _guard = lock.lock().await;
            at.set(clock.now_ms());
        });
        let (victim, clock) = (first.clone(), kernel.clone());
        kernel.life().spawn(async move {
            clock.sleep(500).await;
            victim.end();
        });
        kernel.run_until(10_000, || false);
        assert!(first.has_ended());
        assert_eq!(taken.get(), 500);
    }

    #[test]
    fn a_frozen_life_runs_on_when_it_is_thawed() {
        let kernel = Kernel::default();
        let life = kernel.life();
        let woke = Rc::new(Cell::new(0));
        let (clock, at) = (kernel.clone(), Rc::clone(&woke));
        life.spawn(async move {
            clock.sleep(100).await;
            at.set(clock.now_ms());
        });
        kernel.run_until(10, || false);
        life.freeze();
        kernel.run_until(900, || false);
        assert_eq!(woke.get(), 0);
        life.thaw();
        kernel.run_until(1_000, || false);
        assert_eq!(woke.get(), 900);
    }

    #[test]
    fn a_loop_that_waits_for_nothing_is_told() {
        let kernel = Kernel::default();
        kernel.life().spawn(std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        assert_eq!(kernel.run_until(10, || false), Stop::Livelock);
    }
}
