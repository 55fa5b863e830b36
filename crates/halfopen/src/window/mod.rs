//! What a breaker remembers of the calls it has let through.
//!
//! A window is lock-free and exact: its steps have an order ([`head`]), and every reader sees the
//! sums of a whole number of them. A plain success in a window without trouble is not even a step:
//! it is counted in a stripe ([`plain`]) and changes nothing else.

mod frame;
mod head;
mod marks;
#[cfg(all(test, not(loom)))]
mod oracle;
mod plain;
mod record;
mod ring;
mod step;
mod sums;
mod trouble;
mod visit;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod quiet_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use frame::Frame;
use head::Head;
use plain::Plain;
use sums::{AtomicSums, Sums};

pub(crate) use head::Kind;

use crate::clock::{Moment, Tick};
use crate::config::CircuitBreakerConfig;
use crate::counts::Counts;
use crate::sync::{AtomicU64, Ordering, Shared};
use crate::totals::{Timing, Totals};

/// The window of the visit that records into it, and the totals of all visits.
#[derive(Debug)]
pub(crate) struct Window {
    head: AtomicU64,
    /// When the current bucket is over; `u64::MAX` where there are no buckets.
    edge: AtomicU64,
    /// The step since which plain successes must be weighed, as they may make a rule fire; zero if none can.
    trouble: AtomicU64,
    /// From how many nanoseconds on a call is slow; `u64::MAX` where no rule asks.
    slow_after: AtomicU64,
    /// All failures when the run of failures was last broken.
    run_base: AtomicU64,
    /// All successes when the run of successes was last broken.
    streak_base: AtomicU64,
    sums: AtomicSums,
    plain: Plain,
    frame: Shared<Frame>,
}

/// What became of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Its visit was over: nothing was written.
    Late,
    /// It is written, and no rule could fire on it.
    Quiet,
    /// It is written; the rules are to be asked about these counts.
    Counts(Counts),
}

/// What became of a plain success on the short way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is written, and no rule could fire on it.
    Quietly,
    /// It is written; the rules are to be asked.
    ToWeigh,
    /// Nothing is written: the long way is to be taken.
    NotWritten,
}

impl Window {
    pub(crate) fn new(epoch: u64, config: &CircuitBreakerConfig, now: Tick) -> Window {
        let frame = Frame::new(epoch, false, config.clone(), now, &Sums::default(), 0, None);
        Window {
            head: AtomicU64::new(Head::first(true).0),
            edge: AtomicU64::new(frame.edge().0),
            trouble: AtomicU64::new(0),
            slow_after: AtomicU64::new(slow_after(config)),
            run_base: AtomicU64::new(0),
            streak_base: AtomicU64::new(0),
            sums: AtomicSums::new(),
            plain: Plain::new(),
            frame: Shared::new(frame),
        }
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> CircuitBreakerConfig {
        self.frame.load().config.clone()
    }

    /// Asks the configuration in force, without a copy.
    pub(crate) fn with_config<T>(&self, ask: impl FnOnce(&CircuitBreakerConfig) -> T) -> T {
        ask(&self.frame.load().config)
    }

    /// All successes, failures and slow calls that windows have recorded.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let sums = self.sums.glance();
        (sums.successes + self.plain.successes(), sums.failures, sums.slow)
    }

    /// Where this thread adds up how long its calls took, if threads that met were given places apart.
    #[inline]
    pub(crate) fn timing(&self) -> Option<&Timing> {
        self.plain.timing()
    }

    /// What was added up there.
    pub(crate) fn add_timing_to(&self, totals: &mut Totals) {
        self.plain.add_timing_to(totals);
    }

    /// Whether a call that took this long is slow.
    #[inline]
    pub(crate) fn is_slow(&self, took: u64) -> bool {
        let limit = self.slow_after.load(Ordering::Relaxed);
        limit != u64::MAX && took >= limit
    }

    #[inline]
    fn load(&self) -> Head {
        Head(self.head.load(Ordering::Acquire))
    }

    fn swap(&self, head: Head, next: Head) -> bool {
        self.head.compare_exchange(head.0, next.0, Ordering::SeqCst, Ordering::Acquire).is_ok()
    }

    /// What lies in the window at this moment.
    pub(crate) fn counts(&self, moment: &Moment<'_>) -> Counts {
        loop {
            let head = self.load();
            let loaded = self.frame.load();
            let Some(frame) = loaded.of(head) else { continue };
            let Some(sums) = self.finish(head, frame) else { continue };
            let run = sums.failures.saturating_sub(self.run_base.load(Ordering::Acquire));
            let unmoved = || self.load() == head;
            let counts = frame.counts(head, &sums, || self.plain.sum(), || moment.get(), unmoved);
            let Some(counts) = counts else { continue };
            // A success that has passed the last failure comes before it, as it does not end its run.
            let streak = if run == 0 { self.streak(&sums) } else { 0 };
            if self.load() != head {
                continue;
            }
            let restarted = frame.tumbles()
                && frame.marks().is_some_and(|marks| marks.index(moment.get()) > marks.current());
            if restarted {
                return counts;
            }
            return Counts { consecutive_failures: run, consecutive_successes: streak, ..counts };
        }
    }

    fn streak(&self, sums: &Sums) -> u64 {
        let base = self.streak_base.load(Ordering::Acquire);
        self.successes(sums).saturating_sub(base)
    }

    /// All successes; in `sums` are those that were steps.
    fn successes(&self, sums: &Sums) -> u64 {
        sums.successes.wrapping_add(self.plain.sum())
    }

    /// All outcomes; in `sums` are those that were steps.
    fn recorded(&self, sums: &Sums) -> u64 {
        sums.recorded().wrapping_add(self.plain.sum())
    }
}

/// Raises a number that only grows; mostly it stands there already.
fn raise(word: &AtomicU64, value: u64) {
    if word.load(Ordering::Acquire) < value {
        word.fetch_max(value, Ordering::AcqRel);
    }
}

fn slow_after(config: &CircuitBreakerConfig) -> u64 {
    config.slow_after_nanos().unwrap_or(u64::MAX)
}
