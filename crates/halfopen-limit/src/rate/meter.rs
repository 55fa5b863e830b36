#[cfg(feature = "tokio")]
use std::collections::BTreeMap;
use std::task::Waker;

use super::gcra::{Decision, Pace};
use super::quota::Quota;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};

/// The calls of one quota and the queue for those to come; the time is an argument.
///
/// A waiter has taken its calls when it joins the queue: they are a part of the arrival time, so that later
/// calls line up behind it whether they wait or not, and its turn comes at a moment that is known from the
/// start. A waiter that leaves before its turn frees the time of its calls; those behind move up by it, one
/// after the other, and the last gives it back to the quota. The calls of a waiter that leaves after its turn has
/// come are used up, as if they were made.
pub(crate) struct Meter {
    /// The theoretical arrival time. Nothing else is published by it, so no access is ordered.
    arrival: AtomicU64,
    interval: AtomicU64,
    burst: AtomicU32,
    rejected: AtomicU64,
    queue: Mutex<Queue>,
}

struct Queue {
    quota: Quota,
    #[cfg(feature = "tokio")]
    next: u64,
    /// By the order they came in, which is the order of their turns.
    #[cfg(feature = "tokio")]
    waiters: BTreeMap<u64, Waiter>,
}

#[cfg(feature = "tokio")]
struct Waiter {
    turn: u64,
    calls: u32,
    cost: u64,
    /// Time that was freed ahead; not yet taken off the turn, nor passed on.
    freed: u64,
    waker: Option<Waker>,
}

/// Why calls are not permitted now: the nanoseconds until they are; [`None`] if they never are.
pub(crate) type Refused = Option<u64>;

/// The answer to an arrival that may wait.
#[cfg(feature = "tokio")]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Permitted,
    /// A place in the queue, and the nanoseconds until its turn.
    Queued {
        place: u64,
        wait: u64,
    },
    Refused(Refused),
}

/// The answer to a waiter.
#[cfg(feature = "tokio")]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Come,
    /// Not yet; the time until then if it has become shorter.
    Waiting {
        shorter: Option<u64>,
    },
}

impl Meter {
    pub(crate) fn new(quota: Quota) -> Meter {
        Meter::starting_at(quota, 0)
    }

    /// Creates a meter with calls that are used already: its arrival time.
    pub(crate) fn starting_at(quota: Quota, arrival: u64) -> Meter {
        let pace = quota.pace();
        Meter {
            arrival: AtomicU64::new(arrival),
            interval: AtomicU64::new(pace.interval),
            burst: AtomicU32::new(pace.burst),
            rejected: AtomicU64::new(0),
            queue: Mutex::new(Queue {
                quota,
                #[cfg(feature = "tokio")]
                next: 0,
                #[cfg(feature = "tokio")]
                waiters: BTreeMap::new(),
            }),
        }
    }

    // Two words: one read between the writes of a change mixes the old burst and the new interval, which is
    // a pace as well.
    #[inline]
    fn pace(&self) -> Pace {
        Pace { interval: self.interval.load(Ordering::Relaxed), burst: self.burst.load(Ordering::Relaxed) }
    }

    pub(crate) fn quota(&self) -> Quota {
        lock(&self.queue).quota
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    pub(crate) fn count_rejection(&self) {
        // Relaxed: a count for snapshots, which publishes nothing.
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn arrival(&self) -> u64 {
        self.arrival.load(Ordering::Relaxed)
    }

    pub(crate) fn available(&self, now: u64) -> u32 {
        self.pace().available(self.arrival.load(Ordering::Relaxed), now)
    }

    pub(crate) fn waiting(&self) -> usize {
        #[cfg(feature = "tokio")]
        return lock(&self.queue).waiters.len();
        #[cfg(not(feature = "tokio"))]
        0
    }

    /// Takes the calls if they conform now.
    #[inline]
    pub(crate) fn try_take(&self, now: u64, calls: u32) -> Result<(), Refused> {
        // One word decides: its successive values are all that a rate has to remember.
        take(&self.arrival, self.pace(), now, calls)
    }

    /// Replaces the quota. Used calls stay used, for no longer than the new burst takes to come back;
    /// waiters keep their order and get the turns that the new pace has for them.
    ///
    /// Returns the waiters to wake, for a caller that has a lock to release first.
    #[must_use = "waiters have other turns now"]
    pub(crate) fn set_quota(&self, quota: Quota, now: u64) -> Vec<Waker> {
        let pace = quota.pace();
        let mut queue = lock(&self.queue);
        queue.quota = quota;
        self.interval.store(pace.interval, Ordering::Relaxed);
        self.burst.store(pace.burst, Ordering::Relaxed);
        // No more may be used up than the new burst: a smaller quota would otherwise wait for what the old one
        // allowed.
        let latest = now.saturating_add(pace.cost(pace.burst));
        #[cfg(not(feature = "tokio"))]
        {
            self.arrival.fetch_min(latest, Ordering::Relaxed);
            Vec::new()
        }
        #[cfg(feature = "tokio")]
        self.set_turns(&mut queue, pace, now, latest)
    }
}

/// Takes calls of one arrival time if they conform.
#[inline]
pub(super) fn take(arrival: &AtomicU64, pace: Pace, now: u64, calls: u32) -> Result<(), Refused> {
    let mut seen = arrival.load(Ordering::Relaxed);
    loop {
        match pace.decide(seen, now, calls) {
            Decision::Permit { arrival: next } => {
                // Relaxed: the order of the changes of this word is the order of the calls, and no other data
                // belongs to it.
                match arrival.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return Ok(()),
                    Err(newer) => seen = newer,
                }
            }
            Decision::Wait { nanos, .. } => return Err(Some(nanos)),
            Decision::Never => return Err(None),
        }
    }
}

#[cfg(feature = "tokio")]
impl Meter {
    /// Takes the calls now, or at their turn if it comes within `max_wait` nanoseconds.
    #[cold]
    pub(crate) fn take_or_queue_slow(&self, now: u64, calls: u32, max_wait: u64, waker: &Waker) -> Arrival {
        // Cloned before the lock: a waker is the executor's code.
        let waker = waker.clone();
        let mut queue = lock(&self.queue);
        let pace = self.pace();
        // Relaxed, as every access of this word: see `take`. The queue is under the lock.
        let mut seen = self.arrival.load(Ordering::Relaxed);
        let wait = loop {
            let (next, wait) = match pace.decide(seen, now, calls) {
                Decision::Permit { arrival } => (arrival, None),
                // The turn is taken now and only used later, so calls that wait are served in their order and
                // cannot overtake each other.
                Decision::Wait { nanos, arrival } if nanos <= max_wait => (arrival, Some(nanos)),
                Decision::Wait { nanos, .. } => return Arrival::Refused(Some(nanos)),
                Decision::Never => return Arrival::Refused(None),
            };
            match self.arrival.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break wait,
                Err(newer) => seen = newer,
            }
        };
        let Some(wait) = wait else { return Arrival::Permitted };
        let place = queue.next;
        queue.next += 1;
        // Under the lock of the queue since before the turn was taken: a change of the quota finds either neither
        // of the two or both.
        let turn = now.saturating_add(wait);
        let cost = pace.cost(calls);
        queue.waiters.insert(place, Waiter { turn, calls, cost, freed: 0, waker: Some(waker) });
        Arrival::Queued { place, wait }
    }

    /// Returns whether a waiter's turn has come, by the clock or by its own timer, which has `slept`; if
    /// not, `waker` is woken when the turn comes earlier.
    pub(crate) fn poll_turn(&self, place: u64, now: u64, slept: bool, waker: &Waker) -> Turn {
        // Whatever a waker does, it does after the lock: clones before it, old ones dropped behind it.
        let mut left = Some(waker.clone());
        let mut queue = lock(&self.queue);
        let Some(waiter) = queue.waiters.get_mut(&place) else { return Turn::Come };
        let freed = waiter.advance(now);
        let turn = waiter.turn;
        let come = slept || turn <= now;
        if come {
            queue.waiters.remove(&place);
        } else {
            std::mem::swap(&mut waiter.waker, &mut left);
        }
        let next = self.pass_on(&mut queue, place, freed);
        drop(queue);
        drop(left);
        if let Some(next) = next {
            next.wake();
        }
        if come { Turn::Come } else { Turn::Waiting { shorter: (freed > 0).then(|| turn - now) } }
    }

    /// Leaves the queue: before the turn has come, those behind move up.
    pub(crate) fn leave(&self, place: u64, now: u64) {
        let mut queue = lock(&self.queue);
        let Some(mut waiter) = queue.waiters.remove(&place) else { return };
        // A turn that has come was a call that could have been made, so nothing is given back.
        let had_come = waiter.turn <= now;
        let freed = if had_come { 0 } else { waiter.advance(now).saturating_add(waiter.cost) };
        let next = self.pass_on(&mut queue, place, freed);
        drop(queue);
        drop(waiter);
        if let Some(next) = next {
            next.wake();
        }
    }

    /// Gives freed time to the first behind `place`, and to the quota behind the last; returns whom to wake.
    fn pass_on(&self, queue: &mut Queue, place: u64, freed: u64) -> Option<Waker> {
        if freed == 0 {
            return None;
        }
        match queue.waiters.range_mut(place..).find(|(number, _)| **number != place) {
            Some((_, next)) => {
                // Passed on from one waiter to the next when it is polled, instead of to all of them here, which
                // would cost as much as there are waiters for each one that leaves.
                next.freed = next.freed.saturating_add(freed);
                next.waker.take()
            }
            None => {
                // The time was freed ahead of a turn that is still to come, so the arrival time is ahead
                // of the clock since then and every call has only added to it. It is less than the freed
                // time only where a cost was saturated.
                let give_back = |arrival: u64| Some(arrival.saturating_sub(freed));
                let given = self.arrival.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give_back);
                debug_assert!(given.is_ok(), "giving back is never refused");
                None
            }
        }
    }

    /// Lines the waiters up at a new pace.
    fn set_turns(&self, queue: &mut Queue, pace: Pace, now: u64, latest: u64) -> Vec<Waker> {
        // The turns that have come are calls made; the arrival time holds the others, and the time that
        // was freed ahead of them.
        let coming = |queue: &Queue| -> Vec<u64> {
            queue.waiters.iter().filter(|(_, waiter)| waiter.turn > now).map(|(place, _)| *place).collect()
        };
        let places = coming(queue);
        let waiting = || places.iter().map(|place| &queue.waiters[place]);
        let held =
            waiting().fold(0_u64, |sum, waiter| sum.saturating_add(waiter.cost).saturating_add(waiter.freed));
        let costs = waiting().fold(0_u64, |sum, waiter| sum.saturating_add(pace.cost(waiter.calls)));
        let mut seen = self.arrival.load(Ordering::Relaxed);
        let mut arrival = loop {
            let used = seen.saturating_sub(held).min(latest).max(now);
            let next = used.saturating_add(costs);
            match self.arrival.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break used,
                Err(newer) => seen = newer,
            }
        };
        let mut woken = Vec::new();
        for place in places {
            let Some(waiter) = queue.waiters.get_mut(&place) else { continue };
            waiter.cost = pace.cost(waiter.calls);
            waiter.freed = 0;
            arrival = arrival.saturating_add(waiter.cost);
            waiter.turn = arrival.saturating_sub(pace.cost(pace.burst));
            woken.extend(waiter.waker.take());
        }
        woken
    }
}

#[cfg(feature = "tokio")]
impl Waiter {
    /// Moves the turn up by the time that was freed ahead of it, and returns that time for those behind.
    ///
    /// Once the turn has come it is too late for that: the calls behind may have been lined up anew since.
    fn advance(&mut self, now: u64) -> u64 {
        let freed = std::mem::take(&mut self.freed);
        if self.turn <= now {
            return 0;
        }
        self.turn = self.turn.saturating_sub(freed);
        freed
    }
}
