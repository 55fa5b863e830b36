//! The calls in flight, in buckets by the time of their admission.

use std::collections::VecDeque;

use crate::policy::Seconds;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    start: Seconds,
    out: u32,
    started: u32,
    good: u32,
}

/// The calls in flight.
#[derive(Clone, Debug)]
pub struct Flight {
    buckets: VecDeque<Bucket>,
    judged_until: Seconds,
    out: u32,
}

/// The width of a bucket, and the number of them, while nothing is overdue.
const UNKNOWN_WIDTH: Seconds = 0.5;
const MOST: usize = 64;

impl Flight {
    /// Empty, for calls from `now` on.
    pub fn new(now: Seconds) -> Flight {
        Flight { buckets: VecDeque::new(), judged_until: now - 1e-12, out: 0 }
    }

    /// The number of them.
    pub fn out(&self) -> u32 {
        self.out
    }

    /// Whether a call from then was judged.
    pub fn is_judged(&self, start: Seconds) -> bool {
        start < self.judged_until
    }

    /// A call is admitted; `limit` is the time after which it is overdue.
    pub fn enter(&mut self, now: Seconds, limit: Option<Seconds>) {
        self.out += 1;
        if limit.is_none() {
            while self.buckets.len() > MOST {
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

    /// A call ends.
    pub fn leave(&mut self, start: Seconds, good: bool) {
        self.out = self.out.saturating_sub(1);
        let own = self.buckets.iter_mut().rev().find(|bucket| bucket.start <= start);
        if let Some(bucket) = own.filter(|_| start >= self.judged_until) {
            bucket.out = bucket.out.saturating_sub(1);
            bucket.good += u32::from(good);
        }
    }

    /// Takes the oldest bucket if all of it is overdue: its calls in flight, and its end.
    pub fn take_overdue(&mut self, now: Seconds, limit: Seconds) -> Option<(u32, Seconds)> {
        let end = |bucket: &Bucket| bucket.start + limit / 8.0;
        let bucket = self.buckets.pop_front_if(|bucket| end(bucket) + limit < now)?;
        self.judged_until = end(&bucket);
        Some((bucket.out, self.judged_until))
    }

    /// Adds to the youngest calls from after `until` that had the time to end: how many, and how many were good.
    pub fn youngest(
        &self,
        until: Seconds,
        ripe_after: Seconds,
        now: Seconds,
        younger: (u32, u32),
    ) -> (u32, u32) {
        let (mut started, mut good) = younger;
        for bucket in self.buckets.iter().rev() {
            if bucket.start <= until || started >= 4 {
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
