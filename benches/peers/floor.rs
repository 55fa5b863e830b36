use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use crate::configs::LONG;
use crate::harness::now;
use crate::services::Failed;

/// The limit of a direct call: a load of the state and one counter.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    state: AtomicU64,
    calls: AtomicU64,
}

impl Floor {
    #[inline]
    pub(crate) fn call<T>(&self, operation: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
        assert_eq!(self.state.load(Ordering::Acquire), 0, "nobody opens the floor");
        let result = operation();
        self.calls.fetch_add(1, Ordering::Relaxed);
        result
    }
}

/// The same with a counter for each of a few threads.
#[derive(Debug, Default)]
pub(crate) struct Striped {
    state: AtomicU64,
    stripes: [Stripe; 16],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % 16;
}

impl Striped {
    #[inline]
    pub(crate) fn call<T>(&self, operation: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
        assert_eq!(self.state.load(Ordering::Acquire), 0, "nobody opens the floor");
        let result = operation();
        let mine = MINE.with(|&mine| mine);
        self.stripes[mine].0.fetch_add(1, Ordering::Relaxed);
        result
    }
}

/// The limit of a rejection that reports a retry hint and the name of the breaker: one clock read, one counter,
/// and the name cloned and dropped.
#[derive(Debug)]
pub(crate) struct OpenFloor {
    until: Instant,
    rejected: AtomicU64,
    name: Arc<str>,
}

impl OpenFloor {
    pub(crate) fn new() -> OpenFloor {
        OpenFloor { until: now() + LONG, rejected: AtomicU64::new(0), name: Arc::from("upstream") }
    }

    #[inline]
    pub(crate) fn call(&self) -> Result<u64, (Arc<str>, std::time::Duration)> {
        let left = self.until.saturating_duration_since(now());
        self.rejected.fetch_add(1, Ordering::Relaxed);
        Err((Arc::clone(&self.name), left))
    }
}
