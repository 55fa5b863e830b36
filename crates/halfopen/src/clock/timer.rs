//! Timers that wake tasks, without a runtime.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;
use std::{fmt, thread};

use crate::clock::{Clock, Tick, nanos};

/// The registration of a task to be woken; it ends when it is dropped.
pub(crate) struct Alarm {
    tasks: Arc<Tasks>,
    key: Key,
}

/// The instant at which a task is woken, and the number of its registration, which makes the key unique.
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
    /// Whether the timer thread is running.
    served: bool,
}

impl Alarm {
    /// Wakes the task after `wait`, measured by the clock of the operating system.
    pub(crate) fn after(wait: Duration, waker: &Waker) -> Alarm {
        static TASKS: std::sync::OnceLock<Arc<Tasks>> = std::sync::OnceLock::new();
        let tasks = TASKS.get_or_init(Arc::default);
        // Registered before the thread is started or found running: the thread looks for the first task again under
        // the lock, and does not end while there is one.
        let alarm = Alarm::register(tasks, Clock::system().now().after(nanos(wait)), waker);
        tasks.serve();
        alarm
    }

    /// Wakes the task when [`Tasks::wake_all`] is called.
    pub(crate) fn on_change(tasks: &Arc<Tasks>, waker: &Waker) -> Alarm {
        Alarm::register(tasks, Tick::NEVER, waker)
    }

    fn register(tasks: &Arc<Tasks>, at: Tick, waker: &Waker) -> Alarm {
        // Cloned before the lock is taken: a waker is user code.
        let waker = waker.clone();
        let mut waiting = tasks.lock();
        waiting.registered += 1;
        let key = (at, waiting.registered);
        waiting.tasks.insert(key, waker);
        drop(waiting);
        // The new task may be due before the one for which the thread sleeps.
        tasks.changed.notify_one();
        Alarm { tasks: Arc::clone(tasks), key }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // A waker is user code, so it is not dropped under the lock.
        let waker = self.tasks.lock().tasks.remove(&self.key);
        // Wakes the timer thread: this may have been the task it sleeps for, or the last one.
        self.tasks.changed.notify_one();
        drop(waker);
    }
}

impl Tasks {
    /// Wakes every task, regardless of its instant: a manual clock has changed.
    pub(crate) fn wake_all(&self) {
        // Taken out as a whole: a waker is user code, and may register again, for which it needs the lock.
        let tasks = std::mem::take(&mut self.lock().tasks);
        tasks.into_values().for_each(Waker::wake);
    }

    /// Starts the timer thread unless it is running.
    fn serve(self: &Arc<Tasks>) {
        if std::mem::replace(&mut self.lock().served, true) {
            return;
        }
        let tasks = Arc::clone(self);
        let started = thread::Builder::new().name("halfopen-timer".into()).spawn(move || tasks.run());
        if started.is_err() {
            // Without the thread no timer fires. The tasks are woken to register again, so that no wake-up is lost.
            self.lock().served = false;
            self.wake_all();
        }
    }

    /// Wakes each task at its instant, and returns when there are no tasks.
    fn run(&self) {
        let mut waiting = self.lock();
        while let Some(first) = waiting.tasks.first_entry() {
            let (at, _) = *first.key();
            let now = Clock::system().now();
            if at <= now {
                let waker = first.remove();
                drop(waiting);
                // A waker that panics must not keep the thread from waking other tasks.
                let _ = crate::panics::catch_panic(|| waker.wake());
                waiting = self.lock();
            } else {
                // Woken early by a registration or a removal: the loop looks for the first task again.
                let sleep = Duration::from_nanos(at.since(now));
                waiting = self.changed.wait_timeout(waiting, sleep).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        // Still under the lock, so that a task registered from here on starts a new thread.
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
