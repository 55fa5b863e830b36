//! The calls in flight of an adaptive breaker, by when they were admitted.

use std::collections::VecDeque;

use super::belief::Seconds;

/// A bucket is so long where no latency is known.
pub(super) const UNKNOWN_WIDTH: Seconds = 0.5;

/// So many buckets are kept where no limit makes them overdue.
const MOST_BUCKETS: usize = 64;

/// The last calls that a verdict on older ones looks at.
pub(super) const YOUNGEST: u32 = 4;

/// Calls that were admitted together.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    start: Seconds,
    out: u32,
    started: u32,
    good: u32,
}

/// The calls in flight of one epoch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flight {
    buckets: VecDeque<Bucket>,
    /// Calls that were admitted before this moment have been judged.
    judged_until: Seconds,
    out: u32,
}

/// Calls that have been in flight for longer than they may.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Overdue {
    pub(crate) calls: u32,
    /// The end of their bucket.
    pub(crate) until: Seconds,
}

impl Flight {
    /// With no call, for those that are admitted from now on.
    pub(crate) fn new(now: Seconds) -> Flight {
        Flight { buckets: VecDeque::new(), judged_until: now - 1e-12, out: 0 }
    }

    /// The calls in flight.
    pub(crate) fn out(&self) -> u32 {
        self.out
    }

    pub(crate) fn is_judged(&self, start: Seconds) -> bool {
        start < self.judged_until
    }

    pub(crate) fn enter(&mut self, now: Seconds, limit: Option<Seconds>) {
        self.out += 1;
        if limit.is_none() {
            while self.buckets.len() > MOST_BUCKETS {
                self.buckets.pop_front();
            }
        }
        let width = limit.map_or(UNKNOWN_WIDTH, |limit| limit / 8.0);
        match self.buckets.back_mut() {
            Some(bucket) if now - bucket.start < width => {
                bucket.out += 1;
                bucket.started += 1;
            }
            _ => self.buckets.push_back(Bucket { start: now, out: 1, started: 1, good: 0 }),
        }
    }

    /// A call ends that was admitted at `start`.
    pub(crate) fn leave(&mut self, start: Seconds, good: bool) {
        self.out = self.out.saturating_sub(1);
        if self.is_judged(start) {
            return;
        }
        let after = self.buckets.partition_point(|bucket| bucket.start <= start);
        let Some(bucket) = after.checked_sub(1).and_then(|place| self.buckets.get_mut(place)) else { return };
        bucket.out = bucket.out.saturating_sub(1);
        bucket.good += u32::from(good);
    }

    /// Whether [`take_overdue`](Self::take_overdue) would return a bucket.
    pub(crate) fn has_overdue(&self, now: Seconds, limit: Seconds) -> bool {
        self.buckets.front().is_some_and(|bucket| bucket.start + limit / 8.0 + limit < now)
    }

    /// Takes the oldest bucket whose calls are all overdue.
    pub(crate) fn take_overdue(&mut self, now: Seconds, limit: Seconds) -> Option<Overdue> {
        if !self.has_overdue(now, limit) {
            return None;
        }
        let bucket = self.buckets.pop_front()?;
        self.judged_until = bucket.start + limit / 8.0;
        Some(Overdue { calls: bucket.out, until: self.judged_until })
    }

    /// Adds to the youngest calls that were admitted after `until` and had the time to end: how many, and how many were
    /// good.
    pub(crate) fn youngest(
        &self,
        now: Seconds,
        until: Seconds,
        ripe_after: Seconds,
        younger: (u32, u32),
    ) -> (u32, u32) {
        let (mut started, mut good) = younger;
        for bucket in self.buckets.iter().rev() {
            if bucket.start <= until || started >= YOUNGEST {
                break;
            }
            if now - bucket.start > ripe_after {
                started += bucket.started;
                good += bucket.good;
            }
        }
        (started, good)
    }
}

/// Whether calls are old news: of the youngest calls after them that had the time to end, most were good.
pub(crate) fn is_old_news((started, good): (u32, u32), break_even: f64) -> bool {
    started >= YOUNGEST && f64::from(good) > (1.0 - break_even) * f64::from(started)
}
