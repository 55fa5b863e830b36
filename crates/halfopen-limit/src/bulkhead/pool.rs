use std::collections::BTreeMap;
use std::task::{Poll, Waker};

use super::occupancy::{Limits, Occupancy, Returned};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// The slots of a bulkhead and the queue for them; knows no time.
///
/// While no call waits, a slot is taken and given back by one compare-and-swap each. The number of waiters
/// changes under the lock of the queue alone, and while there is one, every slot passes through that lock:
/// it goes to the first in the queue, and a late arrival cannot take it.
pub(crate) struct Pool {
    occupancy: AtomicU64,
    /// Written under the lock of the queue.
    limits: AtomicU64,
    rejected: AtomicU64,
    queue: Mutex<Queue>,
}

/// The waiters by the order they came in. One that is no longer here has been given a slot.
#[derive(Default)]
struct Queue {
    next: u64,
    waiters: BTreeMap<u64, Waker>,
}

/// The answer to an arrival that may wait.
pub(crate) enum Arrival {
    /// A slot.
    Entered,
    /// A place in the queue.
    Queued(u64),
    /// Neither, with this occupancy in its way.
    Full(Occupancy),
}

impl Pool {
    pub(crate) fn new(limits: Limits) -> Pool {
        Pool {
            occupancy: AtomicU64::new(0),
            limits: AtomicU64::new(limits.to_word()),
            rejected: AtomicU64::new(0),
            queue: Mutex::default(),
        }
    }

    pub(crate) fn occupancy(&self) -> Occupancy {
        // Relaxed: a snapshot, by which nothing is decided.
        Occupancy::from_word(self.occupancy.load(Ordering::Relaxed))
    }

    pub(crate) fn limits(&self) -> Limits {
        // Relaxed: an arrival beside a change of the limits may be decided by either of them.
        Limits::from_word(self.limits.load(Ordering::Relaxed))
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    pub(crate) fn count_rejection(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a slot, or returns what stood in the way.
    #[inline]
    pub(crate) fn try_enter(&self) -> Result<(), Occupancy> {
        self.update(|now| now.enter(self.limits()))
    }

    /// Takes a slot or a place in the queue; the waker is replaced at each [`poll_turn`](Self::poll_turn).
    #[cold]
    pub(crate) fn enter_or_queue_slow(&self, waker: &Waker) -> Arrival {
        // Cloned before the lock: a waker is the executor's code.
        let waker = waker.clone();
        let mut queue = lock(&self.queue);
        let limits = self.limits();
        let mut entered = false;
        // Under the lock of the queue: a slot that is given back from now on waits for the lock, and then finds
        // this waiter.
        let arrived = self.update(|now| {
            let next = now.enter(limits);
            entered = next.is_some();
            next.or_else(|| now.queue(limits))
        });
        match arrived {
            Ok(()) if entered => return Arrival::Entered,
            Ok(()) => {}
            Err(full) => return Arrival::Full(full),
        }
        let place = queue.next;
        queue.next += 1;
        queue.waiters.insert(place, waker);
        Arrival::Queued(place)
    }

    /// Returns whether the waiter has been given a slot; if not, `waker` is woken when it is.
    pub(crate) fn poll_turn(&self, place: u64, waker: &Waker) -> Poll<()> {
        let mut waker = waker.clone();
        let mut queue = lock(&self.queue);
        match queue.waiters.get_mut(&place) {
            Some(left) => {
                std::mem::swap(left, &mut waker);
                // Dropping a waker is the executor's code as well.
                drop(queue);
                drop(waker);
                Poll::Pending
            }
            // Taken out of the queue by the call that handed its slot over.
            None => Poll::Ready(()),
        }
    }

    /// Leaves the queue; returns false if the waiter had been given a slot, which is then the caller's.
    pub(crate) fn leave(&self, place: u64) -> bool {
        let mut queue = lock(&self.queue);
        let waker = queue.waiters.remove(&place);
        if waker.is_some() {
            // In the step that removes it from the queue: the number of the waiters in the word is the length of
            // the queue whenever the lock is free.
            let left = self.update(|now| Some(now.leave()));
            debug_assert!(left.is_ok(), "leaving is never refused");
        }
        drop(queue);
        waker.is_some()
    }

    /// Gives a slot back.
    #[inline]
    pub(crate) fn give_back(&self) {
        // The common case, without the lock: nothing waits, so the slot is simply free.
        let freed = self.update(|now| {
            let last = Occupancy { in_flight: now.in_flight.wrapping_sub(1), ..now };
            (now.waiting == 0).then_some(last)
        });
        if freed.is_err() {
            self.give_back_slow();
        }
    }

    #[cold]
    fn give_back_slow(&self) {
        let mut queue = lock(&self.queue);
        let limits = self.limits();
        let mut handed_over = false;
        let returned = self.update(|now| {
            let next = now.give_back(limits);
            handed_over = matches!(next, Returned::HandedOver(_));
            match next {
                Returned::Freed(next) | Returned::HandedOver(next) => Some(next),
            }
        });
        debug_assert!(returned.is_ok(), "a slot is always taken back");
        let first = if handed_over { queue.waiters.pop_first() } else { None };
        drop(queue);
        if let Some((_, waker)) = first {
            waker.wake();
        }
    }

    /// Replaces the limits: new slots go to the queue, slots in flight above the limits run out.
    pub(crate) fn set_limits(&self, limits: Limits) {
        let mut served = Vec::new();
        let mut queue = lock(&self.queue);
        // Relaxed: the lock orders it for calls that queue; an arrival without the lock may be decided by the old
        // limits.
        self.limits.store(limits.to_word(), Ordering::Relaxed);
        // A larger limit has new slots, which belong to the waiters before any arrival.
        while self.update(|now| now.hand_new_slot(limits)).is_ok() {
            served.extend(queue.waiters.pop_first());
        }
        drop(queue);
        for (_, waker) in served {
            waker.wake();
        }
    }

    /// Replaces the occupancy by one compare-and-swap, or returns the one for which there is no next.
    #[inline]
    fn update(&self, mut next: impl FnMut(Occupancy) -> Option<Occupancy>) -> Result<(), Occupancy> {
        // Relaxed: the compare-and-swap below confirms the value.
        let mut word = self.occupancy.load(Ordering::Relaxed);
        loop {
            let now = Occupancy::from_word(word);
            let next = next(now).ok_or(now)?;
            // Release and acquire: the effects of a call that had the slot come before those of the next.
            match self.occupancy.compare_exchange_weak(
                word,
                next.to_word(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(newer) => word = newer,
            }
        }
    }
}
