//! The calls of a closed breaker that are only counted, in buckets by the time of their admission.

use std::collections::VecDeque;

use crate::policy::Seconds;

/// Where a call is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u64);

/// What became of a call before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It was in flight.
    Counted,
    /// It was overdue, and was judged.
    Judged,
    /// Its bucket was given up, or its visit has ended.
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    number: u64,
    begin: Seconds,
    end: Seconds,
    out: u32,
    started: u32,
    good: u32,
    judged: bool,
}

/// The calls of one visit.
#[derive(Clone, Debug)]
pub struct Sampled {
    buckets: VecDeque<Bucket>,
    /// Calls that were admitted, and good ones that ended, since they were read.
    unread: (u32, u32),
    /// From then on an admission looks first.
    edge: Seconds,
    /// From then on a success is learned from.
    learn_at: Seconds,
    slow_after: f64,
    judged_until: Seconds,
    next: u64,
}

/// A clock that is further behind the current bucket has stepped back.
const STEP_BACK: Seconds = 0.05;

/// Older buckets are given up.
const MOST: usize = 16;

impl Sampled {
    /// None, from `now` on; the first bucket has this number.
    pub fn new(now: Seconds, next: u64) -> Sampled {
        Sampled {
            buckets: VecDeque::new(),
            unread: (0, 0),
            edge: 0.0,
            learn_at: 0.0,
            slow_after: f64::INFINITY,
            judged_until: now,
            next,
        }
    }

    /// Begins a visit, of which no call is in flight.
    pub(super) fn next_visit(&self, now: Seconds) -> Sampled {
        Sampled::new(now, self.next)
    }

    /// Whether an admission looks first: a bucket is over, or calls are overdue.
    pub fn is_at_edge(&self, now: Seconds) -> bool {
        now >= self.edge
    }

    /// Whether a success is learned from.
    pub fn learns(&self, now: Seconds) -> bool {
        now >= self.learn_at || self.has_stepped_back(now)
    }

    /// Whether the clock is so far behind the last success that was learned from that it has stepped back.
    pub fn has_stepped_back(&self, now: Seconds) -> bool {
        self.learn_at - now > 0.1
    }

    /// Learns from the next success, if the clock has stepped back.
    pub fn note_step_back(&mut self, now: Seconds) {
        if self.has_stepped_back(now) {
            self.learn_at = 0.0;
        }
    }

    /// Whether an answer is too late.
    pub fn is_late(&self, took: Seconds) -> bool {
        took > self.slow_after
    }

    pub(super) fn is_due(&self, now: Seconds) -> bool {
        self.is_at_edge(now) || self.learns(now)
    }

    pub(super) fn learn_from(&mut self, at: Seconds) {
        self.learn_at = at;
    }

    /// Counts a call; returns where, since when, and whether its duration is to be learned.
    pub fn enter(&mut self, now: Seconds) -> Option<(Place, Seconds, bool)> {
        let bucket = self.buckets.back_mut()?;
        (bucket.out, bucket.started) = (bucket.out + 1, bucket.started + 1);
        self.unread.0 += 1;
        Some((Place(bucket.number), now.max(bucket.begin), now + STEP_BACK >= bucket.begin))
    }

    /// Subtracts a call that was admitted at `start`.
    pub fn leave(&mut self, place: Option<Place>, start: Seconds, good: bool) -> Left {
        let own = |bucket: &&mut Bucket| place == Some(Place(bucket.number));
        match self.buckets.iter_mut().find(own) {
            Some(bucket) if bucket.judged => Left::Judged,
            Some(bucket) => {
                bucket.out -= 1;
                bucket.good += u32::from(good);
                self.unread.1 += u32::from(good);
                Left::Counted
            }
            None if place.is_some() && start < self.judged_until => Left::Judged,
            None => Left::Gone,
        }
    }

    pub(super) fn read(&mut self) -> (u32, u32) {
        std::mem::take(&mut self.unread)
    }

    /// Begins a bucket if the current one is over.
    pub(super) fn advance(&mut self, now: Seconds, width: Seconds) {
        if self.buckets.back().is_some_and(|bucket| now + STEP_BACK < bucket.begin) {
            self.buckets.iter_mut().for_each(|bucket| bucket.end = bucket.end.min(now));
            self.judged_until = self.judged_until.min(now);
        } else if self.buckets.back().is_some_and(|bucket| now < bucket.end) {
            return;
        }
        if self.buckets.len() == MOST {
            self.buckets.pop_front();
        }
        let (number, end) = (self.next, now + width);
        self.next += 1;
        self.buckets.push_back(Bucket {
            number,
            begin: now,
            end,
            out: 0,
            started: 0,
            good: 0,
            judged: false,
        });
    }

    fn oldest(&mut self) -> Option<&mut Bucket> {
        let over = self.buckets.len().saturating_sub(1);
        self.buckets.iter_mut().take(over).find(|bucket| !bucket.judged)
    }

    pub(super) fn take_overdue(&mut self, now: Seconds, limit: Seconds) -> Option<(u32, Seconds)> {
        let bucket = self.oldest().filter(|bucket| bucket.end + limit < now)?;
        bucket.judged = true;
        let (out, end) = (std::mem::take(&mut bucket.out), bucket.end);
        self.judged_until = end;
        Some((out, end))
    }

    pub(super) fn publish(&mut self, slow: Option<Seconds>, overdue: Option<Seconds>) {
        self.slow_after = slow.unwrap_or(f64::INFINITY);
        let ends = self.buckets.back().map_or(0.0, |bucket| bucket.end);
        let due = self.oldest().filter(|bucket| bucket.out > 0).map(|bucket| bucket.end).zip(overdue);
        // The first nanosecond after it.
        self.edge = due.map_or(ends, |(end, limit)| (end + limit + 1e-9).min(ends));
    }

    pub(super) fn youngest(&self, until: Seconds, ripe_after: Seconds, now: Seconds) -> (u32, u32) {
        let (mut started, mut good) = (0, 0);
        for bucket in self.buckets.iter().rev() {
            if bucket.begin <= until || started >= 4 {
                break;
            }
            if now - bucket.begin > ripe_after {
                (started, good) = (started + bucket.started, good + bucket.good);
            }
        }
        (started, good)
    }
}
