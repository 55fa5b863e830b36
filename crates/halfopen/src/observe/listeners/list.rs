use std::sync::Arc;
// Plain std atomics even under loom: a number orders listeners and nothing else.
use std::sync::atomic::{AtomicU64, Ordering};

use super::guarded;
use crate::breaker::CircuitBreaker;
use crate::observe::{Event, Interest, Listener};
use crate::sync::AtomicBool;

/// One listener.
pub(crate) struct Subscriber {
    pub(super) listener: Box<dyn Listener>,
    /// Grows with each listener of the process: the order in which they hear an event.
    number: u64,
    wants: [bool; Kind::ALL.len()],
    /// False once its subscription is dropped: no new call begins.
    pub(super) listening: AtomicBool,
}

/// What a listener can be told of.
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
        // Relaxed: the numbers must differ, and no more.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Subscriber { listener, number, wants, listening: AtomicBool::new(true) }
    }

    fn wants(&self, kind: Kind) -> bool {
        self.wants[kind as usize]
    }

    /// Tells this one an event that counts among the changes, unless its subscription has ended.
    pub(crate) fn tell(&self, breaker: &CircuitBreaker, event: &Event) {
        if self.wants(Kind::Changes) {
            self.call(breaker, |listener| listener.on_event(breaker, event));
        }
    }

    /// Calls the listener, unless its subscription has ended.
    pub(super) fn call(&self, breaker: &CircuitBreaker, call: impl FnOnce(&dyn Listener)) {
        // Acquire, with the store in the subscription's `Drop`.
        if self.listening.load(Ordering::Acquire) {
            guarded(breaker, || call(&*self.listener));
        }
    }
}

/// The listeners of one breaker, in the order of their numbers.
///
/// To come and to go costs the same however many there are: thousands of tasks may wait for one breaker. The
/// copy from which they are told is made by the first event after a change of the list, and an event costs as
/// much as there are listeners in any case.
#[derive(Default)]
pub(super) struct List {
    /// The place of one that has left is empty until half of them are.
    places: Vec<(u64, Option<Arc<Subscriber>>)>,
    empty: usize,
    wanting: [usize; Kind::ALL.len()],
    copies: [Option<Copied>; Kind::ALL.len()],
    #[cfg(test)]
    steps: usize,
}

/// The listeners to be told of one kind of event.
pub(super) type Copied = Arc<[Arc<Subscriber>]>;

/// What a change of the list leaves to be dropped: a listener's `Drop` is user code, so not under the lock.
#[derive(Default)]
pub(super) struct Left {
    _ear: Option<Arc<Subscriber>>,
    _copies: [Option<Copied>; Kind::ALL.len()],
}

impl List {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.empty
    }

    /// A bit for each kind that at least one wants.
    pub(super) fn interest(&self) -> u8 {
        let wanted = Kind::ALL.into_iter().filter(|&kind| self.wanting[kind as usize] > 0);
        wanted.fold(0, |bits, kind| bits | kind.interest().bits())
    }

    pub(super) fn add(&mut self, subscriber: &Arc<Subscriber>) -> Left {
        // At the end, but for two that came at the same moment.
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
        Left { _ear: None, _copies: self.forget_copies(subscriber) }
    }

    pub(super) fn remove(&mut self, subscriber: &Arc<Subscriber>) -> Left {
        self.count_steps(1);
        let place = self.places.binary_search_by_key(&subscriber.number, |&(number, _)| number);
        let Some(left) = place.ok().and_then(|place| self.places[place].1.take()) else {
            return Left::default();
        };
        for kind in Kind::ALL {
            self.wanting[kind as usize] -= usize::from(subscriber.wants(kind));
        }
        self.empty += 1;
        if self.empty * 2 > self.places.len() {
            self.close_up();
        }
        Left { _ear: Some(left), _copies: self.forget_copies(subscriber) }
    }

    /// Takes the empty places out: paid for by those that have left them.
    fn close_up(&mut self) {
        self.count_steps(self.places.len());
        self.places.retain(|(_, subscriber)| subscriber.is_some());
        self.places.shrink_to(2 * self.places.len());
        self.empty = 0;
    }

    fn forget_copies(&mut self, subscriber: &Subscriber) -> [Option<Copied>; Kind::ALL.len()] {
        Kind::ALL.map(|kind| if subscriber.wants(kind) { self.copies[kind as usize].take() } else { None })
    }

    /// Those that want to hear of this kind of event.
    pub(super) fn wanting(&mut self, kind: Kind) -> Copied {
        if let Some(copied) = &self.copies[kind as usize] {
            return Arc::clone(copied);
        }
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
    fn many_come_and_go_at_the_cost_of_each() {
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
    fn who_wants_no_rejections_costs_a_rejection_nothing() {
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
        assert_eq!(list.steps, steps + waiters.len(), "the copy for rejections is still good");
    }

    #[test]
    fn they_are_told_in_the_order_in_which_they_came() {
        let mut list = List::default();
        let subscribers: Vec<_> = (0..20).map(|_| subscriber(true)).collect();
        // Two that come at the same moment may be put in their places in the other order.
        for number in (0..20).map(|n| n ^ 1) {
            list.add(&subscribers[number]);
        }
        for gone in [0, 3, 7, 8, 9, 10, 19] {
            list.remove(&subscribers[gone]);
            list.remove(&subscribers[gone]);
        }
        let told: Vec<_> = list.wanting(Kind::Changes).iter().map(|subscriber| subscriber.number).collect();
        assert_eq!((told.len(), list.len()), (13, 13));
        assert!(told.is_sorted(), "{told:?}");
    }
}
