use std::fmt;
use std::sync::{Arc, OnceLock};

use halfopen::adapter::Signal;
use halfopen::{CircuitBreaker, Event, Interest, Listener, Subscription};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Notifies any number of waiting tasks of the events of one breaker, with a single subscription.
///
/// The subscription is created lazily, when the first task waits.
#[derive(Default)]
pub(super) struct Changes {
    notify: Arc<Notify>,
    subscription: OnceLock<Subscription>,
}

struct NotifyAll(Arc<Notify>);

impl Changes {
    /// Returns a future that resolves at the next event after this call.
    pub(super) fn next(&self, breaker: &CircuitBreaker) -> OwnedNotified {
        // Once for all clones, and only when the first of them waits: a breaker that never opens has no listener.
        self.subscription.get_or_init(|| breaker.subscribe(NotifyAll(Arc::clone(&self.notify))));
        Arc::clone(&self.notify).notified_owned()
    }
}

impl Listener for NotifyAll {
    fn on_event(&self, _: &CircuitBreaker, _: &Event) {
        self.0.notify_waiters();
    }

    fn on_signal(&self, _: &CircuitBreaker, _: &Signal) {
        self.0.notify_waiters();
    }

    // Rejections and recorded calls are left out: they never make the breaker permit a call. A state change, a
    // released probe slot, a reset and a new configuration can.
    fn interest(&self) -> Interest {
        Interest::CHANGES | Interest::PROBES
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
