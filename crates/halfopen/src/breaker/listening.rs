//! The listeners of a breaker.

use std::sync::Arc;

use super::{CircuitBreaker, Inner};
use crate::observe::{Event, Interest, Listener, Listeners, Subscriber, Subscription, Unsubscribe};
use crate::panics::catch_panic;

impl CircuitBreaker {
    /// Subscribes a listener to the events of this breaker, until the subscription is dropped.
    pub fn subscribe(&self, listener: impl Listener) -> Subscription {
        let subscriber = Listeners::subscriber(Box::new(listener));
        self.0.adopt(&subscriber);
        Subscription::new(Arc::downgrade(&self.0), &subscriber)
    }

    /// Like [`subscribe`](Self::subscribe), for closures.
    pub fn on_event(&self, f: impl Fn(&CircuitBreaker, &Event) + Send + Sync + 'static) -> Subscription {
        self.subscribe(f)
    }

    pub(crate) fn listen_for_ever(&self, listener: Box<dyn Listener>) {
        self.0.adopt(&Listeners::subscriber(listener));
    }
}

impl Inner {
    /// Returns the list of listeners, or [`None`] if there has never been one.
    #[inline]
    pub(crate) fn listeners(&self) -> Option<&Listeners> {
        self.cold.get()?.listeners.get().map(|listeners| &**listeners)
    }

    /// Returns whether a listener is interested in every call.
    #[inline]
    pub(crate) fn want_calls(&self) -> bool {
        self.listeners().is_some_and(|listeners| listeners.want(Interest::CALLS))
    }

    pub(crate) fn enqueue(&self, event: Event) {
        if let Some(listeners) = self.listeners() {
            listeners.enqueue(event);
        }
    }

    pub(crate) fn drain_events(&self, breaker: &CircuitBreaker) {
        if let Some(listeners) = self.listeners() {
            listeners.drain(breaker);
        }
    }

    pub(crate) fn adopt(&self, subscriber: &Arc<Subscriber>) {
        // The first listener of calls, or the last to leave, changes the flag that makes calls timed.
        if self.cold().listeners().adopt(subscriber) {
            self.republish();
        }
    }

    pub(crate) fn remove(&self, subscriber: &Arc<Subscriber>) {
        if self.cold().listeners().remove(subscriber) {
            self.republish();
        }
    }
}

impl Unsubscribe for Inner {
    fn unsubscribe(&self, subscriber: Arc<Subscriber>) {
        self.remove(&subscriber);
        // The listener's `Drop` is user code, and this may run while a panic unwinds: a second panic would abort.
        if catch_panic(move || drop(subscriber)).is_none() {
            self.count_panic();
        }
    }
}
