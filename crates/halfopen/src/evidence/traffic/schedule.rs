//! The buckets of the [`Traffic`], which the holder of the transition lock begins, judges and reads.

use super::slot::{Slot, VERSION_MASK};
use super::{SLOTS, Traffic, nanos, seconds};
use crate::evidence::belief::Seconds;
use crate::evidence::flight::{Overdue, YOUNGEST};
use crate::sync::Ordering;

/// The buckets of a [`Traffic`], as the holder of the lock knows them.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(super) current: usize,
    /// The buckets that are not judged yet, with the current one; zero before the first call of a visit.
    buckets: usize,
    /// When the bucket of each slot ends.
    ends: [u64; SLOTS],
    /// The calls of each slot of each stripe that have been read.
    read: Vec<[Read; SLOTS]>,
    /// The unread calls of slots that were emptied.
    rest: Read,
}

/// The calls of a slot that have been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) started: u64,
    pub(crate) good: u64,
}

impl Schedule {
    pub(crate) fn new() -> Schedule {
        Schedule { current: 0, buckets: 0, ends: [0; SLOTS], read: Vec::new(), rest: Read::default() }
    }

    /// Begins a visit, of which no call is in flight.
    pub(crate) fn begin(&mut self, traffic: &Traffic, now: Seconds) {
        let begin = nanos(now) & !VERSION_MASK;
        traffic.judged_until.store(begin, Ordering::Relaxed);
        for slot in 0..SLOTS {
            traffic.reset(slot, begin, |_, _| ());
        }
        (self.buckets, self.ends[self.current]) = (0, 0);
        self.read.clear();
        self.rest = Read::default();
        traffic.edge.store(0, Ordering::Relaxed);
        traffic.learn_from(0.0);
    }

    /// Begins a bucket if the current one is over.
    pub(crate) fn advance(&mut self, traffic: &Traffic, now: Seconds, width: Seconds) {
        let begin = nanos(now) & !VERSION_MASK;
        if begin < self.ends[self.current] {
            return;
        }
        let next = (self.current + 1) % SLOTS;
        let read = &mut self.read;
        let rest = &mut self.rest;
        traffic.reset(next, begin, |stripe, held| rest.add(held, take(read, stripe, next)));
        self.ends[next] = begin.saturating_add(nanos(width).max(1));
        self.current = next;
        // The oldest bucket is given up if no limit has made its calls overdue.
        self.buckets = (self.buckets + 1).min(SLOTS);
        // Release, with the load in `Traffic::enter`.
        traffic.current.store(next as u64, Ordering::Release);
    }

    /// Returns the calls that have been admitted, and those that have ended well, since the last time.
    pub(crate) fn read(&mut self, traffic: &Traffic) -> Read {
        let mut new = std::mem::take(&mut self.rest);
        for (index, stripe) in traffic.stripes().enumerate() {
            for (slot, word) in stripe.0.iter().enumerate() {
                let held = Slot::of(word.load(Ordering::Relaxed));
                new.add(held, take(&mut self.read, index, slot));
                self.read[index][slot] = Read { started: held.started, good: held.good };
            }
        }
        new
    }

    /// Takes the oldest bucket whose calls are all overdue.
    pub(crate) fn take_overdue(
        &mut self,
        traffic: &Traffic,
        now: Seconds,
        limit: Seconds,
    ) -> Option<Overdue> {
        let oldest = self.oldest()?;
        let until = seconds(self.ends[oldest]);
        if until + limit >= now {
            return None;
        }
        let calls = traffic.take_overdue(oldest, self.ends[oldest]);
        self.buckets -= 1;
        Some(Overdue { calls: u32::try_from(calls).unwrap_or(u32::MAX), until })
    }

    /// The oldest bucket that is over and not judged.
    fn oldest(&self) -> Option<usize> {
        (self.buckets > 1).then(|| (self.current + SLOTS + 1 - self.buckets) % SLOTS)
    }

    /// Publishes the instant from which admissions must take the lock: a bucket is over, or calls are overdue.
    pub(crate) fn set_edge(&self, traffic: &Traffic, limit: Option<Seconds>) {
        let ends = self.ends[self.current];
        let due = self.oldest().zip(limit).map(|(oldest, limit)| {
            let over = self.ends[oldest].saturating_add(nanos(limit)).saturating_add(1);
            if traffic.sum(oldest, |slot| slot.in_flight) > 0 { over } else { ends }
        });
        traffic.edge.store(due.map_or(ends, |due| due.min(ends)), Ordering::Relaxed);
    }

    /// Counts the youngest calls that were admitted after `until` and had the time to end: how many, and how many were
    /// good.
    pub(crate) fn youngest(
        &self,
        traffic: &Traffic,
        now: Seconds,
        until: Seconds,
        ripe_after: Seconds,
    ) -> (u32, u32) {
        let (mut started, mut good) = (0, 0);
        for back in 0..SLOTS {
            let slot = (self.current + SLOTS - back) % SLOTS;
            let begin = seconds(traffic.begins[slot].load(Ordering::Relaxed) & !VERSION_MASK);
            if begin <= until || started >= u64::from(YOUNGEST) {
                break;
            }
            if now - begin > ripe_after {
                started += traffic.sum(slot, |slot| slot.started);
                good += traffic.sum(slot, |slot| slot.good);
            }
        }
        (started as u32, good as u32)
    }
}

/// Takes the calls of a slot that have been read.
fn take(read: &mut Vec<[Read; SLOTS]>, stripe: usize, slot: usize) -> Read {
    if read.len() <= stripe {
        read.resize(stripe + 1, [Read::default(); SLOTS]);
    }
    std::mem::take(&mut read[stripe][slot])
}

impl Read {
    fn add(&mut self, held: Slot, read: Read) {
        self.started += held.started.saturating_sub(read.started);
        self.good += held.good.saturating_sub(read.good);
    }
}
