//! The memory of Closed and MetricsOnly: every sample in the window.

use super::settings::Window;
use super::words::{Counts, Nanos};

#[derive(Clone, Debug)]
pub(crate) struct Memory {
    window: Window,
    anchor: Nanos,
    samples: Vec<Sample>,
    /// The two runs, and when they were last updated: a tumbling interval restarts them (S15).
    run: Counts,
    run_at: Nanos,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Nanos,
    failure: bool,
    slow: bool,
}

impl Memory {
    /// S17: empty. S13: anchored at its start.
    pub(crate) fn new(window: Window, now: Nanos) -> Self {
        Self { window, anchor: now, samples: Vec::new(), run: Counts::default(), run_at: now }
    }

    /// S13: an outcome belongs to the time of its completion. S26: a window never returns to an earlier bucket.
    /// Returns whether it is the first in its bucket or interval.
    pub(crate) fn record(&mut self, failure: bool, slow: bool, now: Nanos) -> bool {
        let now = self.no_earlier(now);
        let rolls = self.has_rolled(now);
        let before = self.counts(now);
        self.run = Counts {
            consecutive_failures: before.consecutive_failures,
            consecutive_successes: before.consecutive_successes,
            ..Counts::default()
        };
        self.run.run(failure);
        self.run_at = now;
        self.samples.push(Sample { at: now, failure, slow });
        self.drop_gone(now);
        rolls
    }

    fn has_rolled(&self, now: Nanos) -> bool {
        match self.window {
            Window::Last { bucket: length, .. } | Window::Tumbling(length) => {
                self.step(now, length) > self.step(self.run_at, length)
            }
            Window::LastCalls(_) | Window::Unbounded => false,
        }
    }

    /// Samples that no later window contains are dropped, because histories are long.
    fn drop_gone(&mut self, now: Nanos) {
        let gone =
            (0..self.samples.len()).take_while(|&number| !self.holds(number, &self.samples[number], now));
        let gone = gone.count();
        self.samples.drain(..gone);
    }

    pub(crate) fn counts(&self, now: Nanos) -> Counts {
        let now = self.no_earlier(now);
        let mut counts = Counts::default();
        for (number, sample) in self.samples.iter().enumerate() {
            if self.holds(number, sample, now) {
                counts.add(sample.failure, sample.slow);
            }
        }
        if self.same_interval(self.run_at, now) {
            counts.consecutive_failures = self.run.consecutive_failures;
            counts.consecutive_successes = self.run.consecutive_successes;
        }
        counts
    }

    /// S30: the same geometry keeps the samples and their anchor; any other starts empty. The run stays.
    pub(crate) fn reshape(&mut self, window: Window, now: Nanos) {
        if window == self.window {
            return;
        }
        let Counts { consecutive_failures, consecutive_successes, .. } = self.counts(now);
        *self = Self::new(window, now);
        self.run = Counts { consecutive_failures, consecutive_successes, ..Counts::default() };
    }

    fn no_earlier(&self, now: Nanos) -> Nanos {
        now.max(self.anchor).max(self.run_at)
    }

    fn holds(&self, number: usize, sample: &Sample, now: Nanos) -> bool {
        match self.window {
            Window::LastCalls(size) => number + size as usize >= self.samples.len(),
            Window::Last { bucket, buckets } => {
                self.step(sample.at, bucket) + u64::from(buckets) > self.step(now, bucket)
            }
            Window::Tumbling(_) => self.same_interval(sample.at, now),
            Window::Unbounded => true,
        }
    }

    fn same_interval(&self, earlier: Nanos, now: Nanos) -> bool {
        match self.window {
            Window::Tumbling(interval) => self.step(earlier, interval) == self.step(now, interval),
            Window::LastCalls(_) | Window::Last { .. } | Window::Unbounded => true,
        }
    }

    fn step(&self, at: Nanos, length: Nanos) -> u64 {
        (at - self.anchor) / length
    }
}
