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

/// The listeners of a breaker, and the events they have still to hear.
pub(crate) struct Listeners {
    /// What anybody listens for: nothing is the common case and costs one relaxed load.
    interest: AtomicU8,
    list: Mutex<List>,
    queue: Mutex<Queue>,
}

/// So many changes in line are usual: room for them stays.
const KEPT: usize = 8;

/// Changes in their order, drained by the thread that finds no other draining.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Event>,
    draining: bool,
}

/// The right to tell what is in line, which one thread has at a time.
struct Draining<'a> {
    listeners: &'a Listeners,
    /// The line was found empty, and the right given up in that same step.
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
        Interest::from_bits(self.interest.load(Ordering::Relaxed)).contains(kind)
    }

    /// A listener that can be given to several breakers.
    pub(crate) fn subscriber(listener: Box<dyn Listener>) -> Arc<Subscriber> {
        // Asked outside the lock: it is user code.
        Arc::new(Subscriber::new(listener))
    }

    /// Adds a listener; returns whether calls have begun to be listened to.
    pub(crate) fn adopt(&self, subscriber: &Arc<Subscriber>) -> bool {
        self.change(|list| {
            if list.len() == 0 {
                // Left by a thread that found everybody gone: no news for who comes now.
                lock(&self.queue).waiting.clear();
            }
            list.add(subscriber)
        })
    }

    /// Removes a listener; returns whether calls are no longer listened to.
    pub(crate) fn remove(&self, subscriber: &Arc<Subscriber>) -> bool {
        self.change(|list| list.remove(subscriber))
    }

    /// Changes the list; returns whether that changed the interest in calls.
    fn change(&self, change: impl FnOnce(&mut List) -> list::Left) -> bool {
        let (left, changed) = {
            let mut list = lock(&self.list);
            let left = change(&mut list);
            let interest = list.interest();
            // Release, for `want` under the transition lock: whoever publishes last has seen the last.
            let before = self.interest.swap(interest, Ordering::AcqRel);
            (left, Interest::from_bits(before ^ interest).contains(Interest::CALLS))
        };
        drop(left);
        changed
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.list).len()
    }

    /// Puts a change in line; called under the transition lock, so the line is in order.
    pub(crate) fn enqueue(&self, event: Event) {
        if self.want(Interest::CHANGES) {
            lock(&self.queue).waiting.push_back(event);
        }
    }

    /// Tells what is in line, unless another thread is at it already: then that one tells this too.
    pub(crate) fn drain(&self, breaker: &CircuitBreaker) {
        if !self.want(Interest::CHANGES) {
            return;
        }
        if let Some(draining) = self.begin_draining() {
            draining.tell(breaker);
        }
    }

    fn begin_draining(&self) -> Option<Draining<'_>> {
        let mut queue = lock(&self.queue);
        let is_free = !std::mem::replace(&mut queue.draining, true);
        // Lazily: one that is made and dropped would take the right away from the thread that has it.
        is_free.then(|| Draining { listeners: self, is_over: false })
    }

    /// Calls the listeners that want an event of this kind, without a place in the line.
    pub(crate) fn tell_now(&self, breaker: &CircuitBreaker, event: &Event, kind: Kind) {
        if self.want(kind.interest()) {
            self.tell(breaker, event, kind);
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

    fn tell(&self, breaker: &CircuitBreaker, event: &Event, kind: Kind) {
        self.each(breaker, kind, |listener| listener.on_event(breaker, event));
    }

    fn each(&self, breaker: &CircuitBreaker, kind: Kind, call: impl Fn(&dyn Listener)) {
        let wanting = lock(&self.list).wanting(kind);
        for subscriber in wanting.iter() {
            subscriber.call(breaker, &call);
        }
        // A listener that has left meanwhile is dropped here, and its `Drop` is user code as well.
        guarded(breaker, move || drop(wanting));
    }
}

impl Draining<'_> {
    /// Tells all that is in line, also what others add meanwhile.
    fn tell(mut self, breaker: &CircuitBreaker) {
        while let Some(event) = self.next() {
            self.listeners.tell(breaker, &event, Kind::Changes);
        }
    }

    /// The next change in line; with none left the draining is over, in one step.
    fn next(&mut self) -> Option<Event> {
        let mut queue = lock(&self.listeners.queue);
        let event = queue.waiting.pop_front();
        if event.is_none() {
            queue.draining = false;
            self.is_over = true;
            // What piled up behind a slow listener once is not held for ever.
            queue.waiting.shrink_to(KEPT);
        }
        event
    }
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            lock(&self.listeners.queue).draining = false;
        }
    }
}

/// Runs user code; a panic is caught and counted.
fn guarded(breaker: &CircuitBreaker, user_code: impl FnOnce()) {
    if catch_panic(user_code).is_none() {
        breaker.inner().count_panic();
    }
}

/// Keeps a listener listening; dropped, no new call to it begins.
///
/// It holds the breaker weakly: a subscription alone keeps no breaker alive. It may be dropped
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
#[must_use = "a dropped subscription ends at once; `.forget()` keeps it as long as the breaker"]
pub struct Subscription {
    to: Weak<dyn Unsubscribe>,
    /// Weak, so that a listener ends with the breaker even if its subscription does not.
    subscriber: Weak<Subscriber>,
}

/// The source of a subscription: a breaker or a registry.
pub(crate) trait Unsubscribe: Send + Sync {
    /// Removes a listener and drops it.
    fn unsubscribe(&self, subscriber: Arc<Subscriber>);
}

impl Subscription {
    pub(crate) fn new(to: Weak<impl Unsubscribe + 'static>, subscriber: &Arc<Subscriber>) -> Subscription {
        Subscription { to, subscriber: Arc::downgrade(subscriber) }
    }

    /// Lets the listener listen as long as the breaker or registry lives.
    pub fn forget(mut self) {
        self.subscriber = Weak::new();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(subscriber) = self.subscriber.upgrade() else { return };
        // Release, with the load in `Subscriber::call`: a thread that sees it sees what its owner did before the drop.
        subscriber.listening.store(false, Ordering::Release);
        if let Some(source) = self.to.upgrade() {
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
    fn who_comes_after_everybody_has_gone_hears_nothing_of_before() {
        let breaker = CircuitBreaker::builder("left").build();
        let listeners = Listeners::new();
        let gone = Listeners::subscriber(Box::new(|_: &CircuitBreaker, _: &Event| {}));
        listeners.adopt(&gone);
        // Put in line, and before its thread drains the line the only listener leaves.
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
