use std::fmt;
use std::sync::{Arc, OnceLock};

use halfopen::adapter::Signal;
use halfopen::{CircuitBreaker, Event, Interest, Listener, Subscription};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The events of one breaker, for any number of tasks: one subscription, made when the first task waits.
#[derive(Default)]
pub(super) struct Changes {
    notify: Arc<Notify>,
    subscription: OnceLock<Subscription>,
}

struct NotifyAll(Arc<Notify>);

impl Changes {
    /// Resolves at the next event from now on.
    pub(super) fn next(&self, breaker: &CircuitBreaker) -> OwnedNotified {
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

    // A rejection makes no call admissible. Everything else may: a state change, a probe's slot given back, a
    // reset, a shorter wait.
    fn interest(&self) -> Interest {
        Interest::CHANGES | Interest::PROBES
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
