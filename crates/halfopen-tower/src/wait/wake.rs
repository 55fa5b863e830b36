use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use halfopen::{CircuitBreaker, Event, Listener, Subscription};

/// Wakes a task when something happens to a breaker, for as long as it is held.
pub(super) struct Wake {
    slot: Arc<Slot>,
    _subscription: Subscription,
}

#[derive(Default)]
struct Slot(Mutex<Option<Waker>>);

struct WakeOnEvent(Arc<Slot>);

impl Wake {
    pub(super) fn new(breaker: &CircuitBreaker) -> Self {
        let slot = Arc::new(Slot::default());
        let listener = WakeOnEvent(Arc::clone(&slot));
        Self { slot, _subscription: breaker.subscribe(listener) }
    }

    /// Leaves a waker for the next event; it takes the place of an earlier one.
    pub(super) fn register(&self, waker: &Waker) {
        let replaced = self.slot.replace(Some(waker.clone()));
        drop(replaced);
    }
}

impl Slot {
    // The lock is held for the swap alone: cloning, dropping and waking run the executor's code.
    fn replace(&self, waker: Option<Waker>) -> Option<Waker> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, waker)
    }
}

impl Listener for WakeOnEvent {
    fn on_event(&self, _: &CircuitBreaker, _: &Event) {
        if let Some(waker) = self.0.replace(None) {
            waker.wake();
        }
    }

    // A rejection makes nobody admissible. Everything else may: a state change, a probe's slot given back, a
    // reset, a shorter wait.
    fn wants_rejections(&self) -> bool {
        false
    }
}
