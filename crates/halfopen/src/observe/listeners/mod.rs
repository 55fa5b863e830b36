mod list;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Weak};

pub(crate) use list::{Kind, Subscriber};

use self::list::List;
use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Interest, Listener, Signal};
use crate::panics::catch_panic;
use crate::sync::{AtomicU8, Mutex, Ordering, lock};

/// The listeners of a breaker, and the queue of events that are not delivered yet.
pub(crate) struct Listeners {
    /// The union of all interests, so that an event without listeners costs one relaxed load.
    interest: AtomicU8,
    list: Mutex<List>,
    queue: Mutex<Queue>,
}

/// The capacity of the queue that is kept while it is empty.
const KEPT: usize = 8;

/// Changes in their order, delivered by at most one thread at a time.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Event>,
    draining: bool,
}

/// The exclusive right to deliver the queued changes, released when it is dropped.
struct Draining<'a> {
    listeners: &'a Listeners,
    /// Whether the right has been released already, in the step that found the queue empty.
    is_over: bool,
}

impl Listeners {
    pub(crate) fn new() -> Listeners {
        Listeners {
            interest: AtomicU8::new(0),
            list: Mutex::new(List::default()),
            queue: Mutex::new(Queue::default()),
        }
    }

    /// Returns true if at least one listener is interested in this kind of event.
    #[inline]
    pub(crate) fn want(&self, kind: Interest) -> bool {
        // Relaxed: a stale value misses at most events that are concurrent with the subscription.
        Interest::from_bits(self.interest.load(Ordering::Relaxed)).contains(kind)
    }

    /// Creates a subscriber that can be added to several breakers.
    pub(crate) fn subscriber(listener: Box<dyn Listener>) -> Arc<Subscriber> {
        // Outside the lock, because `Listener::interest` is user code.
        Arc::new(Subscriber::new(listener))
    }

    /// Adds a listener, and returns whether that changed the interest in calls.
    pub(crate) fn adopt(&self, subscriber: &Arc<Subscriber>) -> bool {
        self.change(|list| {
            if list.len() == 0 {
                // Events that were not delivered because the last listener had left must not reach a new one.
                lock(&self.queue).waiting.clear();
            }
            list.add(subscriber)
        })
    }

    /// Removes a listener, and returns whether that changed the interest in calls.
    pub(crate) fn remove(&self, subscriber: &Arc<Subscriber>) -> bool {
        self.change(|list| list.remove(subscriber))
    }

    /// Changes the list, and returns whether that changed the interest in calls.
    fn change(&self, change: impl FnOnce(&mut List) -> list::Released) -> bool {
        let (released, changed) = {
            let mut list = lock(&self.list);
            let released = change(&mut list);
            let interest = list.interest();
            // AcqRel, paired with the transition lock: a thread that changes the interest in calls takes that lock next
            // to publish the flags, which `want` then decides, so the last thread to publish loads the last value.
            let before = self.interest.swap(interest, Ordering::AcqRel);
            (released, Interest::from_bits(before ^ interest).contains(Interest::CALLS))
        };
        // After the lock: see `Released`.
        drop(released);
        changed
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.list).len()
    }

    /// Queues a change. It is called under the transition lock, so the queue is in the order of the changes.
    pub(crate) fn enqueue(&self, event: Event) {
        // Without a listener nothing would ever drain the queue, and it would grow with every change.
        if self.want(Interest::CHANGES) {
            lock(&self.queue).waiting.push_back(event);
        }
    }

    /// Delivers the queued changes, unless another thread is delivering: that thread then delivers these as well.
    pub(crate) fn drain(&self, breaker: &CircuitBreaker) {
        if !self.want(Interest::CHANGES) {
            return;
        }
        if let Some(draining) = self.begin_draining() {
            draining.deliver(breaker);
        }
    }

    fn begin_draining(&self) -> Option<Draining<'_>> {
        let mut queue = lock(&self.queue);
        // At most one thread delivers, or a later change could overtake an earlier one on its way to a listener.
        let is_free = !std::mem::replace(&mut queue.draining, true);
        // Created lazily: a `Draining` that is created and dropped would release the right of another thread.
        is_free.then(|| Draining { listeners: self, is_over: false })
    }

    /// Notifies the listeners that are interested in this kind of event immediately, without the queue.
    pub(crate) fn notify_now(&self, breaker: &CircuitBreaker, event: &Event, kind: Kind) {
        if self.want(kind.interest()) {
            self.notify(breaker, event, kind);
        }
    }

    /// Sends a signal to the listeners that are interested in it.
    pub(crate) fn signal(&self, breaker: &CircuitBreaker, signal: &Signal) {
        let kind = match signal {
            Signal::ProbeEnded => Kind::Probes,
            Signal::WindowRolled { .. } => Kind::WindowRolls,
        };
        if self.want(kind.interest()) {
            self.each(breaker, kind, |listener| listener.on_signal(breaker, signal));
        }
    }

    fn notify(&self, breaker: &CircuitBreaker, event: &Event, kind: Kind) {
        self.each(breaker, kind, |listener| listener.on_event(breaker, event));
    }

    fn each(&self, breaker: &CircuitBreaker, kind: Kind, call: impl Fn(&dyn Listener)) {
        // A copy, so that listeners are called without the lock and may subscribe or unsubscribe.
        let wanting = lock(&self.list).wanting(kind);
        for subscriber in wanting.iter() {
            subscriber.call(breaker, &call);
        }
        // This may be the last reference to a listener that was removed meanwhile, and its `Drop` is user code.
        guarded(breaker, move || drop(wanting));
    }
}

impl Draining<'_> {
    /// Delivers all queued changes, including those that are added meanwhile.
    fn deliver(mut self, breaker: &CircuitBreaker) {
        while let Some(event) = self.next() {
            self.listeners.notify(breaker, &event, Kind::Changes);
        }
    }

    /// Returns the next change. If there is none, the right is released under the same lock, so that a change which is
    /// enqueued from then on finds no thread delivering.
    fn next(&mut self) -> Option<Event> {
        let mut queue = lock(&self.listeners.queue);
        let event = queue.waiting.pop_front();
        if event.is_none() {
            queue.draining = false;
            self.is_over = true;
            // Releases the memory of a backlog behind a slow listener.
            queue.waiting.shrink_to(KEPT);
        }
        event
    }
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        // Only while a panic unwinds: otherwise `next` has released the right.
        if !self.is_over {
            lock(&self.listeners.queue).draining = false;
        }
    }
}

/// Runs user code; catches and counts a panic.
fn guarded(breaker: &CircuitBreaker, user_code: impl FnOnce()) {
    if catch_panic(user_code).is_none() {
        breaker.inner().count_panic();
    }
}

/// Keeps a listener subscribed until it is dropped. After the drop no new call to the listener begins.
///
/// A subscription holds the breaker weakly and does not keep it alive. It may be dropped
/// inside the listener's own callback.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, Event};
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// let subscription = breaker.on_event(|breaker, event| {
///     if let Event::StateChanged(change) = event {
///         println!("{}: {} -> {}", breaker.name(), change.from, change.to);
///     }
/// });
/// breaker.trip();
/// subscription.forget(); // listens as long as the breaker lives
/// ```
#[must_use = "a dropped subscription ends immediately; `.forget()` keeps it for the lifetime of the breaker"]
pub struct Subscription {
    source: Weak<dyn Unsubscribe>,
    /// Weak, so that a listener is dropped with its breaker even if the subscription lives longer.
    subscriber: Weak<Subscriber>,
}

/// The source of a subscription: a breaker or a registry.
pub(crate) trait Unsubscribe: Send + Sync {
    /// Removes a listener and drops it.
    fn unsubscribe(&self, subscriber: Arc<Subscriber>);
}

impl Subscription {
    pub(crate) fn new(
        source: Weak<impl Unsubscribe + 'static>,
        subscriber: &Arc<Subscriber>,
    ) -> Subscription {
        Subscription { source, subscriber: Arc::downgrade(subscriber) }
    }

    /// Keeps the listener subscribed for the lifetime of the breaker or registry.
    pub fn forget(mut self) {
        // `Drop` finds no subscriber then, and leaves the list as it is.
        self.subscriber = Weak::new();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(subscriber) = self.subscriber.upgrade() else { return };
        // Release, paired with the Acquire load in `Subscriber::call`: a thread that loads false sees what the owner
        // did before the drop.
        subscriber.listening.store(false, Ordering::Release);
        if let Some(source) = self.source.upgrade() {
            source.unsubscribe(subscriber);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners").field("count", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_first_listener_receives_no_earlier_event() {
        let breaker = CircuitBreaker::builder("left").build();
        let listeners = Listeners::new();
        let gone = Listeners::subscriber(Box::new(|_: &CircuitBreaker, _: &Event| {}));
        listeners.adopt(&gone);
        // Enqueued, and before its thread drains the queue the only listener is removed.
        listeners.enqueue(Event::Reset { sequence: 1 });
        listeners.remove(&gone);
        listeners.drain(&breaker);

        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        listeners.adopt(&Listeners::subscriber(Box::new(move |_: &CircuitBreaker, event: &Event| {
            notes.lock().unwrap().push(event.clone());
        })));
        listeners.enqueue(Event::Reset { sequence: 2 });
        listeners.drain(&breaker);

        let heard = heard.lock().unwrap();
        assert!(matches!(heard[..], [Event::Reset { sequence: 2 }]), "{heard:?}");
    }
}
