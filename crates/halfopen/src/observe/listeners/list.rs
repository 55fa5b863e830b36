use std::sync::Arc;
// The atomics of std even under loom: the numbers only order listeners.
use std::sync::atomic::{AtomicU64, Ordering};

use super::guarded;
use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Interest, Listener};
use crate::sync::AtomicBool;

/// A listener with its subscription.
pub(crate) struct Subscriber {
    pub(super) listener: Box<dyn Listener>,
    /// Unique in the process and increasing: the order in which listeners are notified.
    number: u64,
    wants: [bool; Kind::ALL.len()],
    /// False once the subscription is dropped: the listener is no longer called.
    pub(super) listening: AtomicBool,
}

/// A kind of event, one for each interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Changes,
    Calls,
    Rejections,
    WindowRolls,
    Probes,
}

impl Kind {
    pub(super) const ALL: [Kind; 5] =
        [Kind::Changes, Kind::Calls, Kind::Rejections, Kind::WindowRolls, Kind::Probes];

    pub(crate) const fn interest(self) -> Interest {
        match self {
            Kind::Changes => Interest::CHANGES,
            Kind::Calls => Interest::CALLS,
            Kind::Rejections => Interest::REJECTIONS,
            Kind::WindowRolls => Interest::WINDOW_ROLLS,
            Kind::Probes => Interest::PROBES,
        }
    }
}

impl Subscriber {
    pub(super) fn new(listener: Box<dyn Listener>) -> Subscriber {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let interest = listener.interest();
        let wants = Kind::ALL.map(|kind| interest.contains(kind.interest()));
        // Relaxed: the numbers only have to differ.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Subscriber { listener, number, wants, listening: AtomicBool::new(true) }
    }

    fn wants(&self, kind: Kind) -> bool {
        self.wants[kind as usize]
    }

    /// Notifies this listener of an event that belongs to the changes, unless its subscription has ended.
    pub(crate) fn notify(&self, breaker: &CircuitBreaker, event: &Event) {
        if self.wants(Kind::Changes) {
            self.call(breaker, |listener| listener.on_event(breaker, event));
        }
    }

    /// Calls the listener, unless its subscription has ended.
    pub(super) fn call(&self, breaker: &CircuitBreaker, call: impl FnOnce(&dyn Listener)) {
        // Acquire, paired with the Release store in the subscription's `Drop`.
        if self.listening.load(Ordering::Acquire) {
            guarded(breaker, || call(&*self.listener));
        }
    }
}

/// The listeners of one breaker, in the order of their numbers.
///
/// Adding and removing a listener takes amortized constant time, because thousands of tasks may wait for one breaker.
/// The first event after a change of the list copies it, which costs no more than the event itself: both are linear
/// in the number of listeners.
#[derive(Default)]
pub(super) struct List {
    /// The place of a removed listener stays empty until half of the places are.
    places: Vec<(u64, Option<Arc<Subscriber>>)>,
    empty: usize,
    /// The number of interested listeners for each kind.
    wanting: [usize; Kind::ALL.len()],
    copies: [Option<Copied>; Kind::ALL.len()],
    #[cfg(test)]
    steps: usize,
}

/// The listeners that are interested in one kind of event.
pub(super) type Copied = Arc<[Arc<Subscriber>]>;

/// The references that a change of the list has released.
///
/// A listener's `Drop` is user code, so the caller drops this after it has unlocked the list.
#[derive(Default)]
pub(super) struct Released {
    _subscriber: Option<Arc<Subscriber>>,
    _copies: [Option<Copied>; Kind::ALL.len()],
}

impl List {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.empty
    }

    /// Returns the union of all interests.
    pub(super) fn interest(&self) -> u8 {
        let wanted = Kind::ALL.into_iter().filter(|&kind| self.wanting[kind as usize] > 0);
        wanted.fold(0, |bits, kind| bits | kind.interest().bits())
    }

    pub(super) fn add(&mut self, subscriber: &Arc<Subscriber>) -> Released {
        // At the end, unless two threads subscribed concurrently and took their numbers in the other order.
        let place = match self.places.last() {
            Some(&(last, _)) if last >= subscriber.number => {
                self.places.partition_point(|&(number, _)| number < subscriber.number)
            }
            Some(_) | None => self.places.len(),
        };
        self.count_steps(1 + self.places.len() - place);
        self.places.insert(place, (subscriber.number, Some(Arc::clone(subscriber))));
        for kind in Kind::ALL {
            self.wanting[kind as usize] += usize::from(subscriber.wants(kind));
        }
        Released { _subscriber: None, _copies: self.release_copies(subscriber) }
    }

    pub(super) fn remove(&mut self, subscriber: &Arc<Subscriber>) -> Released {
        self.count_steps(1);
        // Found by its number, which grows along the list; a search through thousands of waiting tasks would make
        // their removal quadratic.
        let place = self.places.binary_search_by_key(&subscriber.number, |&(number, _)| number);
        let Some(removed) = place.ok().and_then(|place| self.places[place].1.take()) else {
            return Released::default();
        };
        for kind in Kind::ALL {
            self.wanting[kind as usize] -= usize::from(subscriber.wants(kind));
        }
        // Emptied instead of removed, which would move all the following places.
        self.empty += 1;
        if self.empty * 2 > self.places.len() {
            self.compact();
        }
        Released { _subscriber: Some(removed), _copies: self.release_copies(subscriber) }
    }

    /// Removes the empty places. Its cost is amortized over the removals that emptied them.
    fn compact(&mut self) {
        self.count_steps(self.places.len());
        self.places.retain(|(_, subscriber)| subscriber.is_some());
        // Releases the memory of a peak, but keeps room for as many again, so that a list that shrinks and grows does
        // not reallocate each time.
        self.places.shrink_to(2 * self.places.len());
        self.empty = 0;
    }

    /// Takes the copies that contain this subscriber, or should: the next event makes new ones.
    fn release_copies(&mut self, subscriber: &Subscriber) -> [Option<Copied>; Kind::ALL.len()] {
        Kind::ALL.map(|kind| if subscriber.wants(kind) { self.copies[kind as usize].take() } else { None })
    }

    /// Returns the listeners that are interested in this kind of event.
    pub(super) fn wanting(&mut self, kind: Kind) -> Copied {
        if let Some(copied) = &self.copies[kind as usize] {
            return Arc::clone(copied);
        }
        // Copied once for all events until the list changes; an `Arc`, so that the caller can release the lock.
        self.count_steps(self.places.len());
        let all = self.places.iter().filter_map(|(_, subscriber)| subscriber.as_ref());
        let copied: Copied = all.filter(|subscriber| subscriber.wants(kind)).cloned().collect();
        self.copies[kind as usize] = Some(Arc::clone(&copied));
        copied
    }

    #[cfg(test)]
    fn count_steps(&mut self, steps: usize) {
        self.steps += steps;
    }

    #[cfg(not(test))]
    fn count_steps(&mut self, _: usize) {}
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Waiter {
        wants_rejections: bool,
    }

    impl Listener for Waiter {
        fn on_event(&self, _: &CircuitBreaker, _: &Event) {}

        fn interest(&self) -> Interest {
            if self.wants_rejections { Interest::default() } else { Interest::CHANGES }
        }
    }

    fn subscriber(wants_rejections: bool) -> Arc<Subscriber> {
        Arc::new(Subscriber::new(Box::new(Waiter { wants_rejections })))
    }

    #[test]
    fn adding_and_removing_takes_constant_time() {
        const MANY: usize = 16_000;
        for from_the_front in [true, false] {
            let mut list = List::default();
            let mut subscribers: Vec<_> = (0..MANY).map(|_| subscriber(false)).collect();
            for subscriber in &subscribers {
                list.add(subscriber);
            }
            assert_eq!(list.wanting(Kind::Changes).len(), MANY);
            if from_the_front {
                subscribers.reverse();
            }
            while let Some(subscriber) = subscribers.pop() {
                list.remove(&subscriber);
            }
            assert_eq!(list.len(), 0);
            assert!(list.steps <= 6 * MANY, "{} steps", list.steps);
            assert!(list.places.capacity() <= 2, "room for {}", list.places.capacity());
        }
    }

    #[test]
    fn others_do_not_invalidate_the_rejections_copy() {
        let mut list = List::default();
        let logger = subscriber(true);
        list.add(&logger);
        list.wanting(Kind::Rejections);
        let waiters: Vec<_> = (0..100).map(|_| subscriber(false)).collect();
        let steps = list.steps;
        for waiter in &waiters {
            list.add(waiter);
            assert_eq!(list.wanting(Kind::Rejections).len(), 1);
        }
        assert_eq!(list.steps, steps + waiters.len(), "the copy for rejections is still valid");
    }

    #[test]
    fn listeners_are_notified_in_subscription_order() {
        let mut list = List::default();
        let subscribers: Vec<_> = (0..20).map(|_| subscriber(true)).collect();
        // Two that subscribe concurrently may be added in the other order.
        for number in (0..20).map(|n| n ^ 1) {
            list.add(&subscribers[number]);
        }
        for gone in [0, 3, 7, 8, 9, 10, 19] {
            list.remove(&subscribers[gone]);
            list.remove(&subscribers[gone]);
        }
        let numbers: Vec<_> =
            list.wanting(Kind::Changes).iter().map(|subscriber| subscriber.number).collect();
        assert_eq!((numbers.len(), list.len()), (13, 13));
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}
