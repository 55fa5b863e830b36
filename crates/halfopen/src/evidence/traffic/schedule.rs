//! The buckets of the [`Traffic`], which the holder of the transition lock begins, judges and reads.

use super::slot::{Slot, VERSION_MASK};
use super::{SLOTS, Traffic, nanos, seconds};
use crate::clock::LONGEST_LAG;
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
    /// The calls of each slot that have been read.
    read: [Read; SLOTS],
    /// The calls that have been read since the last [`read`](Self::read).
    news: Read,
}

/// A clock that is further behind the current bucket than two threads can be apart has stepped back.
const STEP_BACK: u64 = LONGEST_LAG;

/// The calls of a slot that have been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) started: u64,
    pub(crate) good: u64,
}

impl Schedule {
    pub(crate) fn new() -> Schedule {
        let none = Read::default();
        Schedule { current: 0, buckets: 0, ends: [0; SLOTS], read: [none; SLOTS], news: none }
    }

    /// Begins a visit, of which no call is in flight.
    pub(crate) fn begin(&mut self, traffic: &Traffic, now: Seconds) {
        let begin = nanos(now) & !VERSION_MASK;
        traffic.judged_until.store(begin, Ordering::Relaxed);
        for slot in 0..SLOTS {
            traffic.reset(slot, begin, |_| ());
        }
        (self.buckets, self.ends[self.current]) = (0, 0);
        (self.read, self.news) = ([Read::default(); SLOTS], Read::default());
        traffic.edge.store(0, Ordering::Relaxed);
        traffic.learn_from(0.0);
    }

    /// Begins a bucket if the current one is over.
    pub(crate) fn advance(&mut self, traffic: &Traffic, now: Seconds, width: Seconds) {
        let begin = nanos(now) & !VERSION_MASK;
        let began = traffic.begins[self.current].load(Ordering::Relaxed) & !VERSION_MASK;
        if begin.saturating_add(STEP_BACK) < began {
            self.step_back(traffic, begin);
        } else if begin < self.ends[self.current] {
            return;
        }
        let next = (self.current + 1) % SLOTS;
        traffic.reset(next, begin, |held| self.news.add(held));
        self.read[next] = Read::default();
        self.ends[next] = begin.saturating_add(nanos(width).max(1));
        self.current = next;
        // The oldest bucket is given up if no limit has made its calls overdue.
        self.buckets = (self.buckets + 1).min(SLOTS);
        // Release, with the load in `Traffic::enter`.
        traffic.current.store(next as u64, Ordering::Release);
    }

    /// The clock has stepped back: the calls in flight count as admitted by now.
    fn step_back(&mut self, traffic: &Traffic, begin: u64) {
        for end in &mut self.ends {
            *end = (*end).min(begin);
        }
        let judged = traffic.judged_until.load(Ordering::Relaxed);
        traffic.judged_until.store(judged.min(begin), Ordering::Relaxed);
    }

    /// Returns the calls that have been admitted, and those that have ended well, since the last time.
    pub(crate) fn read(&mut self, traffic: &Traffic) -> Read {
        for slot in 0..SLOTS {
            self.read_slot(traffic, slot);
        }
        std::mem::take(&mut self.news)
    }

    fn read_slot(&mut self, traffic: &Traffic, slot: usize) {
        traffic.take_news(slot, |held| {
            self.read[slot].add(held);
            self.news.add(held);
        });
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
        &mut self,
        traffic: &Traffic,
        now: Seconds,
        until: Seconds,
        ripe_after: Seconds,
    ) -> (u32, u32) {
        let (mut started, mut good) = (0_u64, 0_u64);
        for back in 0..SLOTS {
            let slot = (self.current + SLOTS - back) % SLOTS;
            let begin = seconds(traffic.begins[slot].load(Ordering::Relaxed) & !VERSION_MASK);
            if begin <= until || started >= u64::from(YOUNGEST) {
                break;
            }
            if now - begin > ripe_after {
                self.read_slot(traffic, slot);
                started += self.read[slot].started;
                good += self.read[slot].good;
            }
        }
        (started as u32, good as u32)
    }
}

impl Read {
    fn add(&mut self, held: Slot) {
        self.started += held.started;
        self.good += held.good;
    }
}
