use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use crate::breaker::Inner;
use crate::registry::WeakRegistry;
use crate::sync::{AtomicBool, AtomicU8, Mutex, Ordering, lock};
use crate::{CircuitBreaker, Event, Listener};

/// Who listens to a breaker, and what they have still to be told.
pub(crate) struct Listeners {
    /// What anybody listens for: nothing is the common case and costs one relaxed load.
    ears: AtomicU8,
    list: Mutex<Arc<[Arc<Ear>]>>,
    queue: Mutex<Queue>,
}

const EVENTS: u8 = 1;
const CALLS: u8 = 2;
const REJECTIONS: u8 = 4;
const WINDOW_ROLLS: u8 = 8;

/// So many changes in line are usual: room for them stays.
const KEPT: usize = 8;

/// One listener.
pub(crate) struct Ear {
    listener: Box<dyn Listener>,
    wants_calls: bool,
    wants_rejections: bool,
    wants_window_rolls: bool,
    /// False once its subscription is dropped: no new call begins.
    listening: AtomicBool,
}

/// Changes in their order, drained by the thread that finds nobody draining.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Event>,
    draining: bool,
}

impl Listeners {
    pub(crate) fn new() -> Listeners {
        Listeners {
            ears: AtomicU8::new(0),
            list: Mutex::new(Arc::from([])),
            queue: Mutex::new(Queue::default()),
        }
    }

    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.ears.load(Ordering::Relaxed) != 0
    }

    #[inline]
    pub(crate) fn want_calls(&self) -> bool {
        self.ears.load(Ordering::Relaxed) & CALLS != 0
    }

    pub(crate) fn want_rejections(&self) -> bool {
        self.ears.load(Ordering::Relaxed) & REJECTIONS != 0
    }

    pub(crate) fn add(&self, listener: Box<dyn Listener>) -> Arc<Ear> {
        let ear = Listeners::ear(listener);
        self.adopt(&ear);
        ear
    }

    /// A listener that can be given to several breakers.
    pub(crate) fn ear(listener: Box<dyn Listener>) -> Arc<Ear> {
        // Asked outside the lock: it is user code.
        Arc::new(Ear {
            wants_calls: listener.wants_calls(),
            wants_rejections: listener.wants_rejections(),
            wants_window_rolls: listener.wants_window_rolls(),
            listener,
            listening: AtomicBool::new(true),
        })
    }

    fn adopt(&self, ear: &Arc<Ear>) {
        let mut list = lock(&self.list);
        if list.is_empty() {
            // Left by a thread that found everybody gone: no news for who comes now.
            lock(&self.queue).waiting.clear();
        }
        *list = list.iter().cloned().chain([Arc::clone(ear)]).collect();
        self.note(&list);
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.list).len()
    }

    fn remove(&self, ear: &Arc<Ear>) {
        let dropped = {
            let mut list = lock(&self.list);
            let kept = list.iter().filter(|other| !Arc::ptr_eq(other, ear)).cloned().collect();
            let dropped = std::mem::replace(&mut *list, kept);
            self.note(&list);
            dropped
        };
        // The listener's own `Drop` is user code: not under the lock.
        drop(dropped);
    }

    fn note(&self, list: &[Arc<Ear>]) {
        let mut ears = 0;
        for ear in list {
            ears |= EVENTS | if ear.wants_calls { CALLS } else { 0 };
            ears |= if ear.wants_rejections { REJECTIONS } else { 0 };
            ears |= if ear.wants_window_rolls { WINDOW_ROLLS } else { 0 };
        }
        self.ears.store(ears, Ordering::Release);
    }

    /// Puts a change in line; called under the transition lock, so the line is in order.
    pub(crate) fn enqueue(&self, event: Event) {
        if self.any() {
            lock(&self.queue).waiting.push_back(event);
        }
    }

    /// Tells what is in line, unless somebody is at it already: then they tell this too.
    pub(crate) fn drain(&self, breaker: &CircuitBreaker) {
        if !self.any() {
            return;
        }
        {
            let mut queue = lock(&self.queue);
            if queue.draining {
                return;
            }
            queue.draining = true;
        }
        while let Some(event) = self.next() {
            self.tell(breaker, &event, |_| true);
        }
    }

    /// The next change in line; with none left the draining is over, in one step.
    fn next(&self) -> Option<Event> {
        let mut queue = lock(&self.queue);
        let event = queue.waiting.pop_front();
        queue.draining = event.is_some();
        if event.is_none() {
            // What piled up behind a slow listener once is not held for ever.
            queue.waiting.shrink_to(KEPT);
        }
        event
    }

    /// Tells an event that has no place in the line, at once.
    pub(crate) fn tell_now(&self, breaker: &CircuitBreaker, event: &Event) {
        if self.any() {
            self.tell(breaker, event, |_| true);
        }
    }

    /// Tells of a rejection, to those that asked.
    pub(crate) fn tell_rejection(&self, breaker: &CircuitBreaker, event: &Event) {
        self.tell(breaker, event, |ear| ear.wants_rejections);
    }

    #[inline]
    pub(crate) fn want_window_rolls(&self) -> bool {
        self.ears.load(Ordering::Relaxed) & WINDOW_ROLLS != 0
    }

    /// Tells that the window has rolled, to those that asked.
    pub(crate) fn tell_window_roll(&self, breaker: &CircuitBreaker, event: &Event) {
        self.tell(breaker, event, |ear| ear.wants_window_rolls);
    }

    /// Tells how a call ended, to those that asked.
    pub(crate) fn tell_call(&self, breaker: &CircuitBreaker, event: &Event) {
        self.tell(breaker, event, |ear| ear.wants_calls);
    }

    fn tell(&self, breaker: &CircuitBreaker, event: &Event, wanted: impl Fn(&Ear) -> bool) {
        let list = Arc::clone(&lock(&self.list));
        for ear in list.iter().filter(|ear| wanted(ear)) {
            if ear.listening.load(Ordering::Acquire) {
                guarded(breaker, || ear.listener.on_event(breaker, event));
            }
        }
        // A listener that has left meanwhile is dropped here, and its `Drop` is user code as well.
        guarded(breaker, move || drop(list));
    }
}

/// Runs user code; a panic is caught and counted, and whoever tells goes on telling.
fn guarded(breaker: &CircuitBreaker, user_code: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(user_code)).is_err() {
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
    to: Source,
    /// Weak, so that a listener ends with the breaker even if its subscription does not.
    ear: Weak<Ear>,
}

/// What a subscription is to.
enum Source {
    Breaker(Weak<Inner>),
    Registry(WeakRegistry),
}

impl Subscription {
    pub(crate) fn new(breaker: Weak<Inner>, ear: &Arc<Ear>) -> Subscription {
        Subscription { to: Source::Breaker(breaker), ear: Arc::downgrade(ear) }
    }

    pub(crate) fn to_registry(registry: WeakRegistry, ear: &Arc<Ear>) -> Subscription {
        Subscription { to: Source::Registry(registry), ear: Arc::downgrade(ear) }
    }

    /// Lets the listener listen as long as the breaker or registry lives.
    pub fn forget(mut self) {
        self.ear = Weak::new();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(ear) = self.ear.upgrade() else { return };
        ear.listening.store(false, Ordering::Release);
        match &self.to {
            Source::Breaker(breaker) => {
                if let Some(inner) = breaker.upgrade() {
                    inner.unsubscribe(&ear);
                }
            }
            Source::Registry(registry) => {
                if let Some(inner) = registry.upgrade() {
                    inner.unsubscribe(&ear);
                }
            }
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

impl Inner {
    pub(crate) fn adopt(&self, ear: &Arc<Ear>) {
        self.aside().listeners().adopt(ear);
        self.republish();
    }

    pub(crate) fn unsubscribe(&self, ear: &Arc<Ear>) {
        self.aside().listeners().remove(ear);
        self.republish();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_comes_after_everybody_has_gone_hears_nothing_of_before() {
        let breaker = CircuitBreaker::builder("left").build();
        let listeners = Listeners::new();
        let gone = listeners.add(Box::new(|_: &CircuitBreaker, _: &Event| {}));
        // Put in line, and before its thread drains the line the only listener leaves.
        listeners.enqueue(Event::Reset { sequence: 1 });
        listeners.remove(&gone);
        listeners.drain(&breaker);

        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        listeners.add(Box::new(move |_: &CircuitBreaker, event: &Event| {
            notes.lock().unwrap().push(event.clone());
        }));
        listeners.enqueue(Event::Reset { sequence: 2 });
        listeners.drain(&breaker);

        let heard = heard.lock().unwrap();
        assert!(matches!(heard[..], [Event::Reset { sequence: 2 }]), "{heard:?}");
    }
}
