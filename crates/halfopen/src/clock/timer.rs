//! Waking tasks at a moment in time, without a runtime.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;
use std::{fmt, thread};

use crate::clock::{Clock, Tick, nanos};

/// A task's registration to be woken; ends when it is dropped.
pub(crate) struct Alarm {
    tasks: Arc<Tasks>,
    key: Key,
}

/// When a task is to be woken, by the clock it waits for, and its number.
type Key = (Tick, u64);

/// The tasks that wait for one clock.
#[derive(Default)]
pub(crate) struct Tasks {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    tasks: BTreeMap<Key, Waker>,
    registered: u64,
    /// Whether the thread is there, which wakes those whose time has come.
    served: bool,
}

impl Alarm {
    /// Wakes the task after this long by the clock of the operating system.
    pub(crate) fn after(wait: Duration, waker: &Waker) -> Alarm {
        static TASKS: std::sync::OnceLock<Arc<Tasks>> = std::sync::OnceLock::new();
        let tasks = TASKS.get_or_init(Arc::default);
        let alarm = Alarm::register(tasks, Clock::system().now().after(nanos(wait)), waker);
        tasks.serve();
        alarm
    }

    /// Wakes the task when [`Tasks::wake_all`] is called.
    pub(crate) fn on_change(tasks: &Arc<Tasks>, waker: &Waker) -> Alarm {
        Alarm::register(tasks, Tick::NEVER, waker)
    }

    fn register(tasks: &Arc<Tasks>, at: Tick, waker: &Waker) -> Alarm {
        let waker = waker.clone();
        let mut waiting = tasks.lock();
        waiting.registered += 1;
        let key = (at, waiting.registered);
        waiting.tasks.insert(key, waker);
        drop(waiting);
        tasks.changed.notify_one();
        Alarm { tasks: Arc::clone(tasks), key }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // A waker is user code and may do anything when it is dropped: not under the lock.
        let waker = self.tasks.lock().tasks.remove(&self.key);
        // The thread sleeps until the first task's time, and ends when there is no task.
        self.tasks.changed.notify_one();
        drop(waker);
    }
}

impl Tasks {
    /// Wakes every task, whenever it is to be woken: a clock was moved by hand.
    pub(crate) fn wake_all(&self) {
        let tasks = std::mem::take(&mut self.lock().tasks);
        tasks.into_values().for_each(Waker::wake);
    }

    /// Starts the thread that wakes the tasks, if it is not there.
    fn serve(self: &Arc<Tasks>) {
        if std::mem::replace(&mut self.lock().served, true) {
            return;
        }
        let tasks = Arc::clone(self);
        let started = thread::Builder::new().name("halfopen-timer".into()).spawn(move || tasks.run());
        if started.is_err() {
            // Without a thread no time comes to an end: let the tasks ask again, which loses no wake-up.
            self.lock().served = false;
            self.wake_all();
        }
    }

    /// Wakes tasks when their time has come, until none is left.
    fn run(&self) {
        let mut waiting = self.lock();
        while let Some(first) = waiting.tasks.first_entry() {
            let (at, _) = *first.key();
            let now = Clock::system().now();
            if at <= now {
                let waker = first.remove();
                drop(waiting);
                // A waker that panics ends its own task's wait and no other's.
                let _ = crate::panics::catch_panic(|| waker.wake());
                waiting = self.lock();
            } else {
                let sleep = Duration::from_nanos(at.since(now));
                waiting = self.changed.wait_timeout(waiting, sleep).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        waiting.served = false;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").finish_non_exhaustive()
    }
}
