use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::services::Failed;

/// A simple count window: a ring behind a mutex.
#[derive(Debug)]
pub(crate) struct MutexRing {
    open: AtomicBool,
    ring: Mutex<Ring>,
}

#[derive(Debug)]
struct Ring {
    outcomes: [bool; 100],
    next: usize,
    calls: usize,
    failures: usize,
}

impl MutexRing {
    pub(crate) fn new() -> MutexRing {
        let ring = Ring { outcomes: [false; 100], next: 0, calls: 0, failures: 0 };
        MutexRing { open: AtomicBool::new(false), ring: Mutex::new(ring) }
    }

    #[inline]
    pub(crate) fn call<T>(&self, operation: impl FnOnce() -> Result<T, Failed>) -> Option<Result<T, Failed>> {
        if self.open.load(Ordering::Acquire) {
            return None;
        }
        let result = operation();
        self.record(result.is_err());
        Some(result)
    }

    #[inline]
    fn record(&self, failed: bool) {
        let mut ring = self.ring.lock().expect("nothing panics under the lock");
        let place = ring.next;
        ring.next = (place + 1) % 100;
        ring.calls = (ring.calls + 1).min(100);
        ring.failures += usize::from(failed);
        ring.failures -= usize::from(std::mem::replace(&mut ring.outcomes[place], failed));
        if ring.calls >= 10 && ring.failures * 2 >= ring.calls {
            self.open.store(true, Ordering::Release);
        }
    }
}
